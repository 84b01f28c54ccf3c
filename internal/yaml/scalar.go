package yaml

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// scanPlain scans a text without quotes. It goes on in the lines that follow as long as they are further in than the block
// around it. Lines are joined by a space, and blank lines are line breaks.
func (s *scanner) scanPlain() token {
	t := token{kind: scalar, at: s.place()}
	least := s.indent + 1
	t.text = s.plainLine()
	s.buffer = append(s.buffer[:0], t.text...)
	for {
		size, line := len(s.buffer), ""
		if s.plainBreak() && s.peek(0) != '#' && (s.flow > 0 || s.column() >= least) {
			line = s.plainLine()
		}
		if line == "" {
			if size > len(t.text) {
				t.text = string(s.buffer[:size])
			}
			return t
		}
		s.buffer = append(s.buffer, line...)
	}
}

// plainLine goes over the words of a plain text in this line, and the spaces behind them, which are not part of it.
func (s *scanner) plainLine() string {
	from, to := s.pos, s.pos
	for s.plainWord() {
		s.keyAllowed = false
		to = s.pos
		s.skipSpaces()
		if s.pos == to || s.peek(0) == '#' {
			break
		}
	}
	return s.text[from:to]
}

// plainWord goes over one word of a plain text, if there is one.
func (s *scanner) plainWord() bool {
	from := s.pos
	for !s.isEdge(0) {
		c := s.text[s.pos]
		if c == ':' && (s.isEdge(1) || s.flow > 0 && strings.IndexByte(",[]{}", s.peek(1)) >= 0) ||
			s.flow > 0 && strings.IndexByte(",?[]{}", c) >= 0 {
			break
		}
		s.pos++
	}
	return s.pos > from
}

// plainBreak goes to the next line of a plain text and adds to the buffer what stands for the line breaks. It is false where
// the line does not end here, or the document ends with it.
func (s *scanner) plainBreak() bool {
	first := s.newline()
	if first == "" {
		return false
	}
	s.keyAllowed = true
	s.breaks = s.breaks[:0]
	for {
		if s.atDocumentMark() {
			return false
		}
		s.skipSpaces()
		sign := s.newline()
		if sign == "" {
			break
		}
		s.breaks = append(s.breaks, sign...)
	}
	s.fold(first)
	return true
}

// fold adds a line break, and those of the blank lines behind it, to the buffer. A single one is a space.
func (s *scanner) fold(first string) {
	if first != "\n" {
		s.buffer = append(s.buffer, first...)
	} else if len(s.breaks) == 0 {
		s.buffer = append(s.buffer, ' ')
	}
	s.buffer = append(s.buffer, s.breaks...)
}

// scanQuoted scans a text in quotes.
func (s *scanner) scanQuoted() token {
	t := token{kind: scalar, style: Quoted, at: s.place()}
	quote := s.text[s.pos]
	s.pos++
	s.buffer = s.buffer[:0]
	whole := true // the text stands as it is between the quotes
	from := s.pos
	for s.err == nil {
		to := s.pos
		switch c := s.peek(0); {
		case c == quote && (quote == '"' || s.peek(1) != quote):
			s.pos++
			t.text = s.text[from:to]
			if !whole {
				t.text = string(append(s.buffer, t.text...))
			}
			return t
		case c != quote && (c != '\\' || quote == '\'') && !s.isEdge(0):
			s.pos++
			continue
		case c == ' ' || c == '\t':
			if s.skipBlanks(); !s.ends(0) {
				continue
			}
		}
		whole = false
		s.buffer = append(s.buffer, s.text[from:to]...)
		s.quotedJoint(quote, t.at)
		from = s.pos
	}
	return t
}

// quotedJoint goes over what does not stand for itself between quotes: a quote that is doubled, an escape, a line break.
func (s *scanner) quotedJoint(quote byte, begins place) {
	switch c := s.peek(0); {
	case s.pos == len(s.text):
		s.refuseIn("scanning a quoted scalar", begins, s.place(), "found unexpected end of stream", "is a quote missing at the end?")
	case c == quote:
		s.buffer = append(s.buffer, quote)
		s.pos += 2
	case c == '\\':
		s.escape(begins)
	default:
		first := s.newline()
		s.quotedBreaks(begins)
		s.fold(first)
	}
}

// quotedBreaks goes over blank lines between quotes, and the white space that the next line begins with.
func (s *scanner) quotedBreaks(begins place) {
	s.breaks = s.breaks[:0]
	for {
		if s.atDocumentMark() {
			s.refuseIn("scanning a quoted scalar", begins, s.place(), "found unexpected document separator", "is a quote missing before this line?")
			return
		}
		s.skipBlanks()
		sign := s.newline()
		if sign == "" {
			return
		}
		s.breaks = append(s.breaks, sign...)
	}
}

// Escapes of one letter, and what each stands for.
const escapeLetters = "0abt\tnvfre \"\\/N_LP"

var escapeMeanings = [...]string{"\x00", "\a", "\b", "\t", "\t", "\n", "\v", "\f", "\r", "\x1b", " ", `"`, `\`, "/", "\u0085", "\u00a0", "\u2028", "\u2029"}

const hintEscape = `in double quotes a \ begins an escape; use single quotes`

// escape goes over a backslash and what it stands for. Before a line break it takes that away.
func (s *scanner) escape(begins place) {
	at := s.place()
	s.pos++
	c := s.peek(0)
	size := 0
	switch c {
	case 'x':
		size = 2
	case 'u':
		size = 4
	case 'U':
		size = 8
	}
	switch i := strings.IndexByte(escapeLetters, c); {
	case s.newline() != "":
		s.quotedBreaks(begins)
		s.buffer = append(s.buffer, s.breaks...)
	case size > 0:
		s.pos++
		s.escapeCode(begins, at, size)
	case i >= 0:
		s.pos++
		s.buffer = append(s.buffer, escapeMeanings[i]...)
	default:
		s.refuseIn("scanning a double-quoted scalar", begins, at, "found unknown escape character", hintEscape)
	}
}

// escapeCode goes over the digits of a character's number. One that is written as two halves, as JSON does, is one.
func (s *scanner) escapeCode(begins, at place, size int) {
	code, ok := s.hexadecimal(size)
	if ok && utf16.IsSurrogate(code) && size == 4 && s.peek(0) == '\\' && s.peek(1) == 'u' {
		s.pos += 2
		var low rune
		low, ok = s.hexadecimal(4)
		code = utf16.DecodeRune(code, low)
		ok = ok && code != utf8.RuneError
	}
	switch {
	case !ok:
		s.refuseIn("scanning a double-quoted scalar", begins, at, "did not find expected hexadecimal number", hintEscape)
	case !utf8.ValidRune(code):
		s.refuseIn("scanning a double-quoted scalar", begins, at, "found an escape that stands for no character", hintEscape)
	default:
		s.buffer = utf8.AppendRune(s.buffer, code)
	}
}

// hexadecimal reads a number of so many digits. One that is too large is some other that is too large.
func (s *scanner) hexadecimal(size int) (code rune, ok bool) {
	for range size {
		digit := strings.IndexByte("0123456789abcdef", s.peek(0)|0x20)
		if digit < 0 {
			return 0, false
		}
		code = min(code, 1<<24)<<4 | rune(digit)
		s.pos++
	}
	return code, true
}
