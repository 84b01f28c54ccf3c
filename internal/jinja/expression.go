package jinja

import "slices"

// The grammar of expressions, from what binds least to what binds most. "~" binds more than "+", and "**" is read
// from the left: both unlike Python, as in Jinja.

// tuple is an expression, or several with commas.
func (p *parser) tuple() expr { return p.tupleOf(p.expression, false) }

// tupleOf reads what one function reads, with commas between.
func (p *parser) tupleOf(one func() expr, brackets bool) expr {
	at := p.cur.pos
	var items []expr
	isTuple := false
	for {
		if len(items) > 0 {
			p.expect(",")
		}
		if p.cur.kind == tokPrintEnd || p.cur.kind == tokBlockEnd || p.cur.kind == ")" {
			break
		}
		items = append(items, one())
		if p.cur.kind != "," {
			break
		}
		isTuple = true
	}
	if !isTuple && len(items) > 0 {
		return items[0]
	}
	if !isTuple && !brackets {
		p.lex.fail(p.cur.pos, "Expected an expression, got %s", quote(p.cur.String()))
	}
	return &seqExpr{at, tupleKind, items}
}

// expression is all but a tuple: an inline if, or less.
func (p *parser) expression() expr {
	p.nest()
	guarded := len(p.unknown)
	e := p.or()
	for p.cur.is("if") {
		c := &condExpr{pos: p.next().pos, then: e, test: p.or()}
		if p.skipName("else") {
			c.or = p.expression()
		}
		e = c
		p.unknown = p.unknown[:guarded]
	}
	p.depth--
	return e
}

func (p *parser) or() expr { return p.binary(p.and, "or") }

func (p *parser) and() expr { return p.binary(p.not, "and") }

// binary reads operators of one rank that bind to the left.
func (p *parser) binary(operand func() expr, ops ...string) expr {
	e := operand()
	for {
		op := p.cur.kind
		if op == tokName {
			op = p.cur.text
		}
		if !slices.Contains(ops, op) {
			return e
		}
		at := p.next().pos
		e = &binaryExpr{at, op, e, operand()}
	}
}

func (p *parser) not() expr {
	if !p.cur.is("not") {
		return p.compare()
	}
	p.nest()
	e := &unaryExpr{p.next().pos, "not", p.not()}
	p.depth--
	return e
}

func (p *parser) compare() expr {
	e := &compareExpr{pos: p.cur.pos}
	e.first = p.sum()
	for {
		op := p.comparison()
		if op == "" {
			break
		}
		e.rest = append(e.rest, comparison{op, p.sum()})
	}
	if len(e.rest) == 0 {
		return e.first
	}
	return e
}

// comparison reads an operator that compares, if there is one.
func (p *parser) comparison() string {
	switch {
	case slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, p.cur.kind):
		return p.next().kind
	case p.skipName("in"):
		return "in"
	case p.cur.is("not") && p.peek().is("in"):
		p.next()
		p.next()
		return "not in"
	}
	return ""
}

func (p *parser) sum() expr { return p.binary(p.concat, "+", "-") }

func (p *parser) concat() expr {
	at := p.cur.pos
	parts := []expr{p.product()}
	for p.skip("~") {
		parts = append(parts, p.product())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return &concatExpr{at, parts}
}

func (p *parser) product() expr { return p.binary(p.power, "*", "/", "//", "%") }

func (p *parser) power() expr {
	return p.binary(func() expr { return p.filtersAndTests(p.unary()) }, "**")
}

// unary is a sign, or a primary with what follows it; a filter applies to both together.
func (p *parser) unary() expr {
	op := p.cur.kind
	if op != "-" && op != "+" {
		return p.postfix(p.primary())
	}
	p.nest()
	e := &unaryExpr{p.next().pos, op, p.unary()}
	p.depth--
	return p.postfix(e)
}

func (p *parser) primary() expr {
	t := p.next()
	switch t.kind {
	case tokName:
		return p.nameOrConstant(t)
	case tokString:
		for p.cur.kind == tokString {
			t.text += p.next().text
		}
		return &constant{t.pos, t.text}
	case tokInt, tokFloat:
		v := numberValue(t)
		if v == nil {
			p.lex.fail(t.pos, "this number cannot be read: it is too long, or has a zero in front")
		}
		return &constant{t.pos, v}
	case "(":
		p.nest()
		e := p.tupleOf(p.expression, true)
		p.depth--
		p.expect(")")
		return e
	case "[":
		e := &seqExpr{t.pos, listKind, nil}
		p.items("]", func() { e.items = append(e.items, p.expression()) })
		return e
	case "{":
		e := &dictExpr{pos: t.pos}
		p.items("}", func() {
			e.keys = append(e.keys, p.expression())
			p.expect(":")
			e.values = append(e.values, p.expression())
		})
		return e
	}
	p.lex.fail(t.pos, "unexpected %s", quote(t.String()))
	return nil
}

// items reads what is between brackets, with commas.
func (p *parser) items(end string, item func()) {
	for first := true; p.cur.kind != end; first = false {
		if !first {
			p.expect(",")
			if p.cur.kind == end {
				break
			}
		}
		item()
	}
	p.next()
}

func (p *parser) nameOrConstant(t token) expr {
	switch t.text {
	case "true", "True":
		return &constant{t.pos, true}
	case "false", "False":
		return &constant{t.pos, false}
	case "none", "None":
		return &constant{t.pos, nil}
	}
	return &nameExpr{t.pos, t.text}
}

// postfix reads attributes, items and calls.
func (p *parser) postfix(e expr) expr {
	for {
		at := p.cur.pos
		switch p.cur.kind {
		case ".":
			p.next()
			e = p.attribute(at, e)
		case "[":
			p.next()
			e = &itemExpr{at, e, p.key(at)}
		case "(":
			e = &callExpr{at, e, p.args()}
		default:
			return e
		}
	}
}

func (p *parser) attribute(at pos, of expr) expr {
	t := p.next()
	switch t.kind {
	case tokName:
		return &attrExpr{at, of, t.text}
	case tokInt:
		return &itemExpr{at, of, &constant{t.pos, numberValue(t)}}
	}
	p.lex.fail(t.pos, "expected name or number")
	return nil
}

// key is what stands between "[" and "]".
func (p *parser) key(at pos) expr {
	var keys []expr
	p.items("]", func() { keys = append(keys, p.oneKey()) })
	if len(keys) == 1 {
		return keys[0]
	}
	return &seqExpr{at, tupleKind, keys}
}

func (p *parser) oneKey() expr {
	s := &sliceExpr{pos: p.cur.pos}
	if p.cur.kind != ":" {
		s.low = p.expression()
		if p.cur.kind != ":" {
			return s.low
		}
	}
	p.next()
	s.high = p.bound()
	if p.skip(":") {
		s.step = p.bound()
	}
	return s
}

// bound is one end of a slice, or nil where it is left out.
func (p *parser) bound() expr {
	if p.cur.kind == ":" || p.cur.kind == "]" || p.cur.kind == "," {
		return nil
	}
	return p.expression()
}

func (p *parser) filtersAndTests(e expr) expr {
	for {
		switch {
		case p.cur.kind == "|":
			e = p.filters(e)
		case p.cur.is("is"):
			e = p.test(e)
		case p.cur.kind == "(":
			at := p.cur.pos
			e = &callExpr{at, e, p.args()}
		default:
			return e
		}
	}
}

// filters reads "|name(args)", as often as it stands there.
func (p *parser) filters(e expr) expr {
	for p.skip("|") {
		e = p.filter(e)
	}
	return e
}

func (p *parser) filter(e expr) expr {
	f := &filterExpr{pos: p.cur.pos, of: e}
	f.name = p.dottedName()
	if p.cur.kind == "(" {
		f.args = p.args()
	}
	p.remember(f.pos, "filter", filterTable, f.name)
	return f
}

func (p *parser) dottedName() string {
	name := p.expect(tokName).text
	for p.skip(".") {
		name += "." + p.expect(tokName).text
	}
	return name
}

func (p *parser) test(e expr) expr {
	p.next()
	not := p.cur.pos
	negated := p.skipName("not")
	t := &testExpr{pos: p.cur.pos, of: e}
	t.name = p.dottedName()
	switch {
	case p.cur.kind == "(":
		t.args = p.args()
	case p.cur.is("is"):
		p.lex.fail(p.cur.pos, "You cannot chain multiple tests with is")
	case p.cur.is("else", "or", "and"):
	case slices.Contains([]string{tokName, tokString, tokInt, tokFloat, "[", "{"}, p.cur.kind):
		t.args.plain = []expr{p.postfix(p.primary())}
	}
	p.remember(t.pos, "test", testTable, t.name)
	if negated {
		return &unaryExpr{not, "not", t}
	}
	return t
}

// args reads the arguments of a call, with their brackets.
func (p *parser) args() argList {
	at := p.next().pos
	var a argList
	p.items(")", func() {
		if p.cur.kind == tokName && p.peek().kind == "=" {
			name := p.next().text
			p.next()
			a.named = append(a.named, namedExpr{name, p.expression()})
			return
		}
		if len(a.named) > 0 {
			p.lex.fail(at, "invalid syntax for function call expression")
		}
		a.plain = append(a.plain, p.expression())
	})
	return a
}
