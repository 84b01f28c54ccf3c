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

// A spelled merger is a name with its options.
type spelledMerger struct {
	name    string
	options []string
}

// ParseMerger reads merge_how in its three spellings: "list(append)+dict()", [{name: list, settings: [append]}], and
// [[list, append]].
func ParseMerger(v *Value) (Merger, error) {
	if v.Kind == String {
		return ParseMergerHeader(v.Text)
	}
	if v.Kind != List {
		return Merger{}, fmt.Errorf("%w: want a string or a list, have %s", ErrMergerSyntax, v.Kind)
	}
	var all []spelledMerger
	for _, item := range v.Items {
		one, err := spelledIn(item)
		if err != nil {
			return Merger{}, err
		}
		all = append(all, one)
	}
	return newMerger(all)
}

func spelledIn(item *Value) (spelledMerger, error) {
	name := item.Get("name")
	switch {
	case item.Kind == Map && name != nil && item.Get("settings") != nil:
		return spelledMerger{strings.TrimSpace(strings.ReplaceAll(name.Text, "-", "_")), item.Get("settings").Strings()}, nil
	case item.Kind == List && len(item.Items) > 0:
		words := item.Strings()
		if len(words) > 0 {
			return spelledMerger{words[0], words[1:]}, nil
		}
	}
	return spelledMerger{}, fmt.Errorf("%w: %s: each entry is a mapping with name and settings, or a list", ErrMergerSyntax, item.Origin)
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
		if !ok || !closed || !isIdentifier(name) {
			return Merger{}, fmt.Errorf("%w: Matcher identifier '%s' is not in the right format; write for example list(append)+dict()", ErrMergerSyntax, part)
		}
		one := spelledMerger{name: name}
		for option := range strings.SplitSeq(options, ",") {
			if option = strings.TrimSpace(option); option != "" {
				one.options = append(one.options, option)
			}
		}
		all = append(all, one)
	}
	return newMerger(all)
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
		has := func(option string) bool { return slices.Contains(one.options, option) }
		r := &rule{intoLists: has("recurse_array") || has("recurse_list"), intoStrings: has("recurse_str"), intoDicts: has("recurse_dict"), deletes: has("allow_delete")}
		switch strings.TrimPrefix(one.name, "m_") {
		case "dict":
			r.method, r.intoDicts = firstOf(one.options, "no_replace", "replace", "no_replace"), true
			m.dict = orRule(m.dict, r)
		case "list":
			r.method = firstOf(one.options, "replace", "append", "prepend", "replace", "no_replace")
			m.list = orRule(m.list, r)
		case "str":
			r.method = firstOf(one.options, "replace", "append")
			m.str = orRule(m.str, r)
		default:
			return m, fmt.Errorf("%w: %q; there are list, dict and str", ErrMergerUnknown, one.name)
		}
	}
	return m, nil
}

// firstOf is the first of some words that is among the options.
func firstOf(options []string, otherwise string, words ...string) string {
	for _, word := range words {
		if slices.Contains(options, word) {
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

// Merge joins extra into base, and returns what comes of it. Each value keeps the place where it was written.
func (m Merger) Merge(base, extra *Value) *Value {
	switch {
	case base.Kind == Map && m.dict != nil:
		return m.mergeDict(base, extra)
	case base.Kind == List && m.list != nil:
		return m.mergeList(base, extra)
	case base.Kind == String && m.str != nil:
		return m.mergeString(base, extra)
	}
	return base
}

func (m Merger) mergeDict(base, extra *Value) *Value {
	if extra.Kind != Map {
		return base
	}
	out := *base
	out.Pairs = slices.Clone(base.Pairs)
	for _, p := range extra.Pairs {
		at := slices.IndexFunc(out.Pairs, func(q Pair) bool { return q.Key.Equal(p.Key) })
		switch {
		case at < 0:
			out.Pairs = append(out.Pairs, p)
		case p.Value.Kind == Null && m.dict.deletes:
			out.Pairs = slices.Delete(out.Pairs, at, at+1)
		case m.dict.method == "replace":
			out.Pairs[at] = p
		case m.dict.goesInto(p.Value):
			out.Pairs[at].Value = m.Merge(out.Pairs[at].Value, p.Value)
		}
	}
	return &out
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

func (m Merger) mergeList(base, extra *Value) *Value {
	if extra.Kind != List {
		if m.list.method == "replace" {
			return extra
		}
		return base
	}
	out := *base
	switch m.list.method {
	case "append":
		out.Items = slices.Concat(base.Items, extra.Items)
	case "prepend":
		out.Items = slices.Concat(extra.Items, base.Items)
	case "replace":
		out.Items = slices.Clone(base.Items)
		for i := range min(len(base.Items), len(extra.Items)) {
			out.Items[i] = extra.Items[i]
			if m.list.goesInto(extra.Items[i]) {
				out.Items[i] = m.Merge(base.Items[i], extra.Items[i])
			}
		}
	}
	return &out
}

func (m Merger) mergeString(base, extra *Value) *Value {
	if m.str.method != "append" || extra.Kind != String {
		return extra
	}
	out := *base
	out.Text, out.Plain = base.Text+extra.Text, ""
	return &out
}
