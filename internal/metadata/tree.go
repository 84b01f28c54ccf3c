package metadata

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// A node is a folder or a value of the tree that a cloud shows below a URL.
type node struct {
	entries []entry  // a folder's
	folder  bool     // a folder, even where it is empty
	list    bool     // a folder whose names are numbers: an array in JSON
	exact   bool     // GCE: the names below stay as they are in JSON
	text    string   // a value
	number  bool     // the value is a number in JSON
	words   []string // a value that is a list
	asJSON  bool     // GCE: the list is JSON where no form is asked for
	apart   bool     // told only where it is asked for by its own name: a token
}

// An entry is one name of a folder.
type entry struct {
	name  string
	shown string // in listings, where it differs from the name
	node  *node
}

func leaf(text string) *node          { return &node{text: text} }
func number(text string) *node        { return &node{text: text, number: true} }
func words(all []string) *node        { return &node{words: append([]string{}, all...)} }
func folder(entries ...entry) *node   { return &node{folder: true, entries: entries} }
func at(name string, n *node) entry   { return entry{name: name, node: n} }
func text(name, value string) entry   { return entry{name: name, node: leaf(value)} }
func flag(name string, on bool) entry { return text(name, strings.ToUpper(strconv.FormatBool(on))) }

// array is a folder with numbers for names.
func array(items ...*node) *node {
	n := &node{folder: true, list: true}
	for i, item := range items {
		n.entries = append(n.entries, at(strconv.Itoa(i), item))
	}
	return n
}

// leaves is an array of texts.
func leaves(all []string) *node {
	var items []*node
	for _, s := range all {
		items = append(items, leaf(s))
	}
	return array(items...)
}

// given leaves out values that are empty.
func given(entries ...entry) (kept []entry) {
	for _, e := range entries {
		if e.node != nil && (e.node.folder || e.node.text != "" || len(e.node.words) > 0) {
			kept = append(kept, e)
		}
	}
	return kept
}

// find follows a path; empty parts are left out, as the clouds do.
func (n *node) find(path string) *node {
	for part := range strings.SplitSeq(path, "/") {
		if part == "" {
			continue
		}
		if n = n.child(part); n == nil {
			return nil
		}
	}
	return n
}

func (n *node) child(name string) *node {
	for _, e := range n.entries {
		if e.name == name {
			return e.node
		}
	}
	return nil
}

// listing is a folder's names, one a line; the names of folders end with a slash.
func (n *node) listing() string {
	lines := make([]string, len(n.entries))
	for i, e := range n.entries {
		switch {
		case e.shown != "":
			lines[i] = e.shown
		case e.node.folder:
			lines[i] = e.name + "/"
		default:
			lines[i] = e.name
		}
	}
	return strings.Join(lines, "\n")
}

// plain is a value as text.
func (n *node) plain() string {
	if n.words != nil {
		return strings.Join(n.words, "\n")
	}
	return n.text
}

// writeJSON writes the node as Google does: names in camel case but where they are a person's own.
func (n *node) writeJSON(out *bytes.Buffer) {
	switch {
	case n.list:
		out.WriteByte('[')
		for i, e := range n.entries {
			comma(out, i)
			e.node.writeJSON(out)
		}
		out.WriteByte(']')
	case n.folder:
		n.writeObject(out)
	case n.words != nil:
		writeValue(out, n.words)
	case n.number:
		out.WriteString(n.text)
	default:
		writeText(out, n.text)
	}
}

func (n *node) writeObject(out *bytes.Buffer) {
	out.WriteByte('{')
	for i, e := range n.told() {
		comma(out, i)
		name := e.name
		if !n.exact {
			name = camel(name)
		}
		writeText(out, name)
		out.WriteByte(':')
		e.node.writeJSON(out)
	}
	out.WriteByte('}')
}

// told are the entries that an answer about the whole folder has.
func (n *node) told() []entry {
	return slices.DeleteFunc(slices.Clone(n.entries), func(e entry) bool { return e.node.apart })
}

// writePaths writes every value below as a line: its path, a space and the value.
func (n *node) writePaths(out *bytes.Buffer, above string) {
	if !n.folder {
		for line := range strings.SplitSeq(n.plain(), "\n") {
			out.WriteString(above + " " + line + "\n")
		}
		return
	}
	for _, e := range n.told() {
		name := e.name
		if above != "" {
			name = above + "/" + name
		}
		e.node.writePaths(out, name)
	}
}

func comma(out *bytes.Buffer, i int) {
	if i > 0 {
		out.WriteByte(',')
	}
}

// writeText writes a string. Most need no escape, and thousands are written when a project changes.
func writeText(out *bytes.Buffer, s string) {
	plain := strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r >= 0x7f }) < 0
	if !plain {
		writeValue(out, s)
		return
	}
	out.WriteByte('"')
	out.WriteString(s)
	out.WriteByte('"')
}

// writeValue writes JSON without escaping what only HTML needs escaped.
func writeValue(out *bytes.Buffer, v any) {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err == nil {
		out.Truncate(out.Len() - 1) // the encoder ends with a newline
	}
}

// camel turns network-interfaces into networkInterfaces.
func camel(name string) string {
	first, rest, _ := strings.Cut(name, "-")
	for part := range strings.SplitSeq(rest, "-") {
		if part != "" {
			first += strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return first
}
