package jinja

import (
	"math/big"
	"slices"
	"strings"
)

// arguments are what a call was given.
type arguments struct {
	plain []any
	named []namedArg
}

type namedArg struct {
	name  string
	value any
}

// find is the place of a named argument, or -1.
func (a *arguments) find(name string) int {
	return slices.IndexFunc(a.named, func(n namedArg) bool { return n.name == name })
}

// takeNamed removes a named argument and returns it.
func (a *arguments) takeNamed(name string) (any, bool) {
	i := a.find(name)
	if i < 0 {
		return nil, false
	}
	v := a.named[i].value
	a.named = slices.Delete(slices.Clone(a.named), i, i+1)
	return v, true
}

// call calls a value.
func (m *machine) call(f any, a arguments) any {
	m.need(f)
	m.charge(smallValue)
	m.work(a.plain...)
	switch f := f.(type) {
	case *function:
		return f.call(m, a)
	case *method:
		return m.callMethod(f, a)
	case *macro:
		return m.callMacro(f, a)
	}
	m.fail("'%s' object is not callable", typeName(f))
	return nil
}

// A table has the functions of a kind, with ";" between: for each its name and its parameters. A parameter with "?"
// may be left out; "*" takes all plain arguments that are left, "**" all named ones. A table is text and not a map of
// functions, so that it costs nothing when a program starts.

// lookup returns the parameters of a function, and whether the table has it.
func lookup(table, name string) (params string, ok bool) {
	for entry := range strings.SplitSeq(table, ";") {
		head, params, _ := strings.Cut(strings.TrimSpace(entry), " ")
		if head == name && name != "" {
			return params, true
		}
	}
	return "", false
}

// nearest is the name in a table that somebody may have meant, or empty.
func nearest(table, name string) string {
	best, least := "", min(3, len(name)/2+1)
	for entry := range strings.SplitSeq(table, ";") {
		head, _, _ := strings.Cut(strings.TrimSpace(entry), " ")
		if d := distance(head, name[:min(len(name), 40)]); d < least {
			best, least = head, d
		}
	}
	return best
}

// distance is the number of letters to add, remove or change to make one word the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// bound is the arguments of a call, in the order of the parameters.
type bound struct {
	m      *machine
	name   string
	params []string
	values []any // absent where left out
	rest   arguments
}

type absent struct{}

// bind matches arguments with parameters.
func (m *machine) bind(name, params string, a arguments) bound {
	b := bound{m: m, name: name, params: strings.Fields(params), rest: a}
	takesPlain, takesNamed := false, false
	for _, param := range b.params {
		switch param {
		case "*":
			takesPlain = true
		case "**":
			takesNamed = true
		default:
			b.values = append(b.values, b.takeParam(param))
		}
	}
	if len(b.rest.plain) > 0 && !takesPlain {
		m.fail("%s() takes %d arguments but %d were given", name, len(b.values), len(a.plain))
	}
	if len(b.rest.named) > 0 && !takesNamed {
		m.fail("%s() got an unexpected keyword argument '%s'", name, b.rest.named[0].name)
	}
	return b
}

func (b *bound) takeParam(param string) any {
	word, optional := strings.CutSuffix(param, "?")
	named, isNamed := b.rest.takeNamed(word)
	switch {
	case len(b.rest.plain) > 0 && isNamed:
		b.m.fail("%s() got multiple values for argument '%s'", b.name, word)
	case len(b.rest.plain) > 0:
		v := b.rest.plain[0]
		b.rest.plain = b.rest.plain[1:]
		return v
	case isNamed:
		return named
	case !optional:
		b.m.fail("%s() missing 1 required positional argument: '%s'", b.name, word)
	}
	return absent{}
}

func (b bound) has(i int) bool { return b.values[i] != absent{} && b.values[i] != nil }

func (b bound) value(i int, missing any) any {
	if b.values[i] == (absent{}) {
		return missing
	}
	return b.values[i]
}

func (b bound) truth(i int) bool { return b.has(i) && truth(b.values[i]) }

// str is an argument as text, whatever it is.
func (b bound) str(i int, missing string) string {
	if b.values[i] == (absent{}) {
		return missing
	}
	return b.m.str(b.values[i])
}

// text is an argument that must be a string.
func (b bound) text(i int, missing string) string {
	if !b.has(i) {
		return missing
	}
	return b.m.needText(b.values[i])
}

// int is an argument that must be a number without fraction.
func (b bound) int(i, missing int) int {
	if !b.has(i) {
		return missing
	}
	return b.m.needInt(b.values[i])
}

func (m *machine) needText(v any) string {
	m.need(v)
	s, ok := v.(string)
	if !ok {
		m.fail("must be str, not %s", typeName(v))
	}
	return s
}

// far is more than any length or place.
const far = 1 << 29

// needInt is an integer, as far as it matters.
func (m *machine) needInt(v any) int {
	m.need(v)
	i, ok := integer(v)
	if !ok {
		m.fail("'%s' object cannot be interpreted as an integer", typeName(v))
	}
	if i.CmpAbs(big.NewInt(far)) > 0 {
		return far * i.Sign()
	}
	return int(i.Int64())
}
