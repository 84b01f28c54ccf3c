package jinja

import "fmt"

// A scope holds the variables of a loop, macro or block. An if has none of its own.
type scope struct {
	vars   map[string]any
	parent *scope
}

func (s *scope) inner() *scope { return &scope{parent: s} }

func (s *scope) set(name string, v any) {
	if s.vars == nil {
		s.vars = map[string]any{}
	}
	s.vars[name] = v
}

// lookup finds a name: in the template, in the caller's variables, or among Jinja's own.
func (m *machine) lookup(name string, s *scope) any {
	for ; s != nil; s = s.parent {
		if v, ok := s.vars[name]; ok {
			return v
		}
	}
	if v, ok := m.known[name]; ok {
		return v
	}
	if v, ok := m.vars[name]; ok {
		taken := m.take(v, 0)
		m.known[name] = taken
		return taken
	}
	if f := global(name); f != nil {
		return f
	}
	m.charge(2 * smallValue)
	return &undefined{name: name, path: name}
}

// eval computes an expression. Where it returns, the place is the expression's again.
func (m *machine) eval(e expr, s *scope) any {
	m.at = e.where()
	m.step(1)
	m.enter()
	v := m.evalNode(e, s)
	m.leave()
	return v
}

func (m *machine) evalNode(e expr, s *scope) any {
	switch e := e.(type) {
	case *constant:
		return e.value
	case *nameExpr:
		return m.lookup(e.name, s)
	case *attrExpr:
		return m.evalAttr(e, s)
	case *itemExpr:
		return m.evalItem(e, s)
	case *callExpr:
		return m.evalCall(e, s)
	case *filterExpr:
		return m.evalFilter(e, m.eval(e.of, s), s)
	case *testExpr:
		x, a := m.eval(e.of, s), m.evalArgs(e.args, s)
		m.at = e.pos
		return m.test(e.name, x, a)
	case *unaryExpr:
		return m.evalUnary(e, s)
	case *binaryExpr:
		return m.evalBinary(e, s)
	case *compareExpr:
		return m.evalCompare(e, s)
	case *concatExpr:
		return m.evalConcat(e, s)
	case *condExpr:
		return m.evalCond(e, s)
	case *seqExpr:
		m.charge(smallValue + 16*len(e.items))
		return &seq{kind: e.kind, items: m.evalAll(e.items, s)}
	case *dictExpr:
		return m.evalDict(e, s)
	}
	m.fail("this expression stands where none may stand")
	return nil
}

func (m *machine) evalAll(list []expr, s *scope) []any {
	values := make([]any, len(list))
	for i, e := range list {
		values[i] = m.eval(e, s)
	}
	return values
}

func (m *machine) evalFilter(e *filterExpr, v any, s *scope) any {
	a := m.evalArgs(e.args, s)
	m.at = e.pos
	return m.filter(e.name, v, a)
}

func (m *machine) evalUnary(e *unaryExpr, s *scope) any {
	x := m.eval(e.x, s)
	if e.op == "not" {
		return !truth(x)
	}
	m.at = e.pos
	return m.unary(e.op, x)
}

func (m *machine) evalBinary(e *binaryExpr, s *scope) any {
	x := m.eval(e.x, s)
	switch e.op {
	case "and":
		if !truth(x) {
			return x
		}
		return m.eval(e.y, s)
	case "or":
		if truth(x) {
			return x
		}
		return m.eval(e.y, s)
	}
	y := m.eval(e.y, s)
	m.at = e.pos
	return m.binary(e.op, x, y)
}

func (m *machine) evalCompare(e *compareExpr, s *scope) any {
	x := m.eval(e.first, s)
	for _, c := range e.rest {
		y := m.eval(c.y, s)
		m.at = e.pos
		if !m.compare(c.op, x, y) {
			return false
		}
		x = y
	}
	return true
}

func (m *machine) evalConcat(e *concatExpr, s *scope) any {
	t := m.newBuffer()
	for _, v := range m.evalAll(e.parts, s) {
		t.write(m.str(v))
	}
	return t.done()
}

func (m *machine) evalCond(e *condExpr, s *scope) any {
	if truth(m.eval(e.test, s)) {
		return m.eval(e.then, s)
	}
	if e.or == nil {
		const hint = "the inline if-expression on line %d evaluated to false and no else section was defined."
		return &undefined{blank: true, hint: fmt.Sprintf(hint, e.line)}
	}
	return m.eval(e.or, s)
}

func (m *machine) evalDict(e *dictExpr, s *scope) any {
	m.charge(2 * smallValue)
	d := newDict()
	for i, k := range e.keys {
		key, value := m.eval(k, s), m.eval(e.values[i], s)
		m.at = k.where()
		m.put(d, key, value)
	}
	return d
}

func (m *machine) evalCall(e *callExpr, s *scope) any {
	f := m.eval(e.fn, s)
	a := m.evalArgs(e.args, s)
	m.at = e.pos
	return m.call(f, a)
}

func (m *machine) evalArgs(list argList, s *scope) arguments {
	a := arguments{plain: m.evalAll(list.plain, s)}
	for _, n := range list.named {
		a.named = append(a.named, namedArg{n.name, m.eval(n.value, s)})
	}
	return a
}
