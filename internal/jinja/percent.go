package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxWidth is the widest that one placeholder may make a value.
const maxWidth = 100_000

// A placeholder is one "%" of a format, or one "{}" of the method format.
type placeholder struct {
	flags     string // of "#0- +"
	width     int
	precision int // -1 where left out
	verb      string
}

// percent is Python's "text % value".
func (m *machine) percent(format string, v any) string {
	r := &percentReader{m: m, rest: format, args: []any{v}}
	takesAny := false // what Python could ask for a key
	switch v := v.(type) {
	case *dict:
		r.dict, takesAny = v, true
	case *undefined:
		takesAny = true
	case *seq:
		takesAny = v.kind == listKind || v.kind == rangeKind
		if v.kind == tupleKind {
			r.args = v.items
		}
	}
	t := m.newBuffer()
	for {
		before, after, found := strings.Cut(r.rest, "%")
		t.write(before)
		if !found {
			break
		}
		r.rest = after
		t.write(r.value())
	}
	if r.used < len(r.args) && !takesAny {
		m.fail("not all arguments converted during string formatting")
	}
	return t.done()
}

// A percentReader reads the placeholders of a "%" format.
type percentReader struct {
	m    *machine
	rest string
	args []any
	used int
	dict *dict
}

// take reads the characters of a set.
func (r *percentReader) take(set string) string {
	after := strings.TrimLeft(r.rest, set)
	taken := r.rest[:len(r.rest)-len(after)]
	r.rest = after
	return taken
}

// number reads digits.
func (r *percentReader) number(missing int) int {
	digits := r.take(decimal)
	if digits == "" {
		return missing
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n > maxWidth {
		r.m.fail("the width %s of a placeholder is more than %d, which is the limit", digits, maxWidth)
	}
	return n
}

// value reads a placeholder behind its "%", and formats its value.
func (r *percentReader) value() string {
	named := strings.HasPrefix(r.rest, "(")
	var v any
	if named {
		v = r.entry()
	}
	p := placeholder{flags: r.take("#0- +"), width: r.number(0), precision: -1}
	if strings.HasPrefix(r.rest, ".") {
		r.rest = r.rest[1:]
		p.precision = r.number(0)
	}
	if r.rest == "" {
		r.m.fail("incomplete format")
	}
	_, n := utf8.DecodeRuneInString(r.rest)
	p.verb, r.rest = r.rest[:n], r.rest[n:]
	if p.verb == "%" {
		return "%"
	}
	if !named {
		if r.used >= len(r.args) {
			r.m.fail("not enough arguments for format string")
		}
		v = r.args[r.used]
		r.used++
	}
	return r.m.place(p, v)
}

// entry reads "(name)" and returns the entry of the mapping.
func (r *percentReader) entry() any {
	name, rest, ok := strings.Cut(r.rest[1:], ")")
	switch {
	case !ok:
		r.m.fail("incomplete format key")
	case r.dict == nil:
		r.m.fail("format requires a mapping")
	}
	v, ok := r.dict.get(name)
	if !ok {
		r.m.fail("%s", quote(name))
	}
	r.rest = rest
	return v
}

// place formats a value. Go's verbs mean what Python's mean, but for a missing precision of floats.
func (m *machine) place(p placeholder, v any) string {
	if p.verb != "s" && p.verb != "r" {
		m.need(v)
	}
	var arg any
	switch p.verb {
	case "s", "r":
		arg = m.str(v)
		if p.verb == "r" {
			arg = m.repr(v)
		}
		p.verb, p.flags = "s", strings.ReplaceAll(p.flags, "0", "")
	case "d", "i", "u":
		arg, p.verb = m.wholeNumber(p.verb, v), "d"
	case "x", "X", "o":
		i, ok := integer(v)
		if !ok {
			m.fail("%%%s format: an integer is required, not %s", p.verb, typeName(v))
		}
		arg = i
	case "e", "E", "f", "F", "g", "G":
		f, ok := number(v)
		if !ok {
			m.fail("must be real number, not %s", typeName(v))
		}
		arg = f
		if p.precision < 0 {
			p.precision = 6
		}
	default:
		m.fail("unsupported format character %s", quote(p.verb))
	}
	m.charge(p.width + max(0, p.precision))
	return fmt.Sprintf(p.String(), arg)
}

// String is the placeholder as Go writes it.
func (p placeholder) String() string {
	s := "%" + p.flags
	if p.width > 0 {
		s += strconv.Itoa(p.width)
	}
	if p.precision >= 0 {
		s += "." + strconv.Itoa(p.precision)
	}
	return s + p.verb
}

// wholeNumber is an integer, of a float without its fraction.
func (m *machine) wholeNumber(verb string, v any) *big.Int {
	if i, ok := integer(v); ok {
		m.bigText(i)
		return i
	}
	f, ok := v.(float64)
	if !ok || math.IsInf(f, 0) || math.IsNaN(f) {
		m.fail("%%%s format: a real number is required, not %s", verb, typeName(v))
	}
	i, _ := big.NewFloat(f).Int(nil)
	return i
}
