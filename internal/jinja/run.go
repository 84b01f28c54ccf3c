package jinja

// run prints text and carries out statements.
func (m *machine) run(body []stmt, s *scope) {
	m.enter()
	for _, st := range body {
		m.at = st.where()
		m.step(1)
		m.runStmt(st, s)
	}
	m.leave()
}

func (m *machine) runStmt(st stmt, s *scope) {
	switch st := st.(type) {
	case *textStmt:
		m.out.write(st.text)
	case *printStmt:
		v := m.eval(st.value, s)
		m.at = st.pos
		m.out.write(m.str(v))
	case *doStmt:
		m.eval(st.value, s)
	case *ifStmt:
		if truth(m.eval(st.test, s)) {
			m.run(st.then, s)
		} else {
			m.run(st.or, s)
		}
	case *forStmt:
		m.runFor(st, m.eval(st.over, s), s)
	case *setStmt:
		m.assign(st.target, m.eval(st.value, s), s)
	case *setBlock:
		m.assign(st.target, m.filtered(st.filter, st.body, s), s)
	case *filterBlock:
		m.out.write(m.str(m.filtered(st.filter, st.body, s)))
	case *withStmt:
		m.runWith(st, s)
	case *macroStmt:
		m.charge(4 * smallValue) // it keeps its scope
		s.set(st.name, &macro{def: st, scope: s})
	case *callBlock:
		m.runCall(st, s)
	}
}

// filtered is the text of a body after its filters.
func (m *machine) filtered(filter expr, body []stmt, s *scope) any {
	inner := s.inner()
	text := m.capture(func() { m.run(body, inner) })
	if filter == nil {
		return text
	}
	return m.applyFilters(filter, text, inner)
}

// applyFilters gives a text to a chain of filters that begins with nothing.
func (m *machine) applyFilters(e expr, text any, s *scope) any {
	f, ok := e.(*filterExpr)
	if !ok || f == nil {
		return text
	}
	if f.of != nil {
		text = m.applyFilters(f.of, text, s)
	}
	return m.evalFilter(f, text, s)
}

func (m *machine) runWith(st *withStmt, s *scope) {
	inner := s.inner()
	for i, target := range st.targets {
		m.assign(target, m.eval(st.values[i], s), inner)
	}
	m.run(st.body, inner)
}

// assign gives a value to a name, to names with commas, or to an attribute of a namespace.
func (m *machine) assign(target expr, v any, s *scope) {
	switch t := target.(type) {
	case *nameExpr:
		s.set(t.name, v)
	case *namespaceTarget:
		m.at = t.pos
		ns, ok := m.lookup(t.space, s).(*namespace)
		if !ok {
			m.fail("cannot assign attribute on non-namespace object")
		}
		m.put(ns.attrs, t.name, v)
	case *seqExpr:
		m.at = t.pos
		for i, item := range m.unpack(v, len(t.items)) {
			m.assign(t.items[i], item, s)
		}
	}
}

func (m *machine) unpack(v any, n int) []any {
	switch v.(type) {
	case *seq, *dict, *undefined, string:
	default:
		m.fail("cannot unpack non-iterable %s object", typeName(v))
	}
	items := m.items(v)
	if len(items) < n {
		m.fail("not enough values to unpack (expected %d, got %d)", n, len(items))
	}
	if len(items) > n {
		m.fail("too many values to unpack (expected %d)", n)
	}
	return items
}

// A loop is what the name "loop" stands for within a for.
type loop struct {
	items []any
	index int
}

func (m *machine) runFor(st *forStmt, over any, s *scope) {
	m.at = st.over.where()
	items := m.items(over)
	if st.test != nil {
		items = m.matching(st, items, s)
	}
	l := &loop{items: items}
	for i, item := range items {
		m.at = st.pos
		m.step(1)
		l.index = i
		inner := s.inner()
		inner.set("loop", l)
		m.assign(st.target, item, inner)
		m.run(st.body, inner)
	}
	if len(items) == 0 {
		m.run(st.or, s.inner())
	}
}

// matching are the items that the condition of the for takes.
func (m *machine) matching(st *forStmt, items []any, s *scope) []any {
	var out []any
	for _, item := range items {
		inner := s.inner()
		m.assign(st.target, item, inner)
		if truth(m.eval(st.test, inner)) {
			m.charge(16)
			out = append(out, item)
		}
	}
	return out
}

// field is loop.name.
func (l *loop) field(name string) (any, bool) {
	n := len(l.items)
	switch name {
	case "index":
		return int64(l.index + 1), true
	case "index0":
		return int64(l.index), true
	case "revindex":
		return int64(n - l.index), true
	case "revindex0":
		return int64(n - l.index - 1), true
	case "first":
		return l.index == 0, true
	case "last":
		return l.index == n-1, true
	case "length":
		return int64(n), true
	case "previtem":
		return l.neighbour(l.index-1, "there is no previous item"), true
	case "nextitem":
		return l.neighbour(l.index+1, "there is no next item"), true
	case "cycle":
		return &method{l, name}, true
	}
	return nil, false
}

func (l *loop) neighbour(i int, hint string) any {
	if i < 0 || i >= len(l.items) {
		return none(hint)
	}
	return l.items[i]
}
