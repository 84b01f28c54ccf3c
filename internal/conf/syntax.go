package conf

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// notYAML begins what is said of a text that is no YAML at all.
const notYAML = "this is no YAML: "

// Hints that are given in several places.
const (
	hintTabs     = "YAML does not allow tabs; use spaces"
	hintColon    = "put quotes around a text that has a colon and a space in it"
	hintTemplate = "for a template, the first line is `## template: jinja`; otherwise put quotes around {{ … }}"
)

// checkText refuses what PyYAML's reader refuses before anything is parsed.
func checkText(part string, text []byte) error {
	refuse := func(i int, message, hint string) error {
		return Problem{Origin: placeOf(part, text, i), Message: message, Hint: hint}
	}
	if len(text) > maxDocument {
		return refuse(0, fmt.Sprintf("the document has more than %d MiB", maxDocument>>20), "")
	}
	for i := 0; i < len(text); {
		if c := text[i]; c >= 0x20 && c < 0x7f || c == '\n' {
			i++
			continue
		}
		c, size := utf8.DecodeRune(text[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			return refuse(i, "this is no UTF-8 text", "save the file as UTF-8")
		case !isPrintable(c):
			return refuse(i, fmt.Sprintf("the character %#x is not allowed", c), "is this a binary file?")
		}
		i += size
	}
	return nil
}

// placeOf is the place of a byte of a text.
func placeOf(part string, text []byte, i int) Origin {
	before := strings.TrimPrefix(string(text[:i]), "\ufeff")
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return Origin{part, strings.Count(before, "\n") + 1, utf8.RuneCountInString(line) + 1}
}

// isPrintable is PyYAML's set of characters.
func isPrintable(c rune) bool {
	return c == '\t' || c == '\n' || c == '\r' || c >= 0x20 && c <= 0x7e || c == 0x85 || c >= 0xa0 && c <= 0xd7ff || c >= 0xe000 && c <= 0xfffd || c >= 0x10000
}

// syntax is the YAML library's error with its place, and what is probably behind it. What a list or a quote lacks at its
// end is told with where it begins.
func (r *reader) syntax(err error, text string) error {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		return r.fail(Origin{r.part, 1, 1}, "", notYAML+"%v", err)
	}
	message, begins := e.Message, e.ContextMark.Line
	if begins > 0 && begins != e.Mark.Line {
		message = fmt.Sprintf("%s (%s, which begins in line %d)", message, strings.TrimPrefix(e.ContextMsg, "while "), begins)
	}
	hint := syntaxHint(e, lineOf(text, begins), lineOf(text, e.Mark.Line))
	return r.fail(Origin{r.part, max(e.Mark.Line, 1), max(e.Mark.Column, 1)}, hint, notYAML+"%s", message)
}

func lineOf(text string, line int) string {
	for ; line > 1 && text != ""; line-- {
		_, text, _ = strings.Cut(text, "\n")
	}
	text, _, _ = strings.Cut(text, "\n")
	return text
}

// syntaxHint is what is mostly behind an error: start is the line where what was being read begins, line where it went wrong.
func syntaxHint(e *yaml.LoadError, start, line string) string {
	has := func(words string) bool { return strings.Contains(e.Message, words) }
	switch {
	case strings.Contains(line, "{{") || strings.Contains(line, "{%"):
		return hintTemplate
	case strings.HasPrefix(strings.TrimLeft(line, " "), "\t"):
		return hintTabs
	case has("mapping values are not allowed"):
		return hintColon
	case has("cannot start any token"):
		return "put quotes around a text that begins with @, ` or %"
	case has("unknown escape character"), has("did not find expected hexdecimal number"):
		return `in double quotes a \ begins an escape; use single quotes`
	case has("unexpected end of stream"):
		return "is a quote missing at the end?"
	case has("did not find expected ',' or"), has("did not find expected node content"):
		return "is a comma, a bracket or a quote missing?"
	case has("could not find expected ':'"):
		return "each line here is `key: value`; is the colon, or the space after it, missing?"
	case has("unknown anchor"):
		return "put quotes around a text that begins with *"
	case has("did not find expected key") && strings.ContainsAny(start+line, `"'`):
		return "check the quotes, and that the lines of this block begin in the same column"
	case has("did not find expected key"), has("did not find expected '-'"):
		return "check that the lines of this block begin in the same column"
	}
	return ""
}
