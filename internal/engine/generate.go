package engine

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
	"openguest/internal/source"
)

// A Generation is one call of the program as a systemd generator, or as ds-identify.
type Generation struct {
	Early string // the folder for units that go before others; empty: none are wanted
	Force bool   // look again, though it has been done in this boot
	// KernelCommandLine is what the environment says in place of the kernel, as containers are told; may be empty.
	KernelCommandLine string
}

// What a boot is in for, as exit statuses of ds-identify.
const (
	enabled  = 0 // the stages are to run
	notFound = 1 // no cloud is there: they are not to run
	switched = 2 // somebody said no
)

// The units that make the stages part of a boot, and what follows the cloud after them.
const (
	bootTarget = "/usr/lib/systemd/system/cloud-init.target"
	watchUnit  = "/usr/lib/systemd/system/openguest-watch.service"
)

// Generate decides whether the stages are part of this boot, as ds-identify does, and writes it down where that and
// cloud-init's generator do: the sources to try, the result, a marker, and a link to cloud-init.target. It asks no
// network and starts no program. The status is ds-identify's: 0 enabled, 1 no cloud found, 2 switched off.
func Generate(m machine.Machine, g Generation) (status int, err error) {
	e := New(m.Quiet(), Options{KernelCommandLine: g.KernelCommandLine})
	e.paths = pathsOf(builtin())
	if err := e.folder(e.paths.Run, 0o755); err != nil {
		return enabled, fmt.Errorf("decide whether this boot is to configure the machine: %w", err)
	}
	known := false
	if status, known = e.lastGenerated(); !known || g.Force {
		if status, err = e.generate(g); err != nil {
			return status, fmt.Errorf("write down whether this boot is to configure the machine: %w", err)
		}
	}
	if g.Early == "" {
		return status, nil
	}
	return status, errors.Join(e.markGenerated(status == enabled), e.linkUnit(g.Early, bootTarget, status == enabled),
		e.linkUnit(g.Early, watchUnit, status == enabled && e.isWatched()))
}

// isWatched says that the source which was found tells what is new while the machine runs.
func (e *Engine) isWatched() bool {
	text, _ := e.state.Files.Read(e.runFile("cloud.cfg"))
	found, _, err := conf.Parse("cloud.cfg", []byte(text))
	if err != nil {
		return false
	}
	for _, name := range found.Get("datasource_list").Strings() {
		s := source.Named(name)
		return s != nil && s.Watch != nil
	}
	return false
}

// lastGenerated is what was found out in this boot before: generators run again at every daemon-reload.
func (e *Engine) lastGenerated() (status int, known bool) {
	text, err := e.state.Files.Read(e.runFile(".ds-identify.result"))
	if err != nil || !machine.Exists(e.state.Files, e.runFile("cloud.cfg")) {
		return 0, false
	}
	switch strings.TrimSpace(text) {
	case "0":
		return enabled, true
	case "1":
		return notFound, true
	case "2":
		return switched, true
	}
	return 0, false
}

// generate looks for the cloud and writes down what it found.
func (e *Engine) generate(g Generation) (int, error) {
	if by := Disabled(e.state, g.KernelCommandLine); by != "" {
		return switched, e.putResult(switched, "disabled by "+by+"\n")
	}
	// An earlier result is no configuration of the person's: it must not decide the next.
	if _, err := e.state.Files.Remove(e.runFile("cloud.cfg")); err != nil {
		return enabled, err
	}
	e.load()
	choice := source.Detect(e.machine.Facts, e.sourceEnv(source.Local))
	var lines strings.Builder
	for _, line := range choice.Lines {
		fmt.Fprintf(&lines, "%s\n", line)
	}
	fmt.Fprintf(&lines, "%s\n", choice.Why)
	status := enabled
	if choice.Disabled {
		status = notFound
	}
	if choice.Run != "" {
		if err := e.put(e.runFile("cloud.cfg"), 0o644, choice.Run); err != nil {
			return status, err
		}
	}
	return status, e.putResult(status, lines.String())
}

// putResult writes the status, and the reasons for people.
func (e *Engine) putResult(status int, reasons string) error {
	return errors.Join(
		e.put(e.runFile("ds-identify.log"), 0o644, fmt.Sprintf("%sreturning %d\n", reasons, status)),
		e.put(e.runFile(".ds-identify.result"), 0o644, fmt.Sprintf("%d\n", status)))
}

// markGenerated leaves the file that status looks at.
func (e *Engine) markGenerated(on bool) error {
	here, gone := "enabled", "disabled"
	if !on {
		here, gone = gone, here
	}
	_, err := e.state.Files.Remove(e.runFile(gone))
	return errors.Join(err, e.put(e.runFile(here), 0o644, ""))
}

// linkUnit makes a unit part of the boot, or no part of it.
func (e *Engine) linkUnit(early, unit string, on bool) error {
	wants := path.Join(early, "multi-user.target.wants")
	link := path.Join(wants, path.Base(unit))
	if !on {
		if !machine.Exists(e.state.Files, wants) {
			return nil
		}
		_, err := e.state.Files.Remove(link)
		return err
	}
	if err := e.folder(wants, 0o755); err != nil {
		return err
	}
	return e.link(link, unit)
}
