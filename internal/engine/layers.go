package engine

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/jinja"
	"openguest/internal/module"
)

const cloudConfig = "/etc/cloud/cloud.cfg"

// load reads the configuration of the image: from low to high the defaults, cloud.cfg, its drop-ins, the run
// directory's cloud.cfg and the kernel command line.
func (e *Engine) load() {
	defaults := builtin()
	layers := []*conf.Value{defaults}
	e.paths = pathsOf(defaults) // the variables of templates are in the run directory
	main := e.readLayer(cloudConfig)
	if main == nil {
		main = e.ourDefault()
	}
	layers = append(layers, main)
	dropIns := main.Get("conf_d").Str(cloudConfig + ".d")
	names, _ := e.state.Files.List(dropIns)
	for _, name := range names {
		if strings.HasSuffix(name, ".cfg") {
			layers = append(layers, e.readLayer(path.Join(dropIns, name)))
		}
	}
	e.paths = pathsOf(stack(layers))
	if !e.afresh {
		layers = append(layers, e.readLayer(path.Join(e.paths.Run, "cloud.cfg")))
	}
	layers = append(layers, e.commandLineLayer())
	e.base = stack(layers)
	e.config = e.base
	e.paths = pathsOf(e.base)
	e.setDistro()
}

// stack merges layers, each over those before it.
func stack(layers []*conf.Value) *conf.Value {
	merged := &conf.Value{Kind: conf.Map}
	for _, layer := range layers {
		if layer != nil && layer.Kind == conf.Map {
			merged = conf.DefaultMerger().Merge(layer, merged)
		}
	}
	return merged
}

// setDistro finds out which distribution this is: as configured, or else as os-release says.
func (e *Engine) setDistro() {
	id := e.config.At("system_info", "distro").Str("")
	if id == "" {
		id, _, _ = e.machine.Facts.Distro()
	}
	d, known := module.FindDistro(id, e.config)
	if !known {
		e.log.Log(module.Debug, "the distribution %q is not known; it is taken for a %s", id, d.Family)
	}
	e.distro = d
}

func pathsOf(config *conf.Value) module.Paths {
	paths := config.At("system_info", "paths")
	clean := func(key, otherwise string) string { return path.Clean(paths.Get(key).Str(otherwise)) }
	return module.Paths{Cloud: clean("cloud_dir", "/var/lib/cloud"), Run: clean("run_dir", "/run/cloud-init"),
		Templates: clean("templates_dir", "/etc/cloud/templates")}
}

// readLayer reads one configuration file; nil where there is none, or nothing that can be read. What is wrong is said.
func (e *Engine) readLayer(name string) *conf.Value {
	text, err := e.state.Files.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		e.log.Log(module.Warning, "read the configuration %s: %v", name, err)
		return nil
	}
	return e.parseLayer(name, text)
}

func (e *Engine) parseLayer(name, text string) *conf.Value {
	if isTemplate(text) {
		rendered, ok := e.renderLayer(name, text)
		if !ok {
			return nil
		}
		text = rendered
	}
	v, warnings, err := conf.Parse(name, []byte(text))
	e.problems(warnings)
	if err != nil {
		e.problem(err)
		return nil
	}
	if v.IsNull() {
		return nil
	}
	if v.Kind != conf.Map {
		e.problem(conf.Problem{Origin: v.Origin, Message: "the configuration should be a mapping, but is " + v.Kind.String(), Level: conf.Rejected})
		return nil
	}
	return v
}

// renderLayer fills in a configuration that is a template. Before anything is known of the instance, one that asks for it
// is taken as it stands, as cloud-init does: a later stage reads it again.
func (e *Engine) renderLayer(name, text string) (string, bool) {
	vars := e.templateVars()
	rendered, missing, err := render(name, text, vars)
	if len(vars) == 0 && (err != nil || len(missing) > 0) {
		_, _, err := conf.Parse(name, []byte(text))
		return text, err == nil
	}
	for _, variable := range missing {
		e.log.Log(module.Warning, "Could not render jinja template variables in file '%s': '%s'", name, variable)
	}
	if err != nil {
		e.log.Log(module.Warning, "the configuration %s is left out: %v", name, err)
	}
	return rendered, err == nil
}

// render fills in a template, and returns the variables that there are not. Lines stay where they were.
func render(name, text string, vars map[string]any) (rendered string, missing []string, err error) {
	_, body, _ := strings.Cut(text, "\n")
	result, err := jinja.Render(name, body, vars, jinja.Limits{})
	return "\n" + result.Text, result.Missing, err
}

// isTemplate says whether a configuration file or a template of a file is a jinja template.
func isTemplate(text string) bool {
	first, _, _ := strings.Cut(text, "\n")
	first = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(first), " ", ""))
	return first == "##template:jinja"
}

// commandLineLayer is what the kernel command line says between "cc:" and "end_cc".
func (e *Engine) commandLineLayer() *conf.Value {
	text := commandLineConfig(e.commandLine())
	if text == "" {
		return nil
	}
	return e.parseLayer("kernel command line", text)
}

// commandLineConfig collects the parts between "cc:" and "end_cc": they may be URL-quoted, and "\n" stands for a line's end.
func commandLineConfig(line string) string {
	var parts []string
	for {
		_, after, found := strings.Cut(line, "cc:")
		if !found {
			return strings.Join(parts, "\n")
		}
		var body string
		body, line, _ = strings.Cut(after, "end_cc")
		parts = append(parts, strings.ReplaceAll(strings.TrimLeft(unquoteURL(body), " "), `\n`, "\n"))
	}
}

// unquoteURL reads %41 as A, and leaves alone what is no such code.
func unquoteURL(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if hi, lo := hexDigit(text[i+1]), hexDigit(text[i+2]); hi >= 0 && lo >= 0 {
				out.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

func hexDigit(c byte) int { return strings.IndexByte("0123456789abcdef", c|0x20) }

func (e *Engine) commandLine() string {
	if e.options.KernelCommandLine != "" {
		return e.options.KernelCommandLine
	}
	return e.machine.Facts.CommandLine()
}

// disabled says by what somebody switched everything off; empty where nobody did.
func (e *Engine) disabled() string {
	return Disabled(e.state, e.options.KernelCommandLine)
}

// merge makes the configuration that modules see: the cloud's parts over the image's, and what the person named over all.
func (e *Engine) merge(parts *parts) {
	// vendor-data2 counts more than vendor-data, as OpenStack's dynamic data does.
	layers := []*conf.Value{e.base, e.factsLayer(), sound(parts.Vendor), sound(parts.Vendor2), sound(parts.User)}
	for _, name := range e.options.Files {
		layers = append(layers, e.readLayer(name))
	}
	e.config = stack(layers)
	folder := e.paths.Folder
	e.paths = pathsOf(e.config)
	e.paths.Folder = folder
	e.setDistro()
}

// factsLayer is the configuration that the cloud's facts mean, such as the name of the default user; nil where they mean none.
func (e *Engine) factsLayer() *conf.Value {
	if e.now == nil || len(e.now.Config) == 0 {
		return nil
	}
	return e.parseLayer("metadata of "+e.now.Source, string(e.now.Config))
}
