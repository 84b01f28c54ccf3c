package conf

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"openguest/internal/instance"
	"openguest/internal/spelling"
)

// A field is one tagged field of a struct of keys. The tags are
//
//	key         the name in cloud-config
//	doc         what it is, a sentence
//	default     what counts where it is not given, for the reference (a decoder sets it too)
//	enum        the words that it may be, with commas between
//	need        (any value) it must be given
//	old         other spellings that mean the same and are deprecated, with commas between
//	deprecated  since when it is, and what to use in its place
type field struct {
	name, doc, def, deprecated string
	enum, old                  []string
	need                       bool
	index                      int
	typ                        reflect.Type
}

var fieldsOf sync.Map // of reflect.Type, to []field

func fields(t reflect.Type) []field {
	if known, ok := fieldsOf.Load(t); ok {
		return known.([]field)
	}
	var all []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, ok := f.Tag.Lookup("key")
		if !ok {
			continue
		}
		_, need := f.Tag.Lookup("need")
		all = append(all, field{name, f.Tag.Get("doc"), f.Tag.Get("default"), f.Tag.Get("deprecated"),
			words(f.Tag.Get("enum")), words(f.Tag.Get("old")), need, i, f.Type})
	}
	fieldsOf.Store(t, all)
	return all
}

func words(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// TakesDashes is what a struct of keys implements whose keys may also be spelled with dashes, as cloud-init's users may.
type TakesDashes interface{ TakesDashes() }

// TakesMore is what a struct of keys implements in which unknown keys are nobody's mistake.
type TakesMore interface{ TakesMore() }

// Decode fills the struct that dst points to from a Map, and returns everything that is wrong, not only the first. Keys of
// the Map that the struct does not have are left to who knows the other structs. What is rejected is left as if it
// had not been given.
func Decode(v *Value, dst any) []Problem {
	d := decoder{}
	target := reflect.ValueOf(dst).Elem()
	d.keys(v, target, "", true)
	return d.problems
}

// Keys are the names of the keys of a struct, old spellings too.
func Keys(of any) (names []string) {
	for _, f := range fields(typeOf(of)) {
		names = append(names, f.name)
		names = append(names, f.old...)
	}
	return names
}

// typeOf is the struct that a value, or a pointer to one, is of.
func typeOf(of any) reflect.Type {
	t := reflect.TypeOf(of)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

type decoder struct{ problems []Problem }

func (d *decoder) add(level Level, v *Value, path, hint, format string, args ...any) {
	d.problems = append(d.problems, Problem{Origin: v.Origin, Path: path, Level: level, Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// reject says that a value is not what is wanted there. It returns false, for decoders to return.
func (d *decoder) reject(v *Value, path, want string) bool {
	d.add(Rejected, v, path, "", "want %s, have %s", want, v.Kind)
	return false
}

// A shape is a type that reads values in a way of its own. It is implemented by pointers.
type shape interface {
	decode(d *decoder, v *Value, path string) bool
	schema() Schema
	words() string // what it takes, for people: "a list of strings"
}

// value reads v into target and says whether it was taken.
func (d *decoder) value(v *Value, target reflect.Value, path string) bool {
	switch t := target.Addr().Interface().(type) {
	case shape:
		return t.decode(d, v, path)
	case **Value:
		*t = v
		return true
	case *instance.Secret:
		return d.secret(v, t, path)
	}
	switch target.Kind() {
	case reflect.Pointer:
		made := reflect.New(target.Type().Elem())
		if v.IsNull() || !d.value(v, made.Elem(), path) {
			return v.IsNull()
		}
		target.Set(made)
		return true
	case reflect.Struct:
		if v.Kind != Map {
			return d.reject(v, path, "a mapping")
		}
		return d.keys(v, target, path, false)
	case reflect.Slice:
		return d.list(v, target, path)
	}
	return d.scalar(v, target, path)
}

func (d *decoder) secret(v *Value, target *instance.Secret, path string) bool {
	if v.Kind == List || v.Kind == Map {
		return d.reject(v, path, "a string")
	}
	if !v.IsNull() {
		*target = instance.Hide(v.Text)
	}
	return true
}

func (d *decoder) scalar(v *Value, target reflect.Value, path string) bool {
	if v.Kind == List || v.Kind == Map {
		return d.reject(v, path, kindWords(target.Kind()))
	}
	if v.IsNull() {
		return true
	}
	switch target.Kind() {
	case reflect.String:
		target.SetString(v.Text)
	case reflect.Bool:
		truth, ok := parseTruth(v)
		if !ok {
			return d.reject(v, path, "true or false")
		}
		target.SetBool(truth)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(strings.TrimSpace(v.Text), 10, 64)
		if err != nil {
			return d.reject(v, path, "a whole number")
		}
		target.SetInt(n)
	default:
		panic("conf: there is no rule for " + target.Type().String())
	}
	return true
}

func kindWords(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	}
	return "a string"
}

// list reads a list; an item that is rejected is left out.
func (d *decoder) list(v *Value, target reflect.Value, path string) bool {
	if v.Kind != List {
		return d.reject(v, path, "a list")
	}
	items := reflect.MakeSlice(target.Type(), 0, len(v.Items))
	for i, item := range v.Items {
		one := reflect.New(target.Type().Elem()).Elem()
		if d.value(item, one, path+"["+strconv.Itoa(i)+"]") {
			items = reflect.Append(items, one)
		}
	}
	target.Set(items)
	return true
}

// keys reads a mapping into a struct. At the top, keys that the struct does not know are others'.
func (d *decoder) keys(v *Value, target reflect.Value, path string, top bool) bool {
	known := fields(target.Type())
	defaults(d, known, target)
	if o := target.FieldByName("Origin"); o.IsValid() && o.Type() == reflect.TypeFor[Origin]() {
		o.Set(reflect.ValueOf(v.Origin))
	}
	taken := map[string]bool{} // the keys that are there, and whether a value was taken
	for _, pair := range v.Pairs {
		at := strings.TrimPrefix(path+"."+pair.Key.Text, ".")
		f, level := d.field(known, pair.Key, target)
		if f == nil {
			if _, more := target.Addr().Interface().(TakesMore); !top && !more {
				d.unknown(pair.Key, known, at)
			}
			continue
		}
		if level == Deprecated && f.deprecated == "" {
			d.add(Deprecated, pair.Key, at, fmt.Sprintf("use %q", f.name), "the spelling %q is deprecated", pair.Key.Text)
		}
		if f.deprecated != "" {
			d.add(Deprecated, pair.Key, at, "", "deprecated %s", f.deprecated)
		}
		good := d.allowed(f, pair.Value, at) && d.value(pair.Value, target.Field(f.index), at)
		taken[f.name] = good || taken[f.name]
	}
	return d.complete(v, known, taken, path)
}

// complete says what is needed and missing. What was rejected is said already.
func (d *decoder) complete(v *Value, known []field, taken map[string]bool, path string) bool {
	whole := true
	for _, f := range known {
		good, given := taken[f.name]
		if f.need && !given {
			d.add(Rejected, v, path, "", "the key %q is missing", f.name)
		}
		whole = whole && (good || !f.need)
	}
	return whole
}

func defaults(d *decoder, known []field, target reflect.Value) {
	for _, f := range known {
		if f.def != "" && target.Field(f.index).IsZero() {
			(&decoder{}).value(&Value{Kind: String, Text: f.def}, target.Field(f.index), f.name)
		}
	}
}

// field finds the field that a key means; the level says whether its spelling is deprecated.
func (d *decoder) field(known []field, key *Value, target reflect.Value) (*field, Level) {
	_, dashes := target.Addr().Interface().(TakesDashes)
	for i, f := range known {
		if f.name == key.Text {
			return &known[i], Warning
		}
		if slices.Contains(f.old, key.Text) || dashes && f.name == strings.ReplaceAll(key.Text, "-", "_") {
			return &known[i], Deprecated
		}
	}
	return nil, Warning
}

func (d *decoder) unknown(key *Value, known []field, path string) {
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.name
	}
	hint := ""
	if near := spelling.Nearest(key.Text, names); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	d.add(Rejected, key, path, hint, "there is no key %q here", key.Text)
}

// allowed says whether a scalar is one of the words that the field takes.
func (d *decoder) allowed(f *field, v *Value, path string) bool {
	if f.enum == nil || v.IsNull() || v.Kind == List || v.Kind == Map || slices.Contains(f.enum, v.Text) || slices.Contains(f.enum, strings.ToLower(v.Text)) {
		return true
	}
	d.add(Rejected, v, path, "", "want one of %s", strings.Join(f.enum, ", "))
	return false
}
