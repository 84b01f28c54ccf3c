package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"openguest/internal/engine"
	"openguest/internal/module"
)

// progress shows a person which module runs, and at the end what was done.
type progress struct {
	out      io.Writer
	terminal bool
}

func (p *program) progress() *progress {
	info, err := os.Stdout.Stat()
	return &progress{out: p.stdout, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// step shows a module as it begins and, in the same line on a terminal, how it ended.
func (s *progress) step(step engine.Step) {
	if !step.Ended {
		if s.terminal {
			fmt.Fprintf(s.out, "  %-32s ...", step.Module)
		}
		return
	}
	if s.terminal {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
	if step.Changes == 0 && step.Err == nil {
		return
	}
	fmt.Fprintf(s.out, "  %-32s %6s  %s\n", step.Module, step.Took.Round(time.Millisecond), result(step))
}

func result(step engine.Step) string {
	text := fmt.Sprintf("%d changes", step.Changes)
	if step.Changes == 1 {
		text = "1 change"
	}
	if step.Err != nil {
		text += ", " + firstLine(step.Err.Error())
	}
	return text
}

func firstLine(text string) string {
	line, _, more := strings.Cut(text, "\n")
	if letters := []rune(line); len(letters) > 120 {
		line = string(letters[:117]) + "..."
	} else if more {
		line += " ..."
	}
	return line
}

// summaryLines is how much a person is shown at the end.
const summaryLines = 10

// summary says in at most ten lines what was applied, what was not and why, and what to do next.
func (s *progress) summary(verdicts []module.Verdict, failed int) {
	count := map[module.Outcome]int{}
	var open []module.Verdict
	for _, v := range verdicts {
		count[v.Verdict]++
		if v.Verdict == module.Rejected || v.Verdict == module.Failed || v.Verdict == module.Deferred || v.Verdict == module.Unknown {
			open = append(open, v)
		}
	}
	fmt.Fprintf(s.out, "%d applied, %d unchanged, %d skipped, %d rejected, %d failed, %d deferred\n", count[module.Applied], count[module.Unchanged],
		count[module.Skipped], count[module.Rejected], count[module.Failed], count[module.Deferred]+count[module.Unknown])
	for i, v := range open {
		if i == summaryLines-3 && len(open) > i+1 {
			fmt.Fprintf(s.out, "... and %d more\n", len(open)-i)
			break
		}
		fmt.Fprintln(s.out, firstLine(verdictLine(v)))
	}
	switch {
	case len(open) > 0:
		fmt.Fprintln(s.out, "`openguest why` has the whole list")
	case failed > 0:
		fmt.Fprintln(s.out, "`openguest status --long` says what went wrong")
	}
}

// verdictLine is a verdict as one line.
func verdictLine(v module.Verdict) string {
	text := fmt.Sprintf("%s: %s: %s", v.Origin, v.Key, v.Verdict)
	if v.Origin == "" {
		text = fmt.Sprintf("%s: %s", v.Key, v.Verdict)
	}
	if v.Reason != "" {
		text += ": " + v.Reason
	}
	if v.Hint != "" {
		text += " (" + v.Hint + ")"
	}
	return text
}
