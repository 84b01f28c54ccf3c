package jinja

import (
	"fmt"
	"strings"
)

const (
	defaultSteps = 1_000_000
	defaultSize  = 16 << 20
	maxDepth     = 1000 // of evaluations within each other; about what Python's recursion limit allows a macro
	maxValue     = 200  // of lists within each other
	smallValue   = 64   // about what a value takes besides its content, in bytes
)

// A machine is the state of one rendering.
type machine struct {
	name   string
	vars   map[string]any // as the caller gave them
	known  map[string]any // those of vars that were asked for, as values of ours
	limits Limits
	steps  int
	bytes  int // of all values made so far
	depth  int
	at     pos // of what is being done, for errors
	out    *buffer

	missing []string
	missed  map[string]bool
}

func newMachine(name string, vars map[string]any, limits Limits) *machine {
	if limits.Steps <= 0 {
		limits.Steps = defaultSteps
	}
	if limits.Size <= 0 {
		limits.Size = defaultSize
	}
	m := &machine{name: name, vars: vars, known: map[string]any{}, missed: map[string]bool{}, limits: limits, at: pos{1, 1}}
	m.out = m.newBuffer()
	return m
}

// fail ends the rendering with an error at the present place.
func (m *machine) fail(format string, args ...any) {
	panic(&Error{Name: m.name, Line: m.at.line, Col: m.at.col, Msg: fmt.Sprintf(format, args...)})
}

// step counts work.
func (m *machine) step(n int) {
	m.steps += n
	if m.steps > m.limits.Steps {
		m.fail("the template takes more than %d steps, which is the limit: shorten its loops", m.limits.Steps)
	}
}

// work counts what looking at strings as a whole takes. What looks at all items of a list counts them itself.
func (m *machine) work(values ...any) {
	for _, v := range values {
		if s, ok := v.(string); ok {
			m.step(len(s) / 256)
		}
	}
}

// charge counts the memory of a value before it is made.
func (m *machine) charge(bytes int) {
	if bytes < 0 || bytes > m.limits.Size-m.bytes {
		m.fail("the values of the template take more than %d bytes, which is the limit", m.limits.Size)
	}
	m.bytes += bytes
}

// enter goes one level deeper.
func (m *machine) enter() {
	m.depth++
	if m.depth > maxDepth {
		m.fail("the template is nested more than %d levels deep: look for a macro that calls itself", maxDepth)
	}
}

func (m *machine) leave() { m.depth-- }

// miss records a name that was printed and is not there.
func (m *machine) miss(u *undefined) {
	path := u.path
	if path == "" {
		path = u.shownName(m)
	}
	if u.blank || m.missed[path] {
		return
	}
	m.charge(32 + len(path))
	m.missed[path] = true
	m.missing = append(m.missing, path)
}

// A buffer is a string being written, of bounded size.
type buffer struct {
	m *machine
	strings.Builder
}

func (m *machine) newBuffer() *buffer { return &buffer{m: m} }

func (t *buffer) write(s string) {
	if len(s) > t.m.limits.Size-t.Len() {
		t.m.fail("a text of the template takes more than %d bytes, which is the limit", t.m.limits.Size)
	}
	t.WriteString(s)
}

// done returns the string as a value that takes memory.
func (t *buffer) done() string {
	t.m.charge(t.Len())
	return t.String()
}

// capture returns what f writes, instead of writing it.
func (m *machine) capture(f func()) string {
	outer := m.out
	m.out = m.newBuffer()
	f()
	s := m.out.done()
	m.out = outer
	return s
}
