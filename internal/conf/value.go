// Package conf reads configuration: YAML 1.1 as PyYAML reads it, with the place of every value; merging as
// cloud-init does it; and structs with tags, from which come a decoder that reports every problem with its place,
// a JSON schema and a reference.
package conf

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Kind is what a Value is.
type Kind uint8

// The kinds of YAML 1.1. A Time is a date or a moment, kept as it was written.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	Bytes
	Time
	List
	Map
)

var kindNames = [...]string{"null", "a boolean", "a number", "a number", "a string", "binary data", "a date", "a list", "a mapping"}

// String names the kind as a sentence about user-data would: "a list", "a number".
func (k Kind) String() string { return kindNames[k] }

// Origin is where a value was written: the part's name, and line and column in that part as decoded and
// rendered, both counted from 1. A zero Line means that the value was not read from a text.
type Origin struct {
	Part      string
	Line, Col int
}

// String is PART:LINE:COLUMN, or the part alone.
func (o Origin) String() string {
	if o.Line == 0 {
		return o.Part
	}
	return fmt.Sprintf("%s:%d:%d", o.Part, o.Line, o.Col)
}

// A Value is one node of a configuration. Values are never changed once made, so they may be shared.
type Value struct {
	Kind   Kind
	Text   string   // a scalar as Python's str() gives it ("True", "None", "420"); the content of a String or of Bytes
	Plain  string   // an unquoted scalar as it was spelled ("0644"); empty otherwise
	Items  []*Value // of a List
	Pairs  []Pair   // of a Map, in the order of the document, each key once
	Origin Origin
}

// A Pair is one entry of a Map. The key need not be a string: YAML 1.1 reads "yes" and "12:30" as other kinds.
type Pair struct{ Key, Value *Value }

// Get returns the value at a key of a Map that is a string, or nil. It may be called on nil.
func (v *Value) Get(key string) *Value {
	if v == nil || v.Kind != Map {
		return nil
	}
	for _, p := range v.Pairs {
		if p.Key.Kind == String && p.Key.Text == key {
			return p.Value
		}
	}
	return nil
}

// At follows keys through Maps, and returns nil where the way ends.
func (v *Value) At(keys ...string) *Value {
	for _, key := range keys {
		v = v.Get(key)
	}
	return v
}

// IsNull says that there is nothing: no value, or null.
func (v *Value) IsNull() bool { return v == nil || v.Kind == Null }

// Str is the text of a String, or otherwise.
func (v *Value) Str(otherwise string) string {
	if v == nil || v.Kind != String {
		return otherwise
	}
	return v.Text
}

// Truth reads a boolean as cloud-init does: true, 1, on, yes and false, 0, off, no in any case, also as strings.
// What is neither, or nothing, is otherwise.
func (v *Value) Truth(otherwise bool) bool {
	if v == nil {
		return otherwise
	}
	if truth, ok := parseTruth(v); ok {
		return truth
	}
	return otherwise
}

func parseTruth(v *Value) (truth, ok bool) {
	switch v.Kind {
	case Bool, Int, String:
		switch strings.ToLower(strings.TrimSpace(v.Text)) {
		case "true", "1", "on", "yes":
			return true, true
		case "false", "0", "off", "no":
			return false, true
		}
	}
	return false, false
}

// Strings is the value as a list of texts, as cloud-init's get_list reads it: a scalar is a list of one, null is
// none, and what is in a list and no scalar is left out.
func (v *Value) Strings() (texts []string) {
	switch {
	case v.IsNull():
	case v.Kind == List:
		for _, item := range v.Items {
			if item.Kind != List && item.Kind != Map {
				texts = append(texts, item.Text)
			}
		}
	case v.Kind != Map:
		texts = []string{v.Text}
	}
	return texts
}

// Number is a whole number that fits 64 bits.
func (v *Value) Number() (int64, bool) {
	if v == nil || v.Kind != Int {
		return 0, false
	}
	n, err := strconv.ParseInt(v.Text, 10, 64)
	return n, err == nil
}

// Data is the value as plain data: nil, bool, int64 (a *big.Int where it does not fit), float64, string (also for
// bytes and dates), []any and map[string]any with keys as texts. Templates and JSON are made from it.
func (v *Value) Data() any {
	if v == nil {
		return nil
	}
	switch v.Kind {
	case Null:
		return nil
	case Bool:
		return v.Text == "True"
	case Int:
		if n, ok := v.Number(); ok {
			return n
		}
		n, _ := new(big.Int).SetString(v.Text, 10)
		return n
	case Float:
		f, _ := strconv.ParseFloat(v.Text, 64)
		return f
	case List:
		list := make([]any, len(v.Items))
		for i, item := range v.Items {
			list[i] = item.Data()
		}
		return list
	case Map:
		m := make(map[string]any, len(v.Pairs))
		for _, p := range v.Pairs {
			m[p.Key.Text] = p.Value.Data()
		}
		return m
	}
	return v.Text
}

// Equal says that two values hold the same, wherever they were written. The order of a Map does not count.
func (v *Value) Equal(w *Value) bool {
	if v == nil || w == nil {
		return v == w
	}
	if v.Kind != w.Kind || v.Text != w.Text || len(v.Items) != len(w.Items) || len(v.Pairs) != len(w.Pairs) {
		return false
	}
	for i := range v.Items {
		if !v.Items[i].Equal(w.Items[i]) {
			return false
		}
	}
	for _, p := range v.Pairs {
		if !p.Value.Equal(w.lookup(p.Key)) {
			return false
		}
	}
	return true
}

func (v *Value) lookup(key *Value) *Value {
	for _, p := range v.Pairs {
		if p.Key.Equal(key) {
			return p.Value
		}
	}
	return nil
}
