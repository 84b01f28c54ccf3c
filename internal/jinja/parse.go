package jinja

import "strings"

// A parser compiles a template. Its messages are Jinja's.
type parser struct {
	m     *machine
	lex   *lexer
	cur   token
	depth int
	tags  []string // the statements that are open
	ends  []string // the tags that are looked for
}

func parse(m *machine, src string) []stmt {
	src = strings.TrimSuffix(oneNewline(src), "\n")
	p := &parser{m: m, lex: &lexer{pos: pos{1, 1}, name: m.name, src: src}}
	p.next()
	return p.body()
}

// oneNewline makes the three kinds of line ends one.
func oneNewline(s string) string { return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s) }

// next moves on, and returns the token that was the current one. What is compiled of a token takes memory.
func (p *parser) next() token {
	t := p.cur
	p.cur = p.lex.next()
	p.m.at = p.cur.pos
	p.m.charge(smallValue, 1)
	return t
}

// skip moves on if the current token is of a kind, or is a name.
func (p *parser) skip(kind string) bool {
	found := p.cur.kind == kind || p.cur.is(kind)
	if found {
		p.next()
	}
	return found
}

func (p *parser) expect(kind string) token {
	p.check(p.cur.kind == kind || p.cur.is(kind), "expected token '%s', got '%s'", kind, p.cur)
	return p.next()
}

// check fails at the current token unless something is so.
func (p *parser) check(ok bool, format string, args ...any) {
	if !ok {
		p.lex.fail(p.cur.pos, format, args...)
	}
}

func (p *parser) atEnd() bool { return strings.HasPrefix(p.cur.kind, "end of") || p.cur.kind == ")" }

// nested reads what may hold another of its kind.
func nested[T any](p *parser, read func() T) T {
	p.depth++
	p.check(p.depth <= maxNesting, "statements and brackets are nested more than 100 levels deep")
	v := read()
	p.depth--
	return v
}

// body reads text and statements up to one of the end tags, which becomes the current token.
func (p *parser) body(ends ...string) (body []stmt) {
	outer := p.ends
	for p.ends = ends; p.cur.kind != tokEnd; p.ends = ends {
		switch t := p.next(); {
		case t.kind == tokData:
			body = append(body, text(t.pos, t.text))
		case t.kind == tokPrint:
			body = append(body, printed(t.pos, p.tuple(p.expression)))
			p.expect(tokPrintEnd)
		case p.cur.is(ends...):
			p.ends = outer
			return body
		default:
			body = append(body, nested(p, p.statement))
			p.expect(tokBlockEnd)
		}
	}
	if len(ends) > 0 {
		p.failTag(p.cur.pos, "Unexpected end of template.")
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

// failTag reports a tag that does not belong here, or the end of the template.
func (p *parser) failTag(at pos, msg string) {
	if len(p.ends) > 0 {
		msg += " Jinja was looking for the following tags: '" + strings.Join(p.ends, "' or '") + "'."
	}
	if n := len(p.tags); n > 0 {
		msg += " The innermost block that needs to be closed is " + quote(p.tags[n-1]) + "."
	}
	p.lex.fail(at, "%s", msg)
}
