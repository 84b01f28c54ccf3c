package yaml

// Kind is what a Node is.
type Kind uint8

// The kinds.
const (
	Scalar Kind = iota
	Sequence
	Mapping
	Alias
)

// Style is how a scalar is written.
type Style uint8

// The styles.
const (
	Plain Style = iota
	Quoted
	Block
)

// CoreTags begin the tags that are written with two exclamation marks: !!int is CoreTags + "int".
const CoreTags = "tag:yaml.org,2002:"

// A Node is a scalar, a collection or an alias.
type Node struct {
	Kind         Kind
	Style        Style   // of a Scalar
	Tag          string  // in full; "!" where it says nothing, empty where there is none
	Anchor       string  // of an Alias, what it names
	Value        string  // of a Scalar, unfolded and without quotes
	Content      []*Node // items; keys and values by turns; or the one node that an Alias stands for
	Line, Column int     // where it begins, with its anchor and tag, counted from 1 in characters
}

// nodes hands out nodes of larger pieces of memory.
type nodes struct{ free []Node }

func (n *nodes) node(kind Kind, at place) *Node {
	if len(n.free) == cap(n.free) {
		n.free = make([]Node, 0, min(256, max(16, 2*cap(n.free))))
	}
	n.free = append(n.free, Node{Kind: kind, Line: at.line, Column: at.column})
	return &n.free[len(n.free)-1]
}
