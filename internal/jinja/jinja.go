// Package jinja renders the part of the Jinja2 template language that user-data, cloud.cfg drop-ins and cloud-init's
// own templates use, as cloud-init sets it up: trim_blocks, the "do" statement, the sandbox, and a name that is not
// there printed as CI_MISSING_JINJA_VAR/name.
//
// What differs from Jinja2: a mapping given as a variable is ordered by its keys; integers have 64 bits, and a larger
// one among the variables can only be printed and compared; what range, map, keys and their like give are lists, which
// can be read twice; markup is plain text, so that escaping twice escapes twice. Other templates, call blocks, recursive
// loops, and rare filters and methods are refused with an error. The work and the memory that a template takes are
// bounded.
//
// A template is compiled to functions. Inside the package an error is a panic with an *Error, which Render and Basic
// turn into their result: nothing in between ever handles an error.
package jinja

import (
	"fmt"
	"strings"
)

// Missing is what stands in the text before the name of a variable that is not there. cloud-init's users and tools
// look for it (cloudinit/templater.py, MISSING_JINJA_PREFIX).
const Missing = "CI_MISSING_JINJA_VAR/"

// Limits bound one rendering. Steps counts evaluations, iterations and each 256 bytes of text looked at; Size is the
// largest output in bytes, and the most that all values made on the way may take together. Zero fields take the
// defaults, 1,000,000 steps and 4 MiB.
type Limits struct{ Steps, Size int }

// Result is the text and the dotted names that were printed and not there, each once, in order. The text has only
// the last part of a name behind Missing: {{ v1.zone }} prints CI_MISSING_JINJA_VAR/zone and is missing as v1.zone.
type Result struct {
	Text    string
	Missing []string
}

// An Error says where a template is wrong. Line and Col count from 1 in the text given to Render, thus without the
// header line. Msg is Jinja's or Python's own message where they have one, since people search for it.
type Error struct {
	Name      string
	Line, Col int
	Msg       string
	syntax    bool
}

// Error is NAME:LINE:COL: message.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Name, e.Line, e.Col, e.Msg)
}

// Syntax tells a template that cannot be read from one that went wrong while it ran: cloud-init logs these two
// differently.
func (e *Error) Syntax() bool { return e.syntax }

// Render renders a template with its variables, which are nil, bool, int, int64, *big.Int, float64, string, []any
// and map[string]any, and are not changed. An error is always an *Error. As in cloud-init, a last newline of the
// text is kept even where a tag before it would trim it.
func Render(name, text string, vars map[string]any, limits Limits) (res Result, err error) {
	defer catch(&err)
	m := newMachine(name, vars, limits)
	m.run(parse(m, text), m.root)
	if strings.HasSuffix(text, "\n") {
		m.out.write("\n")
	}
	return Result{Text: m.out.String(), Missing: m.missing}, nil
}

// catch makes the panic of a failed rendering the error that it carries.
func catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case *Error:
		*err = r
	default:
		panic(r)
	}
}

// Basic renders one of cloud-init's "basic" templates, in which $name and ${name} stand for variables and a.b for an
// entry of a mapping (cloudinit/templater.py, basic_render). A name is of letters, digits, "_" and ".", so that a
// point behind a name belongs to it; a "$" with no name behind it stays, and nothing escapes one. An unknown name is
// an error, an *Error that names it.
func Basic(name, text string, vars map[string]any) (rendered string, err error) {
	defer catch(&err)
	m := newMachine(name, vars, Limits{})
	for text != "" {
		n, path := len(text), ""
		if i := strings.IndexByte(text, '$'); i > 0 {
			n = i
		} else if i == 0 {
			n, path = basicName(text)
		}
		if path != "" {
			m.out.write(m.str(m.basicValue(path)))
		} else {
			m.out.write(text[:n])
		}
		m.at = m.at.after(text[:n])
		text = text[n:]
	}
	return m.out.String(), nil
}

// basicName reads how a basic template names a variable (cloudinit/templater.py, BASIC_MATCHER); a "$" that names none
// stands for itself.
func basicName(s string) (n int, path string) {
	inner, braced := strings.CutPrefix(s[1:], "{")
	path = inner[:run(inner, digits+"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.")]
	switch {
	case !braced:
		return 1 + len(path), path
	case strings.HasPrefix(inner[len(path):], "}"):
		return 3 + len(path), path
	}
	return 1, ""
}

func (m *machine) basicValue(path string) any {
	var v any = m.vars
	for key := range strings.SplitSeq(path, ".") {
		entries, ok := v.(map[string]any)
		m.check(ok, "the template asks for $%s, but what should have the entry %s is no mapping", path, quote(key))
		v, ok = entries[key]
		m.check(ok, "the template asks for $%s, but there is no %s", path, quote(key))
	}
	return m.convert(v, 0)
}
