package userdata

import (
	"errors"
	"fmt"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/jinja"
)

// template renders a template and deals with what that gives. Its errors cost this part only.
func (h *handler) template(p *part, text string) {
	first, body, _ := strings.Cut(text, "\n")
	if !isJinjaHeader(first) {
		h.reject(p, "no other language is known, and nothing may stand before it", "Ignoring jinja template for %s: its first line should be ## template: jinja", p.name)
		return
	}
	rendered, err := jinja.Render(p.name, body, h.variables(), jinja.Limits{Size: max(1, min(16<<20, maxUnpacked-h.rendered))})
	if err != nil {
		h.badTemplate(p, err)
		return
	}
	h.rendered += len(rendered.Text)
	if len(rendered.Missing) > 0 {
		h.warn(p, "these names are not in the instance-data; see cloud-init query --list-keys",
			"Could not render jinja template variables in file '%s': '%s'", p.name, strings.Join(rendered.Missing, "', '"))
	}
	switch kind := kindOf(rendered.Text); kind {
	case typeConfig, typeScript, typeBoothook, typePatch:
		h.dispatch(p, kind, rendered.Text)
	default:
		if rendered.Text == "" {
			h.skip("it renders to nothing")
			return
		}
		if kind == "" {
			kind = "None"
		}
		h.reject(p, "the line behind ## template: jinja should be #cloud-config, #! or #cloud-boothook",
			"Ignoring jinja template for %s. Could not find supported sub-handler for type %s", p.name, kind)
	}
}

// isJinjaHeader takes a few more spellings than those by which a text without a type is found to be a template.
func isJinjaHeader(line string) bool {
	rest, marked := strings.CutPrefix(strings.ToLower(line), "##")
	language, found := strings.CutPrefix(strings.TrimLeft(rest, " \t"), "template:")
	return marked && found && strings.TrimSpace(language) == "jinja"
}

// badTemplate says where a template is wrong. Places count from the header line, which Render does not see.
func (h *handler) badTemplate(p *part, err error) {
	problem := conf.Problem{Origin: conf.Origin{Part: h.origin(p)}}
	problem.Message = fmt.Sprintf("Ignoring jinja template for %s: %v", p.name, err)
	var wrong *jinja.Error
	if errors.As(err, &wrong) {
		problem.Origin.Line, problem.Origin.Col = wrong.Line+1, wrong.Col
		problem.Message = fmt.Sprintf("Ignoring jinja template for %s: %s", p.name, wrong.Msg)
		if wrong.Syntax() {
			problem.Message = fmt.Sprintf("Ignoring jinja template for %s. Failed to render template. Unable to parse Jinja template due to syntax error: %s on line %d",
				p.name, wrong.Msg, wrong.Line+1)
		}
	}
	h.refuse(problem)
}

// variables are the instance-data, asked for once.
func (h *handler) variables() map[string]any {
	if h.vars == nil && h.out.Vars != nil {
		h.vars = h.out.Vars()
	}
	return h.vars
}
