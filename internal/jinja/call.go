package jinja

import (
	"slices"
	"strings"
)

// An operation is a filter, a test, a method or a function, under one or more names. Of its parameters one with "?" may
// be left out; "*" takes all plain arguments that are left, and "**" all named ones.
type operation struct {
	name, params string
	do           func(c call) any
}

func find(table []operation, name string) (operation, bool) {
	for _, op := range table {
		for n := range strings.FieldsSeq(op.name) {
			if n == name {
				op.name = name
				return op, true
			}
		}
	}
	return operation{}, false
}

// A call is one use of an operation.
type call struct {
	*machine
	name   string
	of     any        // what the filter, test or method is applied to
	values []any      // of the parameters, in their order; absent where left out
	rest   []argument // what no parameter takes
}

type absent struct{}

// An argument of a call; those with a name come last.
type argument struct {
	name  string
	value any
}

// take removes the first plain argument, or the one of a name, and returns it.
func (c *call) take(name string) (any, bool) {
	i := slices.IndexFunc(c.rest, func(a argument) bool { return a.name == name })
	if i < 0 {
		return nil, false
	}
	v, rest := c.rest[i].value, c.rest[i+1:]
	if i > 0 {
		rest = slices.Concat(c.rest[:i], rest)
	}
	c.rest = rest
	return v, true
}

func (m *machine) call(f any, args []argument) any {
	m.need(f)
	fn, ok := f.(*function)
	m.check(ok, "'%s' object is not callable", typeName(f))
	return m.apply(fn.operation, fn.of, args)
}

func (m *machine) apply(op operation, of any, args []argument) any {
	m.charge(smallValue, 1)
	m.work(of)
	c := call{machine: m, name: op.name, of: of, rest: args}
	takes := [2]bool{} // plain and named arguments
	for param := range strings.FieldsSeq(op.params) {
		if stars := run(param, "*"); stars > 0 {
			takes[stars-1] = true
		} else {
			c.values = append(c.values, c.argument(param))
		}
	}
	for _, a := range c.rest {
		m.check(takes[0] || a.name != "", "%s() takes %d arguments but %d were given", op.name, len(c.values), len(args))
		m.check(takes[1] || a.name == "", "%s() got an unexpected keyword argument '%s'", op.name, a.name)
	}
	return op.do(c)
}

// argument takes the value of a parameter from the arguments that are left.
func (c *call) argument(param string) any {
	word, optional := strings.CutSuffix(param, "?")
	for _, name := range []string{"", word} {
		if v, ok := c.take(name); ok {
			return v
		}
	}
	c.check(optional, "%s() missing 1 required positional argument: '%s'", c.name, word)
	return absent{}
}

// value is an argument, or what stands for one that is None or left out.
func (c call) value(i int, missing any) any {
	if v := c.values[i]; v != nil && v != (absent{}) {
		return v
	}
	return missing
}

func (c call) textOf(i int, missing string) string { return c.needText(c.value(i, missing)) }

func (c call) intOf(i, missing int) int { return c.int(c.value(i, int64(missing))) }

func (m *machine) needText(v any) string {
	m.need(v)
	s, ok := v.(string)
	m.check(ok, "must be str, not %s", typeName(v))
	return s
}

// far is more than any length or place.
const far = 1 << 29

// int is an integer, as far as it matters.
func (m *machine) int(v any) int {
	m.need(v)
	i, ok := integer(v)
	m.check(ok, "'%s' object cannot be interpreted as an integer", typeName(v))
	return int(max(-far, min(far, i)))
}
