package yaml

import (
	"fmt"
	"strings"
)

// Hints that are given in several places.
const (
	hintTabs   = "YAML does not allow tabs; use spaces"
	hintColon  = "put quotes around a text that has a colon and a space in it"
	hintComma  = "is a comma, a bracket or a quote missing?"
	hintColumn = "check that the lines of this block begin in the same column"
	hintQuotes = "check the quotes, and that the lines of this block begin in the same column"
)

// A parser builds the tree. It stops at the first error: all that comes after it is the end of the stream.
type parser struct {
	scanner
	nodes
	handles map[string]string // of tags, and what each stands for
	anchors map[string]*Node
	pending []*Node // of the collections that are open
	depth   int
}

// where is the context of a node. A list may begin in the column of its key, without a block of its own.
type where uint8

const (
	inFlow where = iota
	inBlock
	inMapping
)

// stream reads the only document; nil where there is none.
func (p *parser) stream() (root *Node) {
	switch {
	case p.at(streamEnd):
		return nil
	case p.at(directive | documentStart):
		p.documentStart()
		if p.at(directive | documentStart | documentEnd | streamEnd) {
			root = p.empty(p.next().at)
		} else {
			root = p.node(inBlock)
		}
	default:
		root = p.node(inBlock)
	}
	for p.at(documentEnd) {
		p.take()
	}
	if p.at(streamEnd) {
		return root
	}
	at := p.next().at
	p.documentStart()
	p.fail(at, "a second document begins here; only one is read", "remove the line ---")
	return nil
}

// documentStart reads the directives and the --- before a document.
func (p *parser) documentStart() {
	p.handles = map[string]string{}
	versions := 0
	for p.at(directive) {
		t := p.take()
		if t.text == "YAML" {
			versions++
		}
		if versions > 1 || t.more != "" && p.handles[t.text] != "" {
			p.refuse(t.at, "found a directive that is there already", "remove this line")
		}
		if t.more != "" {
			p.handles[t.text] = t.more
		}
	}
	if !p.at(documentStart) {
		p.refuse(p.next().at, "did not find expected <document start>", p.columnHint(p.next().at, p.next().at))
		return
	}
	p.take()
}

func (p *parser) empty(at place) *Node { return p.nodes.node(Scalar, at) }

// node reads a node.
func (p *parser) node(in where) *Node {
	if p.at(alias) {
		return p.alias(p.take())
	}
	n := p.empty(p.next().at)
	p.properties(n)
	if n.Anchor != "" {
		p.anchors[n.Anchor] = n
	}
	switch {
	case p.at(scalar):
		t := p.take()
		n.Value, n.Style = t.text, t.style
	case in == inMapping && p.at(blockEntry):
		p.collection(n, Sequence, (*parser).dashes)
	case p.at(flowSequenceStart):
		p.collection(n, Sequence, (*parser).flowSequence)
	case p.at(flowMappingStart):
		p.collection(n, Mapping, (*parser).flowMapping)
	case in != inFlow && p.at(blockSequenceStart):
		p.collection(n, Sequence, (*parser).blockSequence)
	case in != inFlow && p.at(blockMappingStart):
		p.collection(n, Mapping, (*parser).blockMapping)
	case n.Anchor == "" && n.Tag == "":
		p.refuseNode()
	}
	return n
}

func (p *parser) alias(t token) *Node {
	named := p.anchors[t.text]
	if named == nil {
		p.refuse(t.at, fmt.Sprintf("unknown anchor '%s' referenced", t.text), "put quotes around a text that begins with *")
	}
	n := p.nodes.node(Alias, t.at)
	n.Anchor, n.Content = t.text, []*Node{named}
	return n
}

// properties reads an anchor and a tag, in any order.
func (p *parser) properties(n *Node) {
	var tagged token
	for n.Anchor == "" && p.at(anchor) || tagged.text == "" && p.at(tag) {
		if t := p.take(); t.kind == anchor {
			n.Anchor = t.text
		} else {
			tagged = t
		}
	}
	if tagged.text != "" {
		n.Tag = p.tag(tagged, place{n.Line, n.Column})
	}
}

// tag is a tag in full.
func (p *parser) tag(t token, begins place) string {
	prefix, known := p.handles[t.more]
	switch {
	case known, t.more == "":
		return prefix + t.text
	case t.more == "!":
		return "!" + t.text
	case t.more == "!!":
		return CoreTags + t.text
	}
	p.refuseIn("parsing a node", begins, t.at, "found undefined tag handle", hintTag)
	return ""
}

// refuseNode tells that there is something else where a node should be.
func (p *parser) refuseNode() {
	t := p.next()
	switch {
	case p.err != nil:
	case t.kind == value:
		p.refuse(t.at, "there is no key before this colon", "")
	default:
		p.refuse(t.at, "did not find expected node content", hintComma)
	}
}

// collection reads what is in a collection.
func (p *parser) collection(n *Node, kind Kind, read func(p *parser)) {
	n.Kind = kind
	if p.depth++; p.depth > MaxDepth {
		p.tooMuch(MaxDepth, "lists and mappings in each other")
	}
	first := len(p.pending)
	read(p)
	n.Content = append(n.Content, p.pending[first:]...)
	p.pending = p.pending[:first]
	p.depth--
}

// push adds a node to the collection that is being read.
func (p *parser) push(n *Node) { p.pending = append(p.pending, n) }

// pushNode reads what follows a sign and adds it: nothing, where the next token is one of those that end it.
func (p *parser) pushNode(sign token, in where, ends tokenKind) {
	if p.at(ends) {
		p.push(p.empty(sign.end))
	} else {
		p.push(p.node(in))
	}
}

// dashes reads a list that begins in the column of its key.
func (p *parser) dashes() {
	for p.at(blockEntry) {
		p.pushNode(p.take(), inBlock, blockEntry|key|value|blockEnd)
	}
}

func (p *parser) blockSequence() {
	begins := p.take().at
	for p.at(blockEntry) {
		p.pushNode(p.take(), inBlock, blockEntry|blockEnd)
	}
	p.endBlock("parsing a block collection", begins, "did not find expected '-' indicator")
}

func (p *parser) blockMapping() {
	begins := p.take().at
	for p.at(key) {
		p.pushNode(p.take(), inMapping, key|value|blockEnd)
		if p.at(value) {
			p.pushNode(p.take(), inMapping, key|value|blockEnd)
		} else {
			p.push(p.empty(p.next().at))
		}
	}
	p.endBlock("parsing a block mapping", begins, "did not find expected key")
}

// endBlock reads the end of a block collection.
func (p *parser) endBlock(what string, begins place, message string) {
	switch t := p.next(); {
	case t.kind == blockEnd:
		p.take()
	case p.err != nil:
	case t.kind == value:
		p.refuse(t.at, "there is no key before this colon", "")
	default:
		p.refuseIn(what, begins, t.at, message, p.columnHint(begins, t.at))
	}
}

// columnHint is what is mostly wrong where a block collection does not go on: its lines, or a quote.
func (p *parser) columnHint(begins, at place) string {
	if strings.ContainsAny(p.lineText(begins.line)+p.lineText(at.line), `"'`) {
		return hintQuotes
	}
	return hintColumn
}
