package jinja

import (
	"cmp"
	"math"
	"math/big"
	"slices"
	"strings"
)

// integer is the value of an int or a bool, which Python counts as one.
func integer(v any) (int64, bool) {
	switch v {
	case true:
		return 1, true
	case false:
		return 0, true
	}
	i, ok := v.(int64)
	return i, ok
}

// number is any number as a float.
func number(v any) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	i, ok := integer(v)
	return float64(i), ok
}

func (m *machine) whole(f float64) int64 {
	m.check(math.Abs(f) < 1<<63, "the number is too large: integers have 64 bits")
	return int64(f)
}

func (m *machine) unary(op string, x any) any {
	m.need(x)
	_, ok := number(x)
	m.check(ok, "bad operand type for unary %s: '%s'", op, typeName(x))
	return m.arithmetic("*", x, map[string]int64{"+": 1, "-": -1}[op])
}

// binary is one of + - * / // % ** ~.
func (m *machine) binary(op string, x, y any) any {
	m.work(x, y)
	s, isText := x.(string)
	u, notThere := x.(*undefined)
	switch {
	case op == "~":
		return m.text(func(t *buffer) { t.write(m.str(x)); t.write(m.str(y)) })
	case op == "%" && isText:
		return m.percent(s, y)
	case op == "-" && notThere: // cloud-init's own message (cloudinit/templater.py): a hyphen in a name is a subtraction
		const message = `Undefined jinja variable: "%[1]s-%[2]s". Jinja tried subtraction. Perhaps you meant "%[1]s_%[2]s"?`
		m.fail(message, u.name, strings.ReplaceAll(m.str(y), Missing, ""))
	}
	m.need(x, y)
	return m.arithmetic(op, x, y)
}

// arithmetic is an operation of numbers or of what can be added or repeated.
func (m *machine) arithmetic(op string, x, y any) any {
	f, xNum := number(x)
	g, yNum := number(y)
	a, xInt := integer(x)
	b, yInt := integer(y)
	_, isText := x.(string)
	_, isList := x.(*seq)
	var v any
	switch {
	case xNum && yNum:
		m.check(g != 0 || op != "/" && op != "//" && op != "%", "division by zero")
		f = compute(op, f, g, math.Mod, math.Pow)
		m.check(!math.IsNaN(f) && !math.IsInf(f, 0), "the result is too large, or no real number")
		if !xInt || !yInt || op == "/" || op == "**" && b < 0 {
			return f
		}
		m.whole(f)
		return compute(op, a, b, func(a, b int64) int64 { return a % b }, power)
	case op == "+" && (isText || isList):
		v = m.add(x, y)
	case op == "*" && yInt:
		v = m.repeat(x, b)
	case op == "*" && xInt:
		v = m.repeat(y, a)
	}
	m.check(v != nil, "unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(x), typeName(y))
	return v
}

// compute is an operation of two numbers of one type, with what the type has for "%" and "**".
func compute[T int64 | float64](op string, a, b T, mod, pow func(a, b T) T) T {
	switch op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	case "/":
		return a / b
	case "**":
		return pow(a, b)
	}
	rest := mod(a, b)
	if rest != 0 && (rest < 0) != (b < 0) { // Python rounds down
		rest += b
	}
	if op == "%" {
		return rest
	}
	return (a - rest) / b
}

// power is of what fits. Of 0, 1 and -1 only an odd power differs from an even one.
func power(a, b int64) int64 {
	z := int64(1)
	for range min(b, 64+b%2) {
		z *= a
	}
	return z
}

// add joins two strings, lists or tuples.
func (m *machine) add(x, y any) any {
	m.check(typeName(x) == typeName(y), `can only concatenate %[1]s (not "%[2]s") to %[1]s`, typeName(x), typeName(y))
	if s, ok := x.(string); ok {
		m.charge(len(s)+len(y.(string)), 1)
		return s + y.(string)
	}
	k, l := x.(*seq), y.(*seq)
	m.charge(16, len(k.items)+len(l.items))
	return &seq{k.kind, slices.Concat(k.items, l.items)}
}

// repeat is a string, list or tuple n times, or nil.
func (m *machine) repeat(v any, n int64) any {
	count := int(max(0, min(far, n)))
	switch v := v.(type) {
	case string:
		m.charge(len(v), count)
		return strings.Repeat(v, count)
	case *seq:
		m.charge(16*len(v.items), count)
		return &seq{v.kind, slices.Repeat(v.items, count)}
	}
	return nil
}

// compare is one of == != < <= > >= in, and "not in".
func (m *machine) compare(op string, x, y any) bool {
	switch op {
	case "==", "!=":
		return m.equal(x, y, 0) == (op == "==")
	case "in", "not in":
		return m.in(x, y) == (op == "in")
	}
	c := m.order(op, x, y, 0)
	return c < 0 && op[0] == '<' || c > 0 && op[0] == '>' || c == 0 && len(op) == 2
}

func (m *machine) equal(x, y any, depth int) bool {
	m.level(depth)
	switch x := x.(type) {
	case *seq:
		y, ok := y.(*seq)
		return ok && x.kind == y.kind && slices.EqualFunc(x.items, y.items, func(a, b any) bool { return m.equal(a, b, depth+1) })
	case *dict:
		y, ok := y.(*dict)
		return ok && len(x.keys) == len(y.keys) && !slices.ContainsFunc(x.keys, func(key any) bool {
			return !m.equal(m.get(x, key, nil), m.get(y, key, absent{}), depth+1)
		})
	case *undefined:
		return isUndefined(y)
	}
	if a, ok := x.(*big.Int); ok {
		b, ok := y.(*big.Int)
		return ok && a.Cmp(b) == 0
	}
	c, ok := orderNumbers(x, y)
	return ok && c == 0 || x == y
}

// orderNumbers orders an integer, bool or float and another.
func orderNumbers(x, y any) (c int, ok bool) {
	a, xInt := integer(x)
	b, yInt := integer(y)
	if xInt && yInt {
		return cmp.Compare(a, b), true
	}
	f, xNum := number(x)
	g, yNum := number(y)
	return cmp.Compare(f, g), xNum && yNum
}

// order orders two values as Python's operator op does, and fails for values that have no order.
func (m *machine) order(op string, x, y any, depth int) int {
	m.level(depth)
	if c, ok := orderNumbers(x, y); ok {
		return c
	}
	switch x := x.(type) {
	case string:
		if y, ok := y.(string); ok {
			m.work(x)
			return strings.Compare(x, y)
		}
	case *seq:
		if y, ok := y.(*seq); ok && x.kind == y.kind {
			return slices.CompareFunc(x.items, y.items, func(a, b any) int {
				if m.equal(a, b, depth+1) {
					return 0
				}
				return m.order(op, a, b, depth+1)
			})
		}
	}
	m.need(x, y)
	m.fail("'%s' not supported between instances of '%s' and '%s'", op, typeName(x), typeName(y))
	return 0
}

// in tells whether x is in y.
func (m *machine) in(x, y any) bool {
	switch y := y.(type) {
	case string:
		s, ok := x.(string)
		m.check(ok, "'in <string>' requires string as left operand, not %s", typeName(x))
		return strings.Contains(y, s)
	case *dict:
		return m.get(y, x, absent{}) != absent{}
	case *seq, *undefined:
		return slices.ContainsFunc(m.items(y), func(item any) bool { return m.equal(item, x, 0) })
	}
	m.fail("argument of type '%s' is not iterable", typeName(y))
	return false
}
