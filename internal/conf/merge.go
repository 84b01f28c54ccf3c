package conf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Merger joins two configurations as cloud-init's mergers do: how mappings, lists and strings of the same place come
// together. A kind that it has no rule for stays as it was.
type Merger struct {
	dict *rule
	list *rule
	str  *rule
}

// A rule is how one kind is merged.
type rule struct {
	method                            string // "replace", "no_replace", "append" or "prepend"
	intoLists, intoStrings, intoDicts bool   // whether what is in it is merged as well
	deletes                           bool   // null deletes
}

// Why a text does not say how to merge.
var (
	ErrMergerSyntax  = errors.New("this does not say how to merge")
	ErrMergerUnknown = errors.New("there is no such way to merge")
)

// DefaultMerger joins layers: mappings come together at every depth, and otherwise what was there first stays.
func DefaultMerger() Merger { return mustMerger("list()+dict()+str()") }

// PartMerger joins the cloud-config parts of a document: a top-level key of a later part takes the place of the earlier's.
func PartMerger() Merger { return mustMerger("dict(replace)+list()+str()") }

func mustMerger(text string) Merger {
	m, err := ParseMergerHeader(text)
	if err != nil {
		panic("conf: " + err.Error())
	}
	return m
}

// A spelled merger is a name and how to find out which options it has.
type spelledMerger struct {
	name string
	has  func(option string) bool
}

// ParseMerger reads merge_how in its three spellings: "list(append)+dict()", [{name: list, settings: [append]}], and
// [[list, append]]. An entry of a list that is neither is ErrMergerUnknown, as it is for cloud-init, which says nothing
// but that it went wrong.
func ParseMerger(v *Value) (Merger, error) {
	if v.Kind == String {
		return ParseMergerHeader(v.Text)
	}
	if v.Kind != List {
		return Merger{}, fmt.Errorf("%w: want a string or a list, have %s", ErrMergerSyntax, v.Kind)
	}
	var all []spelledMerger
	for _, item := range v.Items {
		one, ok := spelledIn(item)
		if !ok {
			return Merger{}, fmt.Errorf("%w: %s: each entry is a mapping with a name and settings, or a list of a name and options", ErrMergerUnknown, item.Origin)
		}
		if one.name != "" {
			all = append(all, one)
		}
	}
	return newMerger(all)
}

func spelledIn(item *Value) (spelledMerger, bool) {
	switch {
	case item.Kind == Map:
		name, settings := item.Get("name"), item.Get("settings")
		if name == nil || name.Kind != String || settings == nil {
			return spelledMerger{}, false
		}
		return spelledMerger{strings.TrimSpace(strings.ReplaceAll(name.Text, "-", "_")), settings.holds}, settings.holdsTexts()
	case item.Kind == List && len(item.Items) > 0 && item.Items[0].Kind == String:
		return spelledMerger{item.Items[0].Text, (&Value{Kind: List, Items: item.Items[1:]}).holds}, true
	}
	return spelledMerger{}, false
}

func (v *Value) holdsTexts() bool { return v.Kind == List || v.Kind == String || v.Kind == Map }

// holds is Python's "in": whether a text is an item, a key, or a part of another text.
func (v *Value) holds(text string) bool {
	switch v.Kind {
	case List:
		return slices.ContainsFunc(v.Items, func(item *Value) bool { return item.Kind == String && item.Text == text })
	case Map:
		return v.Get(text) != nil
	}
	return strings.Contains(v.Text, text)
}

// ParseMergerHeader reads "list(append)+dict(recurse_array,no_replace)+str()", as the header Merge-Type has it.
func ParseMergerHeader(text string) (Merger, error) {
	var all []spelledMerger
	for part := range strings.SplitSeq(text, "+") {
		part = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(part)), "-", "_")
		if part == "" {
			continue
		}
		name, options, ok := strings.Cut(part, "(")
		options, closed := strings.CutSuffix(options, ")")
		if !ok || !closed || !isIdentifier(name) || strings.Contains(options, "\n") {
			return Merger{}, fmt.Errorf("%w: Matcher identifier '%s' is not in the right format; write for example list(append)+dict()", ErrMergerSyntax, part)
		}
		words := optionWords(options)
		all = append(all, spelledMerger{name, func(option string) bool { return slices.Contains(words, option) }})
	}
	return newMerger(all)
}

func optionWords(options string) (words []string) {
	for option := range strings.SplitSeq(options, ",") {
		words = append(words, strings.TrimSpace(option))
	}
	return words
}

func isIdentifier(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

func newMerger(all []spelledMerger) (m Merger, err error) {
	for _, one := range all {
		r := &rule{intoLists: one.has("recurse_array") || one.has("recurse_list"), intoStrings: one.has("recurse_str"),
			intoDicts: one.has("recurse_dict"), deletes: one.has("allow_delete")}
		switch strings.TrimPrefix(one.name, "m_") {
		case "dict":
			r.method, r.intoDicts = one.first("no_replace", "replace"), true
			m.dict = orRule(m.dict, r)
		case "list":
			r.method = one.first("replace", "append", "prepend", "replace", "no_replace")
			m.list = orRule(m.list, r)
		case "str":
			r.method = one.first("replace", "append")
			m.str = orRule(m.str, r)
		default:
			return Merger{}, fmt.Errorf("%w: %q; there are list, dict and str", ErrMergerUnknown, one.name)
		}
	}
	return m, nil
}

// first is the first of some words that is among the options.
func (s spelledMerger) first(otherwise string, words ...string) string {
	for _, word := range words {
		if s.has(word) {
			return word
		}
	}
	return otherwise
}

func orRule(old, r *rule) *rule {
	if old != nil {
		return old
	}
	return r
}

// Merge joins extra into base, and returns what comes of it. Each value keeps the place where it was written. Where
// cloud-init's mergers end with an exception, such as a number appended to a string, all of extra is left out, as there.
func (m Merger) Merge(base, extra *Value) *Value {
	switch {
	case base == nil:
		return extra
	case extra == nil:
		return base
	}
	if merged, ok := m.merge(base, extra); ok {
		return merged
	}
	return base
}

func (m Merger) merge(base, extra *Value) (merged *Value, ok bool) {
	switch {
	case base.Kind == Map && m.dict != nil:
		return m.mergeDict(base, extra)
	case base.Kind == List && m.list != nil:
		return m.mergeList(base, extra)
	case base.Kind == String && m.str != nil:
		return m.mergeString(base, extra)
	}
	return base, true
}

func (m Merger) mergeDict(base, extra *Value) (merged *Value, ok bool) {
	if extra.Kind != Map {
		return base, true
	}
	pairs := slices.Clone(base.Pairs)
	index := make(map[string]int, len(pairs))
	for i, p := range pairs {
		index[keyID(p.Key)] = i
	}
	for _, p := range extra.Pairs {
		at, known := index[keyID(p.Key)]
		if !known {
			pairs = append(pairs, p)
		} else if pairs[at], ok = m.mergePair(pairs[at], p); !ok {
			return nil, false
		}
	}
	out := *base
	out.Pairs = slices.DeleteFunc(pairs, func(p Pair) bool { return p.Value == nil })
	return &out, true
}

// mergePair joins two entries of the same key; the value is nil where the key is to go.
func (m Merger) mergePair(old, p Pair) (merged Pair, ok bool) {
	switch {
	case p.Value.Kind == Null && m.dict.deletes:
		return Pair{Key: old.Key}, true
	case m.dict.method == "replace" && old.Key.Kind == p.Key.Kind:
		return p, true
	case m.dict.method == "replace":
		return Pair{old.Key, p.Value}, true
	case m.dict.goesInto(p.Value):
		old.Value, ok = m.merge(old.Value, p.Value)
		return old, ok
	}
	return old, true
}

// goesInto says whether a new value is merged with the old one, rather than one of them taken.
func (r *rule) goesInto(v *Value) bool {
	switch v.Kind {
	case List:
		return r.intoLists
	case String:
		return r.intoStrings
	case Map:
		return r.intoDicts
	}
	return false
}

func (m Merger) mergeList(base, extra *Value) (merged *Value, ok bool) {
	if extra.Kind != List && m.list.method == "replace" {
		return extra, true
	}
	items, ok := iterate(extra)
	if !ok {
		return nil, false
	}
	out := *base
	switch m.list.method {
	case "append":
		out.Items = slices.Concat(base.Items, items)
	case "prepend":
		out.Items = slices.Concat(items, base.Items)
	case "no_replace":
		return &out, extra.Kind != Map || len(base.Items) == 0 || len(items) == 0
	default:
		out.Items, ok = m.mergeItems(base.Items, items)
	}
	return &out, ok
}

// iterate is what Python goes through where cloud-init takes a value for a list: the keys of a mapping, the letters of a text.
func iterate(v *Value) (items []*Value, ok bool) {
	switch v.Kind {
	case List:
		return v.Items, true
	case Map:
		for _, p := range v.Pairs {
			items = append(items, p.Key)
		}
		return items, true
	case String:
		for _, c := range v.Text {
			items = append(items, &Value{Kind: String, Text: string(c), Origin: v.Origin})
		}
		return items, true
	}
	return nil, false
}

// mergeItems lets new items take the place of the old ones, one by one; there are never more than there were.
func (m Merger) mergeItems(old, items []*Value) (merged []*Value, ok bool) {
	merged = slices.Clone(old)
	for i := range min(len(old), len(items)) {
		merged[i] = items[i]
		if m.list.goesInto(items[i]) {
			if merged[i], ok = m.merge(old[i], items[i]); !ok {
				return nil, false
			}
		}
	}
	return merged, true
}

func (m Merger) mergeString(base, extra *Value) (merged *Value, ok bool) {
	if m.str.method != "append" {
		return extra, true
	}
	out := *base
	out.Text, out.Plain = base.Text+extra.Text, ""
	return &out, extra.Kind == String
}
