package jinja

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pos is a place in the template, counted from 1; columns count characters.
type pos struct{ line, col int }

func (p pos) where() pos { return p }

// The kinds of tokens, named as Jinja's messages name them. An operator's kind is the operator.
const (
	tokData       = "template data / text"
	tokPrint      = "begin of print statement"
	tokPrintEnd   = "end of print statement"
	tokBlock      = "begin of statement block"
	tokBlockEnd   = "end of statement block"
	tokName       = "name"
	tokString     = "string"
	tokInt        = "integer"
	tokFloat      = "float"
	tokEnd        = "end of template"
	printEnd      = "}}"
	blockEnd      = "%}"
	commentEnd    = "#}"
	bracketsOpen  = "([{"
	bracketsClose = ")]}"
)

type token struct {
	pos
	kind string
	text string // of a name, number or text; the content of a string
}

// is tells whether the token is a certain name.
func (t token) is(names ...string) bool {
	for _, name := range names {
		if t.kind == tokName && t.text == name {
			return true
		}
	}
	return false
}

// String is the token as Jinja's messages show it.
func (t token) String() string {
	if t.kind == tokName {
		return t.text
	}
	return t.kind
}

// A lexer splits a template into tokens one at a time, since which of two errors is found first depends on it.
type lexer struct {
	pos
	name string
	src  string
	off  int
	end  string // of the tag that is being read; empty in text
	open []byte // the brackets that are open in the tag
}

func newLexer(name, src string) *lexer {
	src = oneNewline(src)
	return &lexer{pos: pos{1, 1}, name: name, src: strings.TrimSuffix(src, "\n")}
}

// oneNewline makes the three kinds of line ends one.
func oneNewline(s string) string {
	if !strings.Contains(s, "\r") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

func (l *lexer) fail(at pos, format string, args ...any) {
	panic(&Error{Name: l.name, Line: at.line, Col: at.col, Msg: fmt.Sprintf(format, args...), syntax: true})
}

func (l *lexer) advance(n int) {
	for _, r := range l.src[l.off : l.off+n] {
		if r == '\n' {
			l.line, l.col = l.line+1, 1
		} else {
			l.col++
		}
	}
	l.off += n
}

func (l *lexer) next() token {
	for l.off < len(l.src) {
		read := l.textToken
		if l.end != "" {
			read = l.tagToken
		}
		if t := read(); t.kind != "" {
			return t
		}
	}
	return token{pos: l.pos, kind: tokEnd}
}

// textToken reads text up to the next tag, or what begins a tag. It returns no token for what prints nothing.
func (l *lexer) textToken() token {
	rest, at := l.src[l.off:], l.pos
	if n := nextTag(rest); n > 0 {
		text := rest[:n]
		if strip(rest[n:]) {
			text = strings.TrimRightFunc(text, isSpace)
		}
		l.advance(n)
		return data(at, text)
	}
	switch rest[1] {
	case '#':
		l.comment(rest)
		return token{}
	case '{':
		return l.begin(rest, tokPrint, printEnd)
	}
	if text, ok := l.raw(rest); ok {
		return data(at, text)
	}
	return l.begin(rest, tokBlock, blockEnd)
}

func data(at pos, text string) token {
	if text == "" {
		return token{}
	}
	return token{at, tokData, text}
}

// nextTag is the number of bytes before the next tag.
func nextTag(s string) int {
	for i := 0; ; i++ {
		n := strings.IndexByte(s[i:], '{')
		if n < 0 || i+n+1 >= len(s) {
			return len(s)
		}
		if i += n; strings.IndexByte("{%#", s[i+1]) >= 0 {
			return i
		}
	}
}

// strip tells whether a tag removes the white space before it.
func strip(tag string) bool { return len(tag) > 2 && tag[2] == '-' }

// opening is the length of what begins a tag, with its sign.
func opening(tag string) int {
	if len(tag) > 2 && (tag[2] == '-' || tag[2] == '+') {
		return 3
	}
	return 2
}

func (l *lexer) begin(rest, kind, end string) token {
	t := token{pos: l.pos, kind: kind}
	l.end = end
	l.advance(opening(rest))
	return t
}

// closing is the length of the end of a tag at the start of s, with the white space that it removes, or 0.
func closing(s, end string, block bool) int {
	switch {
	case strings.HasPrefix(s, end):
		if block && strings.HasPrefix(s[len(end):], "\n") {
			return len(end) + 1 // trim_blocks
		}
		return len(end)
	case strings.HasPrefix(s, "-"+end):
		return len(s) - len(strings.TrimLeftFunc(s[1+len(end):], isSpace))
	case block && strings.HasPrefix(s, "+"+end):
		return 1 + len(end)
	}
	return 0
}

func (l *lexer) comment(rest string) {
	n := opening(rest)
	i := strings.Index(rest[n:], commentEnd)
	if i < 0 {
		l.fail(l.pos, "Missing end of comment tag")
	}
	if n += i; i > 0 && (rest[n-1] == '-' || rest[n-1] == '+') {
		n--
	}
	l.advance(n + closing(rest[n:], commentEnd, true))
}

// raw reads {% raw %}…{% endraw %}, and returns what is between.
func (l *lexer) raw(rest string) (string, bool) {
	begin := wordTag(rest, "raw", false)
	if begin == 0 {
		return "", false
	}
	for i := begin; ; i += 2 {
		n := strings.Index(rest[i:], "{%")
		if n < 0 {
			l.fail(l.pos, "Missing end of raw directive")
		}
		i += n
		if end := wordTag(rest[i:], "endraw", true); end > 0 {
			text := rest[begin:i]
			if strip(rest[i:]) {
				text = strings.TrimRightFunc(text, isSpace)
			}
			l.advance(i + end)
			return text, true
		}
	}
}

// wordTag is the length of a block tag of one word at the start of s, or 0.
func wordTag(s, word string, trim bool) int {
	inner := strings.TrimLeftFunc(s[opening(s):], isSpace)
	after, ok := strings.CutPrefix(inner, word)
	if !ok {
		return 0
	}
	after = strings.TrimLeftFunc(after, isSpace)
	n := closing(after, blockEnd, trim)
	if n == 0 {
		return 0
	}
	return len(s) - len(after) + n
}

// tagToken reads a token of an expression or statement. It returns no token for white space.
func (l *lexer) tagToken() token {
	rest, at := l.src[l.off:], l.pos
	if n := closing(rest, l.end, l.end == blockEnd); n > 0 && len(l.open) == 0 {
		kind := tokPrintEnd
		if l.end == blockEnd {
			kind = tokBlockEnd
		}
		l.end = ""
		l.advance(n)
		return token{pos: at, kind: kind}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	switch {
	case isSpace(r):
		l.advance(len(rest) - len(strings.TrimLeftFunc(rest, isSpace)))
		return token{}
	case '0' <= r && r <= '9':
		return l.number(rest)
	case r == '_' || unicode.IsLetter(r):
		n := len(rest) - len(strings.TrimLeftFunc(rest, isNamePart))
		l.advance(n)
		return token{at, tokName, rest[:n]}
	case r == '\'' || r == '"':
		if n := stringLength(rest); n > 0 {
			l.advance(n)
			return token{at, tokString, l.unescape(at, rest[1:n-1])}
		}
	}
	return l.operator(rest)
}

func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }

func isNamePart(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r)
}

func (l *lexer) operator(rest string) token {
	op := ""
	switch {
	case len(rest) > 1 && strings.Contains("// ** == != >= <=", rest[:2]) && rest[0] != ' ' && rest[1] != ' ':
		op = rest[:2]
	case strings.IndexByte("+-/*%~[](){}><=.:|,;", rest[0]) >= 0:
		op = rest[:1]
	default:
		r, _ := utf8.DecodeRuneInString(rest)
		l.fail(l.pos, "unexpected char %s at %d", quote(string(r)), utf8.RuneCountInString(l.src[:l.off]))
	}
	t := token{pos: l.pos, kind: op}
	l.balance(op)
	l.advance(len(op))
	return t
}

// balance keeps the open brackets, within which "}}" does not end the tag.
func (l *lexer) balance(op string) {
	if i := strings.Index(bracketsOpen, op); i >= 0 {
		l.open = append(l.open, bracketsClose[i])
	}
	if !strings.Contains(bracketsClose, op) {
		return
	}
	if len(l.open) == 0 {
		l.fail(l.pos, "unexpected '%s'", op)
	}
	want := l.open[len(l.open)-1]
	l.open = l.open[:len(l.open)-1]
	if op[0] != want {
		l.fail(l.pos, "unexpected '%s', expected '%c'", op, want)
	}
}
