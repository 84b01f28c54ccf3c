package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"openguest/internal/command"
	"openguest/internal/engine"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// bootCommands are the stages of a boot.
func (p *program) bootCommands() []*command.Command {
	return []*command.Command{p.initCommand(), p.modulesCommand(), p.singleCommand(), p.bootCommand()}
}

func (p *program) initCommand() *command.Command {
	local, await := false, false
	return &command.Command{Use: "init", Short: "Find out which machine this is, and run the first modules",
		Flags: []command.Flag{
			p.fileFlag(),
			command.Bool(&local, "local", "l", "the stage before the network is up"),
			command.Bool(&await, "await-network", "", "wait for the network where something needs it"),
		},
		Run: func(ctx context.Context, _ []string) error {
			stage := engine.Network
			if local {
				stage = engine.Local
			}
			return p.live("init", engine.Options{Await: await, Unit: isUnit()}, func(e *engine.Engine) (int, error) { return e.Run(ctx, stage) })
		}}
}

// isUnit says that systemd runs us as a service; see INVOCATION_ID in systemd.exec(5).
func isUnit() bool { return os.Getenv("INVOCATION_ID") != "" }

func (p *program) modulesCommand() *command.Command {
	mode := "config"
	return &command.Command{Use: "modules", Short: "Run the modules of a stage",
		Flags: []command.Flag{
			p.fileFlag(),
			command.Text(&mode, "mode", "m", "init, config or final").Of("init", "config", "final"),
		},
		Run: func(ctx context.Context, _ []string) error {
			return p.live("modules", engine.Options{}, func(e *engine.Engine) (int, error) { return e.Modules(ctx, module.Stage(mode)) })
		}}
}

func (p *program) singleCommand() *command.Command {
	var name, frequency string
	return &command.Command{Use: "single --name MODULE [argument...]", Short: "Run one module", Args: command.Args{Most: command.Any},
		Flags: []command.Flag{
			p.fileFlag(),
			command.Text(&name, "name", "n", "the module"),
			command.Text(&frequency, "frequency", "", "instance, always or once, in place of the module's own").
				Of("instance", "always", "once", string(module.PerInstance)),
			{Name: "report", Usage: "accepted"},
		},
		Run: func(ctx context.Context, args []string) error {
			if name == "" {
				return command.Mistakef("the following arguments are required: --name/-n")
			}
			if err := needRoot("single"); err != nil {
				return err
			}
			m, err := machine.Live()
			if err != nil {
				return err
			}
			return p.engine(m, engine.Options{Args: args, Every: frequencyOf(frequency)}).Single(ctx, name)
		}}
}

// frequencyOf is the frequency that a word means; nothing is the module's own.
func frequencyOf(word string) module.Frequency {
	if word == "instance" {
		return module.PerInstance
	}
	return module.Frequency(word)
}

func (p *program) bootCommand() *command.Command {
	return &command.Command{Use: "boot", Short: "Run the four stages of a boot, one after the other",
		Run: func(ctx context.Context, _ []string) error {
			if err := needRoot("boot"); err != nil {
				return err
			}
			m, err := machine.Live()
			if err != nil {
				return err
			}
			show := p.progress()
			e := p.engine(m, engine.Options{Progress: show.step, Terminal: show.terminal})
			failed, err := e.Boot(ctx)
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
