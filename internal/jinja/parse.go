package jinja

import (
	"slices"
	"strings"
)

// maxNesting bounds statements and brackets within each other.
const maxNesting = 100

// A parser makes the tree of a template. Its messages are Jinja's.
type parser struct {
	m       *machine
	lex     *lexer
	cur     token
	ahead   []token // at most one
	depth   int
	tags    []string   // the statements that are open
	ends    [][]string // the tags that end them
	unknown []*Error   // filters and tests that do not exist; no error where a condition guards them
}

func parse(m *machine, src string) []stmt {
	p := &parser{m: m, lex: newLexer(m.name, src)}
	p.cur = p.read()
	body := p.body()
	if len(p.unknown) > 0 {
		panic(p.unknown[0])
	}
	return body
}

// read takes the next token from the lexer; each takes memory in the tree.
func (p *parser) read() token {
	t := p.lex.next()
	p.m.at = t.pos
	p.m.charge(smallValue)
	return t
}

// next moves on, and returns the token that was the current one.
func (p *parser) next() token {
	t := p.cur
	if len(p.ahead) > 0 {
		p.cur, p.ahead = p.ahead[0], nil
	} else {
		p.cur = p.read()
	}
	return t
}

func (p *parser) peek() token {
	if len(p.ahead) == 0 {
		p.ahead = []token{p.read()}
	}
	return p.ahead[0]
}

func (p *parser) skip(kind string) bool {
	if p.cur.kind != kind {
		return false
	}
	p.next()
	return true
}

func (p *parser) skipName(name string) bool {
	if !p.cur.is(name) {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(kind string) token {
	if p.cur.kind != kind {
		p.unexpected(kind)
	}
	return p.next()
}

func (p *parser) expectName(name string) {
	if !p.skipName(name) {
		p.unexpected(name)
	}
}

func (p *parser) unexpected(want string) {
	if p.cur.kind == tokEnd {
		p.lex.fail(p.cur.pos, "unexpected end of template, expected %s.", quote(want))
	}
	p.lex.fail(p.cur.pos, "expected token %s, got %s", quote(want), quote(p.cur.String()))
}

// nest counts the levels of statements and brackets; the caller undoes it with p.depth--.
func (p *parser) nest() {
	p.depth++
	if p.depth > maxNesting {
		p.lex.fail(p.cur.pos, "statements and brackets are nested more than %d levels deep", maxNesting)
	}
}

// body reads text and statements up to one of the end tags, which becomes the current token.
func (p *parser) body(ends ...string) []stmt {
	var body []stmt
	p.nest()
	p.ends = append(p.ends, ends)
	for p.cur.kind != tokEnd {
		t := p.next()
		switch t.kind {
		case tokData:
			body = append(body, &textStmt{t.pos, t.text})
		case tokPrint:
			body = append(body, &printStmt{t.pos, p.tuple()})
			p.expect(tokPrintEnd)
		case tokBlock:
			if p.cur.is(ends...) {
				p.ends = p.ends[:len(p.ends)-1]
				p.depth--
				return body
			}
			body = append(body, p.statement())
			p.expect(tokBlockEnd)
		}
	}
	if len(ends) > 0 {
		p.failTag("")
	}
	return body
}

// block is the body of a statement: after the end of its tag, up to one of the end tags.
func (p *parser) block(ends ...string) []stmt {
	p.skip(":")
	p.expect(tokBlockEnd)
	return p.body(ends...)
}

// lastBlock is a block whose end tag is read too.
func (p *parser) lastBlock(end string) []stmt {
	body := p.block(end)
	p.next()
	return body
}

// failTag reports a tag that does not belong here, or with no name the end of the template.
func (p *parser) failTag(name string) {
	msg := "Unexpected end of template."
	if name != "" {
		msg = "Encountered unknown tag " + quote(name) + "."
	}
	ends := p.ends[len(p.ends)-1]
	if len(ends) > 0 {
		looking := quote(ends[0])
		for _, end := range ends[1:] {
			looking += " or " + quote(end)
		}
		expected := slices.ContainsFunc(p.ends, func(e []string) bool { return slices.Contains(e, name) })
		if expected {
			msg += " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for " + looking + "."
		} else {
			msg += " Jinja was looking for the following tags: " + looking + "."
		}
	}
	if len(p.tags) > 0 {
		msg += " The innermost block that needs to be closed is " + quote(p.tags[len(p.tags)-1]) + "."
	}
	p.lex.fail(p.cur.pos, "%s", msg)
}

func (p *parser) statement() stmt {
	if p.cur.kind != tokName {
		p.lex.fail(p.cur.pos, "tag name expected")
	}
	p.tags = append(p.tags, p.cur.text)
	s := p.tagged()
	p.tags = p.tags[:len(p.tags)-1]
	return s
}

func (p *parser) tagged() stmt {
	switch p.cur.text {
	case "for":
		return p.forStmt()
	case "if":
		return p.ifStmt()
	case "set":
		return p.setStmt()
	case "with":
		return p.withStmt()
	case "do":
		return &doStmt{p.next().pos, p.tuple()}
	case "filter":
		return p.filterBlock()
	case "macro":
		return p.macroStmt()
	case "call":
		return p.callBlock()
	case "include", "import", "from", "extends", "block":
		p.lex.fail(p.cur.pos, "the statement %s is for templates of several files; this one stands alone", quote(p.cur.text))
	case "autoescape", "print":
		p.lex.fail(p.cur.pos, "the statement %s is not supported", quote(p.cur.text))
	}
	p.tags = p.tags[:len(p.tags)-1]
	p.failTag(p.cur.text)
	return nil
}

func (p *parser) forStmt() stmt {
	s := &forStmt{pos: p.next().pos, target: p.target(p.forTarget)}
	p.expectName("in")
	s.over = p.tupleOf(p.or, false)
	if p.skipName("if") {
		s.test = p.expression()
	}
	if p.cur.is("recursive") {
		p.lex.fail(p.cur.pos, "recursive loops are not supported: a macro can call itself")
	}
	s.body = p.block("endfor", "else")
	if p.next().text == "else" {
		s.or = p.lastBlock("endfor")
	}
	return s
}

// forTarget is the names before "in".
func (p *parser) forTarget() expr { return p.tupleOf(p.primary, false) }

// setTarget is the names before "=", which may be attributes of a namespace.
func (p *parser) setTarget() expr {
	return p.tupleOf(func() expr {
		if p.cur.kind == tokName && p.peek().kind == "." {
			t := p.next()
			p.next()
			return &namespaceTarget{t.pos, t.text, p.expect(tokName).text}
		}
		return p.primary()
	}, false)
}

// target checks that what was read can be assigned to.
func (p *parser) target(read func() expr) expr {
	e := read()
	p.checkTarget(e)
	return e
}

func (p *parser) checkTarget(e expr) {
	kind := "expression"
	switch e := e.(type) {
	case *nameExpr, *namespaceTarget:
		return
	case *seqExpr:
		if e.kind == tupleKind {
			for _, item := range e.items {
				p.checkTarget(item)
			}
			return
		}
		kind = "list"
	case *constant:
		kind = "const"
	case *dictExpr:
		kind = "dict"
	}
	p.lex.fail(e.where(), "can't assign to %s", quote(kind))
}

func (p *parser) ifStmt() stmt {
	guarded := len(p.unknown)
	s := &ifStmt{pos: p.next().pos, test: p.tupleOf(p.or, false)}
	s.then = p.block("elif", "else", "endif")
	switch {
	case p.cur.is("elif"):
		p.nest() // an else-if is within the else
		s.or = []stmt{p.ifStmt()}
		p.depth--
	case p.next().text == "else":
		s.or = p.lastBlock("endif")
	}
	p.unknown = p.unknown[:guarded]
	return s
}

func (p *parser) setStmt() stmt {
	at := p.next().pos
	target := p.target(p.setTarget)
	if p.skip("=") {
		return &setStmt{at, target, p.tuple()}
	}
	s := &setBlock{pos: at, target: target, filter: p.filters(nil)}
	s.body = p.lastBlock("endset")
	return s
}

func (p *parser) withStmt() stmt {
	s := &withStmt{pos: p.next().pos}
	for p.cur.kind != tokBlockEnd {
		if len(s.targets) > 0 {
			p.expect(",")
		}
		s.targets = append(s.targets, p.target(p.forTarget))
		p.expect("=")
		s.values = append(s.values, p.expression())
	}
	s.body = p.lastBlock("endwith")
	return s
}

func (p *parser) filterBlock() stmt {
	s := &filterBlock{pos: p.next().pos}
	s.filter = p.filters(p.filter(nil))
	s.body = p.lastBlock("endfilter")
	return s
}

func (p *parser) macroStmt() stmt {
	s := &macroStmt{pos: p.next().pos}
	s.name = p.expect(tokName).text
	p.signature(s)
	s.body = p.lastBlock("endmacro")
	return s
}

func (p *parser) signature(s *macroStmt) {
	p.expect("(")
	for p.cur.kind != ")" {
		if len(s.params) > 0 {
			p.expect(",")
		}
		name := p.expect(tokName)
		s.params = append(s.params, name.text)
		if p.skip("=") {
			s.defaults = append(s.defaults, p.expression())
		} else if len(s.defaults) > 0 {
			p.lex.fail(name.pos, "non-default argument follows default argument")
		}
	}
	p.next()
}

func (p *parser) callBlock() stmt {
	s := &callBlock{pos: p.next().pos}
	s.caller = &macroStmt{pos: s.pos, name: "caller"}
	if p.cur.kind == "(" {
		p.signature(s.caller)
	}
	call, ok := p.expression().(*callExpr)
	if !ok {
		p.lex.fail(s.pos, "expected call")
	}
	s.call = call
	s.caller.body = p.lastBlock("endcall")
	return s
}

// remember notes a filter or test that does not exist. It is an error unless a condition stands around it.
func (p *parser) remember(at pos, kind, table, name string) {
	if _, ok := lookup(table, name); !ok {
		p.unknown = append(p.unknown, &Error{p.m.name, at.line, at.col, noSuch(kind, table, name), true})
	}
}

// noSuch is the message for a filter or test that does not exist.
func noSuch(kind, table, name string) string {
	msg := "No " + kind + " named " + quote(name) + "."
	if near := nearest(table, name); near != "" {
		return msg + " Did you mean " + quote(near) + "?"
	}
	if kind == "filter" && strings.Contains(ansibleFilters, " "+name+" ") {
		return msg + " That one is Ansible's."
	}
	return msg
}
