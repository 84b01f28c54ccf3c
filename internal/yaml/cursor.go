package yaml

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const byteOrderMark = "\ufeff"

// check refuses what PyYAML's reader refuses before anything is scanned.
func check(text []byte) error {
	if len(text) > MaxBytes {
		return &Error{Line: 1, Column: 1, Message: fmt.Sprintf("the document has more than %d MiB", MaxBytes>>20)}
	}
	for i := 0; i < len(text); {
		if c := text[i]; c >= 0x20 && c < 0x7f || c == '\n' {
			i++
			continue
		}
		c, size := utf8.DecodeRune(text[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			return unreadable(text[:i], "this is no UTF-8 text", "save the file as UTF-8")
		case !isPrintable(c):
			return unreadable(text[:i], fmt.Sprintf("the character %#x is not allowed", c), "is this a binary file?")
		}
		i += size
	}
	return nil
}

// unreadable is an error at the end of a text.
func unreadable(before []byte, message, hint string) error {
	c := cursor{text: string(before), line: 1}
	for c.pos < len(c.text) {
		if c.newline() == "" {
			c.pos++
		}
	}
	at := c.place()
	return &Error{Line: at.line, Column: at.column, Message: message, Hint: hint}
}

// isPrintable is PyYAML's set of characters.
func isPrintable(c rune) bool {
	return c == '\t' || c == '\n' || c == '\r' || c >= 0x20 && c <= 0x7e || c == 0x85 || c >= 0xa0 && c <= 0xd7ff || c >= 0xe000 && c <= 0xfffd || c >= 0x10000
}

// place is a line and a column, both from 1.
type place struct{ line, column int }

// A cursor goes over a text and knows the place where it is. Characters are counted when somebody asks, and each once.
type cursor struct {
	text string
	pos  int // of the next byte
	line int // from 1

	counted int // up to where characters of the line were counted
	width   int // how many there were
	hidden  int // how many of them are byte order marks, which have no column
}

// count counts the characters of this line up to here.
func (c *cursor) count() {
	for ; c.counted < c.pos; c.counted++ {
		b := c.text[c.counted]
		if b < 0x80 || b >= 0xc0 {
			c.width++
		}
		if b == byteOrderMark[0] && strings.HasPrefix(c.text[c.counted:], byteOrderMark) {
			c.hidden++
		}
	}
}

// column is how many columns stand before the cursor.
func (c *cursor) column() int {
	c.count()
	return c.width - c.hidden
}

func (c *cursor) place() place { return place{c.line, c.column() + 1} }

// peek is the byte some way on, or 0 after the end. There is no 0 in a text.
func (c *cursor) peek(ahead int) byte {
	if c.pos+ahead < len(c.text) {
		return c.text[c.pos+ahead]
	}
	return 0
}

// breakSize is how many bytes the line break has that stands some way on; 0 where there is none.
func (c *cursor) breakSize(ahead int) int {
	switch c.peek(ahead) {
	case '\n':
		return 1
	case '\r':
		if c.peek(ahead+1) == '\n' {
			return 2
		}
		return 1
	case 0xc2: // U+0085
		if c.peek(ahead+1) == 0x85 {
			return 2
		}
	case 0xe2: // U+2028 and U+2029
		if c.peek(ahead+1) == 0x80 && c.peek(ahead+2)|1 == 0xa9 {
			return 3
		}
	}
	return 0
}

// newline goes over a line break, if there is one, and returns what it means: "\n", but U+2028 and U+2029 are themselves.
func (c *cursor) newline() string {
	size := c.breakSize(0)
	if size == 0 {
		return ""
	}
	sign := "\n"
	if size == 3 {
		sign = c.text[c.pos : c.pos+3]
	}
	c.pos += size
	c.line++
	c.counted, c.width, c.hidden = c.pos, 0, 0
	return sign
}

// ends says whether a line or the text ends some way on.
func (c *cursor) ends(ahead int) bool { return c.pos+ahead >= len(c.text) || c.breakSize(ahead) > 0 }

// isEdge says whether a word ends some way on: with white space, or with its line.
func (c *cursor) isEdge(ahead int) bool {
	b := c.peek(ahead)
	return b == ' ' || b == '\t' || c.ends(ahead)
}

func (c *cursor) skipSpaces() {
	for c.peek(0) == ' ' {
		c.pos++
	}
}

// skipBlanks goes over spaces and tabs.
func (c *cursor) skipBlanks() {
	for c.peek(0) == ' ' || c.peek(0) == '\t' {
		c.pos++
	}
}

// skipLine goes to the end of the line.
func (c *cursor) skipLine() {
	for c.pos < len(c.text) && (isOrdinary(c.text[c.pos]) || !c.ends(0)) {
		c.pos++
	}
}

// isOrdinary says of most bytes that they are no white space, and no part of a line break.
func isOrdinary(b byte) bool { return b > ' ' && b != 0xc2 && b != 0xe2 }

// skipWord goes over the letters, digits, dashes and underscores of a name and returns it.
func (c *cursor) skipWord() string {
	from := c.pos
	for isWord(c.peek(0)) {
		c.pos++
	}
	return c.text[from:c.pos]
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isWord(b byte) bool {
	return isDigit(b) || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '-' || b == '_'
}

// atDocumentMark says whether --- or ... stands here, as a word. It counts at the beginning of a line only.
func (c *cursor) atDocumentMark() bool {
	rest := c.text[c.pos:]
	return (strings.HasPrefix(rest, "---") || strings.HasPrefix(rest, "...")) && c.isEdge(3)
}

// lineText is the text of a line.
func (c *cursor) lineText(line int) string {
	all := cursor{text: c.text, line: 1}
	for all.line < line && all.pos < len(all.text) {
		all.skipLine()
		all.newline()
	}
	from := all.pos
	all.skipLine()
	return all.text[from:all.pos]
}
