package jinja

import (
	"math"
	"math/big"
	"slices"
	"strings"
)

// maxBits is the size of the largest integer: more than Python prints.
const maxBits = 1 << 16

// norm makes an integer an int64 if it fits.
func norm(i *big.Int) any {
	if i.IsInt64() {
		return i.Int64()
	}
	return i
}

// integer is the value of an int or a bool, which Python counts as one.
func integer(v any) (*big.Int, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return big.NewInt(1), true
		}
		return new(big.Int), true
	case int64:
		return big.NewInt(v), true
	case *big.Int:
		return v, true
	}
	return nil, false
}

// number is any number as a float.
func number(v any) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	i, ok := integer(v)
	if !ok {
		return 0, false
	}
	f, _ := new(big.Float).SetInt(i).Float64()
	return f, true
}

// unary is +x or -x.
func (m *machine) unary(op string, x any) any {
	m.need(x)
	if f, ok := x.(float64); ok {
		if op == "-" {
			return -f
		}
		return f
	}
	i, ok := integer(x)
	if !ok {
		m.fail("bad operand type for unary %s: '%s'", op, typeName(x))
	}
	if op == "-" {
		return norm(new(big.Int).Neg(i))
	}
	return norm(i)
}

// binary is one of + - * / // % **.
func (m *machine) binary(op string, x, y any) any {
	m.work(x, y)
	if s, ok := x.(string); ok && op == "%" {
		return m.percent(s, y)
	}
	if u, ok := x.(*undefined); ok && op == "-" && !u.blank {
		m.failHyphen(u, y)
	}
	m.need(x, y)
	a, xInt := integer(x)
	b, yInt := integer(y)
	if xInt && yInt {
		return m.integers(op, a, b)
	}
	f, xNum := number(x)
	g, yNum := number(y)
	if xNum && yNum {
		return m.floats(op, f, g)
	}
	if v, ok := m.sequences(op, x, y, a, b); ok {
		return v
	}
	name := op
	if op == "**" {
		name = "** or pow()"
	}
	m.fail("unsupported operand type(s) for %s: '%s' and '%s'", name, typeName(x), typeName(y))
	return nil
}

// failHyphen is cloud-init's own message (cloudinit/templater.py), since a name with a hyphen is a subtraction.
func (m *machine) failHyphen(x *undefined, y any) {
	name, other := x.shownName(m), strings.ReplaceAll(m.str(y), Missing, "")
	m.fail(`Undefined jinja variable: "%[1]s-%[2]s". Jinja tried subtraction. Perhaps you meant "%[1]s_%[2]s"?`, name, other)
}

func (m *machine) integers(op string, a, b *big.Int) any {
	z := new(big.Int)
	if b.Sign() == 0 && (op == "/" || op == "//" || op == "%") {
		m.fail("division by zero")
	}
	switch op {
	case "+":
		z.Add(a, b)
	case "-":
		z.Sub(a, b)
	case "*":
		m.bits(a.BitLen() + b.BitLen())
		z.Mul(a, b)
	case "/":
		f, _ := new(big.Rat).SetFrac(a, b).Float64()
		return f
	case "//":
		z, _ = floorDivide(a, b)
	case "%":
		_, z = floorDivide(a, b)
	case "**":
		return m.power(a, b)
	}
	m.bits(z.BitLen())
	return norm(z)
}

// bits bounds the size of an integer.
func (m *machine) bits(n int) {
	if n > maxBits {
		m.fail("the number is too large")
	}
	m.step(n / 1024)
}

// floorDivide rounds down, as Python does.
func floorDivide(a, b *big.Int) (quotient, rest *big.Int) {
	quotient, rest = new(big.Int).QuoRem(a, b, new(big.Int))
	if rest.Sign() != 0 && rest.Sign() != b.Sign() {
		quotient.Sub(quotient, big.NewInt(1))
		rest.Add(rest, b)
	}
	return quotient, rest
}

func (m *machine) power(a, b *big.Int) any {
	if b.Sign() < 0 {
		f, _ := number(a)
		g, _ := number(b)
		return m.floats("**", f, g)
	}
	switch {
	case a.BitLen() > 1 && (!b.IsInt64() || b.Int64() > int64(maxBits/(a.BitLen()-1))):
		m.fail("the number is too large")
	case a.BitLen() > 1:
		m.bits((a.BitLen() - 1) * int(b.Int64()))
	case b.Sign() > 0: // of 0, 1 and -1 only an odd power differs from an even one
		b = big.NewInt(2 - int64(b.Bit(0)))
	}
	return norm(new(big.Int).Exp(a, b, nil))
}

func (m *machine) floats(op string, a, b float64) any {
	switch op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	case "**":
		return m.floatPower(a, b)
	}
	if b == 0 {
		m.fail("division by zero")
	}
	if op == "/" {
		return a / b
	}
	rest := math.Mod(a, b)
	if rest != 0 && (rest < 0) != (b < 0) {
		rest += b
	}
	if op == "%" {
		return rest
	}
	return math.Round((a - rest) / b)
}

func (m *machine) floatPower(a, b float64) float64 {
	switch f := math.Pow(a, b); {
	case a == 0 && b < 0:
		m.fail("0.0 cannot be raised to a negative power")
	case a < 0 && b != math.Trunc(b):
		m.fail("a power of a negative number is not a real number here")
	case math.IsInf(f, 0) && !math.IsInf(a, 0) && !math.IsInf(b, 0):
		m.fail("(34, 'Numerical result out of range')")
	default:
		return f
	}
	return 0
}

// sequences adds and repeats strings, lists and tuples. a and b are the operands as integers, or nil.
func (m *machine) sequences(op string, x, y any, a, b *big.Int) (any, bool) {
	switch {
	case op == "+":
		return m.add(x, y)
	case op == "*" && b != nil:
		return m.repeat(x, b)
	case op == "*" && a != nil:
		return m.repeat(y, a)
	case op == "*" && isIterable(x, true):
		m.fail("can't multiply sequence by non-int of type '%s'", typeName(y))
	case op == "*" && isIterable(y, true):
		m.fail("can't multiply sequence by non-int of type '%s'", typeName(x))
	}
	return nil, false
}

func (m *machine) add(x, y any) (any, bool) {
	switch x := x.(type) {
	case string:
		if y, ok := y.(string); ok {
			m.charge(len(x) + len(y))
			return x + y, true
		}
	case *seq:
		if x.kind > tupleKind {
			return nil, false
		}
		if y, ok := y.(*seq); ok && y.kind == x.kind {
			m.charge(16 * (len(x.items) + len(y.items)))
			return &seq{kind: x.kind, items: slices.Concat(x.items, y.items)}, true
		}
	default:
		return nil, false
	}
	m.fail(`can only concatenate %[1]s (not "%[2]s") to %[1]s`, typeName(x), typeName(y))
	return nil, false
}

func (m *machine) repeat(v any, count *big.Int) (any, bool) {
	n := 0
	if count.Sign() > 0 {
		n = m.limits.Size + 1
		if count.IsInt64() && count.Int64() < int64(n) {
			n = int(count.Int64())
		}
	}
	switch v := v.(type) {
	case string:
		m.chargeTimes(len(v), n)
		return strings.Repeat(v, n), true
	case *seq:
		if v.kind > tupleKind {
			return nil, false
		}
		m.chargeTimes(16*len(v.items), n)
		return &seq{kind: v.kind, items: slices.Repeat(v.items, n)}, true
	}
	return nil, false
}

// chargeTimes charges for n times so many bytes.
func (m *machine) chargeTimes(bytes, n int) {
	if bytes > 0 && n > m.limits.Size/bytes {
		n = m.limits.Size/bytes + 1
	}
	m.charge(bytes * n)
}
