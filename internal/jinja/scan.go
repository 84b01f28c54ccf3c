package jinja

import (
	"strconv"
	"strings"
	"unicode"
)

// Each of these functions says how many bytes at the beginning of a text are something.

func spaces(s string) int { return len(s) - len(strings.TrimLeftFunc(s, unicode.IsSpace)) }

// run is for certain characters.
func run(s, chars string) int { return len(s) - len(strings.TrimLeft(s, chars)) }

// name is for what may be in a name, where a digit may not come first.
func name(s string) int { return len(s) - len(strings.TrimLeftFunc(s, inName)) }

func inName(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r)
}

// nextTag is for text before a tag.
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

// opening is for what begins a tag, with its sign.
func opening(tag string) int { return 2 + min(1, run(tag[2:], "-+")) }

// closing is for the end of a tag with what it removes: all white space with a "-"; else the newline behind it
// (trim_blocks), but with a "+" or behind what is printed.
func closing(s, end string) int {
	block := end != "}}"
	switch after, strips := strings.CutPrefix(s, "-"+end); {
	case strips:
		return len(s) - len(after) + spaces(after)
	case strings.HasPrefix(s, end):
		if block && strings.HasPrefix(s[len(end):], "\n") {
			return len(end) + 1
		}
		return len(end)
	case block && strings.HasPrefix(s, "+"+end):
		return len(end) + 1
	}
	return 0
}

const digits = "0123456789"

// numeral is for a number, and tells its kind. Behind a point it has no fraction: in a.0.1 there are two.
func numeral(s string, behindPoint bool) (n int, kind string) {
	if len(s) > 1 && s[0] == '0' && strings.IndexByte("xXoObB", s[1]) >= 0 {
		return 2 + run(s[2:], digits+"abcdefABCDEF_"), tokInt
	}
	n, kind = run(s, digits+"_"), tokInt
	if behindPoint {
		return n, kind
	}
	for _, mark := range []string{".", "eE"} {
		begin := n + min(1, run(s[n:], mark))
		if mark == "eE" && begin > n {
			begin += min(1, run(s[begin:], "+-"))
		}
		if begin > n && run(s[begin:], digits) > 0 {
			n, kind = begin+run(s[begin:], digits+"_"), tokFloat
		}
	}
	return n, kind
}

// quoted is for a string with its quotes; one that does not end has no length.
func quoted(s string) int {
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

// unescape resolves the escapes of a string literal; one that is not known stays, as in Python.
func unescape(s string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found || rest == "" {
			return b.String()
		}
		r, _, after, err := strconv.UnquoteChar(`\`+rest, rest[0])
		if err != nil {
			r, after = '\\', rest
		}
		b.WriteRune(r)
		s = after
	}
}
