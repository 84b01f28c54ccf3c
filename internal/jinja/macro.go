package jinja

// A macro is a piece of template to be called; the body of a call block is one too.
type macro struct {
	def   *macroStmt
	scope *scope // where it stands
}

// callMacro is the text that a macro prints.
func (m *machine) callMacro(mc *macro, a arguments) any {
	s := mc.scope.inner()
	m.bindCaller(&a, s)
	for i, param := range mc.def.params {
		s.set(param, m.macroArgument(mc.def, i, &a, s))
	}
	if len(a.named) > 0 {
		m.fail("macro %s takes no keyword argument %s", quote(mc.def.name), quote(a.named[0].name))
	}
	if len(a.plain) > 0 {
		m.fail("macro %s takes not more than %d argument(s)", quote(mc.def.name), len(mc.def.params))
	}
	return m.capture(func() { m.run(mc.def.body, s) })
}

// bindCaller gives a macro the body of the call block that called it.
func (m *machine) bindCaller(a *arguments, s *scope) {
	caller, ok := a.takeNamed("caller")
	if !ok {
		caller = &undefined{name: "caller", hint: "No caller defined"}
	}
	s.set("caller", caller)
}

// macroArgument takes the value of a parameter: the next plain argument, the one of its name, or the default.
func (m *machine) macroArgument(def *macroStmt, i int, a *arguments, s *scope) any {
	param := def.params[i]
	if len(a.plain) > 0 {
		v := a.plain[0]
		a.plain = a.plain[1:]
		return v
	}
	if v, ok := a.takeNamed(param); ok {
		return v
	}
	if d := i - len(def.params) + len(def.defaults); d >= 0 {
		return m.eval(def.defaults[d], s)
	}
	return &undefined{name: param, hint: "parameter " + quote(param) + " was not provided"}
}

// runCall prints the result of a macro that can call back to the body of the block.
func (m *machine) runCall(st *callBlock, s *scope) {
	f := m.eval(st.call.fn, s)
	a := m.evalArgs(st.call.args, s)
	a.named = append(a.named, namedArg{"caller", &macro{def: st.caller, scope: s}})
	m.at = st.call.pos
	m.out.write(m.str(m.call(f, a)))
}
