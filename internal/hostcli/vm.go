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

	"openguest/internal/command"
	"openguest/internal/vm"
)

// vmCommand tries the guest in virtual machines.
func (p *program) vmCommand() *command.Command {
	return &command.Command{Use: "vm", Short: "Build images, and try user-data in a virtual machine",
		Commands: []*command.Command{p.vmBuildCommand(), p.vmRunCommand()}}
}

func (p *program) vmBuildCommand() *command.Command {
	var b vm.Builder
	return &command.Command{
		Use: "build", Short: "Build the image of a Debian release, unless the cache has it",
		Long: "Build the image of a Debian release from the package sources of this host's apt, unless the cache has it. It needs root,\n" +
			"for the files of an image belong to root, and about a minute.",
		Flags: imageFlags(&b, command.Bool(&b.Again, "again", "", "build it anew even if the cache has it")),
		Run: func(ctx context.Context, _ []string) error {
			b.Progress = newProgress(p.stderr)
			image, err := b.Build(ctx)
			if err == nil {
				fmt.Fprintln(p.stdout, image.Dir())
			}
			return unlessStopped(ctx, err)
		},
	}
}

// imageFlags say which image is wanted; more follow them.
func imageFlags(b *vm.Builder, more ...command.Flag) []command.Flag {
	b.Release, b.Cache = vm.Releases()[0], vm.DefaultCache()
	return append([]command.Flag{
		command.Text(&b.Release, "release", "", "the Debian release: "+strings.Join(vm.Releases(), ", ")),
		command.Text(&b.Cache, "cache", "", "the folder that keeps images"),
		command.List(&b.Packages, "package", "", "another Debian package to have in the image"),
		command.Text(&b.Mirror, "mirror", "", "where Debian's packages come from (default: as this host's apt has it)"),
	}, more...)
}

// newProgress prints what takes long, each with the time since the first.
func newProgress(w io.Writer) func(string) {
	began := time.Now()
	return func(text string) { fmt.Fprintf(w, "%4.0f s  %s\n", time.Since(began).Seconds(), text) }
}

// A trial is one call of the command vm run.
type trial struct {
	stdout, stderr io.Writer

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

func (p *program) vmRunCommand() *command.Command {
	t := &trial{stdout: p.stdout, stderr: p.stderr, cloud: "nocloud", config: vm.Config{RootSize: "4G", NICs: 1, Memory: 512, CPUs: 2}}
	return &command.Command{
		Use: "run", Short: "Boot a machine with the guest in it, and give it user-data",
		Long: "Boot a machine with the guest in it, and give it user-data. Without --exec its console is on the terminal, where root is\n" +
			"logged in; Ctrl-] ends it. Nothing stays behind. It needs QEMU; the first time also root, to build the image.",
		Example: "  openguest-host vm run --user-data user-data\n" +
			"  openguest-host vm run --cloud gce --user-data user-data --exec 'openguest status --long'",
		Flags: imageFlags(&t.builder,
			command.Text(&t.files.userData, "user-data", "", "a file with user-data"),
			command.Text(&t.files.metaData, "meta-data", "", "a file with NoCloud's meta-data"),
			command.Text(&t.files.vendorData, "vendor-data", "", "a file with vendor-data"),
			command.Text(&t.files.networkConfig, "network-config", "", "a file with the description of the network"),
			command.Text(&t.seed, "seed", "", "a folder with these four files, under these names"),
			command.Text(&t.cloud, "cloud", "", "what the machine runs on: "+strings.Join(vm.Clouds(), ", ")),
			command.List(&t.config.SMBIOS, "smbios", "", "a firmware string, as QEMU's -smbios takes it"),
			command.List(&t.config.Disks, "disk", "", "the size of another disk: 1G"),
			command.Text(&t.config.RootSize, "root-size", "", "the size of the root disk"),
			command.Int(&t.config.NICs, "nics", "", "how many network interfaces there are"),
			command.Int(&t.config.Memory, "memory", "", "MiB of memory"),
			command.Int(&t.config.CPUs, "cpus", "", "how many processors there are"),
			command.List(&t.config.Kernel, "append", "", "more words for the kernel command line"),
			command.Text(&t.guest, "guest", "", "the guest's program, or none (default: openguest beside this program, or bin/openguest)"),
			command.Text(&t.exec, "exec", "", "a command that root runs when the boot has ended; its status is ours"),
			command.Int(&t.config.SSHPort, "ssh-port", "", "a port of 127.0.0.1 that leads to the machine's ssh server"),
			command.Bool(&t.show, "console", "", "show the console while --exec runs"),
		),
		Run: func(ctx context.Context, _ []string) error {
			ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal's window was closed
			defer stop()
			return unlessStopped(ctx, t.run(ctx))
		},
	}
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

func (t *trial) run(ctx context.Context) error {
	t.config.Progress = newProgress(t.stderr)
	t.builder.Progress = t.config.Progress
	if err := t.prepare(ctx); err != nil {
		return err
	}
	if t.exec == "" {
		return t.interactive(ctx)
	}
	if t.show {
		t.config.Console = t.stderr
	}
	return t.command(ctx)
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
func (t *trial) command(ctx context.Context) error {
	t.config.Progress("booting")
	m, err := vm.Start(ctx, t.config)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.WaitSSH(ctx); err != nil {
		return withConsole(m, err)
	}
	t.config.Progress("root can log in; waiting for the end of the boot")
	state, err := m.WaitBoot(ctx)
	if err != nil {
		return withConsole(m, err)
	}
	t.config.Progress("the boot has ended: " + state)
	status, err := m.Exec(ctx, vm.Login{}, t.exec, t.stdout, t.stderr)
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
