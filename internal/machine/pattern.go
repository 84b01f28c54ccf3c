package machine

import (
	"strings"
)

// A pattern is a regular expression of a file_contexts file, compiled. It matches a whole name, byte by byte, and in time
// that grows with the lengths of both only.
type pattern struct{ steps []step }

// A step goes from one place of a pattern to the next: over a byte, or to one or two other steps.
type step struct {
	over    *byteSet // nil where it goes over nothing
	anchor  byte     // ^ or $, or 0
	to, and int
}

// byteSet is a set of bytes.
type byteSet [256]bool

// What a pattern may be at most. No rule of a real policy comes near.
const (
	maxSteps   = 10_000
	maxNesting = 50
)

// compilePattern reads what policies are written with: literals, dots, sets in brackets, groups, bars, and * + ? {n,m}.
// It is false for all else.
func compilePattern(text string) (p pattern, ok bool) {
	c := patternCompiler{rest: text}
	ok = c.choice() && c.rest == ""
	return pattern{c.steps}, ok
}

// matches says whether a pattern fits a whole name.
func (p pattern) matches(name string) bool {
	here, next := newPlaces(len(p.steps)), newPlaces(len(p.steps))
	p.reach(here, 0, 0, len(name))
	for i := range len(name) {
		next.clear()
		for _, at := range here.list {
			if at < len(p.steps) && p.steps[at].over != nil && p.steps[at].over[name[i]] {
				p.reach(next, p.steps[at].to, i+1, len(name))
			}
		}
		here, next = next, here
	}
	return here.has[len(p.steps)]
}

// reach adds a step and those that follow it without a byte. at is how many bytes of the name were gone over.
func (p pattern) reach(places *places, first, at, length int) {
	for waiting := []int{first}; len(waiting) > 0; {
		i := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		if places.has[i] {
			continue
		}
		places.has[i] = true
		places.list = append(places.list, i)
		if i == len(p.steps) {
			continue
		}
		s := p.steps[i]
		if s.over == nil && !(s.anchor == '^' && at > 0 || s.anchor == '$' && at < length) {
			waiting = append(waiting, s.to, s.and)
		}
	}
}

// places are the steps that are reached, each once; the one behind the last is the end.
type places struct {
	has  []bool
	list []int
}

func newPlaces(steps int) *places { return &places{has: make([]bool, steps+1)} }

func (p *places) clear() {
	for _, i := range p.list {
		p.has[i] = false
	}
	p.list = p.list[:0]
}

// A patternCompiler reads a pattern from the left and writes its steps. Its methods are false where it is wrong.
type patternCompiler struct {
	rest  string
	steps []step
	depth int
}

func (c *patternCompiler) take(sign string) bool {
	rest, ok := strings.CutPrefix(c.rest, sign)
	c.rest = rest
	return ok
}

// add adds a step that leads to the next one.
func (c *patternCompiler) add(s step) {
	s.to, s.and = len(c.steps)+1, len(c.steps)+1
	c.steps = append(c.steps, s)
}

// choice reads sequences with bars between them.
func (c *patternCompiler) choice() bool {
	var ends []int
	for start := len(c.steps); ; start = len(c.steps) {
		c.add(step{}) // to this sequence, or to the next one
		if !c.sequence() {
			return false
		}
		if !c.take("|") {
			break
		}
		ends = append(ends, len(c.steps))
		c.add(step{})
		c.steps[start].and = len(c.steps)
	}
	for _, end := range ends {
		c.steps[end].to, c.steps[end].and = len(c.steps), len(c.steps)
	}
	return len(c.steps) <= maxSteps
}

// sequence reads atoms, each perhaps repeated.
func (c *patternCompiler) sequence() bool {
	for c.rest != "" && c.rest[0] != '|' && c.rest[0] != ')' {
		start := len(c.steps)
		if !c.atom() || !c.repeats(start) {
			return false
		}
	}
	return true
}

// atom reads a group, a set, an anchor or a byte.
func (c *patternCompiler) atom() bool {
	sign := c.rest[0]
	switch sign {
	case '(':
		return c.group()
	case '^', '$':
		c.rest = c.rest[1:]
		c.add(step{anchor: sign})
		return true
	case '*', '+', '?', '{':
		return false
	}
	set, ok := c.set()
	c.add(step{over: set})
	return ok
}

func (c *patternCompiler) group() bool {
	c.rest = c.rest[1:]
	if c.take("?") && !c.take(":") {
		return false // looks ahead, or more
	}
	if c.depth++; c.depth > maxNesting {
		return false
	}
	ok := c.choice() && c.take(")")
	c.depth--
	return ok
}

// repeats reads how often the steps since start are gone over, if that is said.
func (c *patternCompiler) repeats(start int) bool {
	least, most := 1, 1
	switch {
	case c.take("*"):
		least, most = 0, -1
	case c.take("+"):
		most = -1
	case c.take("?"):
		least = 0
	case strings.HasPrefix(c.rest, "{"):
		var ok bool
		if least, most, ok = c.counts(); !ok {
			return false
		}
	default:
		return true
	}
	if !c.take("?") && c.take("+") { // how eager it is makes no difference to a whole name, but + does
		return false
	}
	if c.rest != "" && strings.IndexByte("*+?{", c.rest[0]) >= 0 {
		return false
	}
	return c.repeat(start, least, most)
}

// repeat writes the steps since start so often; most is -1 for without an end.
func (c *patternCompiler) repeat(start, least, most int) bool {
	body := append([]step(nil), c.steps[start:]...)
	c.steps = c.steps[:start]
	copies := max(least, most)
	if most < 0 {
		copies = least + 1
	}
	if copies*(len(body)+1) > maxSteps-start {
		return false
	}
	for i := range copies {
		split, optional := len(c.steps), i >= least
		if optional {
			c.add(step{})
		}
		shift := len(c.steps) - start
		for _, s := range body {
			s.to, s.and = s.to+shift, s.and+shift
			c.steps = append(c.steps, s)
		}
		if optional && most < 0 {
			c.add(step{})
			c.steps[len(c.steps)-1].to, c.steps[len(c.steps)-1].and = split, split
		}
		if optional {
			c.steps[split].and = len(c.steps)
		}
	}
	return true
}

// counts reads {n}, {n,} or {n,m}.
func (c *patternCompiler) counts() (least, most int, ok bool) {
	inside, rest, closed := strings.Cut(c.rest[1:], "}")
	c.rest = rest
	first, second, comma := strings.Cut(inside, ",")
	least, ok = repetitions(first)
	most = least
	switch {
	case comma && second == "":
		most = -1
	case comma:
		var fits bool
		most, fits = repetitions(second)
		ok = ok && fits && most >= least
	}
	return least, most, ok && closed
}

// repetitions reads a number up to 1000.
func repetitions(text string) (n int, ok bool) {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' || n > 1000 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, text != "" && n <= 1000
}
