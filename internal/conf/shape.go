package conf

import (
	"fmt"
	"io/fs"
	"reflect"
	"strconv"
	"strings"
)

// Truth is a boolean that may be left out.
type Truth struct{ set, value bool }

// IsSet says that it was given.
func (t Truth) IsSet() bool { return t.set }

// Or is the truth, or otherwise where it was not given.
func (t Truth) Or(otherwise bool) bool {
	if t.set {
		return t.value
	}
	return otherwise
}

func (t *Truth) decode(d *decoder, v *Value, path string) bool {
	if v.IsNull() {
		return true
	}
	value, ok := parseTruth(v)
	if !ok {
		return d.reject(v, path, "true or false")
	}
	*t = Truth{true, value}
	return true
}

func (t *Truth) schema() Schema { return Schema{"type": "boolean"} }
func (t *Truth) words() string  { return "true or false" }

// Octal is the permissions of a file: a number as YAML read it (an unquoted 0644 is octal there), or a string of octal
// digits, with "0o" in front or without.
type Octal struct {
	set  bool
	mode uint32
}

// Or is the mode, or otherwise where it was not given.
func (o Octal) Or(otherwise fs.FileMode) fs.FileMode {
	if !o.set {
		return otherwise
	}
	mode := fs.FileMode(o.mode & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if o.mode&bit != 0 {
			mode |= flag
		}
	}
	return mode
}

func (o *Octal) decode(d *decoder, v *Value, path string) bool {
	if v.IsNull() {
		return true
	}
	base := 8
	text := strings.TrimSpace(v.Text)
	switch v.Kind {
	case Int:
		base = 10
		d.unquoted(v, path)
	case String:
		text = strings.TrimPrefix(strings.TrimPrefix(text, "0o"), "0O")
	default:
		return d.reject(v, path, "permissions such as '0644'")
	}
	n, err := strconv.ParseUint(text, base, 32)
	if err != nil || n > 0o7777 {
		d.add(Warning, v, path, "write them as a string of octal digits: '0644'", "these are no permissions; the default is used")
		return false
	}
	*o = Octal{true, uint32(n)}
	return true
}

// unquoted warns of a number that looks octal and was read as decimal.
func (d *decoder) unquoted(v *Value, path string) {
	if n, _ := v.Number(); v.Plain != "" && v.Plain == v.Text && n > 7 && !strings.ContainsAny(v.Plain, "89") {
		d.add(Warning, v, path, fmt.Sprintf("write '0%s' if that was meant", strings.TrimLeft(v.Plain, "0")),
			"%s without a leading 0 is a decimal number: the mode is %#o", v.Plain, n)
	}
}

func (o *Octal) schema() Schema { return Schema{"type": []any{"string", "integer"}} }
func (o *Octal) words() string  { return "permissions, such as '0644'" }

// OneOrMany is a list; a lone item stands for a list of one, and null for none.
type OneOrMany[T any] []T

func (l *OneOrMany[T]) decode(d *decoder, v *Value, path string) bool {
	if v.IsNull() {
		return true
	}
	if v.Kind == List {
		return d.list(v, reflect.ValueOf((*[]T)(l)).Elem(), path)
	}
	var one T
	if !d.value(v, reflect.ValueOf(&one).Elem(), path) {
		return false
	}
	*l = OneOrMany[T]{one}
	return true
}

func (l *OneOrMany[T]) schema() Schema {
	item := schemaOf(reflect.TypeFor[T]())
	return anyOf(item, Schema{"type": "array", "items": item})
}

func (l *OneOrMany[T]) words() string {
	return wordsOf(reflect.TypeFor[T]()) + ", or a list of such"
}

// Words are names: a list, or a string with commas between them, or the keys of a mapping.
type Words []string

func (w *Words) decode(d *decoder, v *Value, path string) bool {
	switch v.Kind {
	case Null:
		return true
	case Map:
		for _, pair := range v.Pairs {
			*w = append(*w, pair.Key.Text)
		}
		return true
	case List:
		for i, item := range v.Items {
			if item.Kind == List || item.Kind == Map {
				d.reject(item, path+"["+strconv.Itoa(i)+"]", "a name")
				continue
			}
			*w = append(*w, strings.TrimSpace(item.Text))
		}
		return true
	}
	for word := range strings.SplitSeq(v.Text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			*w = append(*w, word)
		}
	}
	return true
}

func (w *Words) schema() Schema {
	return anyOf(Schema{"type": "string"}, Schema{"type": "array", "items": Schema{"type": "string"}}, Schema{"type": "object"})
}
func (w *Words) words() string { return "names: a list, or a string with commas" }

// Either is one of two shapes; exactly one of the two is set where something was given.
type Either[A, B any] struct {
	A *A
	B *B
}

func (e *Either[A, B]) decode(d *decoder, v *Value, path string) bool {
	if v.IsNull() {
		return true
	}
	first, second := decoder{}, decoder{}
	var a A
	var b B
	if first.value(v, reflect.ValueOf(&a).Elem(), path) {
		e.A = &a
		d.problems = append(d.problems, first.problems...)
		return true
	}
	if second.value(v, reflect.ValueOf(&b).Elem(), path) {
		e.B = &b
		d.problems = append(d.problems, second.problems...)
		return true
	}
	if fits(reflect.TypeFor[B](), v.Kind) {
		d.problems = append(d.problems, second.problems...)
		return false
	}
	if fits(reflect.TypeFor[A](), v.Kind) {
		d.problems = append(d.problems, first.problems...)
		return false
	}
	return d.reject(v, path, e.words())
}

// fits says whether a type is read from values of a kind.
func fits(t reflect.Type, kind Kind) bool {
	switch t.Kind() {
	case reflect.Struct:
		return kind == Map
	case reflect.Slice:
		return kind == List
	}
	return kind != Map && kind != List
}

func (e *Either[A, B]) schema() Schema {
	return anyOf(schemaOf(reflect.TypeFor[A]()), schemaOf(reflect.TypeFor[B]()))
}

func (e *Either[A, B]) words() string {
	return wordsOf(reflect.TypeFor[A]()) + ", or " + wordsOf(reflect.TypeFor[B]())
}

// Named is a mapping from names to things of one type, in the order of the document.
type Named[T any] []NamedItem[T]

// A NamedItem is one entry of Named.
type NamedItem[T any] struct {
	Name   string
	Value  T
	Origin Origin
}

func (n *Named[T]) decode(d *decoder, v *Value, path string) bool {
	if v.IsNull() {
		return true
	}
	if v.Kind != Map {
		return d.reject(v, path, "a mapping")
	}
	for _, pair := range v.Pairs {
		item := NamedItem[T]{Name: pair.Key.Text, Origin: pair.Key.Origin}
		if d.value(pair.Value, reflect.ValueOf(&item.Value).Elem(), strings.TrimPrefix(path+"."+item.Name, ".")) {
			*n = append(*n, item)
		}
	}
	return true
}

func (n *Named[T]) schema() Schema {
	return Schema{"type": "object", "additionalProperties": schemaOf(reflect.TypeFor[T]())}
}

func (n *Named[T]) words() string {
	return "a mapping of names to " + wordsOf(reflect.TypeFor[T]())
}

// Placed is a value together with where it was written, for verdicts about it.
type Placed[T any] struct {
	Value  T
	Origin Origin
	Path   string
}

func (p *Placed[T]) decode(d *decoder, v *Value, path string) bool {
	p.Origin, p.Path = v.Origin, path
	return d.value(v, reflect.ValueOf(&p.Value).Elem(), path)
}

func (p *Placed[T]) schema() Schema { return schemaOf(reflect.TypeFor[T]()) }
func (p *Placed[T]) words() string  { return wordsOf(reflect.TypeFor[T]()) }
