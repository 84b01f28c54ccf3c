package network

import (
	"fmt"
	"strconv"
	"strings"

	"openguest/internal/conf"
)

// What a document may cost: a short one can stand for a huge one, by aliases.
const (
	maxNodes    = 200_000 // that are looked at
	maxLinks    = 10_000
	maxParams   = 64 // settings of one interface
	maxProblems = 500
)

// A reading is one document on its way to a model.
type reading struct {
	host     Host
	model    *Model
	links    map[string]*Link // of the model, by ID
	nodes    int              // looked at
	problems []conf.Problem
}

func newReading(version int, document *conf.Value, host Host) *reading {
	return &reading{host: host, model: &Model{Version: version, Document: document}, links: map[string]*Link{}}
}

// mayRead says that so many nodes more may be looked at.
func (n node) mayRead(more int) bool {
	n.r.nodes += more
	if n.r.nodes > maxNodes {
		n.reject("is left out: the document has more than %d parts", maxNodes)
	}
	return n.r.nodes <= maxNodes
}

// A node is a place in the document that is read: a value, which may be nil, and how to get there.
type node struct {
	*conf.Value
	path   string
	origin conf.Origin // of the value, or of the nearest around it
	r      *reading
}

func (r *reading) root(document *conf.Value) node {
	n := node{Value: document, r: r}
	if document != nil {
		n.origin = document.Origin
	}
	return n
}

// unwrapped is the document without the "network" that may stand around it.
func unwrapped(document *conf.Value) *conf.Value {
	if inner := document.Get("network"); inner != nil {
		return inner
	}
	return document
}

// at is the value at a key.
func (n node) at(key string) node {
	path := key
	if n.path != "" {
		path = n.path + "." + key
	}
	return n.child(n.Get(key), path)
}

func (n node) child(v *conf.Value, path string) node {
	child := node{Value: v, path: path, origin: n.origin, r: n.r}
	if v != nil {
		child.origin = v.Origin
	}
	return child
}

// first is the value at the first of the keys that is there and says something.
func (n node) first(keys ...string) node {
	for _, key := range keys {
		if v := n.at(key); v.isSaid() {
			return v
		}
	}
	return n.at(keys[0])
}

// items are those of a list. What is no list has none, and that is said.
func (n node) items() (items []node) {
	if n.IsNull() {
		return nil
	}
	if n.Kind != conf.List {
		n.reject("should be a list, but is %v", n.Kind)
		return nil
	}
	if !n.mayRead(len(n.Items)) {
		return nil
	}
	for i, v := range n.Items {
		items = append(items, n.child(v, fmt.Sprintf("%s[%d]", n.path, i)))
	}
	return items
}

// An entry is what a mapping has at a key.
type entry struct {
	key string
	node
}

// entries are those of a mapping, in the order of the document. What is no mapping has none, and that is said.
func (n node) entries() (entries []entry) {
	if n.IsNull() {
		return nil
	}
	if n.Kind != conf.Map {
		n.reject("should be a mapping, but is %v", n.Kind)
		return nil
	}
	if !n.mayRead(len(n.Pairs)) {
		return nil
	}
	for _, p := range n.Pairs {
		key := spelled(p.Key)
		entries = append(entries, entry{key, n.child(p.Value, strings.TrimPrefix(n.path+"."+key, "."))})
	}
	return entries
}

// isSaid says that the value is one that Python calls true: 0, an empty text and an empty list say nothing, as for
// cloud-init.
func (n node) isSaid() bool {
	if n.IsNull() {
		return false
	}
	switch n.Kind {
	case conf.Bool:
		return n.Text == "True"
	case conf.Int:
		return n.Text != "0"
	case conf.Float:
		return n.Text != "0.0" && n.Text != "-0.0"
	case conf.List:
		return len(n.Items) > 0
	case conf.Map:
		return len(n.Pairs) > 0
	}
	return n.Text != ""
}

// spelled is a scalar as it was meant: YAML 1.1 reads some addresses without quotes, such as 52:54:00:12:34:00, as a
// number with base 60.
func spelled(v *conf.Value) string {
	if (v.Kind == conf.Int || v.Kind == conf.Float || v.Kind == conf.Time) && strings.Contains(v.Plain, ":") {
		return v.Plain
	}
	return v.Text
}

// text is a scalar as a text of one line; empty where there is none. What goes into the files of a network manager must
// not be able to begin a line of its own there.
func (n node) text() string {
	switch {
	case n.IsNull():
		return ""
	case n.Kind == conf.List || n.Kind == conf.Map:
		n.reject("should be a text, but is %v", n.Kind)
		return ""
	}
	text := spelled(n.Value)
	if strings.ContainsFunc(text, isControl) {
		n.reject("has a line break or another control character in it")
		return ""
	}
	return text
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f || c == 0x85 || c == 0x2028 || c == 0x2029 }

// texts are those of a list; one text is a list of one.
func (n node) texts() (texts []string) {
	list := []node{n}
	if n.Value != nil && n.Kind == conf.List {
		list = n.items()
	}
	for _, item := range list {
		if text := item.text(); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// words are the texts of a list, or the words of one text.
func (n node) words() []string {
	if n.Value != nil && n.Kind == conf.List {
		return n.texts()
	}
	return strings.Fields(n.text())
}

// number is a whole number from 0 on; 0 where there is none.
func (n node) number() int {
	text := n.text()
	if text == "" {
		return 0
	}
	number, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	if err != nil {
		n.reject("should be a whole number")
	}
	return int(number)
}

// truth is a boolean; nil where it is not said. What is neither true nor false is false, as for cloud-init.
func (n node) truth() *bool {
	if n.IsNull() {
		return nil
	}
	truth := n.Truth(false)
	return &truth
}

// name is that of an interface. It becomes part of the names of files, and of lines with white space between words.
func (n node) name() (string, bool) {
	name := n.text()
	switch {
	case name == "":
		n.reject("is missing: an interface needs a name")
	case name == "." || name == ".." || strings.ContainsAny(name, "/ \t\u00a0"):
		n.reject("is no name for an interface: it has a slash or white space in it")
	case len(name) > 255-len("cloud-init-.nmconnection"):
		n.reject("is too long for the name of an interface")
	default:
		return name, true
	}
	return "", false
}

// reject says that the part of the document at the node is left out, and why.
func (n node) reject(format string, args ...any) { n.say(conf.Rejected, "", format, args...) }

// warn says something of a part that counts all the same.
func (n node) warn(format string, args ...any) { n.say(conf.Warning, "", format, args...) }

func (n node) say(level conf.Level, hint, format string, args ...any) {
	if len(n.r.problems) >= maxProblems {
		return
	}
	n.r.problems = append(n.r.problems, conf.Problem{
		Origin: n.origin, Path: n.path, Message: fmt.Sprintf(format, args...), Hint: hint, Level: level,
	})
}
