package jinja

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// listFilter is for filters of what can be looped over.
func (m *machine) listFilter(v any, b bound) (any, bool) {
	switch b.name {
	case "batch":
		return m.batch(v, b), true
	case "first":
		return m.first(v), true
	case "last", "random":
		return m.pick(v, b.name), true
	case "items":
		return m.pairsOf(v), true
	case "list":
		return list(m.copyItems(v)), true
	case "reverse":
		return m.reverse(v), true
	case "sort":
		return m.sortFilter(v, b), true
	case "dictsort":
		return m.dictsort(v, b), true
	}
	return nil, false
}

// lookupFilter is for filters that look at an attribute of each item, or apply something to it.
func (m *machine) lookupFilter(v any, b bound) (any, bool) {
	switch b.name {
	case "groupby":
		return m.groupby(v, b), true
	case "map":
		return m.mapFilter(v, b), true
	case "max", "min":
		return m.extreme(v, b), true
	case "select", "reject", "selectattr", "rejectattr":
		return m.selectFilter(v, b), true
	case "sum":
		return m.sum(v, b), true
	case "unique":
		return m.unique(v, b), true
	}
	return nil, false
}

func (m *machine) copyItems(v any) []any {
	items := m.items(v)
	m.charge(16 * len(items))
	return slices.Clone(items)
}

func (m *machine) first(v any) any {
	if s, ok := v.(*seq); ok && s.kind == iteratorKind && len(s.items) > 0 {
		item := s.items[0]
		s.items = s.items[1:]
		return item
	}
	if items := m.items(v); len(items) > 0 {
		return items[0]
	}
	return none("No first item, sequence was empty.")
}

// pick is the last item, or any.
func (m *machine) pick(v any, name string) any {
	if s, ok := v.(*seq); ok && s.kind == iteratorKind {
		m.fail("'generator' object is not reversible")
	}
	if d, ok := v.(*dict); ok && name == "random" && len(d.keys) > 0 {
		m.fail("a random item can be taken of a list, not of a dict")
	}
	items := m.items(v)
	switch {
	case len(items) == 0:
		return none("No " + name + " item, sequence was empty.")
	case name == "random":
		return items[rand.IntN(len(items))]
	}
	return items[len(items)-1]
}

func (m *machine) pairsOf(v any) any {
	switch v := v.(type) {
	case *dict:
		m.charge(smallValue * len(v.keys))
		return iterator(v.pairs())
	case *undefined:
		return iterator(nil)
	}
	m.fail("Can only get item pairs from a mapping.")
	return nil
}

func (m *machine) reverse(v any) any {
	items := m.copyItems(v)
	slices.Reverse(items)
	if s, ok := v.(string); ok {
		m.charge(len(s))
		return m.joinStrings("", items)
	}
	if s, ok := v.(*seq); ok && s.kind == iteratorKind {
		return list(items)
	}
	return iterator(items)
}

// batch makes lists of so many items each.
func (m *machine) batch(v any, b bound) any {
	items, size := m.copyItems(v), b.int(0, 0)
	if size <= 0 {
		size = max(1, len(items))
	}
	var out []any
	for chunk := range slices.Chunk(items, size) {
		m.charge(smallValue)
		part := list(chunk)
		if b.has(1) {
			part.items = m.fill(part.items, size, b.value(1, nil))
		}
		out = append(out, part)
	}
	return iterator(out)
}

func (m *machine) fill(items []any, size int, with any) []any {
	m.chargeTimes(16, size)
	for len(items) < size {
		items = append(items, with)
	}
	return items
}

// sorted is a stable sort by a key, of a copy.
func (m *machine) sorted(items []any, reverse bool, key func(any) any) []any {
	type keyed struct{ key, item any }
	m.charge(smallValue * len(items))
	rows := make([]keyed, len(items))
	for i, item := range items {
		m.step(1)
		rows[i] = keyed{key(item), item}
	}
	slices.SortStableFunc(rows, func(a, b keyed) int {
		if reverse {
			a, b = b, a
		}
		return m.order(a.key, b.key)
	})
	out := make([]any, len(rows))
	for i, row := range rows {
		out[i] = row.item
	}
	return out
}

// fold makes text small where case does not matter.
func fold(v any, caseSensitive bool) any {
	if s, ok := v.(string); ok && !caseSensitive {
		return strings.ToLower(s)
	}
	return v
}

// getter returns a function that follows a dotted attribute; missing stands for what is not there, unless it is nil.
func (m *machine) getter(attribute, missing any) func(any) any {
	var parts []any
	switch a := attribute.(type) {
	case nil:
	case string:
		for part := range strings.SplitSeq(a, ".") {
			parts = append(parts, m.pathPart(part))
		}
	default:
		parts = []any{a}
	}
	return func(v any) any {
		for _, part := range parts {
			m.step(1)
			v = m.item(v, part)
			if _, isUndefined := v.(*undefined); isUndefined && missing != nil {
				v = missing
			}
		}
		return v
	}
}

// pathPart is a name or, in digits, an index.
func (m *machine) pathPart(part string) any {
	if is, _ := stringIs(part, "isdigit"); is {
		return m.toInt(part, part, 10)
	}
	return part
}

func (m *machine) sortFilter(v any, b bound) any {
	var getters []func(any) any
	if names, ok := b.value(2, nil).(string); ok {
		for name := range strings.SplitSeq(names, ",") {
			getters = append(getters, m.getter(name, nil))
		}
	} else {
		getters = append(getters, m.getter(b.value(2, nil), nil))
	}
	return list(m.sorted(m.items(v), b.truth(0), func(item any) any {
		key := tuple()
		for _, get := range getters {
			key.items = append(key.items, fold(get(item), b.truth(1)))
		}
		return key
	}))
}

func (m *machine) dictsort(v any, b bound) any {
	d, ok := v.(*dict)
	if !ok {
		m.need(v)
		m.fail("'%s object' has no attribute 'items'", typeName(v))
	}
	place := 0
	switch b.text(1, "key") {
	case "key":
	case "value":
		place = 1
	default:
		m.fail(`You can only sort by either "key" or "value"`)
	}
	m.charge(smallValue * len(d.keys))
	return list(m.sorted(d.pairs(), b.truth(2), func(pair any) any {
		return fold(pair.(*seq).items[place], b.truth(0))
	}))
}

func (m *machine) groupby(v any, b bound) any {
	get := m.getter(b.value(0, nil), b.value(1, nil))
	key := func(item any) any { return fold(get(item), b.truth(2)) }
	var groups []any
	var last any
	for _, item := range m.sorted(m.items(v), false, key) {
		k := key(item)
		m.charge(smallValue)
		if len(groups) == 0 || !m.equal(last, k, 0) {
			groups = append(groups, &seq{tupleKind, "group", []any{get(item), list(nil)}})
			last = k
		}
		members := groups[len(groups)-1].(*seq).items[1].(*seq)
		members.items = append(members.items, item)
	}
	return list(groups)
}

func (m *machine) mapFilter(v any, b bound) any {
	a := b.rest
	var apply func(any) any
	if attribute, ok := a.takeNamed("attribute"); ok && len(a.plain) == 0 {
		missing, _ := a.takeNamed("default")
		if len(a.named) > 0 {
			m.fail("Unexpected keyword argument %s", quote(a.named[0].name))
		}
		apply = m.getter(attribute, missing)
	} else {
		if len(a.plain) == 0 {
			m.fail("map requires a filter argument")
		}
		name := m.needText(a.plain[0])
		a.plain = a.plain[1:]
		apply = func(item any) any { return m.filter(name, item, a) }
	}
	if !truth(v) {
		return iterator(nil) // nothing is asked of what is empty, whatever it is
	}
	items := m.copyItems(v)
	for i, item := range items {
		m.step(1)
		items[i] = apply(item)
	}
	return iterator(items)
}

// selectFilter is select, reject, selectattr and rejectattr.
func (m *machine) selectFilter(v any, b bound) any {
	a := b.rest
	get := func(item any) any { return item }
	if strings.HasSuffix(b.name, "attr") {
		if len(a.plain) == 0 {
			m.fail("Missing parameter for attribute name")
		}
		get = m.getter(a.plain[0], nil)
		a.plain = a.plain[1:]
	}
	passes := truth
	if len(a.plain) > 0 {
		name := m.needText(a.plain[0])
		a.plain = a.plain[1:]
		passes = func(item any) bool { return m.test(name, item, a) }
	}
	if !truth(v) {
		return iterator(nil)
	}
	var out []any
	for _, item := range m.items(v) {
		m.step(1)
		if passes(get(item)) == strings.HasPrefix(b.name, "select") {
			m.charge(16)
			out = append(out, item)
		}
	}
	return iterator(out)
}

// extreme is the least or the greatest item.
func (m *machine) extreme(v any, b bound) any {
	items := m.items(v)
	if len(items) == 0 {
		return none("No aggregated item, sequence was empty.")
	}
	get, op := m.getter(b.value(1, nil), nil), "<"
	if b.name == "max" {
		op = ">"
	}
	best, bestKey := items[0], fold(get(items[0]), b.truth(0))
	for _, item := range items[1:] {
		if key := fold(get(item), b.truth(0)); m.compare(op, key, bestKey) {
			best, bestKey = item, key
		}
	}
	return best
}

func (m *machine) sum(v any, b bound) any {
	get, total := m.getter(b.value(0, nil), nil), b.value(1, int64(0))
	for _, item := range m.items(v) {
		total = m.binary("+", total, get(item))
	}
	return total
}

func (m *machine) unique(v any, b bound) any {
	get, seen := m.getter(b.value(1, nil), nil), newDict()
	var out []any
	for _, item := range m.items(v) {
		key := fold(get(item), b.truth(0))
		if _, ok := seen.get(m.key(key)); !ok {
			m.put(seen, key, nil)
			out = append(out, item)
		}
	}
	return iterator(out)
}
