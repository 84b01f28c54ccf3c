package jinja

import (
	"maps"
	"math"
	"math/big"
	"slices"
	"unicode/utf8"
)

// A value is nil, bool, int64, float64, string, *seq, *dict, *undefined, *namespace, *loop, *function, or a *big.Int
// of the caller's, which can only be printed.

// A seq is a list, a tuple, or what a filter such as map gives: a list that is true though it be empty. Its items are
// never changed in place, only replaced or appended to, so that a loop over them sees what was there when it began.
type seq struct {
	kind  seqKind
	items []any
}

type seqKind string // as Python calls it

const (
	listKind     seqKind = "list"
	tupleKind    seqKind = "tuple"
	groupKind    seqKind = "_GroupTuple" // of groupby, with two attributes
	iteratorKind seqKind = "generator"
)

func list(items []any) *seq { return &seq{listKind, slices.Clip(items)} }

// A dict keeps the order in which keys were put in, as Python does.
type dict struct {
	keys, values []any
	index        map[any]int // from a key as hash makes it
}

func newDict() *dict { return &dict{index: map[any]int{}} }

// remove takes an entry out. What loops over the keys still sees those that were there.
func (m *machine) remove(d *dict, key any) {
	hash := m.hash(key)
	i, ok := d.index[hash]
	if !ok {
		return
	}
	m.step(len(d.keys) / 4)
	d.keys, d.values = without(d.keys, i), without(d.values, i)
	delete(d.index, hash)
	for k := range d.index {
		if d.index[k] > i {
			d.index[k]--
		}
	}
}

func without(items []any, i int) []any { return slices.Concat(items[:i], items[i+1:]) }

// get is the entry of a key, or else what stands for one that is not there.
func (m *machine) get(d *dict, key, missing any) any {
	if i, ok := d.index[m.hash(key)]; ok {
		return d.values[i]
	}
	return missing
}

func (m *machine) put(d *dict, key, value any) {
	m.charge(smallValue, 2)
	hash := m.hash(key)
	if i, ok := d.index[hash]; ok {
		d.values[i] = value
		return
	}
	d.index[hash] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, value)
}

// hash makes a key of a dict, such that Go compares it as Python does.
func (m *machine) hash(v any) any {
	m.work(v)
	if i, ok := integer(v); ok {
		return i
	}
	if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		return int64(f)
	}
	switch v.(type) {
	case *dict, *seq:
		m.fail("unhashable type: '%s'", typeName(v))
	}
	return v
}

func (m *machine) pairs(d *dict) []any {
	m.charge(2*smallValue, len(d.keys))
	pairs := make([]any, len(d.keys))
	for i, k := range d.keys {
		pairs[i] = &seq{tupleKind, []any{k, d.values[i]}}
	}
	return pairs
}

// An undefined stands for what is not there. It prints, is false and empty, and fails when more is asked of it.
type undefined struct {
	name string // what is printed
	path string // the dotted names that led here, where the template wrote them
	hint string // what is said when more is asked of it
	mute bool   // it prints nothing: an inline if without an else
}

func isUndefined(v any) bool {
	_, is := v.(*undefined)
	return is
}

// need fails where a value is not there.
func (m *machine) need(values ...any) {
	for _, v := range values {
		if u, ok := v.(*undefined); ok {
			m.fail("%s", u.hint)
		}
	}
}

// A namespace is the one kind of object whose attributes a template can set.
type namespace struct{ attrs *dict }

// A function is something to call: an operation, with its object where it is a method.
type function struct {
	operation
	of any
}

// typeName is the name of a value's type in Python, for messages.
func typeName(v any) string {
	if s, ok := v.(*seq); ok {
		return string(s.kind)
	}
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case *big.Int:
		return "int beyond 64 bits"
	case float64:
		return "float"
	case string:
		return "str"
	case *dict:
		return "dict"
	case *undefined:
		return "UndefinedJinjaVariable"
	case *namespace:
		return "Namespace"
	case *loop:
		return "LoopContext"
	}
	return "function"
}

// truth is whether Python takes a value as true.
func truth(v any) bool {
	if f, ok := number(v); ok {
		return f != 0
	}
	if s, ok := v.(*seq); ok && s.kind == iteratorKind {
		return true
	}
	n, ok := length(v)
	return n > 0 || !ok && v != nil
}

// length is Python's len; ok is false for what cannot be looped over.
func length(v any) (n int, ok bool) {
	switch v := v.(type) {
	case string:
		return utf8.RuneCountInString(v), true
	case *seq:
		return len(v.items), true
	case *dict:
		return len(v.keys), true
	}
	return 0, isUndefined(v)
}

// items are what a loop over the value gives.
func (m *machine) items(v any) []any {
	switch v := v.(type) {
	case *seq:
		m.step(len(v.items) / 16)
		return v.items
	case *dict:
		return v.keys
	case string:
		return m.pieces(v, "")
	}
	m.check(isUndefined(v), "'%s' object is not iterable", typeName(v))
	return nil
}

// copyItems are items that the caller may change.
func (m *machine) copyItems(v any) []any {
	items := m.items(v)
	m.charge(16, len(items))
	return slices.Clone(items)
}

// convert makes a value of what the caller gave.
func (m *machine) convert(v any, depth int) any {
	m.level(depth)
	switch v := v.(type) {
	case nil, bool, int64, float64, string:
		return v
	case int:
		return int64(v)
	case *big.Int:
		if v.IsInt64() {
			return v.Int64()
		}
		return v
	case []any:
		m.charge(16, len(v))
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = m.convert(item, depth+1)
		}
		return list(items)
	case map[string]any:
		d := newDict()
		for _, key := range slices.Sorted(maps.Keys(v)) {
			m.put(d, key, m.convert(v[key], depth+1))
		}
		return d
	}
	m.fail("a variable has the type %T, which templates do not have", v)
	return nil
}
