package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

func (m *machine) abs(v any) any {
	if i, ok := integer(v); ok {
		return norm(new(big.Int).Abs(i))
	}
	f, ok := v.(float64)
	if !ok {
		m.fail("bad operand type for abs(): '%s'", typeName(v))
	}
	return math.Abs(f)
}

// toNumber is a number as a float, of text too.
func (m *machine) toNumber(v any) (float64, bool) {
	m.need(v)
	if s, ok := v.(string); ok {
		return parseFloat(s)
	}
	return number(v)
}

// parseFloat reads a float as Python's float does.
func parseFloat(s string) (float64, bool) {
	s = strings.TrimFunc(s, isSpace)
	f, err := strconv.ParseFloat(s, 64)
	if strings.ContainsAny(s, "xX") || err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

func (m *machine) toFloat(v, missing any) any {
	if f, ok := m.toNumber(v); ok {
		return f
	}
	return missing
}

// toInt is an integer of a number or of text in a base; a fraction is cut off.
func (m *machine) toInt(v, missing any, base int) any {
	if i, ok := integer(v); ok {
		return norm(i)
	}
	if s, ok := v.(string); ok {
		if i, ok := parseInt(s, base); ok {
			return norm(i)
		}
	}
	f, ok := m.toNumber(v)
	if !ok || math.IsInf(f, 0) || math.IsNaN(f) {
		return missing
	}
	i, _ := big.NewFloat(f).Int(nil)
	return norm(i)
}

// parseInt reads an integer, with white space around and a prefix that says the base, as Python's int does.
func parseInt(s string, base int) (*big.Int, bool) {
	s = strings.TrimFunc(s, isSpace)
	prefix := map[int]string{2: "0b", 8: "0o", 16: "0x"}[base]
	if sign := run(s, "+-"); sign < 2 && prefix != "" && strings.HasPrefix(strings.ToLower(s[sign:]), prefix) {
		s = s[:sign] + s[sign+len(prefix):]
	}
	if len(s) > maxDigits || base != 0 && (base < 2 || base > 36) {
		return nil, false
	}
	return new(big.Int).SetString(s, base)
}

// round rounds half to even, as Python does, or up or down.
func (m *machine) round(v any, precision int, method string) any {
	i, isInt := integer(v)
	f, ok := number(v)
	if !ok {
		m.fail("type %s doesn't define __round__ method", typeName(v))
	}
	precision = max(-400, min(400, precision))
	scale := math.Pow10(precision)
	switch method {
	case "ceil":
		return math.Ceil(f*scale) / scale
	case "floor":
		return math.Floor(f*scale) / scale
	case "common":
	default:
		m.fail("method must be common, ceil or floor")
	}
	if isInt {
		return roundInt(i, -precision)
	}
	if precision < 0 {
		return math.RoundToEven(f*scale) / scale
	}
	out, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', precision, 64), 64)
	return out
}

// roundInt rounds the last digits of an integer.
func roundInt(i *big.Int, digits int) any {
	if digits <= 0 {
		return norm(i)
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	quotient, rest := floorDivide(i, unit)
	c := new(big.Int).Lsh(rest, 1).Cmp(unit)
	if c > 0 || c == 0 && quotient.Bit(0) == 1 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return norm(quotient.Mul(quotient, unit))
}
