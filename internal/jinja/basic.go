package jinja

import "strings"

// Basic renders one of cloud-init's "basic" templates, in which $name and ${name} stand for variables and a.b for an
// entry of a mapping (cloudinit/templater.py, basic_render). A name is of letters, digits, "_" and ".", so that a
// point behind a name belongs to it; a "$" with no name behind it stays, and nothing escapes one. An unknown name is
// an error, an *Error that names it.
func Basic(name, text string, vars map[string]any) (rendered string, err error) {
	defer catch(&err)
	m := newMachine(name, vars, Limits{})
	for {
		before, after, found := strings.Cut(text, "$")
		m.out.write(before)
		m.pass(before)
		if !found {
			return m.out.String(), nil
		}
		path, length := basicName(after)
		if length == 0 {
			m.out.write("$")
		} else {
			m.out.write(m.str(m.basicValue(path)))
		}
		m.pass("$" + after[:length])
		text = after[length:]
	}
}

// pass moves the place over text.
func (m *machine) pass(text string) {
	l := lexer{pos: m.at, src: text}
	l.advance(len(text))
	m.at = l.pos
}

// basicName reads a name behind a "$", and how much of the text it takes; 0 is for no name.
func basicName(after string) (path string, length int) {
	inner, inBrackets := strings.CutPrefix(after, "{")
	n := len(inner) - len(strings.TrimLeftFunc(inner, isBasicName))
	switch {
	case n == 0, inBrackets && !strings.HasPrefix(inner[n:], "}"):
		return "", 0
	case inBrackets:
		return inner[:n], n + 2
	}
	return inner[:n], n
}

func isBasicName(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '.'
}

func (m *machine) basicValue(path string) any {
	var v any = m.vars
	for key := range strings.SplitSeq(path, ".") {
		entries, ok := v.(map[string]any)
		if !ok {
			m.fail("the template asks for $%s, but what should have the entry %s is no mapping", path, quote(key))
		}
		if v, ok = entries[key]; !ok {
			m.fail("the template asks for $%s, but there is no %s", path, quote(key))
		}
	}
	return m.take(v, 0)
}
