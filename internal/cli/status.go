package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"openguest/internal/conf"
	"openguest/internal/engine"
	"openguest/internal/machine"
)

// pollEvery is how often `status --wait` looks.
const pollEvery = 250 * time.Millisecond

func (p *program) statusCommand() *cobra.Command {
	var long, wait bool
	format := "tabular"
	c := &cobra.Command{Use: "status", Short: "Say how far the configuration of this boot is", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "tabular" && format != "json" && format != "yaml" {
				return usageError{c, fmt.Errorf("argument --format: invalid choice: '%s' (choose from 'json', 'tabular', 'yaml')", format)}
			}
			s, err := p.await(c, wait, format == "tabular")
			if err != nil {
				return err
			}
			p.showStatus(s, format, long)
			p.status = s.ExitStatus()
			return nil
		}}
	c.Flags().BoolVarP(&long, "long", "l", false, "say what went wrong as well")
	c.Flags().BoolVarP(&wait, "wait", "w", false, "wait until the boot is configured")
	c.Flags().StringVar(&format, "format", format, "tabular, json or yaml")
	return c
}

// await reads the status, again and again where it is to wait.
func (p *program) await(c *cobra.Command, wait, dots bool) (*engine.Summary, error) {
	for ticker := time.NewTicker(pollEvery); ; {
		m, err := machine.Live()
		if err != nil {
			return nil, err
		}
		s := engine.Summarize(c.Context(), m, os.Getenv("KERNEL_CMDLINE"))
		if !wait || s.IsOver() {
			return s, nil
		}
		if dots {
			fmt.Fprint(p.stdout, ".")
		}
		select {
		case <-ticker.C:
		case <-c.Context().Done():
			return s, nil
		}
	}
}

func (p *program) showStatus(s *engine.Summary, format string, long bool) {
	switch format {
	case "json":
		text, _ := json.MarshalIndent(statusData(s), "", "  ")
		fmt.Fprintln(p.stdout, string(text))
	case "yaml":
		var data any
		text, _ := json.Marshal(statusData(s))
		json.Unmarshal(text, &data)
		fmt.Fprintln(p.stdout, strings.TrimSuffix(conf.Dump(conf.Of(data, conf.Origin{})), "\n"))
	default:
		fmt.Fprintf(p.stdout, "status: %s\n", s.Status)
		if long {
			p.showLong(s)
		}
	}
}

func (p *program) showLong(s *engine.Summary) {
	fmt.Fprintf(p.stdout, "extended_status: %s\nboot_status_code: %s\n", s.Extended, s.BootCode)
	if s.LastUpdate != "" {
		fmt.Fprintf(p.stdout, "last_update: %s\n", s.LastUpdate)
	}
	fmt.Fprintf(p.stdout, "detail: %s\nerrors:", s.Describe())
	if len(s.Errors) == 0 {
		fmt.Fprint(p.stdout, " []")
	}
	for _, text := range s.Errors {
		fmt.Fprintf(p.stdout, "\n\t- %s", text)
	}
	fmt.Fprint(p.stdout, "\nrecoverable_errors:")
	if len(s.Recoverable) == 0 {
		fmt.Fprint(p.stdout, " {}")
	}
	for _, level := range slices.Sorted(maps.Keys(s.Recoverable)) {
		fmt.Fprintf(p.stdout, "\n%s:", level)
		for _, text := range s.Recoverable[level] {
			fmt.Fprintf(p.stdout, "\n\t- %s", strings.ReplaceAll(text, "\n", " "))
		}
	}
	fmt.Fprintln(p.stdout)
}

// statusData are the keys that tools read, those of old versions too.
func statusData(s *engine.Summary) map[string]any {
	data := map[string]any{"boot_status_code": s.BootCode, "datasource": s.Datasource, "detail": s.Describe(), "errors": s.Errors,
		"extended_status": s.Extended, "last_update": s.LastUpdate, "recoverable_errors": s.Recoverable, "status": s.Status,
		"stage": nil}
	if s.Stage != "" {
		data["stage"] = s.Stage
	}
	for name, record := range s.Stages {
		data[string(name)] = record
	}
	return data
}
