package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"openguest/internal/engine"
	"openguest/internal/machine"
)

// cleanFlags are the arguments of clean.
type cleanFlags struct {
	logs, machineID, reboot, seed bool
	configs                       []string
}

func (p *program) cleanCommand() *cobra.Command {
	var f cleanFlags
	c := &cobra.Command{Use: "clean", Short: "Remove what a boot left behind, so that the next is a first boot",
		Args: func(c *cobra.Command, args []string) error { return f.check(c, args) },
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needRoot("clean"); err != nil {
				return err
			}
			m, err := machine.Live()
			if err != nil {
				return err
			}
			return p.clean(c, m, f)
		}}
	c.Flags().BoolVarP(&f.logs, "logs", "l", false, "the logs as well")
	c.Flags().BoolVar(&f.machineID, "machine-id", false, "let systemd make a new machine-id at the next boot")
	c.Flags().BoolVarP(&f.reboot, "reboot", "r", false, "reboot when done")
	c.Flags().BoolVarP(&f.seed, "seed", "s", false, "the seed folder as well")
	c.Flags().StringArrayVarP(&f.configs, "configs", "c", nil, "generated configuration as well: all, ssh_config, network, datasource, fstab")
	return c
}

// check takes the words after --configs as more of them, as argparse does.
func (f *cleanFlags) check(c *cobra.Command, args []string) error {
	if len(args) > 0 && len(f.configs) == 0 {
		return noArgs(c, args)
	}
	f.configs = append(f.configs, args...)
	for _, word := range f.configs {
		if !slices.Contains([]string{"all", "ssh_config", "network", "datasource", "fstab"}, word) {
			return usageError{c, fmt.Errorf("argument -c/--configs: invalid choice: '%s' (choose from 'all', 'ssh_config', 'network', 'datasource', 'fstab')", word)}
		}
	}
	return nil
}

// What a boot generates outside its own folder, by kind. A star stands for any text in a name.
var generated = map[string][]string{
	"network": {"/etc/netplan/50-cloud-init.yaml", "/etc/NetworkManager/conf.d/99-cloud-init.conf",
		"/etc/NetworkManager/conf.d/30-cloud-init-ip6-addr-gen-mode.conf", "/etc/NetworkManager/system-connections/cloud-init-*.nmconnection",
		"/etc/systemd/network/10-cloud-init-*.network", "/etc/network/interfaces.d/50-cloud-init.cfg"},
	"ssh_config": {"/etc/ssh/sshd_config.d/50-cloud-init.conf"},
}

func (p *program) clean(c *cobra.Command, m machine.Machine, f cleanFlags) error {
	paths := engine.Paths(m)
	err := errors.Join(f.removeLogs(m), f.removeGenerated(m), f.removeState(m, paths.Cloud), machine.RemoveAll(m.Files, engine.OwnState))
	if err == nil {
		err = p.runCleanScripts(c, m)
	}
	if f.machineID {
		err = errors.Join(err, resetMachineID(m))
	}
	if err == nil && f.reboot {
		err = m.Commands.Do(c.Context(), machine.Change{Argv: []string{"shutdown", "-r", "now"}})
	}
	return err
}

func (f cleanFlags) removeLogs(m machine.Machine) (err error) {
	if !f.logs {
		return nil
	}
	for _, name := range engine.LogFiles(m) {
		if n, failure := m.Files.Look(name); failure == nil && n.Mode.IsRegular() {
			_, failure := m.Files.Remove(name)
			err = errors.Join(err, failure)
		}
	}
	return err
}

func (f cleanFlags) removeGenerated(m machine.Machine) (err error) {
	for kind, patterns := range generated {
		if !slices.Contains(f.configs, kind) && !slices.Contains(f.configs, "all") {
			continue
		}
		for _, pattern := range patterns {
			names, _ := m.Files.List(path.Dir(pattern))
			for _, name := range names {
				if ok, _ := path.Match(path.Base(pattern), name); ok {
					_, failure := m.Files.Remove(path.Join(path.Dir(pattern), name))
					err = errors.Join(err, failure)
				}
			}
		}
	}
	if slices.Contains(f.configs, "fstab") || slices.Contains(f.configs, "all") {
		err = errors.Join(err, cleanFstab(m))
	}
	return err
}

// cleanFstab takes out the lines that a boot put into the table of file systems.
func cleanFstab(m machine.Machine) error {
	n, err := machine.Get(m.Files, "/etc/fstab")
	if err != nil {
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

// removeState empties the folder of the state, but for the seed where that is not to go.
func (f cleanFlags) removeState(m machine.Machine, dir string) (err error) {
	names, failure := m.Files.List(dir)
	if errors.Is(failure, fs.ErrNotExist) {
		return nil
	}
	for _, name := range names {
		if name != "seed" || f.seed {
			err = errors.Join(err, machine.RemoveAll(m.Files, path.Join(dir, name)))
		}
	}
	return errors.Join(failure, err)
}

// runCleanScripts runs the scripts that packages left for this.
func (p *program) runCleanScripts(c *cobra.Command, m machine.Machine) error {
	const dir = "/etc/cloud/clean.d"
	names, _ := m.Files.List(dir)
	var failed []string
	attempted := 0
	for _, name := range names {
		file := path.Join(dir, name)
		if n, err := m.Files.Look(file); err != nil || !n.Mode.IsRegular() || n.Mode&0o111 == 0 {
			continue
		}
		attempted++
		if err := m.Commands.Run(c.Context(), machine.Program{Argv: []string{file}}); err != nil {
			failed = append(failed, name)
		}
	}
	if failed != nil {
		return fmt.Errorf("Failure during run-parts of %s: Runparts: %d failures (%s) in %d attempted commands", dir, len(failed), strings.Join(failed, ","), attempted)
	}
	return nil
}

func resetMachineID(m machine.Machine) error {
	if m.Facts.Init() != "systemd" {
		_, err := m.Files.Remove("/etc/machine-id")
		return err
	}
	_, err := m.Files.Put("/etc/machine-id", machine.File(0o444, "uninitialized\n"))
	return err
}
