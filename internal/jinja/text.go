package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

func lower(c call) any { return strings.ToLower(c.subject()) }

func upper(c call) any { return strings.ToUpper(c.subject()) }

func capitalize(c call) any {
	s := c.subject()
	_, n := utf8.DecodeRuneInString(s)
	return strings.ToTitle(s[:n]) + strings.ToLower(s[n:])
}

// title makes a letter large at the beginning and behind some characters, or with none behind all but letters.
func (c call) title(behind string) string {
	before := ' '
	return strings.Map(func(r rune) rune {
		begins := strings.ContainsRune(behind, before) || behind == "" && !unicode.IsLetter(before)
		before = r
		if begins {
			return unicode.ToTitle(r)
		}
		return unicode.ToLower(r)
	}, c.subject())
}

// strip is trim, strip, lstrip and rstrip.
func strip(c call) any {
	s, chars := c.subject(), c.textOf(0, " \t\n\r\f\v")
	c.step(len(s) / 256 * len(chars))
	if c.name != "rstrip" {
		s = strings.TrimLeft(s, chars)
	}
	if c.name != "lstrip" {
		s = strings.TrimRight(s, chars)
	}
	return s
}

func replace(c call) any {
	s, from, to, limit := c.subject(), c.str(c.values[0]), c.str(c.values[1]), c.intOf(2, -1)
	n := int(min(uint(limit), uint(strings.Count(s, from)))) // a negative limit is none
	c.charge(len(to), n)
	return strings.Replace(s, from, to, n)
}

// split is split and rsplit, at a text or, without one, at white space.
func split(c call) any {
	s, sep, limit := c.subject(), c.textOf(0, ""), c.intOf(1, -1)
	if c.value(0, nil) == nil {
		return list(c.words(s, limit))
	}
	c.check(sep != "", "empty separator")
	parts := c.pieces(s, sep)
	more := len(parts) - limit - 1 // separators that stay
	switch {
	case limit < 0 || more <= 0:
		return list(parts)
	case c.name == "split":
		return list(append(parts[:limit], c.joined(sep, parts[limit:])))
	}
	return list(append([]any{c.joined(sep, parts[:more+1])}, parts[more+1:]...))
}

// words splits off as many words as the limit says; the rest stays as it is.
func (c call) words(s string, limit int) (words []any) {
	trim, find, right := strings.TrimLeftFunc, strings.IndexFunc, c.name == "rsplit"
	if right {
		trim, find = strings.TrimRightFunc, strings.LastIndexFunc
	}
	for s = trim(s, unicode.IsSpace); s != ""; s = trim(s, unicode.IsSpace) {
		word, rest := s, ""
		if i := find(s, unicode.IsSpace); i >= 0 && limit != 0 {
			word, rest = s[:i], s[i:]
			if right {
				_, n := utf8.DecodeRuneInString(rest)
				word, rest = rest[n:], s[:i+n]
			}
		}
		c.charge(48, 1)
		words = append(words, word)
		s = rest
		limit--
	}
	if right {
		slices.Reverse(words)
	}
	return words
}

func splitLines(c call) any {
	s := strings.TrimSuffix(oneNewline(c.subject()), "\n")
	if s == "" {
		return list(nil)
	}
	return list(c.pieces(s, "\n"))
}

func (m *machine) pieces(s, sep string) []any {
	m.charge(48, strings.Count(s, sep)+1)
	return values(strings.Split(s, sep))
}

func values(texts []string) []any {
	items := make([]any, len(texts))
	for i, text := range texts {
		items[i] = text
	}
	return items
}

func (m *machine) joined(sep string, items []any) string {
	between := ""
	return m.text(func(t *buffer) {
		for i, item := range items {
			s, ok := item.(string)
			m.check(ok, "sequence item %d: expected str instance, %s found", i, typeName(item))
			t.write(between)
			t.write(s)
			between = sep
		}
	})
}

// justify is center, ljust and rjust.
func justify(c call) any {
	fill := c.textOf(1, " ")
	c.check(utf8.RuneCountInString(fill) == 1, "The fill character must be exactly one character long")
	return c.pad(c.subject(), c.intOf(0, 80), fill, map[string]string{"center": "center", "rjust": ">"}[c.name])
}

// affixed is startswith and endswith, for a text or a tuple of them.
func affixed(c call) any {
	has := strings.HasPrefix
	if c.name == "endswith" {
		has = strings.HasSuffix
	}
	affixes, ok := c.values[0].(*seq)
	if !ok {
		return has(c.subject(), c.needText(c.values[0]))
	}
	return slices.ContainsFunc(affixes.items, func(a any) bool { return has(c.subject(), c.needText(a)) })
}

// search is find, index, rfind and rindex.
func search(c call) any {
	s, i := c.subject(), 0
	if c.name[0] == 'r' {
		i = strings.LastIndex(s, c.textOf(0, ""))
	} else {
		i = strings.Index(s, c.textOf(0, ""))
	}
	c.check(i >= 0 || strings.HasSuffix(c.name, "find"), "substring not found")
	return int64(min(i, utf8.RuneCountInString(s[:max(0, i)])))
}

// partition is partition and rpartition.
func partition(c call) any {
	s, sep := c.subject(), c.textOf(0, "")
	c.check(sep != "", "empty separator")
	before, after, found := strings.Cut(s, sep)
	if i := strings.LastIndex(s, sep); i >= 0 && c.name == "rpartition" {
		before, after = s[:i], s[i+len(sep):]
	}
	switch {
	case found:
		return &seq{tupleKind, []any{before, sep, after}}
	case c.name == "partition":
		return &seq{tupleKind, []any{s, "", ""}}
	}
	return &seq{tupleKind, []any{"", "", s}}
}

// consists is isalpha and its like: whether there is text, and nothing but certain characters.
func consists(c call) any {
	is := map[string]func(r rune) bool{
		"isalnum": func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }, "isalpha": unicode.IsLetter,
		"isdecimal": unicode.IsDigit, "isdigit": unicode.IsDigit, "isnumeric": unicode.IsNumber, "isspace": unicode.IsSpace,
	}[c.name]
	s := c.subject()
	return s != "" && strings.TrimLeftFunc(s, is) == ""
}

func isLower(c call) any { s := c.str(c.of); return s == strings.ToLower(s) && s != strings.ToUpper(s) }

func isUpper(c call) any { s := c.str(c.of); return s == strings.ToUpper(s) && s != strings.ToLower(s) }
