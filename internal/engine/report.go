package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// A Summary is what `status` says about a boot.
type Summary struct {
	Phase       string              // "not started", "running", "done" or "disabled"
	Status      string              // the same, but "error" after errors
	Extended    string              // the phase, with "degraded" or "error - " in front
	BootCode    string              // what switched configuration on or off
	Detail      string              // the source, or the stage that runs, or what switched configuration on or off
	LastUpdate  string              // when a stage began or ended last; empty where none has begun
	Errors      []string            // of all stages
	Levels      []string            // of Recoverable, as they are first met in the stages
	Recoverable map[string][]string // warnings of all stages, by level
	Doubt       string              // why this may be wrong: systemd could not be asked; mostly empty
	file        map[string]any      // status.json as it is
}

// The phases of a boot.
const (
	NotStarted  = "not started"
	Running     = "running"
	Done        = "done"
	SwitchedOff = "disabled"
)

// IsOver says that nothing is to be waited for.
func (s *Summary) IsOver() bool { return s.Phase == Done || s.Phase == SwitchedOff }

// ExitStatus is 1 after errors, 2 after warnings, and otherwise 0.
func (s *Summary) ExitStatus() int {
	switch {
	case len(s.Errors) > 0:
		return 1
	case len(s.Recoverable) > 0:
		return 2
	}
	return 0
}

// Data are the keys of `status --format json`, those of status.json among them.
func (s *Summary) Data() map[string]any {
	recoverable := map[string]any{}
	for level, lines := range s.Recoverable {
		recoverable[level] = lines
	}
	data := map[string]any{"boot_status_code": s.BootCode, "datasource": "", "detail": s.Detail, "errors": s.Errors,
		"extended_status": s.Extended, "last_update": s.LastUpdate, "recoverable_errors": recoverable, "status": s.Status}
	maps.Copy(data, s.file)
	if name, ok := s.file["datasource"].(string); ok {
		name, _, _ = strings.Cut(name, " ")
		data["datasource"] = strings.ReplaceAll(strings.ToLower(name), "datasource", "")
	}
	return data
}

// A Boot is the boot of a machine as its files tell it. It may be asked again and again while it goes on.
type Boot struct {
	engine      *Engine
	commandLine string
}

// OpenBoot reads where the files of a machine's boot are. commandLine is what the environment says in place of the
// kernel; it may be empty.
func OpenBoot(m machine.Machine, commandLine string) *Boot {
	e := New(m, Options{})
	e.load()
	return &Boot{e, commandLine}
}

// Files is the text of the two small files that change while a boot goes on: who waits compares it with the last.
func (b *Boot) Files() string {
	return b.read("status.json") + "\x00" + b.read("result.json")
}

func (b *Boot) read(name string) string {
	text, _ := b.engine.state.Files.Read(b.engine.runFile(name))
	return text
}

// Summary reads how far the boot is.
func (b *Boot) Summary(ctx context.Context) *Summary {
	s := &Summary{Recoverable: map[string][]string{}, Errors: []string{}, file: readV1(b.read("status.json"))}
	s.BootCode, s.Detail = b.code(ctx)
	if stage, _ := s.file["stage"].(string); stage != "" {
		s.Detail = "Running in stage: " + stage
	}
	if name, _ := s.file["datasource"].(string); name != "" {
		s.Detail = name
	}
	latest := s.gather()
	if latest > 0 {
		s.LastUpdate = b.date(latest).UTC().Format(rfc2822)
	}
	s.Phase = b.phase(s.BootCode, latest)
	if s.Phase == Running && b.engine.machine.Facts.Init() == "systemd" && s.unitFailed(ctx, b.engine.machine) {
		s.Phase, s.Detail = Done, "Failed due to systemd unit failure"
		s.Errors = append(s.Errors, s.Detail+". Ensure all cloud-init services are enabled, and check 'systemctl' or 'journalctl' for more information.")
	}
	s.translate()
	return s
}

// date is when something happened that status.json has a time for: seconds since the kernel started, or since 1970 in those
// of old versions. Of a system that is not running nobody knows when its kernel started; its date is then one of 1970, as
// cloud-init's always is.
func (b *Boot) date(seconds float64) time.Time {
	clock, since := b.engine.machine.Clock, time.Duration(seconds*1e9)
	_, err := b.engine.machine.Kernel.Hostname()
	if up := clock.Uptime(); err == nil && since <= up {
		return clock.Now().Add(since - up)
	}
	return time.Unix(0, int64(since))
}

// readV1 is what stands below "v1" in status.json; a missing or broken file says nothing.
func readV1(text string) map[string]any {
	data, _ := conf.ReadJSON([]byte(text))
	file, _ := data.(map[string]any)
	v1, _ := file["v1"].(map[string]any)
	return v1
}

func (b *Boot) phase(code string, latest float64) string {
	files := b.engine.state.Files
	switch {
	case strings.HasPrefix(code, SwitchedOff):
		return SwitchedOff
	case machine.Exists(files, b.engine.runFile("status.json")) && !machine.Exists(files, b.engine.runFile("result.json")):
		return Running
	case latest > 0:
		return Done
	}
	return NotStarted
}

// gather collects the errors of all stages, and returns the last time at which something happened.
func (s *Summary) gather() (latest float64) {
	for _, name := range slices.Sorted(maps.Keys(s.file)) {
		stage, ok := s.file[name].(map[string]any)
		if !ok {
			continue
		}
		latest = max(latest, number(stage["start"]), number(stage["finished"]))
		s.Errors = append(s.Errors, texts(stage["errors"])...)
		recoverable, _ := stage["recoverable_errors"].(map[string]any)
		for _, level := range slices.Sorted(maps.Keys(recoverable)) {
			if !slices.Contains(s.Levels, level) {
				s.Levels = append(s.Levels, level)
			}
			s.Recoverable[level] = append(s.Recoverable[level], texts(recoverable[level])...)
		}
	}
	return latest
}

func number(data any) float64 {
	switch data := data.(type) {
	case int64:
		return float64(data)
	case float64:
		return data
	}
	return 0
}

func texts(data any) []string {
	items, _ := data.([]any)
	all := make([]string, 0, len(items))
	for _, item := range items {
		all = append(all, fmt.Sprint(item))
	}
	return all
}

// translate puts the words together that `status` prints. The first of them never says "degraded": old versions did not.
func (s *Summary) translate() {
	s.Status, s.Extended = s.Phase, s.Phase
	switch {
	case len(s.Errors) > 0:
		s.Status, s.Extended = "error", "error - "+s.Phase
	case len(s.Recoverable) > 0 && (s.Phase == Done || s.Phase == Running):
		s.Extended = "degraded " + s.Phase
	}
}

// code says what switched configuration on or off, as a code and as a sentence. Without systemd there is no generator to
// ask, but the marker file and the kernel's command line count there too.
func (b *Boot) code(ctx context.Context) (code, why string) {
	e := b.engine
	systemd := e.machine.Facts.Init() == "systemd"
	by := Disabled(e.state, b.commandLine)
	if by == "" && systemd && !e.isForced() && b.isDisabledByManager(ctx) {
		by = "environment-variable"
	}
	switch {
	case by == "marker-file":
		return "disabled-by-marker-file", "Cloud-init disabled by /etc/cloud/cloud-init.disabled"
	case by == "kernel-command-line":
		return "disabled-by-kernel-command-line", "Cloud-init disabled by kernel parameter cloud-init=disabled"
	case by == "environment-variable":
		return "disabled-by-environment-variable", "Cloud-init disabled by environment variable KERNEL_CMDLINE=cloud-init=disabled"
	case !systemd:
		return "enabled-by-sysvinit", "Cloud-init enabled on sysvinit"
	case e.isForced():
		return "enabled-by-kernel-command-line", "Cloud-init enabled by kernel command line cloud-init=enabled"
	case machine.Exists(e.state.Files, path.Join(e.paths.Run, "disabled")):
		return "disabled-by-generator", "Cloud-init disabled by cloud-init-generator"
	case machine.Exists(e.state.Files, path.Join(e.paths.Run, "enabled")):
		return "enabled-by-generator", "Cloud-init enabled by systemd cloud-init-generator"
	}
	return "unknown", "Systemd generator may not have run yet."
}

// isForced says that the kernel's command line switches configuration on, whatever else says otherwise.
func (e *Engine) isForced() bool {
	return slices.Contains(strings.Fields(e.machine.Facts.CommandLine()), "cloud-init=enabled")
}

// isDisabledByManager asks systemd for its own environment, where the host of a container may have switched everything off.
func (b *Boot) isDisabledByManager(ctx context.Context) bool {
	answer, err := b.engine.machine.Commands.Ask(ctx, machine.Question{Argv: []string{"systemctl", "show-environment"}})
	return err == nil && strings.Contains(answer, "cloud-init=disabled")
}

// bootUnits are the units of a boot, the last first.
var bootUnits = []string{"cloud-final.service", "cloud-config.service", "cloud-init-network.service", "cloud-init-local.service", "cloud-init-main.service"}

// unitFailed asks systemd whether one of the units of a boot that seems to run has failed.
func (s *Summary) unitFailed(ctx context.Context, m machine.Machine) bool {
	argv := append([]string{"systemctl", "show", "--property=LoadState,ActiveState,UnitFileState,SubState"}, bootUnits...)
	answer, err := m.Commands.Ask(ctx, machine.Question{Argv: argv})
	if err != nil {
		if !errors.Is(err, machine.ErrOffline) {
			s.Doubt = fmt.Sprintf("Failed to get status from systemd. Cloud-init status may be inaccurate. Error from systemctl: %v", err)
		}
		return false
	}
	for unit := range strings.SplitSeq(answer, "\n\n") {
		if failed, known := readUnit(unit); known {
			return failed
		}
	}
	return false
}

// readUnit reads what systemd shows of one unit; known says that the others need not be looked at. A unit that is not
// installed, or that ended well, tells nothing.
func readUnit(text string) (failed, known bool) {
	state := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		state[key] = value
	}
	file := state["UnitFileState"]
	switch {
	case state["LoadState"] == "not-found" || text == "":
		return false, false
	case !strings.HasPrefix(file, "enabled") && file != "static": // somebody disabled one of them
		return true, true
	case state["ActiveState"] == "active" && state["SubState"] == "exited":
		return false, false
	}
	return state["ActiveState"] == "failed" || state["SubState"] == "failed", true
}
