package jinja

import (
	"strings"
	"unicode/utf8"
)

// formatString is the method format of strings, with fields such as {}, {0}, {name}, {!r} and {:>8}. A field cannot
// reach into its value.
func (m *machine) formatString(format string, a arguments) string {
	t := m.newBuffer()
	next := 0
	for {
		i := strings.IndexAny(format, "{}")
		if i < 0 {
			t.write(format)
			return t.done()
		}
		t.write(format[:i])
		c, rest := format[i], format[i+1:]
		if rest != "" && rest[0] == c {
			t.write(rest[:1])
			format = rest[1:]
			continue
		}
		field, after, found := strings.Cut(rest, "}")
		if c == '}' || rest == "" {
			m.fail("Single '%c' encountered in format string", c)
		}
		if !found {
			m.fail("expected '}' before end of string")
		}
		t.write(m.formatField(field, &next, a))
		format = after
	}
}

func (m *machine) formatField(field string, next *int, a arguments) string {
	m.step(1)
	name, spec, _ := strings.Cut(field, ":")
	name, conversion, _ := strings.Cut(name, "!")
	v := m.formatArgument(name, next, a)
	switch conversion {
	case "":
	case "s":
		v = m.str(v)
	case "r":
		v = m.repr(v)
	default:
		m.fail("Unknown conversion specifier %s", quote(conversion))
	}
	if spec == "" {
		return m.str(v)
	}
	return m.formatValue(spec, v)
}

// formatArgument is the argument that a field names, by its place or by nothing at all.
func (m *machine) formatArgument(name string, next *int, a arguments) any {
	if strings.ContainsAny(name, ".[") {
		m.fail("the field %s reaches into a value, which a template does with an expression", quote("{"+name+"}"))
	}
	key := any(int64(*next))
	if name == "" {
		*next++
	} else {
		key = m.pathPart(name)
	}
	if i, ok := index(key, len(a.plain)); ok {
		return a.plain[i]
	}
	i := a.find(name)
	if i < 0 || name == "" {
		m.fail("the format asks for argument %s, which was not given", plain(key))
	}
	return a.named[i].value
}

// formatValue is Python's format(value, spec) for [[fill]align][sign][#][0][width][.precision][type].
func (m *machine) formatValue(spec string, v any) string {
	r := &percentReader{m: m, rest: spec}
	fill, align := r.alignment()
	p := placeholder{flags: r.take("+ #"), precision: -1}
	zero := r.take("0") != ""
	width := r.number(0)
	if r.take(".") != "" {
		p.precision = r.number(0)
	}
	p.verb = r.rest
	_, isText := v.(string)
	_, isFloat := v.(float64)
	switch {
	case isText && p.verb == "":
		p.verb = "s"
	case p.verb == "" && isFloat && p.precision < 0:
		v, p.verb = floatText(v.(float64)), "s"
	case p.verb == "" && isFloat:
		p.verb = "g"
	case p.verb == "":
		p.verb = "d"
	case isText != (p.verb == "s") || len(p.verb) > 1:
		m.fail("Invalid format specifier %s for object of type '%s'", quote(spec), typeName(v))
	}
	if zero && align == "" && !isText {
		p.flags, p.width = p.flags+"0", width
	}
	if align == "" && !isText {
		align = ">"
	}
	return m.pad(m.place(p, v), fill, align, width)
}

// alignment reads what a format spec begins with.
func (r *percentReader) alignment() (fill, align string) {
	_, n := utf8.DecodeRuneInString(r.rest)
	switch s := r.rest; {
	case len(s) > n && strings.IndexByte("<>^", s[n]) >= 0:
		r.rest = s[n+1:]
		return s[:n], s[n : n+1]
	case s != "" && strings.IndexByte("<>^", s[0]) >= 0:
		r.rest = s[1:]
		return " ", s[:1]
	}
	return " ", ""
}

// pad fills text up to a width.
func (m *machine) pad(text, fill, align string, width int) string {
	n := width - utf8.RuneCountInString(text)
	if n <= 0 {
		return text
	}
	m.chargeTimes(len(fill), n)
	left := 0
	switch align {
	case ">":
		left = n
	case "^":
		left = n / 2
	}
	return strings.Repeat(fill, left) + text + strings.Repeat(fill, n-left)
}
