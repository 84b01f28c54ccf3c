package jinja

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An expr is an expression, which value computes.
type expr struct {
	pos
	path  string // of a chain of names, with points between; of a constant, its text
	chain bool   // it is one
	value func(m *machine, s *scope) any
}

func (m *machine) eval(e expr, s *scope) any {
	m.at = e.pos
	m.enter()
	v := e.value(m, s)
	m.depth--
	return v
}

// of is an expression that computes something of other expressions.
func of(at pos, do func(m *machine, v []any) any, operands ...expr) expr {
	return expr{pos: at, value: func(m *machine, s *scope) any {
		values := make([]any, len(operands))
		for i, e := range operands {
			values[i] = m.eval(e, s)
		}
		m.at = at
		return do(m, values)
	}}
}

func constant(at pos, v any) expr {
	return expr{pos: at, path: plain(v), value: func(*machine, *scope) any { return v }}
}

func sequence(at pos, kind seqKind, items []expr) expr {
	return of(at, func(m *machine, v []any) any {
		m.charge(smallValue+16*len(v), 1)
		return &seq{kind, v}
	}, items...)
}

// tuple is what one function reads, or several of these with commas.
func (p *parser) tuple(one func() expr) expr {
	p.check(!p.atEnd(), "Expected an expression, got '%s'", p.cur)
	items := []expr{one()}
	if p.cur.kind != "," {
		return items[0]
	}
	for p.skip(",") && !p.atEnd() {
		items = append(items, one())
	}
	return sequence(items[0].pos, tupleKind, items)
}

// expression is all but a tuple: an inline if, or less.
func (p *parser) expression() expr {
	e := p.operation()
	for p.cur.is("if") {
		at, then := p.next().pos, e
		test, or := p.operation(), constant(at, noElse(at))
		if p.skip("else") {
			or = nested(p, p.expression)
		}
		e = expr{pos: at, value: func(m *machine, s *scope) any {
			if truth(m.eval(test, s)) {
				return m.eval(then, s)
			}
			return m.eval(or, s)
		}}
	}
	return e
}

// noElse is an inline if that is false and has no else.
func noElse(at pos) *undefined {
	hint := fmt.Sprintf("the inline if-expression on line %d evaluated to false and no else section was defined.", at.line)
	return &undefined{hint: hint, mute: true}
}

// ranks are the operators between two values, from those that bind least to those that bind most. "~" binds more than
// "+", and "**" is read from the left: both unlike Python, as in Jinja.
var ranks = [...][]string{
	{"or"}, {"and"}, {"==", "!=", "<", "<=", ">", ">=", "in", "not in"}, {"+", "-"}, {"~"}, {"*", "/", "//", "%"}, {"**"},
}

const comparing = 2 // the rank before which "not" stands

func (p *parser) operation() expr { return nested(p, func() expr { return p.ranked(0) }) }

// ranked reads operators of a rank, or of ranks that bind more.
func (p *parser) ranked(rank int) expr {
	if rank == len(ranks) {
		return p.postfix(p.unary(), true)
	}
	at := p.cur.pos
	if rank == comparing && p.skip("not") {
		return not(at, nested(p, func() expr { return p.ranked(comparing) }))
	}
	e := p.ranked(rank + 1)
	var compared []argument
	for slices.ContainsFunc(ranks[rank], func(op string) bool { return p.cur.kind == op || p.cur.is(op) }) {
		op, right := p.next(), p.ranked(rank+1)
		if rank == comparing {
			compared = append(compared, argument{op.String(), right})
		} else {
			e = operate(op.pos, op.String(), e, right)
		}
	}
	if len(compared) > 0 {
		return comparison(at, e, compared)
	}
	return e
}

// comparison is "a < b", or a chain such as "a < b < c", in which nothing is computed twice. Behind each operator, the
// name of an argument, there is an expression.
func comparison(at pos, first expr, others []argument) expr {
	return expr{pos: at, value: func(m *machine, s *scope) any {
		x := m.eval(first, s)
		for _, other := range others {
			e := other.value.(expr)
			y := m.eval(e, s)
			m.at = e.pos
			m.work(x, y)
			if !m.compare(other.name, x, y) {
				return false
			}
			x = y
		}
		return true
	}}
}

func operate(at pos, op string, x, y expr) expr {
	if op != "and" && op != "or" {
		return of(at, func(m *machine, v []any) any { return m.binary(op, v[0], v[1]) }, x, y)
	}
	return expr{pos: at, value: func(m *machine, s *scope) any {
		if v := m.eval(x, s); truth(v) == (op == "or") {
			return v
		}
		return m.eval(y, s)
	}}
}

func not(at pos, e expr) expr {
	return of(at, func(_ *machine, v []any) any { return !truth(v[0]) }, e)
}

// unary is a sign, or a primary with what follows it; a filter applies to both together.
func (p *parser) unary() expr {
	op := p.cur
	if op.kind != "-" && op.kind != "+" {
		return p.postfix(p.primary(), false)
	}
	p.next()
	return of(op.pos, func(m *machine, v []any) any { return m.unary(op.kind, v[0]) }, nested(p, p.unary))
}

func (p *parser) primary() expr {
	t := p.cur
	switch t.kind {
	case tokName:
		return p.name()
	case tokString:
		for t.text = ""; p.cur.kind == tokString; {
			t.text += p.next().text
		}
		return constant(t.pos, t.text)
	case tokInt, tokFloat:
		return p.number()
	case "(":
		p.next()
		e := sequence(t.pos, tupleKind, nil)
		if p.cur.kind != ")" {
			e = p.tuple(p.expression)
		}
		p.expect(")")
		return e
	case "[":
		var items []expr
		p.next()
		p.items("]", func() { items = append(items, p.expression()) })
		return sequence(t.pos, listKind, items)
	case "{":
		return p.dict()
	}
	p.lex.fail(t.pos, "unexpected '%s'", t)
	return expr{}
}

func (p *parser) dict() expr {
	var entries []expr
	at := p.next().pos
	p.items("}", func() {
		key := p.expression()
		p.expect(":")
		entries = append(entries, key, p.expression())
	})
	return of(at, func(m *machine, v []any) any {
		m.charge(smallValue, 2)
		d := newDict()
		for i := 0; i < len(v); i += 2 {
			m.put(d, v[i], v[i+1])
		}
		return d
	}, entries...)
}

// items reads what is up to a bracket, with commas, and the bracket.
func (p *parser) items(end string, item func()) {
	for p.cur.kind != end {
		item()
		if p.cur.kind != end {
			p.expect(",")
		}
	}
	p.next()
}

func (p *parser) number() expr {
	t := p.next()
	if strings.Contains(t.text+"_", "__") {
		p.lex.fail(t.pos, "this number cannot be read: \"_\" stands between digits")
	}
	if t.kind == tokFloat {
		f, _ := strconv.ParseFloat(strings.ReplaceAll(t.text, "_", ""), 64)
		return constant(t.pos, f)
	}
	i, err := strconv.ParseInt(t.text, 0, 64)
	if err != nil || i != 0 && t.text[0] == '0' && run(t.text[1:], digits+"_") > 0 {
		p.lex.fail(t.pos, "this number cannot be read: it does not fit 64 bits, or has a zero in front")
	}
	return constant(t.pos, i)
}

func (p *parser) name() expr {
	t := p.next()
	switch t.text {
	case "true", "True", "false", "False":
		return constant(t.pos, t.text[1] == 'r')
	case "none", "None":
		return constant(t.pos, nil)
	}
	return expr{t.pos, t.text, true, func(m *machine, s *scope) any { return m.lookup(t.text, s) }}
}

// lookup finds a name: in the template, in the caller's variables, or among Jinja's own.
func (m *machine) lookup(name string, s *scope) any {
	for ; s != nil; s = s.parent {
		if v, ok := s.vars[name]; ok {
			return v
		}
	}
	if v, ok := m.vars[name]; ok {
		m.root.vars[name] = m.convert(v, 0)
		return m.root.vars[name]
	}
	if op, ok := find(globals, name); ok {
		return &function{op, nil}
	}
	m.charge(2*smallValue+len(name), 1)
	return &undefined{name: name, path: name, hint: quote(name) + " is undefined"}
}

// postfix reads attributes, items and calls, or filters, tests and calls.
func (p *parser) postfix(e expr, filters bool) expr {
	for {
		switch {
		case p.cur.kind == "(":
			at := p.cur.pos
			e = called(at, e, p.args(), (*machine).call)
		case !filters && p.cur.kind == ".":
			e = p.attribute(e)
		case !filters && p.cur.kind == "[":
			e = p.item(e)
		case filters && p.skip("|"):
			e = p.filter(e)
		case filters && p.skip("is"):
			e = p.test(e)
		default:
			return e
		}
	}
}

func (p *parser) attribute(e expr) expr {
	at := p.next().pos
	if p.cur.kind == tokInt {
		return p.reached(at, (*machine).item, e, p.number())
	}
	p.check(p.cur.kind == tokName, "expected name or number")
	return p.reached(at, (*machine).attribute, e, constant(at, p.next().text))
}

// reached is an attribute or item. What is not there shall know how the template reached it.
func (p *parser) reached(at pos, get func(m *machine, of, key any) any, owner, key expr) expr {
	path := ""
	if owner.chain && key.path != "" && !key.chain {
		path = owner.path + "." + key.path
		p.m.charge(len(path), 1)
	}
	e := of(at, func(m *machine, v []any) any {
		got := get(m, v[0], v[1])
		if u, ok := got.(*undefined); ok && u.path == "" {
			u.path = path
		}
		return got
	}, owner, key)
	e.path, e.chain = path, path != ""
	return e
}

// item reads "[key]" or "[low:high:step]".
func (p *parser) item(e expr) expr {
	at := p.next().pos
	bounds := []expr{e, p.bound()}
	for p.skip(":") {
		bounds = append(bounds, p.bound())
	}
	p.expect("]")
	if len(bounds) == 2 {
		return p.reached(at, (*machine).item, e, bounds[1])
	}
	return of(at, func(m *machine, v []any) any { return m.slice(v[0], append(v[1:], nil)) }, bounds...)
}

// bound is the key of an item, or one end of a slice, which may be left out.
func (p *parser) bound() expr {
	if p.cur.kind == ":" || p.cur.kind == "]" {
		return constant(p.cur.pos, nil)
	}
	return p.expression()
}

func called(at pos, e expr, args []argument, do func(m *machine, v any, args []argument) any) expr {
	return expr{pos: at, value: func(m *machine, s *scope) any {
		v, values := m.eval(e, s), slices.Clone(args)
		for i, a := range args {
			values[i].value = m.eval(a.value.(expr), s)
		}
		m.at = at
		return do(m, v, values)
	}}
}

func (p *parser) filter(e expr) expr {
	name := p.expect(tokName)
	return p.applied(name, "filter", filters(), e, p.args())
}

func (p *parser) test(e expr) expr {
	at := p.cur.pos
	negated := p.skip("not")
	if p.cur.kind == "not in" {
		negated, p.cur.kind, p.cur.text = true, tokName, "in"
	}
	name := p.expect(tokName)
	args := p.args()
	p.check(!p.cur.is("is"), "You cannot chain multiple tests with is")
	starts := slices.Contains([]string{tokName, tokString, tokInt, tokFloat, "[", "{"}, p.cur.kind)
	if starts && !p.cur.is("else", "or", "and", "if") {
		args = []argument{{"", p.postfix(p.primary(), false)}}
	}
	e = p.applied(name, "test", tests, e, args)
	if negated {
		return not(at, e)
	}
	return e
}

const noSuch = "No %s named '%s'. Ansible's, and a few rare ones of Jinja, are not supported."

func (p *parser) applied(name token, kind string, table []operation, e expr, args []argument) expr {
	op, ok := find(table, name.text)
	if !ok {
		p.lex.fail(name.pos, noSuch, kind, name.text)
	}
	return called(name.pos, e, args, func(m *machine, v any, values []argument) any { return m.apply(op, v, values) })
}

// args reads the arguments of a call, with their brackets, if these are there. Each is an expression under its name.
func (p *parser) args() (args []argument) {
	if !p.skip("(") {
		return nil
	}
	p.items(")", func() {
		name, e := "", p.expression()
		if e.chain && !strings.Contains(e.path, ".") && p.skip("=") {
			name = e.path
			e = p.expression()
		}
		p.check(name != "" || len(args) == 0 || args[len(args)-1].name == "", "invalid syntax for function call expression")
		args = append(args, argument{name, e})
	})
	return args
}
