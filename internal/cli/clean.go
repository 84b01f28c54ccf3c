package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"openguest/internal/command"
	"openguest/internal/engine"
	"openguest/internal/machine"
)

// cleanFlags are the arguments of clean.
type cleanFlags struct {
	logs, machineID, reboot, seed bool
	configs                       []string
}

func (p *program) cleanCommand() *command.Command {
	var f cleanFlags
	return &command.Command{Use: "clean", Short: "Remove what a boot left behind, so that the next is a first boot",
		Args: command.Args{Most: command.Any},
		Flags: []command.Flag{
			p.rootFlag(),
			command.Bool(&f.logs, "logs", "l", "the logs as well"),
			command.Bool(&f.machineID, "machine-id", "", "let systemd make a new machine-id at the next boot"),
			command.Bool(&f.reboot, "reboot", "r", "reboot when done"),
			command.Bool(&f.seed, "seed", "s", "the seed folder as well"),
			command.List(&f.configs, "configs", "c", "generated configuration as well: all, ssh_config, network, datasource, fstab").Of(configKinds()...),
		},
		Run: func(ctx context.Context, args []string) error {
			if err := f.more(args); err != nil {
				return err
			}
			if p.isLive() {
				if err := needRoot("clean"); err != nil {
					return err
				}
			} else if f.reboot {
				return command.Mistakef("--reboot and --root do not go together: that system is not running")
			}
			m, err := p.machine()
			if err != nil {
				return err
			}
			return p.clean(ctx, m, f)
		}}
}

// configKinds are the kinds of configuration that --configs takes.
func configKinds() []string { return []string{"all", "ssh_config", "network", "datasource", "fstab"} }

// more takes the words after --configs as more of them, as argparse does.
func (f *cleanFlags) more(args []string) error {
	if len(args) > 0 && len(f.configs) == 0 {
		return command.Mistakef("unrecognized arguments: %s; what follows --configs is taken, and nothing else", strings.Join(args, " "))
	}
	for _, word := range args {
		if err := command.Choice("-c/--configs", word, configKinds()...); err != nil {
			return err
		}
	}
	f.configs = append(f.configs, args...)
	return nil
}

// wants says whether a kind of configuration is to go.
func (f cleanFlags) wants(kind string) bool {
	return slices.Contains(f.configs, kind) || slices.Contains(f.configs, "all")
}

// generated are the files that a boot makes outside its own folder, by kind. A star stands for any text in a name.
func generated(kind string) []string {
	switch kind {
	case "network":
		return []string{"/etc/netplan/50-cloud-init.yaml", "/etc/NetworkManager/conf.d/99-cloud-init.conf",
			"/etc/NetworkManager/conf.d/30-cloud-init-ip6-addr-gen-mode.conf", "/etc/NetworkManager/system-connections/cloud-init-*.nmconnection",
			"/etc/systemd/network/10-cloud-init-*.network", "/etc/network/interfaces.d/50-cloud-init.cfg"}
	case "ssh_config":
		return []string{"/etc/ssh/sshd_config.d/50-cloud-init.conf"}
	}
	return nil
}

// clean goes on where something cannot be removed, and says all that is left. What packages want to clean comes last of the
// files, because their scripts may look at what is there; there is nothing for them to do where all is clean already.
func (p *program) clean(ctx context.Context, m machine.Machine, f cleanFlags) error {
	dir := engine.Paths(m).Cloud
	err := errors.Join(f.removeLogs(m), f.removeGenerated(m), machine.RemoveAll(m.Files, engine.OwnState))
	if _, missing := m.Files.List(dir); errors.Is(missing, fs.ErrNotExist) {
		fmt.Fprintln(p.stderr, "Artifacts already cleaned.")
	} else {
		err = errors.Join(err, f.removeState(m, dir))
		if err == nil {
			err = p.runCleanScripts(ctx, m)
		}
	}
	if f.machineID {
		err = errors.Join(err, resetMachineID(m))
	}
	if err == nil && f.reboot {
		return reboot(ctx, m)
	}
	return err
}

// removeLogs removes the logs, and what was rotated away of them.
func (f cleanFlags) removeLogs(m machine.Machine) (err error) {
	if !f.logs {
		return nil
	}
	for _, name := range engine.LogFiles(m) {
		err = errors.Join(err, removeMatching(m, name), removeMatching(m, name+"?*"))
	}
	return err
}

func (f cleanFlags) removeGenerated(m machine.Machine) (err error) {
	for _, kind := range []string{"network", "ssh_config"} {
		if !f.wants(kind) {
			continue
		}
		for _, pattern := range generated(kind) {
			err = errors.Join(err, removeMatching(m, pattern))
		}
	}
	if f.wants("fstab") {
		err = errors.Join(err, cleanFstab(m))
	}
	return err
}

// removeMatching removes the files and links of a folder whose names match; devices and folders stay.
func removeMatching(m machine.Machine, pattern string) (err error) {
	dir, base := path.Split(pattern)
	names, _ := m.Files.List(dir)
	for _, name := range names {
		matches, _ := path.Match(base, name)
		n, failure := m.Files.Look(dir + name)
		if !matches || failure != nil || !n.Mode.IsRegular() && n.Mode.Type() != fs.ModeSymlink {
			continue
		}
		_, failure = m.Files.Remove(dir + name)
		err = errors.Join(err, failure)
	}
	return err
}

// cleanFstab takes out the lines that a boot put into the table of file systems.
func cleanFstab(m machine.Machine) error {
	n, err := machine.Get(m.Files, "/etc/fstab")
	if err != nil || !n.Mode.IsRegular() {
		return nil
	}
	var kept strings.Builder
	for line := range strings.Lines(n.Data) {
		if !strings.Contains(line, "comment=cloudconfig") {
			kept.WriteString(line)
		}
	}
	n.Data = kept.String()
	_, err = m.Files.Put("/etc/fstab", n)
	return err
}

// removeState empties the folder of the state, but for the seed where that is not to go. Hidden files are nobody's that
// boots.
func (f cleanFlags) removeState(m machine.Machine, dir string) (err error) {
	names, failure := m.Files.List(dir)
	for _, name := range names {
		if (name != "seed" || f.seed) && !strings.HasPrefix(name, ".") {
			err = errors.Join(err, machine.RemoveAll(m.Files, path.Join(dir, name)))
		}
	}
	return errors.Join(failure, err)
}

// cleanScripts is where packages leave scripts that clean up after them.
const cleanScripts = "/etc/cloud/clean.d"

// runCleanScripts runs them in the order of their names. In a system that is not running none can run: that is said, and
// is a failure, because nothing will run them later.
func (p *program) runCleanScripts(ctx context.Context, m machine.Machine) error {
	names, _ := m.Files.List(cleanScripts)
	var failed []string
	attempted := 0
	for _, name := range names {
		file := path.Join(cleanScripts, name)
		if n, err := m.Files.Look(file + "/"); err != nil || !n.Mode.IsRegular() || n.Mode&0o111 == 0 {
			continue
		}
		attempted++
		err := m.Commands.Run(ctx, machine.Program{Argv: []string{file}, Reads: file})
		if errors.Is(err, machine.ErrDeferred) {
			fmt.Fprintf(p.stderr, "%s was not run: the system in %s is not running; run the script inside it\n", file, p.at)
		}
		if err != nil {
			failed = append(failed, name)
		}
	}
	if failed == nil {
		return nil
	}
	return fmt.Errorf("Failure during run-parts of %s: Runparts: %d failures (%s) in %d attempted commands", cleanScripts, len(failed), strings.Join(failed, ","), attempted)
}

// resetMachineID makes the next boot choose a new machine-id: systemd does where it reads this word, others where there is
// no file.
func resetMachineID(m machine.Machine) error {
	if m.Facts.Init() != "systemd" {
		_, err := m.Files.Remove("/etc/machine-id")
		return err
	}
	_, err := m.Files.Put("/etc/machine-id", machine.File(0o444, "uninitialized\n"))
	return err
}

// reboot boots again at once. Where systemd or another has no shutdown, there is reboot.
func reboot(ctx context.Context, m machine.Machine) error {
	argv := []string{"shutdown", "-r", "now"}
	if id, _, _ := m.Facts.Distro(); id == "alpine" {
		argv = []string{"reboot", "-d", "0"}
	}
	if err := m.Commands.Do(ctx, machine.Change{Argv: argv, Ends: true}); err != nil {
		return fmt.Errorf("Could not reboot this system using %q: %w", argv, err)
	}
	return nil
}
