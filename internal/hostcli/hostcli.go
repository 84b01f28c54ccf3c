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

	"github.com/spf13/cobra"

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
	root := p.root()
	root.SetArgs(args[1:])
	err := root.ExecuteContext(ctx)
	var usage usageError
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "usage: %s\nopenguest-host: %v\n", usage.command.UseLine(), err)
		return 2
	}
	fmt.Fprintf(stderr, "openguest-host: %v\n", err)
	return 1
}

// A usageError is a mistake on the command line.
type usageError struct {
	command *cobra.Command
	err     error
}

func (e usageError) Error() string { return e.err.Error() }

// root is the command itself, with all commands below it.
func (p *program) root() *cobra.Command {
	c := &cobra.Command{
		Use: "openguest-host", Short: "Serve metadata to virtual machines, and package the guest", Version: Version, SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{c, fmt.Errorf("there is no command %q; --help lists them", args[0])}
			}
			return usageError{c, errors.New("a command is needed; --help lists them")}
		},
	}
	c.SetOut(p.stdout)
	c.SetErr(p.stderr)
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageError{c, err} })
	c.CompletionOptions.HiddenDefaultCmd = true
	c.PersistentFlags().StringVar(&p.data, "data", defaultData(), "the folder with the store and the admin socket")
	c.AddCommand(p.serveCommand(), p.setCommand(), p.getCommand(), p.importCommand(), p.requestsCommand(), p.faultsCommand(), packageCommand(), vmCommand())
	return c
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

// arguments is how many arguments a command takes, and what they are called in the message.
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return usageError{c, fmt.Errorf("%s takes %s", c.Name(), what)}
		}
		return nil
	}
}

func (p *program) socket() string { return filepath.Join(p.data, "admin.sock") }

func (p *program) client() *metadata.Client { return metadata.NewClient(p.socket()) }
