package jinja

import (
	"math/big"
	"strings"
	"unicode/utf8"
)

func (m *machine) evalAttr(e *attrExpr, s *scope) any {
	of := m.eval(e.of, s)
	m.at = e.pos
	return withPath(m.attribute(of, e.name), e)
}

// withPath tells a new undefined how the template reached it.
func withPath(v any, e expr) any {
	if u, ok := v.(*undefined); ok && u.path == "" {
		u.path = path(e)
	}
	return v
}

// attribute is of.name: a method or field first, then the entry of that name.
func (m *machine) attribute(of any, name string) any {
	if v, ok := m.member(of, name); ok {
		return v
	}
	if v, ok := m.entry(of, name); ok {
		return v
	}
	m.charge(2 * smallValue)
	return &undefined{name: name, owner: of, owned: true}
}

// member is a method or field. What Python keeps for itself is there, but may not be used.
func (m *machine) member(of any, name string) (any, bool) {
	m.need(of)
	if strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__") {
		hint := "access to attribute " + quote(name) + " of " + quote(typeName(of)) + " object is unsafe."
		return &undefined{name: name, hint: hint}, true
	}
	switch of := of.(type) {
	case *namespace:
		return of.attrs.get(name)
	case *loop:
		return of.field(name)
	case *seq:
		if of.name == "group" && name == "grouper" {
			return of.items[0], true
		}
		if of.name == "group" && name == "list" {
			return of.items[1], true
		}
	}
	if _, ok := lookup(methodTable(of), name); ok {
		return &method{of, name}, true
	}
	return nil, false
}

// entry is of[key] for a key that is there.
func (m *machine) entry(of, key any) (any, bool) {
	m.need(of)
	switch of := of.(type) {
	case *dict:
		if h, ok := m.hash(key); ok {
			return of.get(h)
		}
	case *seq:
		if of.kind <= rangeKind {
			if i, ok := index(key, len(of.items)); ok {
				return of.items[i], true
			}
		}
	case string:
		m.work(of)
		if i, ok := index(key, utf8.RuneCountInString(of)); ok {
			at := offset(of, i)
			return of[at : at+offset(of[at:], 1)], true
		}
	}
	return nil, false
}

// index is the place of an item; a negative key counts from the end.
func index(key any, n int) (int, bool) {
	b, ok := integer(key)
	if !ok || !b.IsInt64() {
		return 0, false
	}
	i := b.Int64()
	if i < 0 {
		i += int64(n)
	}
	return int(i), i >= 0 && i < int64(n)
}

// item is of[key]: an entry first, then a method.
func (m *machine) item(of, key any) any {
	if v, ok := m.entry(of, key); ok {
		return v
	}
	if name, ok := key.(string); ok {
		if v, ok := m.member(of, name); ok {
			return v
		}
	}
	m.charge(2 * smallValue)
	return &undefined{name: key, owner: of, owned: true}
}

func (m *machine) evalItem(e *itemExpr, s *scope) any {
	of := m.eval(e.of, s)
	if cut, ok := e.key.(*sliceExpr); ok {
		return m.evalSlice(of, cut, s)
	}
	key := m.eval(e.key, s)
	m.at = e.pos
	return withPath(m.item(of, key), e)
}

func (m *machine) evalSlice(of any, e *sliceExpr, s *scope) any {
	var bounds [3]any
	for i, b := range []expr{e.low, e.high, e.step} {
		if b != nil {
			bounds[i] = m.eval(b, s)
		}
	}
	m.at = e.pos
	m.need(of)
	m.work(of)
	switch of := of.(type) {
	case string:
		return m.cutString(of, bounds)
	case *seq:
		if of.kind <= rangeKind {
			items := cut(m, of.items, m.span(len(of.items), bounds))
			return &seq{kind: of.kind % rangeKind, items: items} // of a range, a list
		}
	case *dict:
		m.fail("unhashable type: 'slice'")
	}
	m.fail("'%s' object is not subscriptable", typeName(of))
	return nil
}

func (m *machine) cutString(s string, bounds [3]any) string {
	sp := m.span(utf8.RuneCountInString(s), bounds)
	if sp.step == 1 {
		from := offset(s, sp.from)
		return s[from : from+offset(s[from:], sp.to-sp.from)]
	}
	m.charge(4 * len(s))
	return string(cut(m, []rune(s), sp))
}

// offset is the place in bytes of a character, or of the end.
func offset(s string, char int) int {
	for i := range s {
		if char <= 0 {
			return i
		}
		char--
	}
	return len(s)
}

// A span is the items of a slice: from one on, step by step, to before another.
type span struct{ from, to, step int }

// span resolves the bounds of a slice of n items as Python does.
func (m *machine) span(n int, bounds [3]any) span {
	step := m.sliceBound(bounds[2], 1)
	if step == 0 {
		m.fail("slice step cannot be zero")
	}
	low, high, from, to := 0, n, 0, n
	if step < 0 {
		low, high, from, to = -1, n-1, n-1, -1
	}
	clamp := func(v any, missing int) int {
		if v == nil {
			return missing
		}
		i := m.sliceBound(v, 0)
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	return span{clamp(bounds[0], from), clamp(bounds[1], to), step}
}

func cut[T any](m *machine, items []T, sp span) []T {
	var out []T
	for i := sp.from; sp.step > 0 && i < sp.to || sp.step < 0 && i > sp.to; i += sp.step {
		out = append(out, items[i])
	}
	m.charge(16 * len(out))
	return out
}

// sliceBound is an integer of a slice, as far as it matters.
func (m *machine) sliceBound(v any, missing int) int {
	if v == nil {
		return missing
	}
	i, ok := integer(v)
	if !ok {
		m.fail("slice indices must be integers or None or have an __index__ method")
	}
	if i.CmpAbs(big.NewInt(far)) > 0 {
		return far * i.Sign()
	}
	return int(i.Int64())
}
