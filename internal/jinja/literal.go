package jinja

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	decimal = "0123456789"
	hexa    = decimal + "abcdefABCDEF"
)

// number reads an integer or a float.
func (l *lexer) number(rest string) token {
	t := token{pos: l.pos, kind: tokInt}
	n := run(rest, decimal)
	afterDot := l.off > 0 && l.src[l.off-1] == '.' // in a.0.1 these are two indexes
	switch f, word := n+fraction(rest[n:]), run(rest, hexa+"_oxOX"); {
	case f > n && !afterDot:
		t.kind, n = tokFloat, f
	case word > n && isInteger(rest[:word]):
		n = word
	}
	t.text = rest[:n]
	l.advance(n)
	return t
}

// run is how many of certain characters s begins with.
func run(s, chars string) int { return len(s) - len(strings.TrimLeft(s, chars)) }

// isInteger is for what is more than digits: 0x1F, 0o17, 0b1, 1_000.
func isInteger(s string) bool {
	if len(s) > maxDigits {
		return false
	}
	_, ok := new(big.Int).SetString(s, 0)
	return ok
}

// fraction is the length of what makes an integer a float: ".5", "e5" or both.
func fraction(s string) int {
	n := 0
	if strings.HasPrefix(s, ".") && run(s[1:], decimal) > 0 {
		n = 1 + run(s[1:], decimal)
	}
	if exponent := strings.TrimLeft(s[n:], "eE"); len(exponent) == len(s)-n-1 {
		digits := strings.TrimLeft(exponent, "+-")
		if len(exponent)-len(digits) < 2 && run(digits, decimal) > 0 {
			n = len(s) - len(digits) + run(digits, decimal)
		}
	}
	return n
}

// numberValue is the value of a number's text, or nil where Python refuses it: too long, or with a zero in front.
func numberValue(t token) any {
	if t.kind == tokFloat {
		f, _ := strconv.ParseFloat(t.text, 64) // out of range is infinite, as in Python
		return f
	}
	octal := t.text[0] == '0' && strings.Trim(t.text, "0") != "" && run(t.text, decimal) == len(t.text)
	if octal || len(t.text) > maxDigits {
		return nil
	}
	i, _ := new(big.Int).SetString(t.text, 0)
	return norm(i)
}

// stringLength is the length of a quoted string at the start of s, or 0 where its end is not there.
func stringLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return 0
}

// unescape resolves the escapes of a string literal, as Python does; one that Python does not know stays.
func (l *lexer) unescape(at pos, s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found || after == "" {
			return b.String()
		}
		n, meaning := l.escape(at, after)
		b.WriteString(meaning)
		s = after[n:]
	}
}

// escape reads what follows a backslash: how long it is and what it means.
func (l *lexer) escape(at pos, s string) (int, string) {
	if i := strings.IndexByte(`nrtabfv\'"`, s[0]); i >= 0 {
		return 1, "\n\r\t\a\b\f\v\\'\""[i : i+1]
	}
	switch s[0] {
	case '\n':
		return 1, ""
	case 'x':
		return l.hex(at, s, 2)
	case 'u':
		return l.hex(at, s, 4)
	case 'U':
		return l.hex(at, s, 8)
	case 'N':
		l.fail(at, "malformed \\N character escape: a character cannot be named here, write \\u and its number")
	}
	if n := min(3, run(s, "01234567")); n > 0 {
		v, _ := strconv.ParseUint(s[:n], 8, 32)
		return n, string(rune(v))
	}
	_, n := utf8.DecodeRuneInString(s)
	return n, `\` + s[:n]
}

func (l *lexer) hex(at pos, s string, n int) (int, string) {
	if len(s) <= n || run(s[1:1+n], hexa) < n {
		l.fail(at, "truncated \\%c%s escape", s[0], strings.Repeat("X", n))
	}
	v, _ := strconv.ParseUint(s[1:1+n], 16, 64)
	if v > utf8.MaxRune {
		l.fail(at, "illegal Unicode character")
	}
	return 1 + n, string(rune(v))
}
