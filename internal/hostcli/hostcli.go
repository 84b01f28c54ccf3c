// Package hostcli is the commands of openguest-host.
package hostcli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"openguest/internal/command"
	"openguest/internal/metadata"
)

// Version is what the program calls itself; the build may set it.
var Version = "0.1.0"

// A program is one run of the program.
type program struct {
	stdout io.Writer
	stderr io.Writer
	data   string // --data
}

// Main runs the program with its arguments, the first of which is its name, and returns the exit status: 1 where something
// went wrong, 2 where the command line is.
func Main(args []string, stdout, stderr io.Writer) int {
	p := &program{stdout: stdout, stderr: stderr}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := p.root().Execute(ctx, stdout, stderr, args[1:])
	var mistake *command.Mistake
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &mistake):
		fmt.Fprintf(stderr, "usage: %s\nopenguest-host: %v\n", mistake.Command.UsageLine(), err)
		return 2
	}
	fmt.Fprintf(stderr, "openguest-host: %v\n", err)
	return 1
}

// root is the command itself, with all commands below it.
func (p *program) root() *command.Command {
	p.data = defaultData()
	c := &command.Command{
		Use: "openguest-host", Short: "Serve metadata to virtual machines, and package the guest", Version: "openguest-host version " + Version,
		Shared: []command.Flag{command.Text(&p.data, "data", "", "the folder with the store and the admin socket")},
	}
	c.Commands = []*command.Command{p.serveCommand(), p.setCommand(), p.getCommand(), p.importCommand(), p.requestsCommand(), p.faultsCommand(),
		p.packageCommand(), p.vmCommand(), p.helpCommand(c)}
	return c
}

func (p *program) helpCommand(root *command.Command) *command.Command {
	return &command.Command{Use: "help [COMMAND]", Short: "Explain a command", Args: command.Args{Most: command.Any},
		Run: func(_ context.Context, args []string) error {
			known := root
			if len(args) > 0 {
				known = root.Find(args...)
			}
			if known == nil {
				return command.Mistakef("there is no command %q; --help lists them", args[0])
			}
			known.WriteHelp(p.stdout)
			return nil
		}}
}

// defaultData is the system's folder for root, and the user's own otherwise.
func defaultData() string {
	if os.Geteuid() == 0 {
		return "/var/lib/openguest-host"
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "openguest-host"
	}
	return filepath.Join(home, ".local", "state", "openguest-host")
}

func (p *program) socket() string { return filepath.Join(p.data, "admin.sock") }

func (p *program) client() *metadata.Client { return metadata.NewClient(p.socket()) }
