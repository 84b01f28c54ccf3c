package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// str is Python's str: what a value prints as.
func (m *machine) str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case *undefined:
		if v.mute {
			return ""
		}
		m.miss(v)
		return Missing + v.name
	}
	return m.repr(v)
}

// repr is Python's repr: what a value prints as within a list.
func (m *machine) repr(v any) string { return m.text(func(t *buffer) { t.repr(v, 0) }) }

func (t *buffer) repr(v any, depth int) {
	t.m.level(depth)
	switch v := v.(type) {
	case string:
		t.m.work(v)
		t.write(quote(v))
	case *undefined:
		if !v.mute {
			t.m.miss(v)
		}
		t.write("Undefined")
	case *seq:
		open, end := "[", "]"
		if v.kind == tupleKind || v.kind == groupKind {
			open, end = "(", map[bool]string{true: ",)", false: ")"}[len(v.items) == 1]
		}
		t.list(open, end, len(v.items), func(i int) { t.repr(v.items[i], depth+1) })
	case *dict:
		t.list("{", "}", len(v.keys), func(i int) {
			t.repr(v.keys[i], depth+1)
			t.write(": ")
			t.repr(v.values[i], depth+1)
		})
	default:
		t.write(plain(v))
	}
}

func (t *buffer) list(open, end string, n int, item func(i int)) {
	t.write(open)
	for i := range n {
		if i > 0 {
			t.write(", ")
		}
		item(i)
	}
	t.write(end)
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
	case float64:
		return floatText(v)
	case int64, *big.Int, string:
		return fmt.Sprint(v)
	}
	return "<" + typeName(v) + " object>"
}

// floatText is Python's shortest form of a float.
func floatText(f float64) string {
	a := math.Abs(f)
	switch {
	case math.IsInf(f, 0) || math.IsNaN(f):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(f, 'f', -1, 64)), "+")
	case a != 0 && (a < 1e-4 || a >= 1e16):
		return strconv.FormatFloat(f, 'e', -1, 64)
	case a == math.Trunc(a):
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// quote is Python's repr of a string: in single quotes, unless these alone are in it.
func quote(s string) string {
	mark := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		mark = `"`
	}
	return mark + escaped(s, mark+"\\\n\r\t", func(r rune) string {
		switch {
		case unicode.IsPrint(r):
			return ""
		case r < 0x100:
			return fmt.Sprintf(`\x%02x`, r)
		case r < 0x10000:
			return fmt.Sprintf(`\u%04x`, r)
		}
		return fmt.Sprintf(`\U%08x`, r)
	}) + mark
}

// escaped puts a backslash before certain characters, and what other returns, unless it is empty, in place of others.
func escaped(s, chars string, other func(r rune) string) string {
	var b strings.Builder
	for _, r := range s {
		code := other(r)
		if strings.ContainsRune(chars, r) {
			code = `\` + strings.NewReplacer("\n", "n", "\r", "r", "\t", "t", "\b", "b", "\f", "f").Replace(string(r))
		}
		if code == "" {
			code = string(r)
		}
		b.WriteString(code)
	}
	return b.String()
}

// tojson is Python's json.dumps with sorted keys, and with the escapes that make it safe in HTML.
func tojson(c call) any {
	separator, indent := ", ", ""
	if c.value(0, nil) != nil {
		separator, indent = ",", "\n"+c.pad("", c.intOf(0, 0), " ", "")
	}
	return c.text(func(t *buffer) { t.json(c.of, separator, indent, 0) })
}

// json writes a value. With an indent, which begins with a newline, each item has a line.
func (t *buffer) json(v any, separator, indent string, depth int) {
	t.m.level(depth)
	switch v := v.(type) {
	case nil:
		t.write("null")
	case bool:
		t.write(strings.ToLower(plain(v)))
	case int64, *big.Int, float64:
		t.write(plain(v))
	case string:
		t.jsonString(v)
	case *seq:
		t.jsonItems("[]", separator, indent, depth, len(v.items), func(i int) {
			t.json(v.items[i], separator, indent, depth+1)
		})
	case *dict:
		entries := t.m.sort(t.m.pairs(v), nil, func(pair any) any { return pair.(*seq).items[0] }).items
		t.jsonItems("{}", separator, indent, depth, len(entries), func(i int) {
			entry := entries[i].(*seq).items
			t.jsonKey(entry[0])
			t.json(entry[1], separator, indent, depth+1)
		})
	default:
		t.m.fail("Object of type %s is not JSON serializable", typeName(v))
	}
}

func (t *buffer) jsonItems(brackets, separator, indent string, depth, n int, item func(i int)) {
	newline := indent
	if indent != "" && n > 0 {
		t.m.charge(len(indent), depth+1)
		newline = "\n" + strings.Repeat(indent[1:], depth)
	}
	t.write(brackets[:1])
	for i := range n {
		t.write(separator[:min(i, 1)*len(separator)])
		t.write(newline)
		if indent != "" {
			t.write(indent[1:])
		}
		item(i)
	}
	if n > 0 {
		t.write(newline)
	}
	t.write(brackets[1:])
}

func (t *buffer) jsonKey(v any) {
	if _, isText := v.(string); isText {
		t.json(v, "", "", 0)
	} else {
		t.write(`"`)
		t.json(v, "", "", 0)
		t.write(`"`)
	}
	t.write(": ")
}

func (t *buffer) jsonString(s string) {
	t.m.charge(6, len(s))
	t.write(`"` + escaped(s, "\"\\\n\r\t\b\f", func(r rune) (code string) {
		if ' ' <= r && r <= '~' && !strings.ContainsRune("<>&'", r) {
			return ""
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			code += fmt.Sprintf(`\u%04x`, unit)
		}
		return code
	}) + `"`)
}
