package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDigits is the longest integer that Python prints.
const maxDigits = 4300

// str is Python's str: what a value prints as.
func (m *machine) str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case *undefined:
		if v.blank {
			return ""
		}
		m.miss(v)
		return Missing + v.shownName(m)
	}
	return m.repr(v)
}

// repr is Python's repr: what a value prints as within a list.
func (m *machine) repr(v any) string {
	t := m.newBuffer()
	t.repr(v, 0)
	return t.done()
}

func (t *buffer) repr(v any, depth int) {
	t.m.step(1)
	if depth > maxValue {
		t.m.fail("a value that is nested more than %d levels deep cannot be printed", maxValue)
	}
	switch v := v.(type) {
	case string:
		t.m.work(v)
		t.write(quote(v))
	case *big.Int:
		t.write(t.m.bigText(v))
	case *seq:
		t.seq(v, depth)
	case *dict:
		t.dict(v, depth)
	case *undefined:
		t.m.miss(v)
		t.write("Undefined")
	case *namespace:
		t.write("<Namespace ")
		t.dict(v.attrs, depth)
		t.write(">")
	case *loop:
		t.write(fmt.Sprintf("<LoopContext %d/%d>", v.index+1, len(v.items)))
	case *macro:
		t.write("<Macro " + quote(v.def.name) + ">")
	case *function:
		t.write("<function " + v.name + ">")
	case *method:
		t.write("<built-in method " + v.name + " of " + typeName(v.of) + " object>")
	default:
		t.write(plain(v))
	}
}

// plain is the str of a simple value.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return floatText(v)
	case string:
		return v
	}
	return ""
}

func (t *buffer) seq(s *seq, depth int) {
	open, end := "[", "]"
	switch s.kind {
	case tupleKind:
		open, end = "(", ")"
		if len(s.items) == 1 {
			end = ",)"
		}
	case viewKind:
		open, end = s.name+"([", "])"
	case rangeKind:
		t.write(s.name)
		return
	case iteratorKind:
		t.write("<" + s.name + " object>")
		return
	}
	t.write(open)
	for i, item := range s.items {
		if i > 0 {
			t.write(", ")
		}
		t.repr(item, depth+1)
	}
	t.write(end)
}

func (t *buffer) dict(d *dict, depth int) {
	t.write("{")
	for i, key := range d.keys {
		if i > 0 {
			t.write(", ")
		}
		t.repr(key, depth+1)
		t.write(": ")
		t.repr(d.values[i], depth+1)
	}
	t.write("}")
}

// bigText is an integer in digits, refused where Python refuses it.
func (m *machine) bigText(i *big.Int) string {
	s := i.String()
	if len(s) > maxDigits+1 {
		m.fail("Exceeds the limit (%d digits) for integer string conversion", maxDigits)
	}
	return s
}

// floatText is Python's shortest form of a float.
func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quote is Python's repr of a string: in single quotes, unless these alone are in it.
func quote(s string) string {
	q := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	var b strings.Builder
	b.WriteRune(q)
	for _, r := range s {
		quoteRune(&b, r, q)
	}
	b.WriteRune(q)
	return b.String()
}

func quoteRune(b *strings.Builder, r, q rune) {
	switch {
	case r == q || r == '\\':
		b.WriteRune('\\')
		b.WriteRune(r)
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\r':
		b.WriteString(`\r`)
	case r == '\t':
		b.WriteString(`\t`)
	case unicode.IsPrint(r) || r == utf8.RuneError:
		b.WriteRune(r)
	case r < 0x100:
		fmt.Fprintf(b, `\x%02x`, r)
	case r < 0x10000:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}
