package jinja

import "strings"

// A stmt is a piece of text or a statement.
type stmt struct {
	pos
	run func(m *machine, s *scope)
}

// A scope holds the variables of a loop, macro or block. An if has none of its own.
type scope struct {
	vars   map[string]any
	parent *scope
}

func (s *scope) inner() *scope { return &scope{map[string]any{}, s} }

// run prints text and carries out statements.
func (m *machine) run(body []stmt, s *scope) {
	m.enter()
	for _, st := range body {
		m.at = st.pos
		m.step(1)
		st.run(m, s)
	}
	m.depth--
}

func text(at pos, text string) stmt {
	return stmt{at, func(m *machine, _ *scope) { m.out.write(text) }}
}

func printed(at pos, e expr) stmt {
	return stmt{at, func(m *machine, s *scope) {
		v := m.eval(e, s)
		m.at = at
		m.out.write(m.str(v))
	}}
}

func (p *parser) statement() stmt {
	p.check(p.cur.kind == tokName, "tag name expected")
	name := p.next()
	read := p.reader(name.text)
	if read == nil {
		p.failTag(name.pos, "Encountered unknown tag "+quote(name.text)+".")
	}
	p.tags = append(p.tags, name.text)
	s := read(name.pos)
	p.tags = p.tags[:len(p.tags)-1]
	return s
}

// reader is what reads a statement behind its name, or nil.
func (p *parser) reader(name string) func(at pos) stmt {
	switch name {
	case "for":
		return p.forStmt
	case "if":
		return p.ifStmt
	case "set":
		return p.setStmt
	case "with":
		return p.withStmt
	case "do":
		return p.doStmt
	case "raw":
		return p.rawStmt
	case "filter":
		return p.filterStmt
	case "macro":
		return p.macroStmt
	}
	return nil
}

func (p *parser) doStmt(at pos) stmt {
	e := p.tuple(p.expression)
	return stmt{at, func(m *machine, s *scope) { m.eval(e, s) }}
}

// rawStmt is a text. A newline behind {% raw %} belongs to it, unlike behind other tags.
func (p *parser) rawStmt(at pos) stmt {
	p.check(p.cur.kind == tokBlockEnd, "expected token '%s', got '%s'", tokBlockEnd, p.cur)
	newline := ""
	if p.cur.text == "%}\n" {
		newline = "\n"
	}
	return text(at, p.lex.raw(newline))
}

func (p *parser) ifStmt(at pos) stmt {
	test := p.tuple(p.operation)
	then := p.block("elif", "else", "endif")
	var or []stmt
	switch end := p.next(); end.text {
	case "elif":
		or = []stmt{nested(p, func() stmt { return p.ifStmt(end.pos) })}
	case "else":
		or = p.lastBlock("endif")
	}
	return stmt{at, func(m *machine, s *scope) {
		body := or
		if truth(m.eval(test, s)) {
			body = then
		}
		m.run(body, s)
	}}
}

func (p *parser) forStmt(at pos) stmt {
	t := p.target()
	p.expect("in")
	over, test := p.tuple(p.operation), expr{}
	if p.skip("if") {
		test = p.expression()
	}
	body, or := p.block("endfor", "else"), []stmt(nil)
	if p.next().text == "else" {
		or = p.lastBlock("endfor")
	}
	return stmt{at, func(m *machine, s *scope) {
		l := &loop{items: m.items(m.eval(over, s)), before: absent{}}
		if test.value != nil {
			l.items = m.passing(t, l.items, test, s)
		}
		for i, item := range l.items {
			inner := m.scopeOf(t, item, s)
			l.index = i
			inner.vars["loop"] = l
			m.run(body, inner)
		}
		if len(l.items) == 0 {
			m.run(or, s.inner())
		}
	}}
}

// passing are the items for which the test of a loop is true.
func (m *machine) passing(t target, items []any, test expr, s *scope) (passing []any) {
	for _, item := range items {
		m.charge(16, 1)
		if truth(m.eval(test, m.scopeOf(t, item, s))) {
			passing = append(passing, item)
		}
	}
	return passing
}

func (m *machine) scopeOf(t target, item any, outer *scope) *scope {
	inner := outer.inner()
	m.assign(t, item, inner)
	return inner
}

// A loop is what the name "loop" stands for within a for.
type loop struct {
	index  int
	items  []any
	before any // what loop.changed was given before
}

// field is loop.name.
func (l *loop) field(name string) (any, bool) {
	i, n := l.index, len(l.items)
	switch name {
	case "index":
		return int64(i + 1), true
	case "index0":
		return int64(i), true
	case "revindex":
		return int64(n - i), true
	case "revindex0":
		return int64(n - i - 1), true
	case "length":
		return int64(n), true
	case "first":
		return i == 0, true
	case "last":
		return i == n-1, true
	case "previtem":
		return l.neighbour(i-1, "there is no previous item"), true
	case "nextitem":
		return l.neighbour(i+1, "there is no next item"), true
	}
	op, ok := find(loopMethods, name)
	return &function{op, l}, ok
}

func (l *loop) neighbour(i int, hint string) any {
	if i < 0 || i >= len(l.items) {
		return &undefined{name: "None", hint: hint}
	}
	return l.items[i]
}

// A target is what a value is assigned to: a name, an attribute of a namespace, or several of these.
type target struct {
	pos
	name, attr string
	parts      []target
}

// target reads one, or several with commas.
func (p *parser) target() target {
	p.check(!p.atEnd(), "Expected an expression, got '%s'", p.cur)
	t := nested(p, p.oneTarget)
	if p.cur.kind == "," {
		t = target{pos: t.pos, parts: []target{t}}
	}
	for p.skip(",") {
		t.parts = append(t.parts, nested(p, p.oneTarget))
	}
	return t
}

func (p *parser) oneTarget() (t target) {
	if p.skip("(") {
		t = p.target()
		p.expect(")")
		return t
	}
	p.check(p.cur.kind == tokName, "can't assign to %s", quote(p.cur.kind))
	name := p.next()
	t.pos, t.name = name.pos, name.text
	if p.skip(".") {
		t.attr = p.expect(tokName).text
	}
	return t
}

func (m *machine) assign(t target, v any, s *scope) {
	m.at = t.pos
	switch {
	case t.parts != nil:
		for i, item := range m.unpack(v, len(t.parts)) {
			m.assign(t.parts[i], item, s)
		}
	case t.attr != "":
		ns, ok := m.lookup(t.name, s).(*namespace)
		m.check(ok, "cannot assign attribute on non-namespace object")
		m.put(ns.attrs, t.attr, v)
	default:
		s.vars[t.name] = v
	}
}

// unpack is a value as n items.
func (m *machine) unpack(v any, n int) []any {
	items := m.items(v)
	m.check(len(items) >= n, "not enough values to unpack (expected %d, got %d)", n, len(items))
	m.check(len(items) <= n, "too many values to unpack (expected %d)", n)
	return items
}

func (p *parser) setStmt(at pos) stmt {
	t := p.target()
	var value expr
	if p.skip("=") {
		value = p.tuple(p.expression)
	} else {
		value = p.filtered(at, "endset")
	}
	return stmt{at, func(m *machine, s *scope) { m.assign(t, m.eval(value, s), s) }}
}

func (p *parser) filterStmt(at pos) stmt { return printed(at, p.filtered(at, "endfilter")) }

// filtered reads filters and a body, whose text goes through them.
func (p *parser) filtered(at pos, end string) expr {
	const name = "" // which no template can write
	filter := expr{pos: at, value: func(_ *machine, s *scope) any { return s.vars[name] }}
	if end == "endfilter" {
		filter = p.filter(filter)
	}
	filter = p.postfix(filter, true)
	body := p.lastBlock(end)
	return expr{pos: at, value: func(m *machine, s *scope) any {
		inner := s.inner()
		inner.vars[name] = m.capture(body, inner)
		return m.eval(filter, inner)
	}}
}

func (p *parser) withStmt(at pos) stmt {
	var targets []target
	var values []expr
	p.items(tokBlockEnd, func() {
		targets = append(targets, p.oneTarget())
		p.expect("=")
		values = append(values, p.expression())
	})
	body := p.body("endwith")
	p.next()
	return stmt{at, func(m *machine, s *scope) {
		inner := s.inner()
		for i, t := range targets {
			m.assign(t, m.eval(values[i], s), inner)
		}
		m.run(body, inner)
	}}
}

func (p *parser) macroStmt(at pos) stmt {
	var params []string
	var defaults []expr
	optional := false
	name := p.expect(tokName).text
	p.expect("(")
	p.items(")", func() {
		param := p.expect(tokName).text
		missing := expr{pos: at, value: func(*machine, *scope) any {
			return &undefined{name: param, hint: "parameter '" + param + "' was not provided"}
		}}
		given := p.skip("=")
		if given {
			missing = p.expression()
		}
		p.check(given || !optional, "non-default argument follows default argument")
		optional = given
		params, defaults = append(params, param), append(defaults, missing)
	})
	body, signature := p.lastBlock("endmacro"), strings.Join(append(params, ""), "? ")
	return stmt{at, func(m *machine, s *scope) {
		m.charge(smallValue, 4) // it keeps its scope
		s.vars[name] = &function{operation{name, signature, func(c call) any {
			inner := s.inner()
			for i, v := range c.values {
				if v == (absent{}) {
					v = c.eval(defaults[i], inner)
				}
				inner.vars[params[i]] = v
			}
			return c.capture(body, inner)
		}}, nil}
	}}
}
