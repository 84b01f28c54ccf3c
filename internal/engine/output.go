package engine

import (
	"fmt"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// openOutput reads where a stage's output goes: "output" may say it for each stage or for all. Where that cannot be
// opened, nobody's program may be left out for it: the output goes where ours goes.
func (e *Engine) openOutput(section string) {
	e.output = readOutput(e.config.Get("output"), section)
	if err := e.machine.Commands.Say(e.output, ""); err != nil {
		e.output = machine.Output{}
		e.problem(conf.Problem{Origin: e.config.Get("output").Origin, Path: "output", Level: conf.Rejected,
			Message: fmt.Sprintf("Failed to setup output redirection! %v", err), Hint: "the output goes to the system's log"})
	}
}

// reopenOutput takes over what user-data says about the output, and says that it did.
func (e *Engine) reopenOutput(section string) {
	before := e.output
	e.openOutput(section)
	if before != e.output {
		e.log.Log(module.Warning, "Stdout, stderr changing to (%s, %s)", e.output.Out, e.output.Err)
	}
}

func readOutput(v *conf.Value, section string) machine.Output {
	if v == nil || v.Kind != conf.Map {
		return machine.Output{}
	}
	mode := v.Get(section)
	if mode == nil {
		mode = v.Get("all")
	}
	var out, err string
	switch {
	case mode.IsNull():
	case mode.Kind == conf.List:
		if words := mode.Strings(); len(words) > 0 {
			out, err = words[0], words[min(1, len(words)-1)]
		}
		if len(mode.Items) == 1 {
			err = ""
		}
	case mode.Kind == conf.Map:
		out, err = mode.Get("output").Str(""), mode.Get("error").Str("")
	default:
		out, err = mode.Text, mode.Text
	}
	if err == out && out != "" {
		err = "&1"
	}
	return machine.Output{Out: spelled(out), Err: spelled(err)}
}

// spelled gives a bare file name the prefix that it stands for: append.
func spelled(text string) string {
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsAny(text[:1], ">|&") {
		return text
	}
	return ">> " + text
}
