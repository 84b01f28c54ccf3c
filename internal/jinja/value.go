package jinja

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"unicode/utf8"
)

// A value is nil, bool, int64, *big.Int (only what int64 cannot hold), float64, string, *seq, *dict, *undefined,
// *namespace, *loop, or something to call: *macro, *function, *method.

// seqKind is what a seq is in Python.
type seqKind uint8

const (
	listKind seqKind = iota
	tupleKind
	rangeKind
	viewKind     // the keys, values or items of a dict
	iteratorKind // used up when it is read
)

// A seq is a list or something that Python reads like one. Its items are never changed in place, only replaced or
// appended to, so that a loop over them sees what was there when it began.
type seq struct {
	kind  seqKind
	name  string // a view's or iterator's type, how a range prints, or "group" for a tuple that groupby made
	items []any
}

func list(items []any) *seq     { return &seq{kind: listKind, items: slices.Clip(items)} }
func tuple(items ...any) *seq   { return &seq{kind: tupleKind, items: items} }
func iterator(items []any) *seq { return &seq{kind: iteratorKind, name: "generator", items: items} }

// take returns the items, and leaves nothing in an iterator.
func (s *seq) take() []any {
	items := s.items
	if s.kind == iteratorKind {
		s.items = nil
	}
	return items
}

// A dict keeps the order in which keys were put in, as Python does.
type dict struct {
	keys, values []any
	index        map[any]int // from a key as hash makes it
}

func newDict() *dict { return &dict{index: map[any]int{}} }

func (d *dict) get(hash any) (any, bool) {
	i, ok := d.index[hash]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

func (d *dict) set(hash, key, value any) {
	if i, ok := d.index[hash]; ok {
		d.values[i] = value
		return
	}
	d.index[hash] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, value)
}

func (d *dict) remove(hash any) {
	i := d.index[hash]
	d.keys = slices.Delete(slices.Clone(d.keys), i, i+1)
	d.values = slices.Delete(slices.Clone(d.values), i, i+1)
	delete(d.index, hash)
	for k, j := range d.index {
		if j > i {
			d.index[k] = j - 1
		}
	}
}

// pairs are the entries as tuples.
func (d *dict) pairs() []any {
	pairs := make([]any, len(d.keys))
	for i, k := range d.keys {
		pairs[i] = tuple(k, d.values[i])
	}
	return pairs
}

// An undefined stands for what is not there. It prints, is false and empty, and fails when more is asked of it.
type undefined struct {
	name  any    // what is printed: a name, an index, or nil
	path  string // the dotted names that led here, where the template wrote them
	hint  string // says why, instead of what message finds
	owner any    // what does not have it
	owned bool   // there is an owner
	blank bool   // prints as nothing
}

// message is what Jinja says when an undefined is used.
func (u *undefined) message(m *machine) string {
	if u.hint != "" {
		return u.hint
	}
	if !u.owned {
		return quote(u.shownName(m)) + " is undefined"
	}
	owner := typeName(u.owner) + " object"
	if u.owner == nil {
		owner = "None"
	}
	if name, ok := u.name.(string); ok {
		return quote(owner) + " has no attribute " + quote(name)
	}
	return owner + " has no element " + m.repr(u.name)
}

func (u *undefined) shownName(m *machine) string {
	if name, ok := u.name.(string); ok {
		return name
	}
	return m.repr(u.name)
}

// need fails where a value is not there.
func (m *machine) need(values ...any) {
	for _, v := range values {
		if u, ok := v.(*undefined); ok {
			m.fail("%s", u.message(m))
		}
	}
}

// A namespace is the one kind of object whose attributes a template can set.
type namespace struct{ attrs *dict }

// A function is a global function.
type function struct {
	name string
	call func(m *machine, a arguments) any
}

// A method is a method with its object.
type method struct {
	of   any
	name string
}

// none is the undefined of a function that found nothing.
func none(hint string) *undefined { return &undefined{hint: hint} }

// typeName is the name of a value's type in Python, for messages.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
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
	case *macro:
		return "Macro"
	case *function:
		return "function"
	case *seq:
		return v.typeName()
	}
	return "builtin_function_or_method"
}

func (s *seq) typeName() string {
	switch s.kind {
	case listKind:
		return "list"
	case tupleKind:
		return "tuple"
	case rangeKind:
		return "range"
	}
	return s.name
}

// truth is whether Python takes a value as true.
func truth(v any) bool {
	switch v := v.(type) {
	case nil, *undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case *seq:
		return v.kind == iteratorKind || len(v.items) > 0
	case *dict:
		return len(v.keys) > 0
	}
	return true
}

// length is Python's len.
func length(v any) (int, bool) {
	switch v := v.(type) {
	case string:
		return utf8.RuneCountInString(v), true
	case *seq:
		return len(v.items), v.kind != iteratorKind
	case *dict:
		return len(v.keys), true
	case *undefined:
		return 0, true
	case *loop:
		return len(v.items), true
	}
	return 0, false
}

// items are what a loop over the value gives.
func (m *machine) items(v any) []any {
	switch v := v.(type) {
	case *seq:
		m.step(len(v.items) / 16)
		return v.take()
	case *dict:
		return v.keys
	case *undefined:
		return nil
	case string:
		m.charge(16 * len(v))
		items := make([]any, 0, len(v))
		for _, r := range v {
			items = append(items, string(r))
		}
		return items
	}
	m.fail("'%s' object is not iterable", typeName(v))
	return nil
}

// A compound is the hash of what Go cannot compare as Python does.
type compound string

// hash makes a key that Go compares as Python compares the value; ok is false for what Python cannot hash.
func (m *machine) hash(v any) (key any, ok bool) {
	m.work(v)
	m.step(1)
	switch v := v.(type) {
	case bool:
		i, _ := integer(v)
		return norm(i), true
	case float64:
		if v == float64(int64(v)) {
			return int64(v), true
		}
	case *big.Int:
		return compound(v.Text(16)), true
	case *undefined:
		return undefined{}, true
	case *dict:
		return nil, false
	case *seq:
		if v.kind == tupleKind {
			return m.hashTuple(v)
		}
		return nil, false
	}
	return v, true
}

func (m *machine) hashTuple(v *seq) (key any, ok bool) {
	m.enter()
	defer m.leave()
	t := m.newBuffer()
	for _, item := range v.items {
		h, ok := m.hash(item)
		if !ok {
			return nil, false
		}
		text := fmt.Sprint(h)
		t.write(fmt.Sprintf("%T %d %s ", h, len(text), text))
	}
	return compound(t.done()), true
}

// key is the hash of what must have one.
func (m *machine) key(v any) any {
	key, ok := m.hash(v)
	if !ok {
		m.fail("unhashable type: '%s'", typeName(v))
	}
	return key
}

// put adds an entry to a dict of the template.
func (m *machine) put(d *dict, key, value any) {
	m.charge(smallValue)
	d.set(m.key(key), key, value)
}

// take makes a value of what the caller gave.
func (m *machine) take(v any, depth int) any {
	m.step(1)
	if depth > maxValue {
		m.fail("the variables are nested more than %d levels deep", maxValue)
	}
	switch v := v.(type) {
	case nil, bool, int64, float64, string:
		return v
	case int:
		return int64(v)
	case *big.Int:
		return norm(new(big.Int).Set(v))
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = m.take(item, depth+1)
		}
		return list(items)
	case map[string]any:
		d := newDict()
		for _, key := range slices.Sorted(maps.Keys(v)) {
			d.set(key, key, m.take(v[key], depth+1))
		}
		return d
	}
	m.fail("a variable has the type %T, which templates do not have", v)
	return nil
}
