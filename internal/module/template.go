package module

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"openguest/internal/jinja"
)

// templateText is the first of the named templates that the image has, or else ours.
func (e *Env) templateText(ours string, names ...string) (file, text string, err error) {
	for _, name := range names {
		file = path.Join(e.Paths.Templates, name)
		text, err = e.Machine.Files.Read(file)
		if !errors.Is(err, fs.ErrNotExist) {
			return file, text, err
		}
	}
	return "the built-in " + names[len(names)-1], ours, nil
}

// renderTemplate fills in a text whose first line may say how: "## template: jinja", or "## template: basic", which it
// also is without such a line. What a Jinja template asks for and is not there is returned as missing.
func renderTemplate(name, text string, vars map[string]any) (rendered string, missing []string, err error) {
	first, rest, _ := strings.Cut(text, "\n")
	kind, said := templateKind(first)
	switch {
	case !said:
		rendered, err = jinja.Basic(name, text, vars)
	case kind == "basic":
		rendered, err = jinja.Basic(name, rest, vars)
	case kind == "jinja":
		var result jinja.Result
		result, err = jinja.Render(name, rest, vars, jinja.Limits{})
		rendered, missing = result.Text, result.Missing
	default:
		return "", nil, fmt.Errorf("%s: Unknown template rendering type '%s' requested; it may be jinja or basic", name, kind)
	}
	if where := (*jinja.Error)(nil); said && errors.As(err, &where) {
		where.Line++ // for the first line
	}
	return rendered, missing, err
}

// templateKind reads the line that says what kind of template follows.
func templateKind(line string) (kind string, ok bool) {
	line, ok = strings.CutPrefix(strings.ToLower(line), "##")
	if !ok {
		return "", false
	}
	kind, ok = strings.CutPrefix(strings.TrimSpace(line), "template:")
	return strings.TrimSpace(kind), ok
}
