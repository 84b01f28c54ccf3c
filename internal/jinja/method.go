package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The methods of Python's types that templates may call, in the form that call.go explains.
const (
	stringMethods = `
	capitalize; center width fill?; count sub; endswith suffix; find sub; format * **; index sub; isalnum;
	isalpha; isdigit; islower; isspace; isupper; join iterable; ljust width fill?; lower; lstrip chars?;
	partition sep; removeprefix prefix; removesuffix suffix; replace old new count?; rfind sub;
	rjust width fill?; rsplit sep? maxsplit?; rstrip chars?; split sep? maxsplit?; splitlines keepends?;
	startswith prefix; strip chars?; title; upper; zfill width`
	tupleMethods = `
	count value; index value`
	listMethods = tupleMethods + `;
	append value; extend iterable; insert index value; pop index?; remove value; reverse; sort reverse?`
	dictMethods = `
	get key default?; items; keys; pop key default?; update mapping? **; values`
	loopMethods = `
	cycle *`
)

func methodTable(of any) string {
	switch of := of.(type) {
	case string:
		return stringMethods
	case *dict:
		return dictMethods
	case *loop:
		return loopMethods
	case *seq:
		switch of.kind {
		case listKind:
			return listMethods
		case tupleKind, rangeKind:
			return tupleMethods
		}
	}
	return ""
}

func (m *machine) callMethod(f *method, a arguments) any {
	m.work(f.of)
	params, _ := lookup(methodTable(f.of), f.name)
	b := m.bind(f.name, params, a)
	switch of := f.of.(type) {
	case string:
		return m.stringMethod(of, b)
	case *dict:
		return m.dictMethod(of, b)
	case *loop:
		return m.cycle(of, b)
	}
	return m.listMethod(f.of.(*seq), b)
}

func (m *machine) stringMethod(s string, b bound) any {
	if v, ok := stringIs(s, b.name); ok {
		return v
	}
	if v, ok := m.stringSearch(s, b); ok {
		return v
	}
	switch b.name {
	case "upper", "lower", "capitalize", "title":
		return m.stringCase(s, b.name)
	case "center", "ljust", "rjust", "zfill":
		return m.justify(s, b)
	case "split", "rsplit":
		return m.split(s, b)
	case "splitlines":
		return m.strings(m.splitLines(s, b.truth(0)))
	case "join":
		return m.joinStrings(s, m.items(b.value(0, nil)))
	case "replace":
		return m.replace(s, b.text(0, ""), b.text(1, ""), b.int(2, -1))
	case "format":
		return m.formatString(s, b.rest)
	}
	return m.trimString(s, b)
}

func (m *machine) stringCase(s, name string) string {
	m.charge(len(s))
	switch name {
	case "upper":
		return strings.ReplaceAll(strings.ToUpper(s), "ß", "SS") // the one common letter that becomes two
	case "lower":
		return strings.ToLower(s)
	case "capitalize":
		return capitalize(s)
	}
	return title(s, func(before rune) bool { return !unicode.IsLetter(before) })
}

func capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	return string(unicode.ToTitle(r)) + strings.ToLower(s[n:])
}

// title makes letters large where begins is true of what stands before them, and small elsewhere.
func title(s string, begins func(before rune) bool) string {
	before := ' '
	return strings.Map(func(r rune) rune {
		out := unicode.ToLower(r)
		if begins(before) {
			out = unicode.ToTitle(r)
		}
		before = r
		return out
	}, s)
}

// stringIs is isdigit and its kin: true where all characters are of a kind, and there is one.
func stringIs(s, name string) (is, ok bool) {
	var kind func(rune) bool
	switch name {
	case "isupper":
		return cased(s, unicode.IsUpper, unicode.IsLower), true
	case "islower":
		return cased(s, unicode.IsLower, unicode.IsUpper), true
	case "isdigit":
		kind = unicode.IsDigit
	case "isalpha":
		kind = unicode.IsLetter
	case "isalnum":
		kind = func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	case "isspace":
		kind = isSpace
	default:
		return false, false
	}
	other := strings.IndexFunc(s, func(r rune) bool { return !kind(r) })
	return s != "" && other < 0, true
}

// cased tells whether s has letters of one case and none of the other.
func cased(s string, want, not func(rune) bool) bool {
	return strings.ContainsFunc(s, want) && !strings.ContainsFunc(s, not)
}

func (m *machine) stringSearch(s string, b bound) (any, bool) {
	place := func(i int) any {
		if i < 0 && b.name == "index" {
			m.fail("substring not found")
		}
		if i < 0 {
			return int64(-1)
		}
		return int64(utf8.RuneCountInString(s[:i]))
	}
	switch b.name {
	case "find", "index":
		return place(strings.Index(s, b.text(0, ""))), true
	case "rfind":
		return place(strings.LastIndex(s, b.text(0, ""))), true
	case "count":
		return int64(strings.Count(s, b.text(0, ""))), true
	case "startswith":
		return m.anyOf(b, func(part string) bool { return strings.HasPrefix(s, part) }), true
	case "endswith":
		return m.anyOf(b, func(part string) bool { return strings.HasSuffix(s, part) }), true
	case "partition":
		before, after, found := strings.Cut(s, m.separator(b))
		if !found {
			return tuple(s, "", ""), true
		}
		return tuple(before, b.text(0, ""), after), true
	}
	return nil, false
}

// anyOf is for a first argument that is a string or a tuple of them.
func (m *machine) anyOf(b bound, is func(string) bool) bool {
	if parts, ok := b.value(0, nil).(*seq); ok && parts.kind == tupleKind {
		return slices.ContainsFunc(parts.items, func(v any) bool { return is(m.needText(v)) })
	}
	return is(b.text(0, ""))
}

func (m *machine) separator(b bound) string {
	sep := b.text(0, "")
	if sep == "" && b.has(0) {
		m.fail("empty separator")
	}
	return sep
}

func (m *machine) trimString(s string, b bound) string {
	switch b.name {
	case "removeprefix":
		return strings.TrimPrefix(s, b.text(0, ""))
	case "removesuffix":
		return strings.TrimSuffix(s, b.text(0, ""))
	}
	cut := isSpace
	if b.has(0) {
		chars := b.text(0, "")
		m.step(len(s) / 256 * len(chars))
		cut = func(r rune) bool { return strings.ContainsRune(chars, r) }
	}
	if b.name != "rstrip" {
		s = strings.TrimLeftFunc(s, cut)
	}
	if b.name != "lstrip" {
		s = strings.TrimRightFunc(s, cut)
	}
	return s
}

// justify is center, ljust, rjust and zfill.
func (m *machine) justify(s string, b bound) string {
	n := b.int(0, 0) - utf8.RuneCountInString(s)
	if n <= 0 {
		return s
	}
	m.charge(len(s) + n)
	if b.name == "zfill" {
		sign := ""
		if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
			sign, s = s[:1], s[1:]
		}
		return sign + strings.Repeat("0", n) + s
	}
	fill := b.text(1, " ")
	if utf8.RuneCountInString(fill) != 1 {
		m.fail("The fill character must be exactly one character long")
	}
	left := 0
	switch b.name {
	case "rjust":
		left = n
	case "center":
		left = n/2 + n&b.int(0, 0)&1 // where Python puts the odd one
	}
	return strings.Repeat(fill, left) + s + strings.Repeat(fill, n-left)
}

// strings makes a list of strings.
func (m *machine) strings(parts []string) *seq {
	m.charge(16 * len(parts))
	items := make([]any, len(parts))
	for i, part := range parts {
		items[i] = part
	}
	return list(items)
}

func (m *machine) split(s string, b bound) any {
	sep, limit := m.separator(b), b.int(1, -1)
	fromRight := b.name == "rsplit"
	var parts []string
	for limit != 0 {
		m.charge(16)
		if sep == "" {
			s = trimSide(s, fromRight)
		}
		i, n := nextSeparator(s, sep, fromRight)
		if i < 0 {
			break
		}
		if fromRight {
			parts, s = append(parts, s[i+n:]), s[:i]
		} else {
			parts, s = append(parts, s[:i]), s[i+n:]
		}
		limit--
	}
	if sep == "" {
		s = trimSide(s, fromRight)
	}
	if sep != "" || s != "" {
		parts = append(parts, s)
	}
	if fromRight {
		slices.Reverse(parts)
	}
	return m.strings(parts)
}

func trimSide(s string, right bool) string {
	if right {
		return strings.TrimRightFunc(s, isSpace)
	}
	return strings.TrimLeftFunc(s, isSpace)
}

// nextSeparator is the place and length of the next separator; an empty one stands for white space.
func nextSeparator(s, sep string, fromRight bool) (i, n int) {
	switch {
	case sep != "" && fromRight:
		return strings.LastIndex(s, sep), len(sep)
	case sep != "":
		return strings.Index(s, sep), len(sep)
	case fromRight:
		i = strings.LastIndexFunc(s, isSpace)
	default:
		i = strings.IndexFunc(s, isSpace)
	}
	if i >= 0 {
		_, n = utf8.DecodeRuneInString(s[i:])
	}
	return i, n
}

// splitLines splits at what Python takes for the end of a line.
func (m *machine) splitLines(s string, keep bool) []string {
	var lines []string
	for s != "" {
		m.charge(16)
		i := strings.IndexFunc(s, isLineEnd)
		if i < 0 {
			return append(lines, s)
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		if strings.HasPrefix(s[i:], "\r\n") {
			n = 2
		}
		if keep {
			lines = append(lines, s[:i+n])
		} else {
			lines = append(lines, s[:i])
		}
		s = s[i+n:]
	}
	return lines
}

func isLineEnd(r rune) bool {
	return '\n' <= r && r <= '\r' || 0x1c <= r && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029
}

// joinStrings is sep.join(items), which takes strings only.
func (m *machine) joinStrings(sep string, items []any) string {
	t := m.newBuffer()
	for i, item := range items {
		s, ok := item.(string)
		if !ok {
			m.fail("sequence item %d: expected str instance, %s found", i, typeName(item))
		}
		if i > 0 {
			t.write(sep)
		}
		t.write(s)
	}
	return t.done()
}

func (m *machine) replace(s, from, to string, count int) string {
	n := strings.Count(s, from)
	if count >= 0 {
		n = min(n, count)
	}
	m.charge(len(s))
	m.chargeTimes(len(to), n)
	return strings.Replace(s, from, to, count)
}

func (m *machine) dictMethod(d *dict, b bound) any {
	switch b.name {
	case "keys":
		return &seq{viewKind, "dict_keys", slices.Clip(d.keys)}
	case "values":
		m.charge(16 * len(d.keys))
		return &seq{viewKind, "dict_values", slices.Clone(d.values)}
	case "items":
		m.charge(smallValue * len(d.keys))
		return &seq{viewKind, "dict_items", d.pairs()}
	case "get":
		return m.dictGet(d, b, b.value(1, nil))
	case "pop":
		return m.dictPop(d, b)
	case "update":
		if from := b.value(0, nil); from != nil {
			m.update(d, from)
		}
		for _, n := range b.rest.named {
			m.put(d, n.name, n.value)
		}
	}
	return nil
}

func (m *machine) dictGet(d *dict, b bound, missing any) any {
	if v, ok := d.get(m.key(b.value(0, nil))); ok {
		return v
	}
	return missing
}

func (m *machine) dictPop(d *dict, b bound) any {
	key := m.key(b.value(0, nil))
	v, ok := d.get(key)
	switch {
	case ok:
		m.step(len(d.keys) / 16)
		d.remove(key)
	case b.values[1] == absent{}:
		m.fail("%s", m.repr(b.value(0, nil)))
	default:
		v = b.value(1, nil)
	}
	return v
}

func (m *machine) listMethod(l *seq, b bound) any {
	switch b.name {
	case "append":
		m.charge(16)
		l.items = append(l.items, b.value(0, nil))
	case "extend":
		more := m.items(b.value(0, nil))
		m.charge(16 * len(more))
		l.items = slices.Concat(l.items, more)
	case "insert":
		i := b.int(0, 0)
		if i < 0 {
			i = max(0, i+len(l.items))
		}
		m.charge(16 * len(l.items))
		l.items = slices.Insert(slices.Clone(l.items), min(i, len(l.items)), b.value(1, nil))
	case "pop":
		return m.listPop(l, b)
	case "reverse":
		m.step(len(l.items) / 16)
		l.items = slices.Clone(l.items)
		slices.Reverse(l.items)
	case "sort":
		l.items = m.sorted(l.items, b.truth(0), func(v any) any { return v })
	default:
		return m.listSearch(l, b)
	}
	return nil
}

func (m *machine) listPop(l *seq, b bound) any {
	if len(l.items) == 0 {
		m.fail("pop from empty list")
	}
	i, ok := index(b.value(0, int64(-1)), len(l.items))
	if !ok {
		m.fail("pop index out of range")
	}
	m.step(len(l.items) / 16)
	v := l.items[i]
	l.items = slices.Delete(slices.Clone(l.items), i, i+1)
	return v
}

// listSearch is count, index and remove.
func (m *machine) listSearch(l *seq, b bound) any {
	n, first := 0, -1
	for i, item := range l.items {
		if m.equal(item, b.value(0, nil), 0) {
			if n++; first < 0 {
				first = i
			}
		}
	}
	switch {
	case b.name == "count":
		return int64(n)
	case first < 0 && b.name == "index":
		m.fail("%s is not in list", m.repr(b.value(0, nil)))
	case first < 0:
		m.fail("list.remove(x): x not in list")
	case b.name == "remove":
		l.items = slices.Delete(slices.Clone(l.items), first, first+1)
		return nil
	}
	return int64(first)
}

func (m *machine) cycle(l *loop, b bound) any {
	if len(b.rest.plain) == 0 {
		m.fail("no items for cycling given")
	}
	return b.rest.plain[l.index%len(b.rest.plain)]
}
