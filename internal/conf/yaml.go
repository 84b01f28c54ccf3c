package conf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

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
	r := &reader{part: part, done: map[*yaml.Node]*Value{}, sizes: map[*Value]int{}}
	if err := r.checkText(text); err != nil {
		return nil, nil, err
	}
	node, err := r.decode(text)
	if err != nil {
		return nil, nil, err
	}
	if node == nil {
		return &Value{Text: "None", Origin: Origin{part, 1, 1}}, nil, nil
	}
	if bytes.IndexByte(text, '\t') >= 0 {
		if err := r.checkTabs(node, strings.Split(string(text), "\n")); err != nil {
			return nil, nil, err
		}
	}
	v, err := r.value(node, 0)
	return v, r.warnings, err
}

// reader builds Values of the parser's nodes.
type reader struct {
	part     string
	warnings []Problem
	done     map[*yaml.Node]*Value // what an anchor stands for; nil while it is being read
	sizes    map[*Value]int        // how many values a shared value stands for
}

func (r *reader) at(n *yaml.Node) Origin { return Origin{r.part, n.Line, n.Column} }

func (r *reader) fail(o Origin, hint, format string, args ...any) error {
	return Problem{Origin: o, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// checkText refuses what PyYAML's reader refuses before anything is parsed, and what would cost too much.
func (r *reader) checkText(text []byte) error {
	if len(text) > maxDocument {
		return r.fail(Origin{r.part, 1, 1}, "", "the document has more than %d MiB", maxDocument>>20)
	}
	line, col, depth, indents := 1, 1, 0, 0
	for i := 0; i < len(text); {
		c, size := utf8.DecodeRune(text[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			return r.fail(Origin{r.part, line, col}, "save the file as UTF-8", "this is no UTF-8 text")
		case !isPrintable(c):
			return r.fail(Origin{r.part, line, col}, "is this a binary file?", "the character %#x is not allowed", c)
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth = max(0, depth-1)
		case c == '-' && (i+1 < len(text) && text[i+1] == ' '):
			indents++
		}
		if depth > 2*maxDepth || indents > maxDepth {
			return r.tooDeep(Origin{r.part, line, col})
		}
		i, col = i+size, col+1
		if c == '\n' {
			line, col, indents = line+1, 1, 0
		}
	}
	return nil
}

func (r *reader) tooDeep(o Origin) error {
	return r.fail(o, "", "more than %d lists and mappings in each other", maxDepth)
}

// isPrintable is PyYAML's set of characters.
func isPrintable(c rune) bool {
	return c == '\t' || c == '\n' || c == '\r' || c >= 0x20 && c <= 0x7e || c == 0x85 || c >= 0xa0 && c <= 0xd7ff || c >= 0xe000 && c <= 0xfffd || c >= 0x10000
}

// decode parses the only document of a text; nil where it is empty.
func (r *reader) decode(text []byte) (*yaml.Node, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	d := yaml.NewDecoder(bytes.NewReader(text))
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

// syntax is a parser's error with its place, and what is probably behind it. What a list or a quote lacks at its end is
// told with where it begins.
func (r *reader) syntax(err error, text []byte) error {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		return r.fail(Origin{r.part, 1, 1}, "", "this is no YAML: %v", err)
	}
	message := e.Message
	if e.ContextMark.Line > 0 && e.ContextMark.Line != e.Mark.Line {
		message = fmt.Sprintf("%s (%s, which begins in line %d)", message, strings.TrimPrefix(e.ContextMsg, "while "), e.ContextMark.Line)
	}
	return r.fail(Origin{r.part, e.Mark.Line, e.Mark.Column}, syntaxHint(e.Message, lineOf(text, e.Mark.Line)), "this is no YAML: %s", message)
}

func lineOf(text []byte, line int) string {
	lines := bytes.SplitN(text, []byte("\n"), line+1)
	if line > len(lines) {
		return ""
	}
	return string(lines[line-1])
}

func syntaxHint(message, line string) string {
	switch {
	case strings.Contains(line, "\t"):
		return "YAML does not allow tabs; use spaces"
	case strings.Contains(message, "mapping values are not allowed"):
		return "put quotes around a text that has a colon and a space in it"
	case strings.Contains(message, "cannot start any token"):
		return "put quotes around a text that begins with @, ` or %"
	case strings.Contains(message, "did not find expected key"), strings.Contains(message, "did not find expected '-'"):
		return "check that the lines of this block begin in the same column"
	}
	return ""
}

// checkTabs refuses tabs between the parts of a document, as PyYAML does; this parser lets some pass.
func (r *reader) checkTabs(n *yaml.Node, lines []string) error {
	if n.Kind == yaml.ScalarNode && n.Line >= 1 && n.Line <= len(lines) {
		if err := r.checkTabsAt(n, lines[n.Line-1]); err != nil {
			return err
		}
	}
	for _, c := range n.Content {
		if err := r.checkTabs(c, lines); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) checkTabsAt(n *yaml.Node, line string) error {
	start := len(string([]rune(line)[:min(n.Column-1, utf8.RuneCountInString(line))]))
	before, after := line[:start], line[start:]
	bad := strings.Contains(before[len(strings.TrimRight(before, " \t")):], "\t")
	switch {
	case isPlain(n):
		bad = bad || strings.Contains(n.Value, "\t")
		after = strings.TrimPrefix(after, n.Value)
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		_, after, _ = strings.Cut(after[min(1, len(after)):], after[:min(1, len(after))])
	default:
		after = ""
	}
	if rest := strings.TrimLeft(after, " \t"); strings.Contains(after[:len(after)-len(rest)], "\t") {
		bad = true
	} else if colon, ok := strings.CutPrefix(rest, ":"); ok {
		bad = bad || strings.Contains(colon[:len(colon)-len(strings.TrimLeft(colon, " \t"))], "\t")
	}
	if bad {
		return r.fail(Origin{r.part, n.Line, max(1, strings.IndexByte(line, '\t')+1)}, "YAML does not allow tabs; use spaces", "this is no YAML: there is a tab between its parts")
	}
	return nil
}

// value builds the Value of a node.
func (r *reader) value(n *yaml.Node, depth int) (v *Value, err error) {
	if depth > maxDepth {
		return nil, r.tooDeep(r.at(n))
	}
	if n.Kind == yaml.AliasNode {
		return r.alias(n)
	}
	if n.Anchor != "" {
		r.done[n] = nil
	}
	switch n.Kind {
	case yaml.SequenceNode:
		v, err = r.list(n, depth)
	case yaml.MappingNode:
		v, err = r.mapping(n, depth)
	default:
		v, err = r.scalar(n)
	}
	if err != nil {
		return nil, err
	}
	if n.Anchor != "" {
		r.done[n] = v
	}
	return v, nil
}

// alias is the value that the anchor stands for, shared.
func (r *reader) alias(n *yaml.Node) (*Value, error) {
	v, known := r.done[n.Alias]
	if !known || v == nil {
		return nil, r.fail(r.at(n), "", "the alias *%s stands for something that it is itself part of", n.Value)
	}
	return v, nil
}

// weigh counts the values that a collection stands for, so that aliases of aliases cannot add up to more than memory.
func (r *reader) weigh(v *Value) error {
	size := 1
	add := func(inner *Value) {
		size += max(1, r.sizes[inner])
	}
	for _, item := range v.Items {
		add(item)
	}
	for _, p := range v.Pairs {
		add(p.Key)
		add(p.Value)
	}
	if size > maxNodes {
		return r.fail(v.Origin, "", "the aliases in it stand for more than %d values", maxNodes)
	}
	r.sizes[v] = size
	return nil
}

func (r *reader) list(n *yaml.Node, depth int) (*Value, error) {
	if n.Tag != "" && n.Tag != "!!seq" && n.Tag != "!" {
		return nil, r.badTag(n)
	}
	v := &Value{Kind: List, Origin: r.at(n), Items: make([]*Value, 0, len(n.Content))}
	for _, c := range n.Content {
		item, err := r.value(c, depth+1)
		if err != nil {
			return nil, err
		}
		v.Items = append(v.Items, item)
	}
	return v, r.weigh(v)
}

func (r *reader) badTag(n *yaml.Node) error {
	return r.fail(r.at(n), "", "the tag %s is not known here", n.Tag)
}

// mapping builds a Map. Of a key that is there twice the last counts; what is merged in by << counts where there is no
// key of its own.
func (r *reader) mapping(n *yaml.Node, depth int) (*Value, error) {
	if n.Tag != "" && n.Tag != "!!map" && n.Tag != "!" {
		return nil, r.badTag(n)
	}
	m := &mappingBuilder{index: map[string]int{}}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if isMerge(n.Content[i]) {
			if err := r.mergeInto(m, n.Content[i+1], depth); err != nil {
				return nil, err
			}
		}
	}

	seen := map[string]*Value{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if isMerge(n.Content[i]) {
			continue
		}
		key, err := r.key(n.Content[i], depth)
		if err != nil {
			return nil, err
		}
		value, err := r.value(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		id := keyID(key)
		if first := seen[id]; first != nil {
			r.warnings = append(r.warnings, Problem{Origin: key.Origin, Path: key.Text, Level: Warning,
				Message: fmt.Sprintf("the key %q is there already, in line %d; this one counts", key.Text, first.Origin.Line)})
		}
		seen[id] = key
		m.set(key, value)
	}
	v := &Value{Kind: Map, Origin: r.at(n), Pairs: m.pairs}
	return v, r.weigh(v)
}

// mappingBuilder keeps each key once.
type mappingBuilder struct {
	pairs []Pair
	index map[string]int
}

func (m *mappingBuilder) set(key, value *Value) {
	id := keyID(key)
	if at, ok := m.index[id]; ok {
		m.pairs[at].Value = value
		return
	}
	m.index[id] = len(m.pairs)
	m.pairs = append(m.pairs, Pair{key, value})
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
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && (isPlain(key) || key.Tag == "!!merge" && key.Style&yaml.TaggedStyle != 0)
}

// mergeInto adds what << names: a mapping, or a list of such, of which the first counts most.
func (r *reader) mergeInto(m *mappingBuilder, n *yaml.Node, depth int) error {
	v, err := r.value(n, depth+1)
	if err != nil {
		return err
	}
	sources := []*Value{v}
	if v.Kind == List {
		sources = v.Items
	}
	for i := len(sources) - 1; i >= 0; i-- {
		if sources[i].Kind != Map {
			return r.fail(r.at(n), "", "<< takes a mapping or a list of mappings, not %s", sources[i].Kind)
		}
		for _, p := range sources[i].Pairs {
			m.set(p.Key, p.Value)
		}
	}
	return nil
}

func (r *reader) key(n *yaml.Node, depth int) (*Value, error) {
	if n.Kind == yaml.ScalarNode && n.Value == "=" {
		return &Value{Kind: String, Text: "=", Plain: "=", Origin: r.at(n)}, nil
	}
	key, err := r.value(n, depth+1)
	if err != nil {
		return nil, err
	}
	if key.Kind == Map || key.Kind == List {
		hint := ""
		if key.Kind == Map {
			hint = "for a template, the first line is `## template: jinja`; otherwise put quotes around {{ … }}"
		}
		return nil, r.fail(key.Origin, hint, "%s cannot be a key", key.Kind)
	}
	return key, nil
}

// isPlain says that a scalar is neither quoted nor tagged.
func isPlain(n *yaml.Node) bool {
	return n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0
}
