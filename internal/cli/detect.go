package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"openguest/internal/command"
	"openguest/internal/engine"
	"openguest/internal/source"
)

func (p *program) detectCommand() *command.Command {
	var why bool
	format := "text"
	return &command.Command{Use: "detect", Short: "Say on which cloud this machine is, without asking it",
		Flags: []command.Flag{
			p.rootFlag(),
			command.Bool(&why, "why", "", "give the reason for each cloud that was looked at"),
			command.Text(&format, "format", "", "text or json").Of("text", "json"),
		},
		Run: func(context.Context, []string) error {
			m, err := p.machine()
			if err != nil {
				return err
			}
			return p.showChoice(engine.Detect(m), why, format)
		}}
}

// showChoice prints the name of the cloud that comes first; without one the exit status is 1.
func (p *program) showChoice(choice source.Choice, why bool, format string) error {
	name := strings.ToLower(choice.Name)
	if name == "" || name == "none" {
		name, p.status = "none", 1
	}
	if format == "json" {
		return p.choiceJSON(name, choice)
	}
	fmt.Fprintln(p.stdout, name)
	if why {
		p.showReasons(choice)
	}
	return nil
}

// reasonJSON is what became of one source.
type reasonJSON struct {
	Source  string         `json:"source"`
	Outcome source.Outcome `json:"outcome"`
	Why     string         `json:"why"`
}

func (p *program) choiceJSON(name string, choice source.Choice) error {
	reasons := []reasonJSON{}
	for _, r := range choice.Lines {
		reasons = append(reasons, reasonJSON(r))
	}
	e := json.NewEncoder(p.stdout)
	e.SetIndent("", " ")
	return e.Encode(map[string]any{"source": name, "list": choice.List, "reasons": reasons, "why": choice.Why, "disabled": choice.Disabled})
}

// showReasons prints a line for each source that was looked at, one for all that cannot be yet, and what decided.
func (p *program) showReasons(choice source.Choice) {
	var unbuilt []string
	for _, reason := range choice.Lines {
		if reason.Outcome == source.Unbuilt {
			unbuilt = append(unbuilt, reason.Source)
			continue
		}
		fmt.Fprintln(p.stdout, reason)
	}
	if unbuilt != nil {
		fmt.Fprintf(p.stdout, "%s: %s\n", strings.Join(unbuilt, ", "), source.Unbuilt)
	}
	if choice.Why != "" {
		fmt.Fprintln(p.stdout, choice.Why)
	}
}
