package yaml

import (
	"strings"
	"unicode/utf8"
)

const hintAnchor = "put quotes around a text that begins with & or *"

func (s *scanner) scanAlias() token  { return s.scanName(alias) }
func (s *scanner) scanAnchor() token { return s.scanName(anchor) }

// scanName scans an anchor or an alias.
func (s *scanner) scanName(kind tokenKind) token {
	t := token{kind: kind, at: s.place()}
	s.pos++
	t.text = s.skipWord()
	if t.text == "" || !s.isEdge(0) && strings.IndexByte("?:,]}%@`", s.peek(0)) < 0 {
		s.refuse(s.place(), "the name of an anchor or an alias is made of letters, digits, - and _", hintAnchor)
	}
	return t
}

const hintTag = "put quotes around a text that begins with !"

// scanTag scans a tag: !<…> as it is, a handle such as !! and what is behind it, or a lone !.
func (s *scanner) scanTag() token {
	t := token{kind: tag, at: s.place()}
	switch {
	case s.peek(1) == '<':
		s.pos += 2
		t.text = s.scanURI("a tag", t.at)
		if s.err == nil && s.peek(0) != '>' {
			s.refuseIn("parsing a tag", t.at, s.place(), "did not find the expected '>'", hintTag)
			return t
		}
		s.pos++
	case s.isEdge(1):
		t.text = "!"
		s.pos++
	default:
		t.more = "!"
		if s.hasHandle() {
			t.more = s.scanHandle("a tag", t.at)
		} else {
			s.pos++
		}
		t.text = s.scanURI("a tag", t.at)
	}
	if s.err == nil && s.peek(0) != ' ' && !s.ends(0) {
		s.refuseIn("scanning a tag", t.at, s.place(), "did not find expected whitespace or line break after a tag", hintTag)
	}
	return t
}

// hasHandle says whether a second ! follows in the word.
func (s *scanner) hasHandle() bool {
	for i := 1; s.peek(i) != ' ' && !s.ends(i); i++ {
		if s.peek(i) == '!' {
			return true
		}
	}
	return false
}

// scanHandle scans !, !! or !name!.
func (s *scanner) scanHandle(what string, begins place) string {
	from := s.pos
	if s.peek(0) == '!' {
		s.pos++
		if s.peek(0) == ' ' {
			return s.text[from:s.pos]
		}
		s.skipWord()
	}
	if s.peek(0) != '!' {
		s.refuseIn("scanning "+what, begins, s.place(), "did not find expected '!'", hintTag)
		return ""
	}
	s.pos++
	return s.text[from:s.pos]
}

// scanURI scans the end of a tag, or its prefix. What is escaped by % is given in plain.
func (s *scanner) scanURI(what string, begins place) string {
	s.buffer = s.buffer[:0]
	for s.err == nil {
		switch c := s.peek(0); {
		case c == '%':
			s.uriEscapes(what, begins)
		case isWord(c) || c != 0 && strings.IndexByte(";/?:@&=+$,.!~*'()[]", c) >= 0:
			s.buffer = append(s.buffer, c)
			s.pos++
		default:
			if len(s.buffer) == 0 {
				s.refuseIn("parsing "+what, begins, s.place(), "did not find expected tag URI", hintTag)
			}
			return string(s.buffer)
		}
	}
	return ""
}

// uriEscapes reads characters that are written as bytes: %C3%A9.
func (s *scanner) uriEscapes(what string, begins place) {
	at, from := s.place(), len(s.buffer)
	for s.peek(0) == '%' {
		s.pos++
		code, ok := s.hexadecimal(2)
		if !ok {
			s.refuseIn("scanning "+what, begins, s.place(), "did not find expected hexadecimal number after %", hintTag)
			return
		}
		s.buffer = append(s.buffer, byte(code))
	}
	if !utf8.Valid(s.buffer[from:]) {
		s.refuseIn("scanning "+what, begins, at, "the escapes are no UTF-8 text", hintTag)
	}
}

// fetchDirective adds a line that begins with %.
func (s *scanner) fetchDirective() {
	s.unwind(-1)
	s.dropKey()
	s.keyAllowed = false
	if s.directives++; s.directives > maxDirectives {
		s.tooMuch(maxDirectives, "lines of directives")
	}
	if s.err != nil {
		return
	}
	t := token{kind: directive, at: s.place()}
	s.pos++
	name, major := s.skipWord(), "1"
	switch {
	case name == "" || s.peek(0) != ' ' && !s.ends(0):
		s.refuse(s.place(), "could not find expected directive name", "put quotes around a text that begins with %")
	case name == "YAML":
		major = s.scanVersion()
	case name == "TAG":
		s.scanTagDirective(&t)
	default:
		s.skipLine()
	}
	if s.err == nil {
		s.restOfLine("scanning a directive", t.at)
	}
	if major != "1" {
		s.refuse(t.at, "found incompatible YAML document", "write %YAML 1.1")
	}
	if t.text == "" {
		t.text = name
	}
	s.add(t)
}

// scanVersion reads a version of YAML, and returns the number before the dot.
func (s *scanner) scanVersion() string {
	s.skipSpaces()
	major := s.skipDigits()
	minor := ""
	if major != "" && s.peek(0) == '.' {
		s.pos++
		minor = s.skipDigits()
	}
	if minor == "" || s.peek(0) != ' ' && !s.ends(0) {
		s.refuse(s.place(), "did not find expected version number", "write %YAML 1.1")
	}
	return strings.TrimLeft(major, "0")
}

func (s *scanner) skipDigits() string {
	from := s.pos
	for isDigit(s.peek(0)) {
		s.pos++
	}
	return s.text[from:s.pos]
}

// scanTagDirective reads the handle and the prefix of %TAG.
func (s *scanner) scanTagDirective(t *token) {
	s.skipSpaces()
	t.text = s.scanHandle("a directive", t.at)
	if s.err == nil && s.peek(0) != ' ' {
		s.refuse(s.place(), "did not find expected whitespace", "write %TAG, a handle such as !e! and a prefix")
	}
	s.skipSpaces()
	if s.err == nil {
		t.more = s.scanURI("a directive", t.at)
	}
	if s.err == nil && s.peek(0) != ' ' && !s.ends(0) {
		s.refuse(s.place(), "did not find expected whitespace or line break", "")
	}
}
