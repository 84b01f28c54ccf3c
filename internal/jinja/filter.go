package jinja

import (
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// filters is a function, and not a variable as tests is, since map looks into it.
func filters() []operation {
	return []operation{
		{"abs", "", absolute},
		{"attr", "name", func(c call) any { return c.search(c.of, c.values[0], c.member) }},
		{"batch", "linecount fill_with?", batch},
		{"capitalize", "", capitalize},
		{"center", "width?", func(c call) any { return c.pad(c.subject(), c.intOf(0, 80), " ", "center") }},
		{"default d", "default_value? boolean?", byDefault},
		{"dictsort", "case_sensitive? by? reverse?", dictsort},
		{"escape e forceescape", "", escape},
		{"first last random", "", pick},
		{"float", "default?", toFloat},
		{"format", "* **", formatFilter},
		{"groupby", "attribute default? case_sensitive?", groupBy},
		{"indent", "width? first? blank?", indent},
		{"int", "default? base?", toInt},
		{"items", "", entries},
		{"join", "d? attribute?", join},
		{"length count", "", count},
		{"list", "", func(c call) any { return list(c.copyItems(c.of)) }},
		{"lower", "", lower},
		{"map", "* **", mapped},
		{"max min", "case_sensitive? attribute?", extreme},
		{"replace", "old new count?", replace},
		{"reverse", "", reverse},
		{"round", "precision? method?", round},
		{"select selectattr reject rejectattr", "* **", selected},
		{"sort", "reverse? case_sensitive? attribute?", func(c call) any {
			return c.sort(c.copyItems(c.of), c.value(0, nil), c.key(c.value(2, nil), c.value(1, nil)))
		}},
		{"string safe", "", func(c call) any { return c.subject() }},
		{"sum", "attribute? start?", sum},
		{"title", "", func(c call) any { return c.title(" \t\n\r\f\v-({[<") }},
		{"tojson", "indent?", tojson},
		{"trim", "chars?", strip},
		{"truncate", "length? killwords? end? leeway?", truncate},
		{"unique", "case_sensitive? attribute?", unique},
		{"upper", "", upper},
		{"urlencode", "", urlEncode},
		{"wordcount", "", func(c call) any {
			return int64(len(strings.FieldsFunc(c.subject(), func(r rune) bool { return !inName(r) })))
		}},
	}
}

func byDefault(c call) any {
	v := c.of
	if isUndefined(v) || !truth(v) && truth(c.value(1, nil)) {
		v = c.values[0]
	}
	if v == (absent{}) {
		return ""
	}
	return v
}

func count(c call) any {
	n, ok := length(c.of)
	c.check(ok, "object of type '%s' has no len()", typeName(c.of))
	return int64(n)
}

// pick is the first or last item, or any.
func pick(c call) any {
	items := c.items(c.of)
	n := len(items)
	if n == 0 {
		return &undefined{name: "None", hint: "No " + c.name + " item, sequence was empty."}
	}
	return items[map[string]int{"first": 0, "last": n - 1, "random": rand.IntN(n)}[c.name]]
}

func entries(c call) any {
	if d, ok := c.of.(*dict); ok {
		return list(c.pairs(d))
	}
	c.check(isUndefined(c.of), "Can only get item pairs from a mapping.")
	return list(nil)
}

func reverse(c call) any {
	items := c.copyItems(c.of)
	slices.Reverse(items)
	if _, isText := c.of.(string); isText {
		return c.joined("", items)
	}
	return &seq{iteratorKind, items}
}

// key returns what items are compared by: an attribute, or several with commas, in small letters where case does not
// matter.
func (c call) key(attribute, caseSensitive any) func(item any) any {
	one := func(item, attribute any) any {
		v := c.follow(item, attribute, nil)
		if s, ok := v.(string); ok && !truth(caseSensitive) {
			c.charge(len(s), 1)
			return strings.ToLower(s)
		}
		return v
	}
	several, _ := attribute.(string)
	if !strings.Contains(several, ",") {
		return func(item any) any { return one(item, attribute) }
	}
	return func(item any) any {
		key := &seq{kind: tupleKind}
		for name := range strings.SplitSeq(several, ",") {
			c.charge(smallValue, 1)
			key.items = append(key.items, one(item, name))
		}
		return key
	}
}

// follow is a dotted attribute of a value, and missing where that is not there, unless that is nil.
func (m *machine) follow(v, attribute, missing any) any {
	if attribute == nil {
		return v
	}
	for name := range strings.SplitSeq(plain(attribute), ".") {
		m.step(1)
		var key any = name
		if i, err := strconv.ParseInt(name, 10, 64); err == nil {
			key = i
		}
		if v = m.item(v, key); isUndefined(v) && missing != nil {
			v = missing
		}
	}
	return v
}

// sort is a stable sort by keys, in place.
func (m *machine) sort(items []any, reverse any, key func(any) any) *seq {
	m.charge(2*smallValue, len(items))
	rows := make([][2]any, len(items))
	for i, item := range items {
		rows[i] = [2]any{key(item), item}
	}
	sort.SliceStable(rows, func(i, j int) bool {
		if truth(reverse) {
			i, j = j, i
		}
		return m.order("<", rows[i][0], rows[j][0], 0) < 0
	})
	for i, row := range rows {
		items[i] = row[1]
	}
	return list(items)
}

func dictsort(c call) any {
	c.need(c.of)
	d, ok := c.of.(*dict)
	c.check(ok, "'%s object' has no attribute 'items'", typeName(c.of))
	place := slices.Index([]string{"key", "value"}, c.textOf(1, "key"))
	c.check(place >= 0, `You can only sort by either "key" or "value"`)
	return c.sort(c.pairs(d), c.value(2, nil), c.key(int64(place), c.value(0, nil)))
}

// operand takes the name of a filter or test, and leaves its arguments.
func (c *call) operand(kind string, table []operation) func(any) any {
	v, _ := c.take("")
	name := c.needText(v)
	op, ok := find(table, name)
	c.check(ok, noSuch, kind, name)
	return func(v any) any { return c.apply(op, v, c.rest) }
}

func mapped(c call) any {
	attribute, byAttribute := c.take("attribute")
	missing, _ := c.take("default")
	do := func(v any) any { return c.follow(v, attribute, missing) }
	if !byAttribute {
		c.check(len(c.rest) > 0, "map requires a filter argument")
		do = c.operand("filter", filters())
	}
	items := c.copyItems(c.of)
	for i, item := range items {
		c.step(1)
		items[i] = do(item)
	}
	return &seq{iteratorKind, items}
}

// selected is select, reject, selectattr and rejectattr.
func selected(c call) any {
	attribute, ok := any(nil), true
	if strings.HasSuffix(c.name, "attr") {
		attribute, ok = c.take("")
	}
	c.check(ok, "Missing parameter for attribute name")
	passes := func(v any) any { return v }
	if len(c.rest) > 0 {
		passes = c.operand("test", tests)
	}
	var out []any
	for _, item := range c.items(c.of) {
		c.charge(16, 1)
		if truth(passes(c.follow(item, attribute, nil))) == strings.HasPrefix(c.name, "select") {
			out = append(out, item)
		}
	}
	return &seq{iteratorKind, out}
}

func extreme(c call) any {
	c.of = c.sort(c.copyItems(c.of), c.name == "max", c.key(c.value(1, nil), c.value(0, nil)))
	c.name = "aggregated" // as Jinja says where there is none
	return pick(c)
}

func sum(c call) any {
	total := c.value(1, int64(0))
	for _, item := range c.items(c.of) {
		total = c.binary("+", total, c.follow(item, c.value(0, nil), nil))
	}
	return total
}

func unique(c call) any {
	key, seen := c.key(c.value(1, nil), c.value(0, nil)), newDict()
	for _, item := range c.items(c.of) {
		if k := key(item); c.get(seen, k, absent{}) == any(absent{}) {
			c.put(seen, k, item)
		}
	}
	return &seq{iteratorKind, seen.values}
}

// groupBy puts items with equal attributes together, each time as a pair of that and a list.
func groupBy(c call) any {
	attribute, missing := c.values[0], c.value(1, nil)
	fold := c.key(nil, c.value(2, nil))
	by := func(item any) any { return c.follow(item, attribute, missing) }
	var groups []any
	var last []any
	for _, item := range c.sort(c.copyItems(c.of), nil, func(item any) any { return fold(by(item)) }).items {
		c.charge(2*smallValue, 1)
		if last == nil || !c.equal(fold(last[0]), fold(by(item)), 0) {
			last = []any{by(item), &seq{kind: listKind}}
			groups = append(groups, &seq{groupKind, last})
		}
		members := last[1].(*seq)
		members.items = append(members.items, item)
	}
	return list(groups)
}

// batch makes lists of so many items, the last one filled up.
func batch(c call) any {
	n, items := c.intOf(0, 0), c.copyItems(c.of)
	c.check(n > 0, "batch needs a number of items above 0")
	if fill := c.value(1, nil); fill != nil && len(items)%n > 0 {
		missing := n - len(items)%n
		c.charge(16, missing)
		items = append(items, slices.Repeat([]any{fill}, missing)...)
	}
	var rows []any
	for row := range slices.Chunk(items, n) {
		c.charge(smallValue, 1)
		rows = append(rows, list(row))
	}
	return &seq{iteratorKind, rows}
}
