package hostcli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"openguest/internal/vm"
)

// vmCommand tries the guest in virtual machines.
func vmCommand() *cobra.Command {
	c := &cobra.Command{Use: "vm", Short: "Build images, and try user-data in a virtual machine"}
	c.AddCommand(vmBuildCommand(), vmRunCommand())
	return c
}

func vmBuildCommand() *cobra.Command {
	var b vm.Builder
	c := &cobra.Command{
		Use: "build", Short: "Build the image of a Debian release, unless the cache has it",
		Long: "Build the image of a Debian release from the package sources of this host's apt, unless the cache has it. It needs root,\n" +
			"for the files of an image belong to root, and about a minute.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			b.Progress = newProgress(c.ErrOrStderr())
			image, err := b.Build(c.Context())
			if err == nil {
				fmt.Fprintln(c.OutOrStdout(), image.Dir())
			}
			return unlessStopped(c.Context(), err)
		},
	}
	imageFlags(c, &b)
	c.Flags().BoolVar(&b.Again, "again", false, "build it anew even if the cache has it")
	return c
}

func imageFlags(c *cobra.Command, b *vm.Builder) {
	c.Flags().StringVar(&b.Release, "release", vm.Releases()[0], "the Debian release: "+strings.Join(vm.Releases(), ", "))
	c.Flags().StringVar(&b.Cache, "cache", vm.DefaultCache(), "the folder that keeps images")
	c.Flags().StringArrayVar(&b.Packages, "package", nil, "another Debian package to have in the image")
	c.Flags().StringVar(&b.Mirror, "mirror", "", "where Debian's packages come from (default: as this host's apt has it)")
}

// newProgress prints what takes long, each with the time since the first.
func newProgress(w io.Writer) func(string) {
	began := time.Now()
	return func(text string) { fmt.Fprintf(w, "%4.0f s  %s\n", time.Since(began).Seconds(), text) }
}

// A trial is one call of the command vm run.
type trial struct {
	builder vm.Builder
	config  vm.Config
	cloud   string
	seed    string // a folder with the documents below
	files   documents
	guest   string
	exec    string
	show    bool // the console, while a command runs
}

// documents are the files with a seed's documents.
type documents struct{ userData, metaData, vendorData, networkConfig string }

func vmRunCommand() *cobra.Command {
	t := &trial{cloud: "nocloud"}
	c := &cobra.Command{
		Use: "run", Short: "Boot a machine with the guest in it, and give it user-data",
		Long: "Boot a machine with the guest in it, and give it user-data. Without --exec its console is on the terminal, where root is\n" +
			"logged in; Ctrl-] ends it. Nothing stays behind. It needs QEMU; the first time also root, to build the image.",
		Example: "  openguest-host vm run --user-data user-data\n" +
			"  openguest-host vm run --cloud gce --user-data user-data --exec 'openguest status --long'",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGHUP) // the terminal's window was closed
			defer stop()
			c.SetContext(ctx)
			return unlessStopped(ctx, t.run(c))
		},
	}
	imageFlags(c, &t.builder)
	f := c.Flags()
	f.StringVar(&t.files.userData, "user-data", "", "a file with user-data")
	f.StringVar(&t.files.metaData, "meta-data", "", "a file with NoCloud's meta-data")
	f.StringVar(&t.files.vendorData, "vendor-data", "", "a file with vendor-data")
	f.StringVar(&t.files.networkConfig, "network-config", "", "a file with the description of the network")
	f.StringVar(&t.seed, "seed", "", "a folder with these four files, under these names")
	f.StringVar(&t.cloud, "cloud", t.cloud, "what the machine runs on: "+strings.Join(vm.Clouds(), ", "))
	f.StringArrayVar(&t.config.SMBIOS, "smbios", nil, "a firmware string, as QEMU's -smbios takes it")
	f.StringArrayVar(&t.config.Disks, "disk", nil, "the size of another disk: 1G")
	f.StringVar(&t.config.RootSize, "root-size", "4G", "the size of the root disk")
	f.IntVar(&t.config.NICs, "nics", 1, "how many network interfaces there are")
	f.IntVar(&t.config.Memory, "memory", 512, "MiB of memory")
	f.IntVar(&t.config.CPUs, "cpus", 2, "how many processors there are")
	f.StringArrayVar(&t.config.Kernel, "append", nil, "more words for the kernel command line")
	f.StringVar(&t.guest, "guest", "", "the guest's program, or none (default: openguest beside this program, or bin/openguest)")
	f.StringVar(&t.exec, "exec", "", "a command that root runs when the boot has ended; its status is ours")
	f.IntVar(&t.config.SSHPort, "ssh-port", 0, "a port of 127.0.0.1 that leads to the machine's ssh server")
	f.BoolVar(&t.show, "console", false, "show the console while --exec runs")
	return c
}

// stoppedStatus is that of shells for a program that Ctrl-C ended.
const stoppedStatus = 130

// unlessStopped drops the complaints of what a person stopped.
func unlessStopped(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return exitStatus(stoppedStatus)
	}
	return err
}

func (t *trial) run(c *cobra.Command) error {
	t.config.Progress = newProgress(c.ErrOrStderr())
	t.builder.Progress = t.config.Progress
	if err := t.prepare(c.Context()); err != nil {
		return err
	}
	if t.exec == "" {
		return t.interactive(c)
	}
	if t.show {
		t.config.Console = c.ErrOrStderr()
	}
	return t.command(c)
}

// prepare reads everything that the machine needs before it builds an image, which takes longer than to find a wrong name.
func (t *trial) prepare(ctx context.Context) (err error) {
	if err := vm.Need("qemu-system-x86_64", "qemu-img"); err != nil {
		return err
	}
	if t.config.NICs == 0 {
		t.config.NICs = -1
	}
	seed, err := t.documents()
	if err != nil {
		return err
	}
	if err := t.config.InCloud(t.cloud, seed); err != nil {
		return err
	}
	if t.config.Files, err = t.guestFiles(); err != nil {
		return err
	}
	t.config.Image, err = t.builder.Build(ctx)
	return err
}

func (t *trial) documents() (s vm.Seed, err error) {
	for _, d := range []struct {
		name, file string
		into       *[]byte
	}{
		{"user-data", t.files.userData, &s.UserData}, {"meta-data", t.files.metaData, &s.MetaData},
		{"vendor-data", t.files.vendorData, &s.VendorData}, {"network-config", t.files.networkConfig, &s.NetworkConfig},
	} {
		optional := d.file == ""
		if optional && t.seed == "" {
			continue
		}
		if optional {
			d.file = filepath.Join(t.seed, d.name)
		}
		*d.into, err = os.ReadFile(d.file)
		if optional && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return s, fmt.Errorf("read the %s: %w", d.name, err)
		}
	}
	return s, nil
}

// guestFiles are what the guest's package brings, without documentation.
func (t *trial) guestFiles() ([]vm.File, error) {
	if t.guest == "none" {
		return vm.Bare(), nil
	}
	name, err := t.findGuest()
	if err != nil {
		return nil, err
	}
	return InstalledGuest(name)
}

func (t *trial) findGuest() (string, error) {
	if t.guest != "" {
		return t.guest, nil
	}
	places := []string{"bin/openguest"}
	if self, err := os.Executable(); err == nil {
		places = append([]string{filepath.Join(filepath.Dir(self), "openguest")}, places...)
	}
	for _, p := range places {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			return p, nil
		}
	}
	return "", fmt.Errorf("the guest's program is not at %s; build it with scripts/build, or name it with --guest", strings.Join(places, " or "))
}

// command boots the machine, runs the command in it and ends with its status.
func (t *trial) command(c *cobra.Command) error {
	t.config.Progress("booting")
	m, err := vm.Start(c.Context(), t.config)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.WaitSSH(c.Context()); err != nil {
		return withConsole(m, err)
	}
	t.config.Progress("root can log in; waiting for the end of the boot")
	state, err := m.WaitBoot(c.Context())
	if err != nil {
		return withConsole(m, err)
	}
	t.config.Progress("the boot has ended: " + state)
	status, err := m.Exec(c.Context(), vm.Login{}, t.exec, c.OutOrStdout(), c.ErrOrStderr())
	if err == nil && status != 0 {
		err = exitStatus(status)
	}
	return err
}

// consoleLines is how much of the console an error shows.
const consoleLines = 15

func withConsole(m *vm.Machine, err error) error {
	if text := m.Console(consoleLines); text != "" && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w\nits console says last:\n%s", err, text)
	}
	return err
}

// An exitStatus is that of a command that ran in the machine. There is nothing to say about it.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("the command ended with status %d", int(e)) }
