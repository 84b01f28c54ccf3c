package jinja

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// textFilter is for filters that make text.
func (m *machine) textFilter(v any, b bound) (any, bool) {
	switch b.name {
	case "indent":
		return m.indent(m.needText(v), b), true
	case "truncate":
		return m.truncate(v, b), true
	case "wordwrap":
		return m.wordwrap(m.needText(v), b), true
	case "join":
		return m.join(v, b), true
	case "urlencode":
		return m.urlencode(v), true
	case "capitalize", "center", "e", "escape", "forceescape", "format", "lower", "replace", "safe", "string",
		"striptags", "title", "trim", "upper", "wordcount":
		return m.stringFilter(m.str(v), b), true
	}
	return nil, false
}

// stringFilter is for filters that take anything as text.
func (m *machine) stringFilter(s string, b bound) any {
	switch b.name {
	case "capitalize", "lower", "upper":
		return m.stringCase(s, b.name)
	case "center":
		return m.justify(s, bound{m: m, name: "center", values: []any{b.value(0, int64(80)), absent{}}})
	case "e", "escape", "forceescape":
		m.chargeTimes(6, len(s))
		return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(s)
	case "format":
		return m.formatFilter(s, b)
	case "replace":
		return m.replace(s, b.str(0, ""), b.str(1, ""), b.int(2, -1))
	case "striptags":
		m.charge(4 * len(s))
		return stripTags(s)
	case "title":
		m.charge(len(s))
		return title(s, func(before rune) bool { return isSpace(before) || strings.ContainsRune("-({[<", before) })
	case "trim":
		return m.trimString(s, b)
	case "wordcount":
		return int64(len(strings.FieldsFunc(s, func(r rune) bool { return !isNamePart(r) })))
	}
	return s
}

func (m *machine) formatFilter(s string, b bound) any {
	if len(b.rest.named) == 0 {
		return m.percent(s, tuple(b.rest.plain...))
	}
	if len(b.rest.plain) > 0 {
		m.fail("can't handle positional and keyword arguments at the same time")
	}
	named := newDict()
	for _, n := range b.rest.named {
		m.put(named, n.name, n.value)
	}
	return m.percent(s, named)
}

// indent puts white space before lines: all but the first, and not before empty ones, unless told so.
func (m *machine) indent(s string, b bound) string {
	by, isText := b.value(0, nil).(string)
	if !isText {
		n := b.int(0, 4)
		m.charge(max(0, n))
		by = strings.Repeat(" ", max(0, n))
	}
	t := m.newBuffer()
	for i, line := range m.splitLines(s+"\n", false) {
		if i > 0 {
			t.write("\n")
		}
		if i == 0 && b.truth(1) || i > 0 && (line != "" || b.truth(2)) {
			t.write(by)
		}
		t.write(line)
	}
	return t.done()
}

func (m *machine) truncate(v any, b bound) any {
	n, ok := length(v)
	if !ok {
		m.fail("object of type '%s' has no len()", typeName(v))
	}
	size, end, leeway := b.int(0, 255), b.text(2, "..."), b.int(3, 5)
	keep := size - utf8.RuneCountInString(end)
	switch {
	case keep < 0:
		m.fail("expected length >= %d, got %d", size-keep, size)
	case leeway < 0:
		m.fail("expected leeway >= 0, got %d", leeway)
	case n <= size+leeway:
		return v
	}
	s := m.needText(v)
	s = s[:offset(s, keep)]
	if i := strings.LastIndex(s, " "); i >= 0 && !b.truth(1) {
		s = s[:i]
	}
	return s + end
}

func (m *machine) join(v any, b bound) string {
	get := m.getter(b.value(1, nil), nil)
	sep := b.str(0, "")
	t := m.newBuffer()
	for i, item := range m.items(v) {
		if i > 0 {
			t.write(sep)
		}
		m.step(1)
		t.write(m.str(get(item)))
	}
	return t.done()
}

// urlencode quotes text for the path of a URL, or a mapping or pairs for its query.
func (m *machine) urlencode(v any) string {
	d, isDict := v.(*dict)
	pairs := []any(nil)
	switch {
	case isDict:
		m.charge(smallValue * len(d.keys))
		pairs = d.pairs()
	case isIterable(v, false) && typeName(v) != "str":
		pairs = m.items(v)
	default:
		return m.urlQuote(m.str(v), "/")
	}
	var parts []string
	for _, pair := range pairs {
		kv := m.unpack(pair, 2)
		parts = append(parts, m.queryPart(kv[0])+"="+m.queryPart(kv[1]))
	}
	s := strings.Join(parts, "&")
	m.charge(len(s))
	return s
}

func (m *machine) queryPart(v any) string {
	return strings.ReplaceAll(m.urlQuote(m.str(v), ""), "%20", "+")
}

func (m *machine) urlQuote(s, safe string) string {
	m.charge(3 * len(s))
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if letter || strings.IndexByte("_.-~"+safe, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// stripTags removes the tags and comments of HTML, and makes white space single spaces.
func stripTags(s string) string {
	s = cutAll(cutAll(s, "<!--", "-->"), "<", ">")
	s = strings.Join(strings.FieldsFunc(s, isSpace), " ")
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#34;", `"`, "&#39;", "'", "&nbsp;", "\u00a0", "&amp;", "&").Replace(s)
}

// cutAll removes what stands between a beginning and an end, with these.
func cutAll(s, begin, end string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, begin)
		_, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(before)
		s = after
	}
}

// wordwrap breaks lines that are too long, at white space and hyphens, or within a word that alone is too long.
func (m *machine) wordwrap(s string, b bound) string {
	width := b.int(0, 79)
	if width <= 0 {
		m.fail("invalid width %d (must be > 0)", width)
	}
	long := b.values[1] == (absent{}) || b.truth(1)
	hyphens := b.values[3] == (absent{}) || b.truth(3)
	sep := b.text(2, "\n")
	m.charge(32 * len(s))
	var lines []string
	for _, line := range m.splitLines(s, false) {
		lines = append(lines, strings.Join(m.wrap(chunks(line, hyphens), width, long), sep))
	}
	m.chargeTimes(len(sep), len(lines))
	return strings.Join(lines, sep)
}

// chunks splits a line into words and the white space between them.
func chunks(line string, hyphens bool) []string {
	var out []string
	start := 0
	runes := []rune(line)
	for i := range runes {
		last := i+1 == len(runes)
		if !last && isSpace(runes[i]) == isSpace(runes[i+1]) && !(hyphens && breaks(runes, i)) {
			continue
		}
		out = append(out, string(runes[start:i+1]))
		start = i + 1
	}
	return out
}

// breaks tells whether a word may be broken after the character i: a hyphen between letters.
func breaks(runes []rune, i int) bool {
	return runes[i] == '-' && i > 1 && i+2 < len(runes) && unicode.IsLetter(runes[i-1]) &&
		(unicode.IsLetter(runes[i-2]) || isNamePart(runes[i-2]) || runes[i-2] == '-') && unicode.IsLetter(runes[i+1]) &&
		(isNamePart(runes[i+2]) || runes[i+2] == '-')
}

// wrap fills lines with chunks. White space at the break is dropped.
func (m *machine) wrap(words []string, width int, long bool) []string {
	var lines []string
	for len(words) > 0 {
		m.step(1)
		m.work(words[0])
		if len(lines) > 0 && strings.TrimFunc(words[0], isSpace) == "" {
			words = words[1:]
			continue
		}
		n, used := 0, 0
		for n < len(words) && used+utf8.RuneCountInString(words[n]) <= width {
			used += utf8.RuneCountInString(words[n])
			n++
		}
		line := slices.Clone(words[:n])
		words = words[n:]
		if len(words) > 0 && utf8.RuneCountInString(words[0]) > width {
			line = append(line, breakWord(&words, width-used, long, n == 0)...)
		}
		if n := len(line); n > 0 && strings.TrimFunc(line[n-1], isSpace) == "" {
			line = line[:n-1]
		}
		if len(line) > 0 {
			lines = append(lines, strings.Join(line, ""))
		}
	}
	return lines
}

// breakWord takes from the first word, which is too long for a line, what fits in the room that is left.
func breakWord(words *[]string, room int, long, alone bool) []string {
	word := (*words)[0]
	switch {
	case long:
		room = offset(word, room)
		(*words)[0] = word[room:]
		return []string{word[:room]}
	case alone:
		*words = (*words)[1:]
		return []string{word}
	}
	return nil
}
