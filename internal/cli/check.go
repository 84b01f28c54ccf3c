package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/engine"
	"openguest/internal/jinja"
	"openguest/internal/machine"
	"openguest/internal/network"
	"openguest/internal/userdata"
)

// A checker checks documents, and prints what tools look for: one line on the standard output, the errors on the other.
type checker struct {
	*program
	ctx      context.Context
	machine  machine.Machine
	annotate bool
	instance string // a file with the values for templates
	indent   string // before each line, where there are several documents
}

// cloudConfig is the type of the documents that are checked.
const cloudConfig = "text/cloud-config"

// check reads one document and checks it; false says that it is not valid. What is of another type is left alone.
func (k *checker) check(d document) (bool, error) {
	text, err := d.input.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("Config file %s does not exist", d.input.name)
	case err != nil:
		return false, fmt.Errorf("read the file to check: %w", err)
	case text == "" && d.kind != "network-config":
		k.say("Empty 'cloud-config' found at %s. Nothing to validate.", d.input.name)
		return true, nil
	case d.kind == "network-config":
		return k.network(d, text), nil
	}
	kind, line := userdata.Kind(text), 1
	if kind == "text/jinja2" {
		if text, err = k.render(d, text); err != nil {
			return false, err
		}
		kind, line = userdata.Kind(text), 2
	}
	switch {
	case kind == "" && isMessage(text):
		problems, _ := engine.Check(k.ctx, k.machine, d.kind, []byte(text))
		return k.show(d, "", problems), nil
	case kind == "":
		return k.show(d, text, []conf.Problem{noHeader(d.input.name, text, line)}), nil
	case kind != cloudConfig:
		k.say("User-data type '%s' not currently evaluated by cloud-init schema", kind)
		return true, nil
	}
	return k.show(d, text, k.problems(d, text)), nil
}

// network checks a description of the network. One of version 2 is netplan's to judge where there is netplan.
func (k *checker) network(d document, text string) bool {
	v, problems, err := conf.Parse(d.kind, []byte(text))
	inner := v
	if w := v.Get("network"); w != nil {
		inner = w
	}
	netplan, _ := network.Choose(network.Target{Files: k.machine.Files, Facts: k.machine.Facts}, network.Renderers(), []string{"netplan"})
	switch {
	case text == "":
		k.say("Empty 'network-config' found at %s. Nothing to validate.", d.input.name)
	case err != nil:
		return k.show(d, text, []conf.Problem{notYAML(d, err)})
	case v.Kind != conf.Map:
		return k.show(d, text, []conf.Problem{{Message: fmt.Sprintf("network-config %s is not a YAML dict.", d.input.name)}})
	case len(inner.Pairs) == 0:
		k.say("Skipping network-config schema validation on empty config.")
	case netplan != nil && inner.Get("version") != nil && inner.Get("version").Text == "2":
		k.say("Skipping network-config schema validation for version: 2. No netplan API available.")
	default:
		return k.show(d, text, append(problems, network.Check(v)...))
	}
	return true
}

// notYAML says where a text stops being YAML.
func notYAML(d document, err error) (p conf.Problem) {
	if errors.As(err, &p) {
		p.Message = fmt.Sprintf("File %s is not valid YAML. %s", d.input.name, p.Message)
		return p
	}
	return conf.Problem{Message: fmt.Sprintf("File %s is not valid YAML. %v", d.input.name, err)}
}

func (k *checker) say(format string, args ...any) {
	fmt.Fprintf(k.stdout, k.indent+format+"\n", args...)
}

// isMessage says that a text is a MIME message or packed: it is taken apart, and what is in it is checked.
func isMessage(text string) bool {
	return conf.IsGzip([]byte(text)) || strings.Contains(strings.ToLower(text[:min(len(text), 4096)]), "mime-version:")
}

// render fills in a template with what is known of the instance.
func (k *checker) render(d document, text string) (string, error) {
	_, body, _ := strings.Cut(text, "\n")
	known, err := k.known()
	if err != nil {
		return "", err
	}
	result, err := jinja.Render(d.input.name, body, engine.TemplateVars(known), jinja.Limits{})
	if failed := (*jinja.Error)(nil); errors.As(err, &failed) && failed.Syntax() {
		return "", fmt.Errorf("Failed to render templated user-data. Unable to parse Jinja template due to syntax error: %s on line %d", failed.Msg, failed.Line+1)
	} else if err != nil {
		return "", fmt.Errorf("Failed to render templated user-data. %w", err)
	}
	k.warnMissing(d.input.name, result.Missing)
	return result.Text, nil
}

// known is what templates may ask for. Who checks a template before there is a machine for it has no names that are known:
// each is filled in with a word that says so.
func (k *checker) known() (map[string]any, error) {
	run := engine.Paths(k.machine).Run
	name := path.Join(run, "instance-data-sensitive.json")
	if !k.seesSecrets(k.machine, name) {
		name = path.Join(run, "instance-data.json")
	}
	if k.instance == "" && !machine.Exists(k.machine.Files, name) {
		return map[string]any{"v1": map[string]any{}, "ds": map[string]any{"meta_data": map[string]any{}}}, nil
	}
	known, err := readInstance(given(k.machine, k.instance, name))
	if err != nil {
		return nil, fmt.Errorf("Cannot render jinja template vars. %w", err)
	}
	return known, nil
}

// headers are the first lines that say what user-data is.
const headers = "#!, ## template: jinja, #cloud-boothook, #cloud-config, #cloud-config-archive, #cloud-config-jsonp, #include, #include-once, #part-handler"

func noHeader(name, text string, line int) conf.Problem {
	first, _, _ := strings.Cut(text, "\n")
	return conf.Problem{Origin: conf.Origin{Line: line, Col: 1}, Level: conf.Rejected,
		Message: fmt.Sprintf("Unrecognized user-data header in %s: \"%s\".\nExpected first line to be one of: %s", name, first, headers)}
}

// problems are those of a cloud-config, in the order of its lines.
func (k *checker) problems(d document, text string) []conf.Problem {
	config, _, err := conf.Parse(d.kind, []byte(text))
	switch {
	case err != nil:
		return []conf.Problem{notYAML(d, err)}
	case config.Kind != conf.Map:
		return []conf.Problem{{Message: fmt.Sprintf("cloud-config %s is not a YAML dict.", d.input.name)}}
	}
	found, _ := engine.Check(k.ctx, k.machine, d.kind, []byte(text))
	sort.SliceStable(found, func(i, j int) bool {
		a, b := found[i].Origin, found[j].Origin
		return a.Line < b.Line || a.Line == b.Line && a.Col < b.Col
	})
	return found
}

// show prints what came of a document, and returns whether it is valid. A document without a text of its own, because it
// has parts, cannot be annotated.
func (k *checker) show(d document, text string, problems []conf.Problem) bool {
	annotate := k.annotate && text != ""
	errs, warned, deprecated := linesOf(problems, conf.Rejected), linesOf(problems, conf.Warning), linesOf(problems, conf.Deprecated)
	if annotate {
		fmt.Fprintln(k.stdout, annotated(text, problems))
	} else {
		k.list("Cloud config schema deprecations", deprecated)
		k.list("Cloud config schema warnings", warned)
	}
	if errs == nil {
		k.say("Valid schema %s", d.shown)
		return true
	}
	if !annotate {
		k.say("Invalid %s %s", d.kind, d.input.name)
		fmt.Fprintf(k.stderr, "%sError: Cloud config schema errors: %s\n\n", k.indent, strings.Join(errs, ", "))
	}
	return false
}

func (k *checker) list(title string, lines []string) {
	if lines != nil {
		fmt.Fprintf(k.stdout, "%s: %s\n", title, strings.Join(lines, ", "))
	}
}

// linesOf are the problems of a level as lines.
func linesOf(problems []conf.Problem, level conf.Level) (lines []string) {
	for _, problem := range problems {
		if problem.Level == level {
			lines = append(lines, checkLine(problem))
		}
	}
	return lines
}

// checkLine is a problem as tools read it, the path of the key first. What has no key has its place there.
func checkLine(problem conf.Problem) string {
	at := problem.Origin
	where := dotted(problem.Path)
	switch {
	case where == "" && at.Line > 0:
		where = fmt.Sprintf("format-l%d.c%d", at.Line, at.Col)
	case where == "":
		return hinted(problem)
	case at.Line > 0:
		where += fmt.Sprintf(": line %d column %d", at.Line, at.Col)
	}
	return where + ": " + hinted(problem)
}

// dotted spells a path as cloud-init does: users[1].name is users.1.name.
func dotted(path string) string { return strings.NewReplacer("[", ".", "]", "").Replace(path) }

// hinted is what is wrong, and what was probably meant.
func hinted(problem conf.Problem) string {
	if problem.Hint == "" {
		return problem.Message
	}
	return problem.Message + " (" + problem.Hint + ")"
}

// annotated is a text with a mark at each line that has a problem, and the problems below it.
func annotated(text string, problems []conf.Problem) string {
	if len(problems) == 0 {
		return text
	}
	marks, footer, count := map[int][]string{}, map[string]string{}, map[string]int{}
	for _, problem := range problems {
		title := map[conf.Level]string{conf.Rejected: "Errors", conf.Warning: "Warnings", conf.Deprecated: "Deprecations"}[problem.Level]
		count[title]++
		mark := fmt.Sprintf("%c%d", title[0], count[title])
		line := max(problem.Origin.Line, 1)
		marks[line] = append(marks[line], mark)
		footer[title] += fmt.Sprintf("# %s: %s\n", mark, hinted(problem))
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		if marks[i+1] != nil {
			lines[i] += "\t\t# " + strings.Join(marks[i+1], ",")
		}
	}
	for _, title := range []string{"Errors", "Warnings", "Deprecations"} {
		if footer[title] != "" {
			lines = append(lines, fmt.Sprintf("# %s: -------------\n%s\n", title, footer[title]))
		}
	}
	return strings.Join(lines, "\n")
}
