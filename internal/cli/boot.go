package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"openguest/internal/engine"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// bootCommands are the stages of a boot.
func (p *program) bootCommands() []*cobra.Command {
	return []*cobra.Command{p.initCommand(), p.modulesCommand(), p.singleCommand(), p.bootCommand()}
}

func (p *program) initCommand() *cobra.Command {
	local, await := false, false
	c := &cobra.Command{Use: "init", Short: "Find out which machine this is, and run the first modules", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			stage := engine.Network
			if local {
				stage = engine.Local
			}
			return p.live("init", engine.Options{Await: await, Unit: isUnit()}, func(e *engine.Engine) (int, error) { return e.Run(c.Context(), stage) })
		}}
	p.fileFlag(c)
	c.Flags().BoolVarP(&local, "local", "l", false, "the stage before the network is up")
	c.Flags().BoolVar(&await, "await-network", false, "wait for the network where something needs it")
	return c
}

// isUnit says that systemd runs us as a service; see INVOCATION_ID in systemd.exec(5).
func isUnit() bool { return os.Getenv("INVOCATION_ID") != "" }

func (p *program) modulesCommand() *cobra.Command {
	mode := "config"
	c := &cobra.Command{Use: "modules", Short: "Run the modules of a stage", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if mode != "init" && mode != "config" && mode != "final" {
				return usageError{c, fmt.Errorf("argument --mode/-m: invalid choice: '%s' (choose from 'init', 'config', 'final')", mode)}
			}
			return p.live("modules", engine.Options{}, func(e *engine.Engine) (int, error) { return e.Modules(c.Context(), module.Stage(mode)) })
		}}
	p.fileFlag(c)
	c.Flags().StringVarP(&mode, "mode", "m", mode, "init, config or final")
	return c
}

func (p *program) singleCommand() *cobra.Command {
	var name, frequency string
	c := &cobra.Command{Use: "single --name MODULE [argument...]", Short: "Run one module",
		RunE: func(c *cobra.Command, args []string) error {
			every, err := frequencyOf(frequency)
			if err != nil || name == "" {
				return usageError{c, errors.Join(err, missing(name, "--name/-n"))}
			}
			if err := needRoot("single"); err != nil {
				return err
			}
			m, err := machine.Live()
			if err != nil {
				return err
			}
			return p.engine(m, engine.Options{Args: args, Every: every}).Single(c.Context(), name)
		}}
	p.fileFlag(c)
	c.Flags().StringVarP(&name, "name", "n", "", "the module")
	c.Flags().StringVar(&frequency, "frequency", "", "instance, always or once, in place of the module's own")
	c.Flags().Bool("report", false, "accepted")
	return c
}

func missing(value, flag string) error {
	if value == "" {
		return fmt.Errorf("the following arguments are required: %s", flag)
	}
	return nil
}

func frequencyOf(word string) (module.Frequency, error) {
	switch word {
	case "instance", string(module.PerInstance):
		return module.PerInstance, nil
	case "", "always", "once":
		return module.Frequency(word), nil
	}
	return "", fmt.Errorf("argument --frequency: invalid choice: '%s' (choose from 'instance', 'always', 'once')", word)
}

func (p *program) bootCommand() *cobra.Command {
	return &cobra.Command{Use: "boot", Short: "Run the four stages of a boot, one after the other", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needRoot("boot"); err != nil {
				return err
			}
			m, err := machine.Live()
			if err != nil {
				return err
			}
			show := p.progress()
			e := p.engine(m, engine.Options{Progress: show.step, Terminal: show.terminal})
			failed, err := e.Boot(c.Context())
			return p.ended(show, e, failed, err)
		}}
}

// live runs a stage on the running system; the exit status is the number of errors.
func (p *program) live(what string, o engine.Options, run func(*engine.Engine) (int, error)) error {
	if err := needRoot(what); err != nil {
		return err
	}
	m, err := machine.Live()
	if err != nil {
		return err
	}
	failed, err := run(p.engine(m, o))
	p.status = min(failed, 255)
	return p.disabled(err)
}

// disabled says so where everything is switched off: that is no error.
func (p *program) disabled(err error) error {
	if errors.Is(err, engine.ErrDisabled) {
		fmt.Fprintf(p.stdout, "%s\n", strings.ToUpper(err.Error()[:1])+err.Error()[1:])
		return nil
	}
	return err
}

// ended shows what a run came to.
func (p *program) ended(show *progress, e *engine.Engine, failed int, err error) error {
	p.status = min(failed, 1)
	if err != nil {
		return p.disabled(err)
	}
	show.summary(e.Verdicts(), failed)
	return nil
}
