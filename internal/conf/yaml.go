package conf

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// What a document may be at most. A small text with aliases may stand for a huge tree.
const (
	maxDocument = 16 << 20  // bytes
	maxNodes    = 1_000_000 // values, aliases followed
	maxDepth    = 200       // collections in collections
)

// Parse reads one document of YAML 1.1 as PyYAML's safe_load does. part names the text in origins. An empty document is
// null. The error is a Problem; the warnings are about what counts and is probably a mistake, such as a key that is
// there twice.
func Parse(part string, text []byte) (*Value, []Problem, error) {
	r := &reader{part: part, done: map[*yaml.Node]*Value{}, sizes: map[*Value]weight{}, anchors: map[string]*yaml.Node{}}
	node, err := r.document(text)
	if err != nil {
		return nil, nil, err
	}
	if node == nil {
		return &Value{Text: "None", Origin: Origin{part, 1, 1}}, nil, nil
	}
	v, err := r.value(node)
	if err != nil {
		return nil, r.warnings, err
	}
	return v, r.warnings, nil
}

// reader builds Values of the YAML library's nodes.
type reader struct {
	part     string
	warnings []Problem
	anchors  map[string]*yaml.Node
	done     map[*yaml.Node]*Value // what an anchor stands for; nil while it is being read
	sizes    map[*Value]weight     // of collections
	open     int                   // anchors that are being read
	merged   int                   // pairs that << brought
	path     []step                // to the value that is being read
}

// weight is how many values a collection stands for, and how deep they are in each other.
type weight struct{ count, depth int }

// step is a key, or the index of an item where there is no key.
type step struct {
	key   *Value
	index int
}

// where is the path to the value that is being read: "users[1].name".
func (r *reader) where() string {
	var path strings.Builder
	for _, s := range r.path {
		switch {
		case s.key == nil:
			path.WriteString("[" + strconv.Itoa(s.index) + "]")
		case path.Len() > 0:
			path.WriteString("." + s.key.Text)
		default:
			path.WriteString(s.key.Text)
		}
	}
	return path.String()
}

func (r *reader) at(n *yaml.Node) Origin { return Origin{r.part, n.Line, n.Column} }

func (r *reader) fail(o Origin, hint, format string, args ...any) error {
	return Problem{Origin: o, Path: r.where(), Message: fmt.Sprintf(format, args...), Hint: hint}
}

// document parses the only document of a text; nil where it is empty.
func (r *reader) document(data []byte) (*yaml.Node, error) {
	if err := checkText(r.part, data); err != nil {
		return nil, err
	}
	text := string(data)
	outline := survey(r.part, text)
	if outline.costly {
		return nil, *outline.problem
	}
	if outline.problem == nil {
		return r.decode(spaceComments(text, outline.joints))
	}
	var earlier Problem // the first mistake is the one to mend
	_, err := r.decode(spaceComments(text[:outline.stop], outline.joints))
	if errors.As(err, &earlier) && earlier.Origin.Line < outline.problem.Origin.Line {
		return nil, earlier
	}
	return nil, *outline.problem
}

func (r *reader) decode(text string) (*yaml.Node, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	d := yaml.NewDecoder(strings.NewReader(text))
	var doc, more yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, r.syntax(err, text)
	}
	if err := d.Decode(&more); err == nil {
		return nil, r.fail(r.at(&more), "remove the line ---", "a second document begins here; only one is read")
	} else if !errors.Is(err, io.EOF) {
		return nil, r.syntax(err, text)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

// spaceComments is a text with a space before some of its comments: this library wants one after a quote or bracket, PyYAML does not.
func spaceComments(text string, comments []int) string {
	if len(comments) == 0 {
		return text
	}
	var out strings.Builder
	start := 0
	for _, at := range comments {
		out.WriteString(text[start:at] + " ")
		start = at
	}
	return out.String() + text[start:]
}

// value builds the Value of a node. What an anchor names is built once, and shared by its aliases.
func (r *reader) value(n *yaml.Node) (*Value, error) {
	named := n
	if n.Kind == yaml.AliasNode {
		named = n.Alias
	}
	if named.Anchor == "" {
		return r.build(n)
	}
	if v, known := r.done[named]; v != nil {
		return v, nil
	} else if known {
		return nil, r.fail(r.at(n), "", "the alias *%s stands for something that it is itself part of", named.Anchor)
	}
	return r.anchored(named)
}

func (r *reader) anchored(n *yaml.Node) (*Value, error) {
	if first := r.anchors[n.Anchor]; first != nil {
		return nil, r.fail(r.at(n), "use another name", "the anchor &%s is there already, in line %d", n.Anchor, first.Line)
	}
	if r.open++; r.open > maxDepth {
		return nil, r.fail(r.at(n), "", "there are more than %d anchors in each other", maxDepth)
	}
	r.anchors[n.Anchor], r.done[n] = n, nil
	v, err := r.build(n)
	r.done[n] = v
	r.open--
	return v, err
}

func (r *reader) build(n *yaml.Node) (*Value, error) {
	switch n.Kind {
	case yaml.SequenceNode:
		return r.list(n)
	case yaml.MappingNode:
		return r.mapping(n)
	}
	return r.scalar(n)
}

// in builds the Value of a node that is one step further.
func (r *reader) in(s step, n *yaml.Node) (*Value, error) {
	r.path = append(r.path, s)
	v, err := r.value(n)
	r.path = r.path[:len(r.path)-1]
	return v, err
}

// weigh counts the values that a collection stands for, so that aliases of aliases cannot add up to more than memory,
// or than a stack.
func (r *reader) weigh(v *Value) (*Value, error) {
	total := weight{count: 1}
	add := func(inner *Value) {
		w := r.sizes[inner]
		total.count += max(1, w.count)
		total.depth = max(total.depth, w.depth)
	}
	for _, item := range v.Items {
		add(item)
	}
	for _, p := range v.Pairs {
		add(p.Key)
		add(p.Value)
	}
	total.depth++
	switch {
	case total.count > maxNodes:
		return nil, r.fail(v.Origin, "", "the aliases in it stand for more than %d values", maxNodes)
	case total.depth > maxDepth:
		return nil, r.fail(v.Origin, "", "the document has more than %d lists and mappings in each other", maxDepth)
	}
	r.sizes[v] = total
	return v, nil
}

func (r *reader) list(n *yaml.Node) (*Value, error) {
	pairs := n.Tag == "!!omap" || n.Tag == "!!pairs"
	if !pairs && !tagged(n, "!!seq") {
		return nil, r.badTag(n)
	}
	v := &Value{Kind: List, Origin: r.at(n), Items: make([]*Value, 0, len(n.Content))}
	for i, c := range n.Content {
		item, err := r.in(step{index: i}, c)
		if err == nil && pairs {
			item, err = r.pair(item)
		}
		if err != nil {
			return nil, err
		}
		v.Items = append(v.Items, item)
	}
	return r.weigh(v)
}

// pair is an item of !!omap or !!pairs, a mapping of one key, as a list of two.
func (r *reader) pair(v *Value) (*Value, error) {
	if v.Kind != Map || len(v.Pairs) != 1 {
		return nil, r.fail(v.Origin, "", "each item of !!omap and !!pairs is a mapping with one key")
	}
	return r.weigh(&Value{Kind: List, Origin: v.Origin, Items: []*Value{v.Pairs[0].Key, v.Pairs[0].Value}})
}

// tagged says whether a collection has the tag that it would have anyway, or none.
func tagged(n *yaml.Node, tag string) bool { return n.Tag == "" || n.Tag == "!" || n.Tag == tag }

func (r *reader) badTag(n *yaml.Node) error {
	return r.fail(r.at(n), "put quotes around a text that begins with !", "the tag %s is not known here", n.Tag)
}

// mapping builds a Map. Of a key that is there twice the last counts; what is merged in by << counts where there is no
// key of its own. A !!set is a mapping to nulls.
func (r *reader) mapping(n *yaml.Node) (*Value, error) {
	if n.Tag != "!!set" && !tagged(n, "!!map") {
		return nil, r.badTag(n)
	}
	m := &mappingBuilder{index: make(map[string]int, len(n.Content)/2)}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if isMerge(n.Content[i]) {
			if err := r.merge(m, n.Content[i+1]); err != nil {
				return nil, err
			}
		}
	}
	seen := make(map[string]*Value, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if isMerge(n.Content[i]) {
			continue
		}
		key, err := r.key(n.Content[i])
		if err != nil {
			return nil, err
		}
		value, err := r.in(step{key: key}, n.Content[i+1])
		if err != nil {
			return nil, err
		}
		if n.Tag == "!!set" {
			value = &Value{Text: "None", Origin: key.Origin}
		}
		id := keyID(key)
		r.warnTwice(key, seen[id])
		seen[id] = key
		m.set(id, Pair{key, value})
	}
	return r.weigh(&Value{Kind: Map, Origin: r.at(n), Pairs: m.pairs})
}

// warnTwice tells of a key that is there a second time.
func (r *reader) warnTwice(key, first *Value) {
	if first == nil {
		return
	}
	r.path = append(r.path, step{key: key})
	r.warnings = append(r.warnings, Problem{Origin: key.Origin, Path: r.where(), Level: Warning,
		Message: fmt.Sprintf("the key %q is there twice; this one counts, and the one in line %d does not", key.Text, first.Origin.Line)})
	r.path = r.path[:len(r.path)-1]
}

// mappingBuilder keeps each key once.
type mappingBuilder struct {
	pairs []Pair
	index map[string]int // of keyID
}

func (m *mappingBuilder) set(id string, p Pair) {
	if at, ok := m.index[id]; ok {
		m.pairs[at].Value = p.Value
		return
	}
	m.index[id] = len(m.pairs)
	m.pairs = append(m.pairs, p)
}

// keyID tells keys apart as Python's dict does: True is 1, and 1.0 as well.
func keyID(key *Value) string {
	switch {
	case key.Kind == Bool && key.Text == "True":
		return "n1"
	case key.Kind == Bool:
		return "n0"
	case key.Kind == Int:
		return "n" + key.Text
	case key.Kind == Float:
		return "n" + strings.TrimSuffix(key.Text, ".0")
	}
	return string(rune('a'+key.Kind)) + key.Text
}

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && (key.Value == "<<" && isPlain(key) || key.Tag == "!!merge" && key.Style&yaml.TaggedStyle != 0)
}

// merge adds what << names: a mapping, or a list of such, of which the first counts most.
func (r *reader) merge(m *mappingBuilder, n *yaml.Node) error {
	v, err := r.value(n)
	if err != nil {
		return err
	}
	sources := []*Value{v}
	if v.Kind == List {
		sources = v.Items
	}
	for _, source := range slices.Backward(sources) {
		if source.Kind != Map {
			return r.fail(r.at(n), "", "<< takes a mapping or a list of mappings, not %s", source.Kind)
		}
		if r.merged += len(source.Pairs); r.merged > maxNodes {
			return r.fail(r.at(n), "", "<< brings more than %d keys in all", maxNodes)
		}
		for _, p := range source.Pairs {
			m.set(keyID(p.Key), p)
		}
	}
	return nil
}

func (r *reader) key(n *yaml.Node) (*Value, error) {
	if n.Kind == yaml.ScalarNode && n.Value == "=" && isPlain(n) {
		return &Value{Kind: String, Text: "=", Plain: "=", Origin: r.at(n)}, nil
	}
	key, err := r.value(n)
	if err != nil {
		return nil, err
	}
	if key.Kind == Map || key.Kind == List {
		hint := ""
		if key.Kind == Map {
			hint = hintTemplate
		}
		return nil, r.fail(key.Origin, hint, "%s cannot be a key", key.Kind)
	}
	return key, nil
}

// isPlain says that a scalar is neither quoted nor tagged.
func isPlain(n *yaml.Node) bool {
	return n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0
}
