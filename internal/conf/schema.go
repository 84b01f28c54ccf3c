package conf

import (
	"fmt"
	"io"
	"reflect"
	"strings"

	"openguest/internal/instance"
)

// A Schema is a JSON schema as plain data.
type Schema = map[string]any

// SchemaOf is the JSON schema of a struct of keys: its properties, to be joined with those of other structs.
func SchemaOf(of any) Schema { return properties(typeOf(of)) }

func anyOf(schemas ...Schema) Schema {
	list := make([]any, len(schemas))
	for i, s := range schemas {
		list[i] = s
	}
	return Schema{"anyOf": list}
}

func schemaOf(t reflect.Type) Schema {
	switch s := reflect.New(t).Interface().(type) {
	case shape:
		return s.schema()
	case **Value:
		return Schema{}
	case *instance.Secret:
		return Schema{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.Slice:
		return Schema{"type": "array", "items": schemaOf(t.Elem())}
	case reflect.Bool:
		return Schema{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return Schema{"type": "integer"}
	case reflect.Struct:
		return objectSchema(t)
	}
	return Schema{"type": "string"}
}

func objectSchema(t reflect.Type) Schema {
	_, more := reflect.New(t).Interface().(TakesMore)
	s := Schema{"type": "object", "properties": properties(t), "additionalProperties": more}
	var need []any
	for _, f := range fields(t) {
		if f.need {
			need = append(need, f.name)
		}
	}
	if need != nil {
		s["required"] = need
	}
	return s
}

func properties(t reflect.Type) Schema {
	all := Schema{}
	for _, f := range fields(t) {
		s := Schema{"description": f.doc}
		for key, value := range schemaOf(f.typ) {
			s[key] = value
		}
		if f.enum != nil && s["type"] == "string" {
			s["enum"] = f.enum
		}
		if f.def != "" {
			s["default"] = f.def
		}
		if f.deprecated != "" {
			s["deprecated"] = true
		}
		all[f.name] = s
	}
	return all
}

// wordsOf says for people what a type takes.
func wordsOf(t reflect.Type) string {
	switch s := reflect.New(t).Interface().(type) {
	case shape:
		return s.words()
	case **Value:
		return "anything"
	case *instance.Secret:
		return "a secret string"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return wordsOf(t.Elem())
	case reflect.Slice:
		return "a list: " + wordsOf(t.Elem())
	case reflect.Struct:
		return "a mapping"
	}
	return kindWords(t.Kind())
}

// WriteReference writes the keys of a struct as an indented list: name, what it takes, what it is.
func WriteReference(w io.Writer, of any) { writeFields(w, fields(typeOf(of)), "") }

func writeFields(w io.Writer, all []field, indent string) {
	for _, f := range all {
		notes := []string{wordsOf(f.typ)}
		if f.enum != nil {
			notes = []string{strings.Join(f.enum, " | ")}
		}
		if f.need {
			notes = append(notes, "required")
		}
		if f.def != "" {
			notes = append(notes, "default "+f.def)
		}
		if f.deprecated != "" {
			notes = append(notes, "deprecated "+f.deprecated)
		}
		fmt.Fprintf(w, "%s- `%s` (%s): %s\n", indent, f.name, strings.Join(notes, "; "), f.doc)
		for _, inner := range structsIn(f.typ) {
			writeFields(w, fields(inner), indent+"  ")
		}
	}
}

// structsIn are the structs of keys that a type holds.
func structsIn(t reflect.Type) []reflect.Type {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return structsIn(t.Elem())
	case reflect.Struct:
		if len(fields(t)) > 0 {
			return []reflect.Type{t}
		}
		if _, ok := reflect.New(t).Interface().(shape); ok {
			var inner []reflect.Type
			for i := range t.NumField() {
				if name := t.Field(i).Name; name == "A" || name == "B" || name == "Value" {
					inner = append(inner, structsIn(t.Field(i).Type)...)
				}
			}
			return inner
		}
	}
	return nil
}

// Find is the reference of one key, by its dotted name below a struct of keys; false where there is none.
func Find(w io.Writer, of any, name string) bool {
	types := []reflect.Type{typeOf(of)}
	parts := strings.Split(name, ".")
	for i, part := range parts {
		var next []reflect.Type
		for _, t := range types {
			for _, f := range fields(t) {
				if f.name != part {
					continue
				}
				if i == len(parts)-1 {
					writeFields(w, []field{f}, "")
					return true
				}
				next = append(next, structsIn(f.typ)...)
			}
		}
		types = next
	}
	return false
}
