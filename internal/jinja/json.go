package jinja

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf16"
)

// A jsonWriter writes a value as Python's json.dumps does with sorted keys, and with the escapes that make it safe
// in HTML, which Jinja's tojson adds.
type jsonWriter struct {
	*buffer
	indent string
	pretty bool
}

func (m *machine) tojson(v any, indent any) string {
	w := &jsonWriter{buffer: m.newBuffer(), pretty: indent != nil}
	switch indent := indent.(type) {
	case string:
		w.indent = indent
	case int64:
		m.charge(int(max(0, min(indent, math.MaxInt32))))
		w.indent = strings.Repeat(" ", int(max(0, indent)))
	}
	w.value(v, 0)
	return w.done()
}

func (w *jsonWriter) value(v any, depth int) {
	w.m.step(1)
	if depth > maxValue {
		w.m.fail("a value that is nested more than %d levels deep has no JSON", maxValue)
	}
	switch v := v.(type) {
	case nil:
		w.write("null")
	case string:
		w.string(v)
	case bool:
		w.write(strings.ToLower(plain(v)))
	case int64:
		w.write(plain(v))
	case *big.Int:
		w.write(w.m.bigText(v))
	case float64:
		w.write(jsonFloat(v))
	case *dict:
		w.object(v, depth)
	case *seq:
		if v.kind != listKind && v.kind != tupleKind {
			w.refuse(v)
		}
		w.list("[", "]", len(v.items), depth, func(i int) { w.value(v.items[i], depth+1) })
	default:
		w.refuse(v)
	}
}

func (w *jsonWriter) refuse(v any) {
	w.m.fail("Object of type %s is not JSON serializable", typeName(v))
}

func jsonFloat(f float64) string {
	switch s := floatText(f); s {
	case "inf":
		return "Infinity"
	case "-inf":
		return "-Infinity"
	case "nan":
		return "NaN"
	default:
		return s
	}
}

func (w *jsonWriter) list(open, end string, n, depth int, item func(int)) {
	w.write(open)
	for i := range n {
		switch {
		case i > 0 && !w.pretty:
			w.write(", ")
		case i > 0:
			w.write(",")
		}
		w.newline(depth + 1)
		item(i)
	}
	if n > 0 {
		w.newline(depth)
	}
	w.write(end)
}

func (w *jsonWriter) newline(depth int) {
	if w.pretty {
		w.write("\n")
		for range depth {
			w.write(w.indent)
		}
	}
}

func (w *jsonWriter) object(d *dict, depth int) {
	order := make([]int, len(d.keys))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return w.m.order(d.keys[a], d.keys[b]) })
	w.list("{", "}", len(order), depth, func(i int) {
		w.key(d.keys[order[i]])
		w.write(": ")
		w.value(d.values[order[i]], depth+1)
	})
}

func (w *jsonWriter) key(v any) {
	switch v := v.(type) {
	case string:
		w.string(v)
	case nil, bool, int64, *big.Int, float64:
		w.write(`"`)
		w.value(v, 0)
		w.write(`"`)
	default:
		w.m.fail("keys must be str, int, float, bool or None, not %s", typeName(v))
	}
}

func (w *jsonWriter) string(s string) {
	w.m.work(s)
	w.write(`"`)
	for _, r := range s {
		switch i := strings.IndexRune("\"\\\n\r\t\b\f", r); {
		case i >= 0:
			w.write(`\` + string(`"\nrtbf`[i]))
		case r < ' ' || r > '~' || strings.ContainsRune("<>&'", r):
			for _, unit := range utf16.Encode([]rune{r}) {
				w.write(fmt.Sprintf(`\u%04x`, unit))
			}
		default:
			w.write(string(r))
		}
	}
	w.write(`"`)
}
