package jinja

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

const (
	defaultSteps = 1_000_000
	defaultSize  = 4 << 20
	maxDepth     = 1000 // of evaluations within each other; about what Python's recursion limit allows a macro
	maxValue     = 200  // of lists within each other
	maxNesting   = 100  // of statements and brackets within each other
	maxIndent    = 16   // of JSON, a level
	smallValue   = 64   // about what a value takes besides its content, in bytes
)

// A machine is the state of one rendering.
type machine struct {
	name    string
	vars    map[string]any // as the caller gave them
	root    *scope         // the outermost, which keeps what was asked for of vars
	limits  Limits
	steps   int
	bytes   int // of all values made so far
	depth   int
	at      pos // of what is being done, for errors
	out     *buffer
	missing []string
}

func newMachine(name string, vars map[string]any, limits Limits) *machine {
	limits.Steps = cmp.Or(max(0, limits.Steps), defaultSteps)
	limits.Size = cmp.Or(max(0, limits.Size), defaultSize)
	m := &machine{name: name, vars: vars, root: &scope{vars: map[string]any{}}, limits: limits, at: pos{1, 1}}
	m.out = &buffer{m: m}
	return m
}

// fail ends the rendering with an error at the present place.
func (m *machine) fail(format string, args ...any) {
	panic(&Error{Name: m.name, Line: m.at.line, Col: m.at.col, Msg: fmt.Sprintf(format, args...)})
}

func (m *machine) check(ok bool, format string, args ...any) {
	if !ok {
		m.fail(format, args...)
	}
}

func (m *machine) step(n int) {
	m.steps += n
	m.check(m.steps <= m.limits.Steps, "the template takes more steps than the limit allows: shorten its loops")
}

// work counts what looking at strings as a whole takes. What looks at all items of a list counts them itself.
func (m *machine) work(values ...any) {
	for _, v := range values {
		if s, ok := v.(string); ok {
			m.step(len(s) / 256)
		}
	}
}

// charge counts the memory of n things before they are made.
func (m *machine) charge(bytes, n int) {
	if n > 0 && bytes > (m.limits.Size-m.bytes)/n {
		m.fail("the values of the template take more than %d bytes, which is the limit", m.limits.Size)
	}
	m.bytes += bytes * max(0, n)
}

// level counts a step within a value, and how deep it is.
func (m *machine) level(depth int) {
	m.step(1)
	m.check(depth <= maxValue, "a value is nested more than 200 levels deep")
}

// enter goes one level deeper into the template; the caller undoes it with m.depth--.
func (m *machine) enter() {
	m.step(1)
	m.depth++
	m.check(m.depth <= maxDepth, "the template is nested more than 1000 levels deep: look for a macro that calls itself")
}

// miss records a name that was printed and is not there.
func (m *machine) miss(u *undefined) {
	m.step(1 + len(m.missing)/16)
	path := u.path
	if path == "" {
		path = u.name
	}
	if !slices.Contains(m.missing, path) {
		m.charge(smallValue+len(path), 1)
		m.missing = append(m.missing, path)
	}
}

// A buffer is a string being written, of bounded size.
type buffer struct {
	m *machine
	strings.Builder
}

func (t *buffer) write(s string) {
	if len(s) > t.m.limits.Size-t.Len() {
		t.m.fail("a text of the template takes more than %d bytes, which is the limit", t.m.limits.Size)
	}
	t.WriteString(s)
}

// text is what f writes, as a value that takes memory.
func (m *machine) text(f func(t *buffer)) string {
	t := &buffer{m: m}
	f(t)
	m.charge(t.Len(), 1)
	return t.String()
}

func (m *machine) capture(body []stmt, s *scope) string {
	outer := m.out
	text := m.text(func(t *buffer) {
		m.out = t
		m.run(body, s)
	})
	m.out = outer
	return text
}
