package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"openguest/internal/engine"
	"openguest/internal/source"
)

func (p *program) detectCommand() *cobra.Command {
	var why bool
	format := "text"
	c := &cobra.Command{Use: "detect", Short: "Say on which cloud this machine is, without asking it", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := oneOf(c, "--format", format, "text", "json"); err != nil {
				return err
			}
			m, err := p.machine()
			if err != nil {
				return err
			}
			return p.showChoice(engine.Detect(m), why, format)
		}}
	p.rootFlag(c)
	c.Flags().BoolVar(&why, "why", false, "give the reason for each cloud that was looked at")
	c.Flags().StringVar(&format, "format", format, "text or json")
	return c
}

// showChoice prints the name of the cloud that comes first; without one the exit status is 1.
func (p *program) showChoice(choice source.Choice, why bool, format string) error {
	name := "none"
	if len(choice.List) > 0 && choice.List[0] != "None" {
		name = strings.ToLower(choice.List[0])
	} else {
		p.status = 1
	}
	if format == "json" {
		e := json.NewEncoder(p.stdout)
		e.SetIndent("", " ")
		return e.Encode(map[string]any{"source": name, "list": choice.List, "reasons": choice.Lines, "why": choice.Why, "disabled": choice.Disabled})
	}
	fmt.Fprintln(p.stdout, name)
	if why {
		for _, reason := range choice.Lines {
			fmt.Fprintln(p.stdout, reason)
		}
		if choice.Why != "" {
			fmt.Fprintln(p.stdout, choice.Why)
		}
	}
	return nil
}
