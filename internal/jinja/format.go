package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A format is a text with placeholders, and what to put there.
type format struct {
	*machine
	rest   string // of the text, not read yet
	values []any
	named  *dict
	used   int // of the values
}

// percent is Python's "text % v".
func (m *machine) percent(text string, v any) string {
	f := &format{machine: m, rest: text, values: []any{v}}
	mapping := isUndefined(v) // or what else Python could look into, which may be left over
	switch v := v.(type) {
	case *dict:
		f.named, mapping = v, true
	case *seq:
		mapping = v.kind == listKind
		if v.kind == tupleKind {
			f.values = v.items
		}
	}
	s := f.fill("%", f.percent)
	m.check(f.used >= len(f.values) || mapping, "not all arguments converted during string formatting")
	return s
}

// fill replaces what begins with one of certain characters, which next reads behind that.
func (f *format) fill(marks string, next func(mark byte) string) string {
	return f.text(func(t *buffer) {
		for {
			i := strings.IndexAny(f.rest, marks)
			if i < 0 {
				t.write(f.rest)
				return
			}
			t.write(f.rest[:i])
			mark := f.rest[i]
			f.rest = f.rest[i+1:]
			f.step(1)
			t.write(next(mark))
		}
	})
}

func (f *format) take(n int) string {
	taken := f.rest[:n]
	f.rest = f.rest[n:]
	return taken
}

// width reads the digits of a width or precision.
func (f *format) width() string {
	w := f.take(run(f.rest, digits))
	f.check(len(w) < 6, "the width %s of a placeholder is too large", w)
	return w
}

func (f *format) precision() string {
	point := f.take(min(1, run(f.rest, ".")))
	return point + f.width()
}

// value is the next that has no name.
func (f *format) value() any {
	f.check(f.used < len(f.values), "not enough arguments for format string")
	f.used++
	return f.values[f.used-1]
}

func (f *format) entry(name string) any {
	v := f.get(f.named, name, absent{})
	f.check(v != absent{}, "%s", quote(name))
	return v
}

// percent reads a placeholder behind its "%".
func (f *format) percent(byte) string {
	value := f.value
	if key, named := strings.CutPrefix(f.rest, "("); named {
		name, rest, ok := strings.Cut(key, ")")
		f.check(ok, "incomplete format key")
		f.check(f.named != nil, "format requires a mapping")
		f.rest, value = rest, func() any { return f.entry(name) }
	}
	flags, width, precision := f.take(run(f.rest, "#0- +")), f.width(), f.precision()
	f.check(f.rest != "", "incomplete format")
	_, n := utf8.DecodeRuneInString(f.rest)
	if verb := f.take(n); verb != "%" {
		return f.place(flags, width+precision, verb, value())
	}
	return "%"
}

// place formats a value. What Go does for flags, width and verb is what Python does, with few exceptions.
func (m *machine) place(flags, size, verb string, v any) string {
	var arg any
	switch {
	case verb == "s":
		arg, flags = m.str(v), strings.ReplaceAll(flags, "0", "")
	case verb == "r":
		arg, flags, verb = m.repr(v), strings.ReplaceAll(flags, "0", ""), "s"
	case strings.Contains("diu", verb):
		arg, verb = m.wholeNumber(verb, v), "d"
	case strings.Contains("xXo", verb):
		i, ok := integer(v)
		m.need(v)
		m.check(ok, "%%%s format: an integer is required, not %s", verb, typeName(v))
		if arg = i; verb == "o" && strings.Contains(flags, "#") {
			flags, verb = strings.ReplaceAll(flags, "#", ""), "O"
		}
	case strings.Contains("eEfFgG", verb):
		x, ok := number(v)
		m.need(v)
		m.check(ok, "must be real number, not %s", typeName(v))
		if arg = x; !strings.Contains(size, ".") {
			size += ".6"
		}
	default:
		m.fail("unsupported format character %s", quote(verb))
	}
	return fmt.Sprintf("%"+flags+size+verb, arg)
}

// wholeNumber is an integer, of a float without its fraction.
func (m *machine) wholeNumber(verb string, v any) int64 {
	m.need(v)
	if i, ok := integer(v); ok {
		return i
	}
	f, ok := number(v)
	m.check(ok, "%%%s format: a real number is required, not %s", verb, typeName(v))
	return m.whole(f)
}

// strFormat is the method format of strings.
func strFormat(c call) any {
	f := &format{machine: c.machine, rest: c.subject(), named: newDict()}
	for _, a := range c.rest {
		if a.name == "" {
			f.values = append(f.values, a.value)
		} else {
			c.put(f.named, a.name, a.value)
		}
	}
	return f.fill("{}", f.field)
}

// field reads a placeholder of the method format behind its "{", or a bracket that is written twice.
func (f *format) field(mark byte) string {
	if strings.HasPrefix(f.rest, string(mark)) {
		return f.take(1)
	}
	field, rest, ok := strings.Cut(f.rest, "}")
	f.check(ok && mark == '{', "Single '%c' encountered in format string", mark)
	f.rest = rest
	name, spec, _ := strings.Cut(field, ":")
	name, verb, _ := strings.Cut(name, "!")
	f.check(!strings.ContainsAny(name, ".[") && !strings.Contains(spec, "{"),
		"the field '{%s}' reaches into a value, which a template does with an expression", field)
	v := f.argument(name)
	if verb != "" {
		v = f.place("", "", verb, v)
	}
	return f.aligned(spec, v)
}

func (f *format) argument(name string) any {
	i, err := strconv.Atoi(name)
	switch {
	case name == "":
		return f.value()
	case err != nil:
		return f.entry(name)
	}
	f.check(i >= 0 && i < len(f.values), "Replacement index %s out of range for positional args tuple", name)
	return f.values[i]
}

// aligned formats a value as what is behind the ":" of a field says: fill, alignment, sign, width, precision, verb.
func (f *format) aligned(spec string, v any) string {
	if spec == "" {
		return f.str(v)
	}
	s := &format{machine: f.machine, rest: spec}
	fill, align := " ", ""
	if _, n := utf8.DecodeRuneInString(spec); run(spec[n:], "<>^") > 0 {
		fill, align = s.take(n), s.take(1)
	} else {
		align = s.take(min(1, run(spec, "<>^")))
	}
	flags, width, precision, verb := s.take(run(s.rest, "#0- +")), s.width(), s.precision(), s.rest
	_, isNumber := number(v)
	_, isInt := integer(v)
	_, isText := v.(string)
	f.check(isNumber || isText, "unsupported format string passed to %s.__format__", typeName(v))
	switch {
	case verb != "":
	case isInt:
		verb = "d"
	case isNumber && precision != "":
		verb = "g"
	case isNumber:
		v, verb = floatText(v.(float64)), "s"
	default:
		verb = "s"
	}
	n, _ := strconv.Atoi(width)
	if align == "" && strings.Contains(flags, "0") && isNumber {
		return f.zeros(f.place(flags, precision, verb, v), n)
	}
	if align == "" && isNumber {
		align = ">"
	}
	return f.pad(f.place(strings.ReplaceAll(flags, "0", ""), precision, verb, v), n, fill, align)
}

// zeros fills a number with zeros behind its sign.
func (m *machine) zeros(s string, width int) string {
	sign := s[:min(1, run(s, "+-"))]
	return sign + m.pad(s[len(sign):], width-len(sign), "0", ">")
}

// pad fills a text up to a width: on the right, or on the left (">"), or on both sides ("^").
func (m *machine) pad(s string, width int, fill, align string) string {
	n := max(0, width-utf8.RuneCountInString(s))
	m.charge(len(fill), n)
	left := map[string]int{">": n, "^": n / 2, "center": n/2 + n&width&1}[align]
	return strings.Repeat(fill, left) + s + strings.Repeat(fill, n-left)
}
