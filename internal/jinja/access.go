package jinja

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// attribute is of.name: a method or field first, then the entry of that name.
func (m *machine) attribute(of, name any) any { return m.search(of, name, m.member, m.entry) }

// item is of[key]: an entry first, then a method.
func (m *machine) item(of, key any) any { return m.search(of, key, m.entry, m.member) }

// search is what one of two functions finds, or an undefined.
func (m *machine) search(of, key any, finders ...func(of, key any) (any, bool)) any {
	m.need(of)
	for _, find := range finders {
		if v, ok := find(of, key); ok {
			return v
		}
	}
	owner := strings.Replace(typeName(of)+" object", "NoneType object", "None", 1)
	u := &undefined{name: m.str(key), hint: owner + " has no element " + m.repr(key)}
	if _, isText := key.(string); isText {
		u.hint = quote(owner) + " has no attribute " + quote(u.name)
	}
	m.charge(2*smallValue+len(u.hint), 1)
	return u
}

func (m *machine) member(of, key any) (any, bool) {
	name, _ := key.(string)
	var methods []operation
	switch of := of.(type) {
	case *namespace:
		return m.entry(of.attrs, key)
	case *loop:
		return of.field(name)
	case string:
		methods = stringMethods
	case *dict:
		methods = dictMethods
	case *seq:
		if i := slices.Index([]string{"grouper", "list"}, name); i >= 0 && of.kind == groupKind {
			return of.items[i], true
		}
		methods = sequenceMethods
		if of.kind == listKind {
			methods = listMethods
		}
	}
	op, ok := find(methods, name)
	return &function{op, of}, ok
}

// entry is of[key] for a key that is there.
func (m *machine) entry(of, key any) (any, bool) {
	switch of := of.(type) {
	case *dict:
		v := m.get(of, key, absent{})
		return v, v != absent{}
	case *seq:
		if i, ok := index(key, len(of.items)); ok {
			return of.items[i], true
		}
	case string:
		m.step(len(of) / 64)
		i, ok := index(key, utf8.RuneCountInString(of))
		for _, r := range of {
			if i--; ok && i < 0 {
				return string(r), true
			}
		}
	}
	return nil, false
}

// index is the place of an item; a negative key counts from the end.
func index(key any, n int) (int, bool) {
	i, ok := integer(key)
	if i < 0 {
		i += int64(n)
	}
	return int(i), ok && 0 <= i && i < int64(n)
}

func (m *machine) slice(of any, bounds []any) any {
	m.need(of)
	switch of := of.(type) {
	case string:
		m.charge(len(of), 1)
		return string(cut(m, []rune(of), bounds))
	case *seq:
		m.charge(16, len(of.items))
		return &seq{of.kind, cut(m, of.items, bounds)}
	}
	m.fail("'%s' object is not subscriptable", typeName(of))
	return nil
}

// cut takes the items between two bounds as Python does; what is nil was left out.
func cut[T any](m *machine, items []T, bounds []any) (out []T) {
	step, n := 1, len(items)
	if bounds[2] != nil {
		step = m.int(bounds[2])
		m.check(step != 0, "slice step cannot be zero")
	}
	low, high, place := 0, n, [2]int{0, n}
	if step < 0 {
		low, high = -1, n-1
		place = [2]int{high, low}
	}
	for i := range place {
		if bounds[i] != nil {
			v := m.int(bounds[i])
			if v < 0 {
				v += n
			}
			place[i] = min(max(v, low), high)
		}
	}
	for i := place[0]; (place[1]-i)*step > 0; i += step {
		out = append(out, items[i])
	}
	return out
}
