package engine

import (
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"openguest/internal/machine"
)

// A Summary is what `status` says about a boot.
type Summary struct {
	Status      string              // "not started", "running", "done", "error" or "disabled"
	Extended    string              // the same, with "degraded" and "error - " in front
	BootCode    string              // what switched configuration on or off
	Detail      string              // the source, or why there is none
	Datasource  string              // the source's name in lower case
	LastUpdate  string              // when a stage began or ended last
	Errors      []string            // of all stages
	Recoverable map[string][]string // warnings of all stages, by level
	Stages      map[Stage]*Record
	Stage       string // the one that runs
}

// IsOver says that nothing is to be waited for.
func (s *Summary) IsOver() bool { return s.Status != "running" && s.Status != "not started" }

// ExitStatus is 1 after errors, 2 after warnings, and otherwise 0.
func (s *Summary) ExitStatus() int {
	switch {
	case strings.HasPrefix(s.Extended, "error"):
		return 1
	case strings.HasPrefix(s.Extended, "degraded"):
		return 2
	}
	return 0
}

// Summarize reads how far a boot is. commandLine is what the environment says in place of the kernel.
func Summarize(ctx context.Context, m machine.Machine, commandLine string) *Summary {
	e := New(m, Options{})
	e.load()
	file, started := ReadStatus(e.state, e.paths)
	s := &Summary{Stages: file.Stages, Recoverable: map[string][]string{}, Errors: []string{}, Stage: file.Stage}
	s.BootCode, s.Detail = bootCode(e, commandLine)
	if file.Datasource != "" {
		s.Detail = file.Datasource
		name, _, _ := strings.Cut(file.Datasource, " ")
		s.Datasource = strings.ReplaceAll(strings.ToLower(name), "datasource", "")
	}
	latest := s.gather()
	over := machine.Exists(e.state.Files, path.Join(e.paths.Run, "result.json"))
	began := started && machine.Exists(e.state.Files, path.Join(e.paths.Run, "status.json"))
	running := "not started"
	switch {
	case strings.HasPrefix(s.BootCode, "disabled"):
		running = "disabled"
	case began && !over:
		running = "running"
	case latest > 0:
		running = "done"
	}
	if running == "running" && unitFailed(ctx, m) {
		running = "done"
		s.Detail = "Failed due to systemd unit failure"
		s.Errors = append(s.Errors, "Failed due to systemd unit failure. Ensure all cloud-init services are enabled, and check 'systemctl' or 'journalctl' for more information.")
	}
	if latest > 0 {
		s.LastUpdate = time.Unix(0, int64(latest*1e9)).UTC().Format(rfc2822)
	}
	s.translate(running)
	return s
}

// gather collects the errors of all stages, and returns the last time at which something happened.
func (s *Summary) gather() (latest float64) {
	names := Stages()
	slices.SortFunc(names, func(a, b Stage) int { return strings.Compare(string(a), string(b)) })
	for _, name := range names {
		r := s.Stages[name]
		if r == nil {
			continue
		}
		for _, at := range []*float64{r.Start, r.Finished} {
			if at != nil {
				latest = max(latest, *at)
			}
		}
		s.Errors = append(s.Errors, r.Errors...)
		for level, lines := range r.Recoverable {
			s.Recoverable[level] = append(s.Recoverable[level], lines...)
		}
	}
	return latest
}

func (s *Summary) translate(running string) {
	s.Status, s.Extended = running, running
	switch {
	case len(s.Errors) > 0:
		s.Status, s.Extended = "error", "error - "+running
	case len(s.Recoverable) > 0 && (running == "done" || running == "running"):
		s.Extended = "degraded " + running
	}
}

// bootCode says what switched configuration on or off, as a code and as a sentence.
func bootCode(e *Engine, commandLine string) (code, why string) {
	systemd := e.machine.Facts.Init() == "systemd"
	enabled := strings.Contains(" "+e.machine.Facts.CommandLine()+" ", " cloud-init=enabled ")
	switch by := Disabled(e.state, commandLine); {
	case !systemd:
		return "enabled-by-sysvinit", "Cloud-init enabled on sysvinit"
	case enabled:
		return "enabled-by-kernel-command-line", "Cloud-init enabled by kernel command line cloud-init=enabled"
	case by == "marker-file":
		return "disabled-by-marker-file", "Cloud-init disabled by /etc/cloud/cloud-init.disabled"
	case by == "kernel-command-line":
		return "disabled-by-kernel-command-line", "Cloud-init disabled by kernel parameter cloud-init=disabled"
	case by == "environment-variable":
		return "disabled-by-environment-variable", "Cloud-init disabled by environment variable KERNEL_CMDLINE=cloud-init=disabled"
	case machine.Exists(e.state.Files, path.Join(e.paths.Run, "disabled")):
		return "disabled-by-generator", "Cloud-init disabled by cloud-init-generator"
	case machine.Exists(e.state.Files, path.Join(e.paths.Run, "enabled")):
		return "enabled-by-generator", "Cloud-init enabled by systemd cloud-init-generator"
	}
	return "unknown", "Systemd generator may not have run yet."
}

// unitFailed asks systemd whether one of the units of a boot that seems to run has failed.
func unitFailed(ctx context.Context, m machine.Machine) bool {
	if m.Facts.Init() != "systemd" {
		return false
	}
	for _, unit := range []string{"cloud-final.service", "cloud-config.service", "cloud-init.service", "cloud-init-local.service"} {
		answer, err := m.Commands.Ask(ctx, machine.Question{Argv: []string{"systemctl", "show", "--property=ActiveState,SubState", unit}})
		if err != nil {
			return false
		}
		if strings.Contains(answer, "=failed") {
			return true
		}
	}
	return false
}

// Describe is the source, or the running stage, or what switched configuration on or off.
func (s *Summary) Describe() string {
	if s.Datasource == "" && s.Stage != "" {
		return "Running in stage: " + s.Stage
	}
	return s.Detail
}
