package conf

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"openguest/internal/yaml"
)

// What a document may stand for at most. A small text with aliases may stand for a huge tree.
const (
	maxNodes = 1_000_000     // values, aliases followed
	maxDepth = yaml.MaxDepth // collections in collections
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

// reader builds Values of the nodes of a document.
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
func (r *reader) document(text []byte) (*yaml.Node, error) {
	node, err := yaml.Parse(text)
	var wrong *yaml.Error
	if !errors.As(err, &wrong) {
		return node, err
	}
	hint := wrong.Hint
	if strings.Contains(wrong.Text, "{{") || strings.Contains(wrong.Text, "{%") {
		hint = hintTemplate
	}
	return nil, Problem{Origin: Origin{r.part, wrong.Line, wrong.Column}, Message: wrong.Message, Hint: hint}
}

// hintTemplate is for the braces of a template that is none: to YAML they are mappings.
const hintTemplate = "for a template, the first line is `## template: jinja`; otherwise put quotes around {{ … }}"

// value builds the Value of a node. What an anchor names is built once, and shared by its aliases.
func (r *reader) value(n *yaml.Node) (*Value, error) {
	named := n
	if n.Kind == yaml.Alias {
		named = n.Content[0]
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
	case yaml.Sequence:
		return r.list(n)
	case yaml.Mapping:
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
	pairs := n.Tag == yaml.CoreTags+"omap" || n.Tag == yaml.CoreTags+"pairs"
	if !pairs && !tagged(n, yaml.CoreTags+"seq") {
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
	name := n.Tag
	if rest, core := strings.CutPrefix(name, yaml.CoreTags); core {
		name = "!!" + rest
	}
	return r.fail(r.at(n), "put quotes around a text that begins with !", "the tag %s is not known here", name)
}

// mapping builds a Map. Of a key that is there twice the last counts; what is merged in by << counts where there is no
// key of its own. A !!set is a mapping to nulls.
func (r *reader) mapping(n *yaml.Node) (*Value, error) {
	isSet := n.Tag == yaml.CoreTags+"set"
	if !isSet && !tagged(n, yaml.CoreTags+"map") {
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
		if isSet {
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
	return key.Kind == yaml.Scalar && (key.Value == "<<" && isPlain(key) || key.Tag == yaml.CoreTags+"merge")
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
	if n.Kind == yaml.Scalar && (n.Value == "=" && isPlain(n) || n.Tag == yaml.CoreTags+"value") {
		return stringValue(n, r.at(n)), nil
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
func isPlain(n *yaml.Node) bool { return n.Style == yaml.Plain && n.Tag == "" }
