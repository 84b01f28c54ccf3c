package module

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// A packageManager is a program that installs packages, as data: what to tell it.
type packageManager struct {
	Name    string   // as packages: spells it
	Argv    []string // the program, and the options that come first
	Update  []string // fetches the lists of packages
	Install []string
	Upgrade []string
	Probe   []string // says whether it would install one package, and changes nothing; nil where there is no such thing
	Pin     string   // stands between a name and a version
	Fresh   bool     // the lists are fetched before it installs
	Wrapper string   // a program that it runs in, where that is installed
	Env     []string
	Locks   []string
}

// The package managers that we know (cloudinit/distros and cloudinit/distros/package_management have the options).
var (
	apt = packageManager{Name: "apt", Pin: "=", Fresh: true, Wrapper: "eatmydata",
		Argv:   []string{"apt-get", "--option=Dpkg::Options::=--force-confold", "--option=Dpkg::options::=--force-unsafe-io", "--assume-yes", "--quiet"},
		Update: []string{"update"}, Install: []string{"install"}, Upgrade: []string{"dist-upgrade"}, Probe: []string{"--simulate", "install"},
		Env:   []string{"DEBIAN_FRONTEND=noninteractive"},
		Locks: []string{"/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/cache/apt/archives/lock", "/var/lib/apt/lists/lock"}}
	dnf  = packageManager{Name: "dnf", Argv: []string{"dnf", "-y"}, Pin: "-", Update: []string{"makecache"}, Install: []string{"install"}, Upgrade: []string{"upgrade"}}
	yum  = packageManager{Name: "yum", Argv: []string{"yum", "-t", "-y"}, Pin: "-", Update: []string{"makecache"}, Install: []string{"install"}, Upgrade: []string{"upgrade"}}
	tdnf = packageManager{Name: "tdnf", Argv: []string{"tdnf", "-y"}, Pin: "-", Update: []string{"makecache"}, Install: []string{"install"}, Upgrade: []string{"upgrade"}}
	apk  = packageManager{Name: "apk", Argv: []string{"apk", "--quiet"}, Pin: "=", Fresh: true, Update: []string{"update"}, Install: []string{"add"},
		Upgrade: []string{"upgrade", "--update-cache", "--available"}}
	zypper = packageManager{Name: "zypper", Argv: []string{"zypper", "--non-interactive"}, Pin: "-", Update: []string{"refresh"},
		Install: []string{"install", "--auto-agree-with-licenses"}, Upgrade: []string{"update"}}
	pacman = packageManager{Name: "pacman", Argv: []string{"pacman", "-Sy", "--quiet", "--noconfirm"}, Pin: "-", Fresh: true, Update: []string{"-y"}, Upgrade: []string{"-u"}}
)

// A wantedPackage is one package that somebody asked for.
type wantedPackage struct {
	name, version string
	manager       string // the package manager that it is for; empty means the system's
	origin        conf.Origin
	key           string
	was           bool  // it was installed before, and nothing has changed
	err           error // why it could not be installed
}

// installPackages installs packages that a module needs.
func (e *Env) installPackages(ctx context.Context, names ...string) error {
	var all []*wantedPackage
	for _, name := range names {
		all = append(all, &wantedPackage{name: name})
	}
	e.installWanted(ctx, all)
	return failures(all)
}

// installWanted installs packages and notes what could not be. What the system's package manager does not have, snap may,
// where the distribution comes with it.
func (e *Env) installWanted(ctx context.Context, all []*wantedPackage) {
	var own, snaps []*wantedPackage
	m, err := e.packageManager()
	for _, w := range all {
		switch w.manager {
		case "", m.Name:
			own = append(own, w)
			w.err = err
		case "snap":
			snaps = append(snaps, w)
		default:
			w.err = fmt.Errorf("Cannot install packages under '%s' as it is not a supported package manager! This system has %s", w.manager, m.Name)
		}
	}
	if err == nil && len(own) > 0 {
		e.installWith(ctx, m, own)
	}
	for _, w := range own {
		if w.err != nil && w.manager == "" && e.Distro.Snap && !isDeferred(w.err) {
			snaps = append(snaps, w)
		}
	}
	e.installSnaps(ctx, snaps)
}

// packageManager is the first of the family's package managers that is installed.
func (e *Env) packageManager() (packageManager, error) {
	var names []string
	for _, m := range e.Distro.Packages {
		if err := e.Machine.Commands.Can(machine.Change{Argv: m.Argv}); !errors.Is(err, machine.ErrNone) {
			return m.configured(e), nil
		}
		names = append(names, m.Argv[0])
	}
	return packageManager{}, fmt.Errorf("no package manager is installed; looked for %s", strings.Join(names, ", "))
}

// configured is the package manager as system_info changes it, within its wrapper.
func (m packageManager) configured(e *Env) packageManager {
	wrapper := []string{m.Wrapper}
	wrapped := m.Wrapper != "" && e.Machine.Commands.Can(machine.Change{Argv: wrapper}) == nil
	if m.Name == "apt" {
		system := e.Config.Get("system_info")
		if v := system.Get("apt_get_wrapper"); !v.IsNull() {
			wrapper = v.Get("command").Strings()
			enabled := v.Get("enabled")
			wrapped = len(wrapper) > 0 && (enabled.Truth(false) || enabled.Str("") == "auto" && e.Machine.Commands.Can(machine.Change{Argv: wrapper}) == nil)
		}
		if command := system.Get("apt_get_command").Strings(); command != nil {
			m.Argv = command
		}
		if upgrade := system.Get("apt_get_upgrade_subcommand").Str(""); upgrade != "" {
			m.Upgrade = []string{upgrade}
		}
	}
	if wrapped {
		m.Argv = slices.Concat(wrapper, m.Argv)
	}
	return m
}

// change is a command of the package manager. Nobody knows what packages bring; a plan takes it that they leave alone the
// files that the configuration is about, but for the users that they may add.
func (m packageManager) change(e *Env, words ...string) machine.Change {
	return machine.Change{Argv: slices.Concat(m.Argv, words), Env: m.Env, Locks: m.Locks, Limit: machine.NoLimit, Shown: true, Output: e.Output,
		Touches: []string{"/usr", "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/var/lib/dpkg", "/var/lib/apt", "/var/lib/rpm"}}
}

// updatePackages fetches the lists of packages, once for an instance. It is marked before it runs: a second try would only
// wait for the same dead mirror.
func (e *Env) updatePackages(ctx context.Context, m packageManager) error {
	mark := e.Paths.Instance("sem", "update_sources")
	if machine.Exists(e.Machine.Files, mark) {
		e.Debug("update-sources already ran (freq=%s)", PerInstance)
		return nil
	}
	change := m.change(e, m.Update...)
	change.Touches = []string{"/var/lib/apt/lists", "/var/cache"}
	if err := e.Machine.Commands.Can(change); err != nil {
		return m.explain("update", err)
	}
	now := e.Machine.Clock.Now()
	if err := e.Remember(mark, fmt.Sprintf("%d: %d.%06d\n", e.Machine.Kernel.ProcessID(), now.Unix(), now.Nanosecond()/1000), machine.File(0o644, "")); err != nil {
		return err
	}
	return m.explain("update", e.Machine.Commands.Do(ctx, change))
}

// explain makes the error of a package manager's command short: what it was to do, and what it said.
func (m packageManager) explain(what string, err error) error {
	exit := (*machine.ExitError)(nil)
	switch {
	case isDeferred(err):
		return fmt.Errorf("%s %s: %w", m.Name, what, machine.ErrDeferred)
	case !errors.As(err, &exit):
		return err
	case exit.Stderr != "":
		return fmt.Errorf("%s %s: %s", m.Name, what, exit.Stderr)
	}
	return fmt.Errorf("%s %s ended with status %d; its output says why", m.Name, what, exit.Status)
}

// installWith installs packages all at once. Where that fails, those that cannot be installed are sorted out, so that they
// do not cost the others.
func (e *Env) installWith(ctx context.Context, m packageManager, all []*wantedPackage) {
	if m.Fresh {
		if err := e.updatePackages(ctx, m); err != nil && !isDeferred(err) {
			e.Report.Log(Error, "Failed to update package using %s: %v", m.Name, err)
		}
	}
	before := e.dpkgInstalled()
	e.sortOut(ctx, m, all, e.runInstall(ctx, m, all))
	after := e.dpkgInstalled()
	for _, w := range all {
		w.was = w.err == nil && before[w.name] != "" && before[w.name] == after[w.name]
	}
}

// sortOut says of packages why they could not be installed, after a try with all of them.
func (e *Env) sortOut(ctx context.Context, m packageManager, all []*wantedPackage, err error) {
	exit := (*machine.ExitError)(nil)
	if m.Probe == nil || !errors.As(err, &exit) {
		fail(all, m.explain("install", err))
		return
	}
	good := e.probePackages(ctx, m, all)
	if len(good) > 0 && len(good) < len(all) {
		err = e.runInstall(ctx, m, good)
	}
	if err = m.explain("install", err); err != nil && e.failMissing(good, err) == 0 && len(good) > 0 {
		e.Warn("the packages are installed, and yet: %v", err)
	}
}

func (e *Env) runInstall(ctx context.Context, m packageManager, some []*wantedPackage) error {
	words := slices.Clone(m.Install)
	for _, w := range some {
		if word := m.word(w); !slices.Contains(words[len(m.Install):], word) {
			words = append(words, word)
		}
	}
	return e.Machine.Commands.Do(ctx, m.change(e, words...))
}

// word is how the package manager is told of a package.
func (m packageManager) word(w *wantedPackage) string {
	if w.version == "" {
		return w.name
	}
	return w.name + m.Pin + w.version
}

// fail says of packages why they could not be installed; nil takes back what was said.
func fail(some []*wantedPackage, err error) {
	for _, w := range some {
		w.err = err
	}
}

// probePackages asks of each package whether it could be installed, and returns those that could.
func (e *Env) probePackages(ctx context.Context, m packageManager, all []*wantedPackage) (good []*wantedPackage) {
	var bad []string
	for _, w := range all {
		_, err := e.Machine.Commands.Ask(ctx, machine.Question{Argv: slices.Concat(m.Argv, m.Probe, []string{m.word(w)})})
		if w.err = m.explain("install", err); err == nil {
			good = append(good, w)
		} else {
			bad = append(bad, "'"+m.word(w)+"'")
		}
	}
	if bad != nil {
		e.Debug("The following packages were not found by %s so %[1]s will not attempt to install them: [%s]", strings.ToUpper(m.Name), strings.Join(bad, ", "))
	}
	return good
}

// snapChange is a command of snap, which is asked for one package at a time: it does not say which of several failed.
func (e *Env) snapChange(words ...string) machine.Change {
	return machine.Change{Argv: append([]string{"snap"}, words...), Limit: machine.NoLimit, Shown: true, Output: e.Output, Touches: []string{"/snap", "/var/lib/snapd"}}
}

func (e *Env) installSnaps(ctx context.Context, all []*wantedPackage) {
	for _, w := range all {
		words := []string{"install", w.name}
		if w.version != "" {
			words = append(words, w.version)
		}
		change := e.snapChange(words...)
		if err := e.Machine.Commands.Can(change); err != nil {
			w.err = cmp.Or(w.err, err)
			continue
		}
		if w.err = e.Machine.Commands.Do(ctx, change); w.err != nil {
			e.Info("Failed to 'snap install %s'!", w.name)
		}
	}
}

// upgradeSnaps upgrades what snap installed, unless somebody holds that back for good.
func (e *Env) upgradeSnaps(ctx context.Context) error {
	refresh := e.snapChange("refresh")
	if !e.Distro.Snap || errors.Is(e.Machine.Commands.Can(refresh), machine.ErrNone) {
		return nil
	}
	answer, err := e.Machine.Commands.Ask(ctx, machine.Question{Argv: []string{"snap", "get", "system", "-d"}})
	var system struct{ Refresh struct{ Hold string } }
	if err != nil {
		e.Info("Continuing to snap refresh. Unable to run command: %v", err)
	} else if json.Unmarshal([]byte(answer), &system) == nil && system.Refresh.Hold == "forever" {
		e.Info("Skipping snap refresh because refresh.hold is set to 'forever'")
		return nil
	}
	return e.Machine.Commands.Do(ctx, refresh)
}

// failures is one error for all packages that could not be installed, in the words that tools look for.
func failures(all []*wantedPackage) error {
	var names, why []string
	for _, w := range all {
		switch {
		case w.err == nil:
		case isDeferred(w.err):
			return w.err
		default:
			names = append(names, "'"+w.name+"'")
			if reason := w.err.Error(); !slices.Contains(why, reason) {
				why = append(why, reason)
			}
		}
	}
	if names == nil {
		return nil
	}
	return fmt.Errorf("Failed to install the following packages: {%s}. See associated package manager logs for more details. %s",
		strings.Join(names, ", "), strings.Join(why, "; "))
}

func isDeferred(err error) bool {
	return errors.Is(err, machine.ErrDeferred) || errors.Is(err, machine.ErrOffline)
}
