package jinja

// The filters, in the form that call.go explains.
const filterTable = `
	abs; attr name; batch linecount fill_with?; capitalize; center width?; count; d default_value? boolean?;
	default default_value? boolean?; dictsort case_sensitive? by? reverse?; e; escape; first; float default?;
	forceescape; format * **; groupby attribute default? case_sensitive?; indent width? first? blank?;
	int default? base?; items; join d? attribute?; last; length; list; lower; map * **;
	max case_sensitive? attribute?; min case_sensitive? attribute?; random; reject * **; rejectattr * **;
	replace old new count?; reverse; round precision? method?; safe; select * **; selectattr * **;
	sort reverse? case_sensitive? attribute?; string; striptags; sum attribute? start?; title;
	tojson indent?; trim chars?; truncate length? killwords? end? leeway?; unique case_sensitive? attribute?;
	upper; urlencode; wordcount; wordwrap width? break_long_words? wrapstring? break_on_hyphens?`

// ansibleFilters are those that people take for Jinja's.
const ansibleFilters = " b64decode b64encode basename bool combine dict2items dirname from_json from_yaml hash ipaddr" +
	" items2dict password_hash regex_replace regex_search split splitext ternary to_json to_nice_json to_nice_yaml to_yaml to_uuid quote "

// filter is "v|name(arguments)".
func (m *machine) filter(name string, v any, a arguments) any {
	params, ok := lookup(filterTable, name)
	if !ok {
		m.fail("%s", noSuch("filter", filterTable, name))
	}
	m.charge(smallValue)
	m.work(v)
	m.work(a.plain...)
	b := m.bind(name, params, a)
	for _, family := range []func(any, bound) (any, bool){m.valueFilter, m.textFilter, m.listFilter, m.lookupFilter} {
		if out, ok := family(v, b); ok {
			return out
		}
	}
	m.fail("the filter %s is not there", quote(name))
	return nil
}

// valueFilter is for filters of a single value, mostly of numbers.
func (m *machine) valueFilter(v any, b bound) (any, bool) {
	switch b.name {
	case "abs":
		return m.abs(v), true
	case "attr":
		if out, ok := m.member(v, b.text(0, "")); ok {
			return out, true
		}
		return &undefined{name: b.text(0, ""), owner: v, owned: true}, true
	case "d", "default":
		if _, isUndefined := v.(*undefined); isUndefined || b.truth(1) && !truth(v) {
			return b.value(0, ""), true
		}
		return v, true
	case "float":
		return m.toFloat(v, b.value(0, 0.0)), true
	case "int":
		return m.toInt(v, b.value(0, int64(0)), b.int(1, 10)), true
	case "count", "length":
		n, ok := length(v)
		if !ok {
			m.fail("object of type '%s' has no len()", typeName(v))
		}
		return int64(n), true
	case "round":
		return m.round(v, b.int(0, 0), b.text(1, "common")), true
	case "tojson":
		return m.tojson(v, b.value(0, nil)), true
	}
	return nil, false
}
