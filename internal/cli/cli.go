// Package cli is the guest's commands: those of cloud-init, with the same words, keys and exit statuses, and our own.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"slices"
	"syscall"

	"openguest/internal/command"
	"openguest/internal/engine"
	"openguest/internal/machine"
)

// Version is what the program calls itself; the build may set it.
var Version = "0.1.0"

// compatible is the version of cloud-init whose behaviour this is. Under that name the program gives it first, because
// scripts compare it.
func compatible() string { return "26.2+openguest" + Version }

// A program is one run of the program.
type program struct {
	name   string // how it was called
	stdout io.Writer
	stderr io.Writer
	files  []string // --file
	force  bool
	at     string // --root
	status int    // the exit status
}

// Main runs the program with its arguments, the first of which is its name, and returns the exit status.
func Main(args []string) int {
	p := &program{name: args[0], stdout: os.Stdout, stderr: os.Stderr}
	if isGenerator(p.name) {
		return p.generate(args[1:])
	}
	root := p.root()
	if path.Base(p.name) == "cloud-id" {
		root = p.cloudID()
	}
	ctx, stop := p.signals()
	defer stop()
	p.execute(ctx, root, args[1:])
	return p.status
}

// execute does what the words after the program's name say, and shows what went wrong.
func (p *program) execute(ctx context.Context, root *command.Command, words []string) {
	if err := root.Execute(ctx, p.stdout, p.stderr, words); err != nil {
		p.report(err)
	}
}

// report shows an error and chooses the exit status. After a mistake on the command line the usage is shown, as argparse does.
func (p *program) report(err error) {
	var mistake *command.Mistake
	switch {
	case errors.As(err, &mistake):
		fmt.Fprintf(p.stderr, "usage: %s\n%s: error: %v\n", mistake.Command.UsageLine(), path.Base(p.name), err)
		p.status = 2
	case errors.Is(err, errSignal):
		p.status = 0
	default:
		fmt.Fprintf(p.stderr, "%s: %v\n", path.Base(p.name), err)
		p.status = max(p.status, 1)
	}
}

// errSignal is the cause of a context that a signal ended.
var errSignal = errors.New("told to stop")

// signals ends the work when we are told to stop. What has been done is on disk; status files are whole at any moment.
func (p *program) signals() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		if s, ok := <-got; ok {
			cancel(fmt.Errorf("%w: Received signal %s resulting in exit", errSignal, signalName(s)))
		}
	}()
	return ctx, func() { signal.Stop(got); close(got) }
}

func signalName(s os.Signal) string {
	if s == syscall.SIGINT {
		return "SIGINT"
	}
	return "SIGTERM"
}

// root is the command itself, with all commands below it. Flags that old versions had stand before the command.
func (p *program) root() *command.Command {
	c := &command.Command{
		Use: path.Base(p.name), Short: "Configure this machine as its cloud and its owner say", Version: p.name + " " + p.version(),
		Flags: []command.Flag{
			command.Bool(&p.force, "force", "", "go on without a data source"),
			{Name: "debug", Short: "d", Usage: "accepted; the log always has everything"},
			p.fileFlag(),
		},
	}
	c.Commands = slices.Concat(p.bootCommands(), p.planCommands(), p.askCommands(), p.systemCommands(), p.helpCommands(c))
	return c
}

// systemCommands do by hand what a boot does by itself.
func (p *program) systemCommands() []*command.Command {
	return []*command.Command{p.diskCommand(), p.networkCommand(), p.watchCommand(), p.develCommand()}
}

// version is the number that the program gives under the name that it was called by.
func (p *program) version() string {
	if path.Base(p.name) == "cloud-init" {
		return compatible()
	}
	return Version
}

// fileFlag lets a command take configuration files.
func (p *program) fileFlag() command.Flag {
	return command.List(&p.files, "file", "f", "read this configuration as well, above all others")
}

// needRoot refuses to work for others than root.
func needRoot(what string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%s changes the system and must be run as root", what)
	}
	return nil
}

// engine is an engine for a machine, with what the command line and the environment say.
func (p *program) engine(m machine.Machine, o engine.Options) *engine.Engine {
	return engine.New(m, p.options(o))
}

// options are what the command line and the environment say beside what a command does.
func (p *program) options(o engine.Options) engine.Options {
	o.Version, o.Force, o.Files = compatible(), p.force, p.files
	o.KernelCommandLine = os.Getenv("KERNEL_CMDLINE")
	if file := os.Getenv("CLOUD_CFG"); file != "" {
		o.Files = append([]string{file}, o.Files...)
	}
	return o
}
