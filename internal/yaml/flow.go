package yaml

import "fmt"

func (p *parser) flowSequence() {
	begins := p.take().at
	for first := true; !p.at(flowSequenceEnd); first = false {
		if !first && !p.comma(begins, flowSequenceEnd) {
			break
		}
		if p.at(key) {
			p.push(p.pairInList())
		} else {
			p.push(p.node(inFlow))
		}
	}
	p.take()
}

// pairInList reads a mapping of one key that has no braces: [a: b].
func (p *parser) pairInList() *Node {
	n := p.empty(p.next().at)
	p.collection(n, Mapping, func(p *parser) { p.pair(flowSequenceEnd) })
	return n
}

func (p *parser) flowMapping() {
	begins := p.take().at
	for first := true; !p.at(flowMappingEnd); first = false {
		if !first && !p.comma(begins, flowMappingEnd) {
			break
		}
		if p.at(key) {
			p.pair(flowMappingEnd)
		} else {
			p.push(p.node(inFlow))
			p.push(p.empty(p.next().at))
		}
	}
	p.take()
}

// pair reads a key and its value, if it has one.
func (p *parser) pair(end tokenKind) {
	p.pushNode(p.take(), inFlow, value|flowEntry|end)
	if p.at(value) {
		p.pushNode(p.take(), inFlow, flowEntry|end)
	} else {
		p.push(p.empty(p.next().at))
	}
}

// comma reads the comma after an item. It is false where the collection ends here.
func (p *parser) comma(begins place, end tokenKind) bool {
	if !p.at(flowEntry) {
		p.refuseItem(begins, end)
		return false
	}
	p.take()
	return !p.at(end)
}

// refuseItem tells that there is no comma behind an item.
func (p *parser) refuseItem(begins place, end tokenKind) {
	t := p.next()
	what, sign := "parsing a flow sequence", ']'
	if end == flowMappingEnd {
		what, sign = "parsing a flow mapping", '}'
	}
	switch {
	case p.err != nil:
	case t.kind == value && t.text == tooLong():
		p.refuse(t.at, t.text, "")
	case t.kind == value && t.text != "":
		p.refuse(t.at, t.text, "is a bracket or a comma missing before this line?")
	case t.kind == key && t.end != t.at:
		p.refuse(t.at, "there is a question mark in a text without quotes, between brackets", "put quotes around the text")
	case t.kind == streamEnd:
		p.refuseIn(what, begins, t.at, fmt.Sprintf("found unexpected end of stream instead of ',' or '%c'", sign), "is a bracket missing at the end?")
	default:
		p.refuseIn(what, begins, t.at, fmt.Sprintf("did not find expected ',' or '%c'", sign), hintComma)
	}
}
