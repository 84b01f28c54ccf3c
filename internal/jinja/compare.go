package jinja

import (
	"cmp"
	"strings"
)

// compare is one of == != < <= > >= in, and "not in".
func (m *machine) compare(op string, x, y any) bool {
	m.work(x, y)
	switch op {
	case "==":
		return m.equal(x, y, 0)
	case "!=":
		return !m.equal(x, y, 0)
	case "in":
		return m.in(x, y)
	case "not in":
		return !m.in(x, y)
	}
	m.need(x, y)
	switch c, unordered := m.cmp(op, x, y, 0); op {
	case "<":
		return c < 0 && !unordered
	case "<=":
		return c <= 0 && !unordered
	case ">":
		return c > 0 && !unordered
	default:
		return c >= 0 && !unordered
	}
}

// order compares two values for sorting.
func (m *machine) order(x, y any) int {
	if m.compare("<", x, y) {
		return -1
	}
	if m.compare("<", y, x) {
		return 1
	}
	return 0
}

func (m *machine) level(depth int) {
	m.step(1)
	if depth > maxValue {
		m.fail("values that are nested more than %d levels deep cannot be compared", maxValue)
	}
}

func (m *machine) equal(x, y any, depth int) bool {
	m.level(depth)
	switch x := x.(type) {
	case string:
		y, ok := y.(string)
		return ok && x == y
	case *seq:
		y, ok := y.(*seq)
		if !ok || x.kind != y.kind || x.kind == iteratorKind {
			return ok && x == y
		}
		return m.equalItems(x.items, y.items, depth)
	case *dict:
		y, ok := y.(*dict)
		return ok && m.equalDicts(x, y, depth)
	case *undefined:
		u, ok := y.(*undefined)
		return ok && x.blank == u.blank
	}
	if c, unordered, ok := compareNumbers(x, y); ok {
		return c == 0 && !unordered
	}
	return x == y
}

func (m *machine) equalItems(x, y []any, depth int) bool {
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if !m.equal(x[i], y[i], depth+1) {
			return false
		}
	}
	return true
}

func (m *machine) equalDicts(x, y *dict, depth int) bool {
	if len(x.keys) != len(y.keys) {
		return false
	}
	for i, key := range x.keys {
		v, ok := y.get(m.key(key))
		if !ok || !m.equal(x.values[i], v, depth+1) {
			return false
		}
	}
	return true
}

// compareNumbers compares an integer, bool or float with another; unordered is for what is not a number.
func compareNumbers(x, y any) (c int, unordered, ok bool) {
	a, xInt := integer(x)
	b, yInt := integer(y)
	if xInt && yInt {
		return a.Cmp(b), false, true
	}
	f, xNum := number(x)
	g, yNum := number(y)
	if !xNum || !yNum {
		return 0, false, false
	}
	return cmp.Compare(f, g), f != f || g != g, true
}

// cmp orders two values as Python's operator op does, and fails for values that have no order.
func (m *machine) cmp(op string, x, y any, depth int) (c int, unordered bool) {
	m.level(depth)
	if c, unordered, ok := compareNumbers(x, y); ok {
		return c, unordered
	}
	if s, ok := x.(string); ok {
		if t, ok := y.(string); ok {
			return strings.Compare(s, t), false
		}
	}
	s, ok1 := x.(*seq)
	t, ok2 := y.(*seq)
	if !ok1 || !ok2 || s.kind != t.kind || s.kind > tupleKind {
		m.fail("'%s' not supported between instances of '%s' and '%s'", op, typeName(x), typeName(y))
	}
	for i := range min(len(s.items), len(t.items)) {
		if !m.equal(s.items[i], t.items[i], depth+1) {
			return m.cmp(op, s.items[i], t.items[i], depth+1)
		}
	}
	return cmp.Compare(len(s.items), len(t.items)), false
}

// in tells whether x is in y.
func (m *machine) in(x, y any) bool {
	switch y := y.(type) {
	case string:
		s, ok := x.(string)
		if !ok {
			m.fail("'in <string>' requires string as left operand, not %s", typeName(x))
		}
		return strings.Contains(y, s)
	case *dict:
		_, ok := y.get(m.key(x))
		return ok
	case *seq:
		for _, item := range y.take() {
			if m.equal(item, x, 0) {
				return true
			}
		}
		return false
	case *undefined:
		return false
	}
	m.fail("argument of type '%s' is not iterable", typeName(y))
	return false
}
