package jinja

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pos is a place in the template, counted from 1; columns count characters.
type pos struct{ line, col int }

// after is the place behind a text that begins here.
func (p pos) after(text string) pos {
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		return pos{p.line + strings.Count(text, "\n"), utf8.RuneCountInString(text[i:])}
	}
	return pos{p.line, p.col + utf8.RuneCountInString(text)}
}

// The kinds of tokens, named as Jinja's messages name them. An operator's kind is the operator.
const (
	tokData     = "template data / text"
	tokPrint    = "begin of print statement"
	tokPrintEnd = "end of print statement"
	tokBlock    = "begin of statement block"
	tokBlockEnd = "end of statement block"
	tokName     = "name"
	tokString   = "string"
	tokInt      = "integer"
	tokFloat    = "float"
	tokEnd      = "end of template"
)

type token struct {
	pos
	kind string
	text string // as it stands there; the content of a string
}

func (t token) is(names ...string) bool { return t.kind == tokName && slices.Contains(names, t.text) }

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
	off  int    // how much of src has been read
	end  string // the kind of token that ends the tag that is being read; empty in text
	open string // what closes the brackets that are open in the tag, within which "}}" does not end it
}

func (l *lexer) fail(at pos, format string, args ...any) {
	panic(&Error{Name: l.name, Line: at.line, Col: at.col, Msg: fmt.Sprintf(format, args...), syntax: true})
}

// take moves on by n bytes, which become a token.
func (l *lexer) take(n int, kind string) token {
	t := token{l.pos, kind, l.src[l.off : l.off+n]}
	l.pos = l.pos.after(t.text)
	l.off += n
	return t
}

func (l *lexer) next() (t token) {
	for t.kind == "" {
		if l.end != "" {
			l.take(spaces(l.src[l.off:]), "")
		}
		switch {
		case l.off == len(l.src):
			return token{pos: l.pos, kind: tokEnd}
		case l.end == "":
			t = l.textToken(l.src[l.off:])
		default:
			t = l.tagToken(l.src[l.off:])
		}
	}
	return t
}

// textToken reads text up to the next tag, or what begins a tag. It returns no token for a comment.
func (l *lexer) textToken(rest string) token {
	n := nextTag(rest)
	switch {
	case n > 0:
		return l.text(n)
	case rest[1] == '{':
		l.end = tokPrintEnd
		return l.take(opening(rest), tokPrint)
	case rest[1] == '%':
		l.end = tokBlockEnd
		return l.take(opening(rest), tokBlock)
	}
	begin := opening(rest)
	i := strings.Index(rest[begin:], "#}")
	if i < 0 {
		l.fail(l.pos, "Missing end of comment tag")
	}
	if i > 0 && closing(rest[begin+i-1:], "#}") > 0 {
		i--
	}
	return l.take(begin+i+closing(rest[begin+i:], "#}"), "")
}

// text takes n bytes, without the white space that the tag behind them removes.
func (l *lexer) text(n int) token {
	t := l.take(n, tokData)
	if tag := l.src[l.off:]; len(tag) > 2 && tag[2] == '-' {
		t.text = strings.TrimRightFunc(t.text, unicode.IsSpace)
	}
	return t
}

// raw takes the text up to {% endraw %}, and that. What is before the text is a part of it.
func (l *lexer) raw(before string) string {
	rest := l.src[l.off:]
	for n := 0; ; n += 2 {
		i := strings.Index(rest[n:], "{%")
		if i < 0 {
			l.fail(l.pos, "Missing end of raw directive")
		}
		n += i
		tag := rest[n+opening(rest[n:]):]
		after, ok := strings.CutPrefix(tag[spaces(tag):], "endraw")
		after = after[spaces(after):]
		if end := closing(after, "%}"); ok && end > 0 {
			text := before + l.text(n).text
			if strings.HasPrefix(rest[n+2:], "-") {
				text = strings.TrimRightFunc(text, unicode.IsSpace)
			}
			l.take(len(rest)-n-len(after)+end, "")
			return text
		}
	}
}

// tagToken reads a token of an expression or statement.
func (l *lexer) tagToken(rest string) token {
	end := map[bool]string{true: "%}", false: "}}"}[l.end == tokBlockEnd]
	if n := closing(rest, end); n > 0 && l.open == "" {
		t := l.take(n, l.end)
		l.end = ""
		return t
	}
	switch c := rest[0]; {
	case '0' <= c && c <= '9':
		n, kind := numeral(rest, l.off > 0 && l.src[l.off-1] == '.')
		return l.take(n, kind)
	case c == '"' || c == '\'':
		if n := quoted(rest); n > 0 {
			t := l.take(n, tokString)
			t.text = unescape(t.text[1 : n-1])
			return t
		}
	case strings.IndexByte("+-/*%~[](){}><=!.:|,;", c) >= 0:
		return l.operator(rest)
	}
	return l.word(rest)
}

// word reads a name. The operator "not in" is one token.
func (l *lexer) word(rest string) token {
	n := name(rest)
	if r, _ := utf8.DecodeRuneInString(rest); n == 0 || unicode.IsDigit(r) {
		l.fail(l.pos, "unexpected char %s at %d", quote(string(r)), utf8.RuneCountInString(l.src[:l.off]))
	}
	if rest[:n] == "not" {
		if gap := spaces(rest[n:]); name(rest[n+gap:]) == 2 && rest[n+gap:n+gap+2] == "in" {
			return l.take(n+gap+2, "not in")
		}
	}
	return l.take(n, tokName)
}

func (l *lexer) operator(rest string) token {
	op := rest[:1]
	if len(rest) > 1 && slices.Contains([]string{"//", "**", "==", "!=", ">=", "<="}, rest[:2]) {
		op = rest[:2]
	}
	if op == "!" {
		return l.word(rest)
	}
	if i := strings.Index("([{", op); i >= 0 {
		l.open = ")]}"[i:i+1] + l.open
	}
	if strings.Contains(")]}", op) {
		if l.open == "" {
			l.fail(l.pos, "unexpected '%s'", op)
		}
		if l.open[:1] != op {
			l.fail(l.pos, "unexpected '%s', expected '%s'", op, l.open[:1])
		}
		l.open = l.open[1:]
	}
	return l.take(len(op), op)
}
