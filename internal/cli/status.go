package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"openguest/internal/command"
	"openguest/internal/conf"
	"openguest/internal/engine"
)

// pollEvery is how often `status --wait` looks at the files of the boot.
const pollEvery = 250 * time.Millisecond

// askEvery is after how many looks that found nothing new systemd is asked again: a unit that failed writes no file.
const askEvery = 20

func (p *program) statusCommand() *command.Command {
	var long, wait bool
	format := "tabular"
	return &command.Command{Use: "status", Short: "Say how far the configuration of this boot is",
		Flags: []command.Flag{
			p.rootFlag(),
			command.Bool(&long, "long", "l", "say what went wrong as well"),
			command.Bool(&wait, "wait", "w", "wait until the boot is configured"),
			command.Text(&format, "format", "", "tabular, json or yaml").Of("json", "tabular", "yaml"),
		},
		Run: func(ctx context.Context, _ []string) error {
			m, err := p.machine()
			if err != nil {
				return err
			}
			boot := engine.OpenBoot(m, os.Getenv("KERNEL_CMDLINE"))
			if !wait {
				p.showStatus(boot.Summary(ctx), format, long)
				return nil
			}
			s, err := p.await(ctx, boot, format == "tabular")
			if err != nil {
				return err
			}
			p.showStatus(s, format, long)
			return nil
		}}
}

// await looks at the files of the boot until it is over, and summarises them again only where they changed.
// Who is told to stop before must not look like done.
func (p *program) await(ctx context.Context, boot *engine.Boot, dots bool) (*engine.Summary, error) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	before := boot.Files()
	s := boot.Summary(ctx)
	for looks := 1; !s.IsOver(); looks++ {
		if dots {
			fmt.Fprint(p.stdout, ".")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("stopped waiting while the status is %s", s.Extended)
		}
		if now := boot.Files(); now != before || looks%askEvery == 0 {
			before, s = now, boot.Summary(ctx)
		}
	}
	return s, nil
}

// showStatus prints a summary, and ends with what it says: 1 after errors, 2 after warnings.
func (p *program) showStatus(s *engine.Summary, format string, long bool) {
	if s.Doubt != "" {
		fmt.Fprintln(p.stderr, s.Doubt)
	}
	p.status = s.ExitStatus()
	switch format {
	case "json":
		fmt.Fprintln(p.stdout, indentTwice(conf.JSON(s.Data())))
	case "yaml":
		fmt.Fprintln(p.stdout, conf.Dump(conf.Of(s.Data(), conf.Origin{})))
	default:
		fmt.Fprintf(p.stdout, "status: %s\n", s.Status)
		if long {
			p.showLong(s)
		}
	}
}

// indentTwice makes an indent of two spaces out of one of one.
func indentTwice(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(line[:len(line)-len(strings.TrimLeft(line, " "))])
		out.WriteString(line)
	}
	return out.String()
}

func (p *program) showLong(s *engine.Summary) {
	fmt.Fprintf(p.stdout, "extended_status: %s\nboot_status_code: %s\n", s.Extended, s.BootCode)
	if s.LastUpdate != "" {
		fmt.Fprintf(p.stdout, "last_update: %s\n", s.LastUpdate)
	}
	fmt.Fprintf(p.stdout, "detail: %s\nerrors:", s.Detail)
	if len(s.Errors) == 0 {
		fmt.Fprint(p.stdout, " []")
	}
	for _, text := range s.Errors {
		fmt.Fprintf(p.stdout, "\n\t- %s", text)
	}
	fmt.Fprint(p.stdout, "\nrecoverable_errors:")
	if len(s.Levels) == 0 {
		fmt.Fprint(p.stdout, " {}")
	}
	for _, level := range s.Levels {
		fmt.Fprintf(p.stdout, "\n%s:", level)
		for _, text := range s.Recoverable[level] {
			fmt.Fprintf(p.stdout, "\n\t- %s", strings.ReplaceAll(text, "\n", " "))
		}
	}
	fmt.Fprintln(p.stdout)
}
