package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"openguest/internal/command"
	"openguest/internal/engine"
	"openguest/internal/machine"
)

// A plug is what udev's rule hands to hotplug-hook: what was plugged in, and what became of it.
type plug struct{ subsystem, device, action string }

// hotplugCommand follows network cards that are plugged in, under the name and with the arguments of cloud-init's. query says
// whether they are followed, enable has them followed from now on, and handle gives one its network.
func (p *program) hotplugCommand() *command.Command {
	var f plug
	return &command.Command{Use: "hotplug-hook --subsystem net query|enable|handle", Short: "Follow network cards that are plugged in", Args: command.Args{Most: command.Any},
		Flags: []command.Flag{
			command.Text(&f.subsystem, "subsystem", "s", "what was plugged in: net"),
			command.Text(&f.device, "devpath", "d", "handle: the card's path below /sys"),
			command.Text(&f.action, "udevaction", "u", "handle: what became of it: add"),
		},
		Run: func(ctx context.Context, args []string) error {
			if len(args) != 1 || f.subsystem == "" {
				return command.Mistakef("the following arguments are required: -s/--subsystem, hotplug_action")
			}
			err := errors.Join(command.Choice("-s/--subsystem", f.subsystem, "net"), command.Choice("hotplug_action", args[0], "query", "handle", "enable"))
			if err != nil {
				return err
			}
			m, err := machine.Live()
			if err != nil {
				return err
			}
			e := p.engine(m, engine.Options{})
			switch args[0] {
			case "query":
				return p.hotplugQuery(e)
			case "enable":
				return p.hotplugEnable(ctx, e)
			}
			return p.hotplugHandle(ctx, e, f)
		}}
}

func (p *program) hotplugQuery(e *engine.Engine) error {
	follows, err := e.FollowsPlugs()
	switch {
	case err != nil:
		fmt.Fprintln(p.stdout, "Unable to determine hotplug state. No datasource detected")
		p.status = 1
	case follows:
		fmt.Fprintln(p.stdout, "enabled")
	default:
		fmt.Fprintln(p.stdout, "disabled")
	}
	return nil
}

func (p *program) hotplugHandle(ctx context.Context, e *engine.Engine, f plug) error {
	if f.device == "" || f.action == "" {
		return command.Mistakef("the following arguments are required: -d/--devpath, -u/--udevaction")
	}
	if err := command.Choice("-u/--udevaction", f.action, "add"); err != nil {
		return err
	}
	if err := needRoot("hotplug-hook"); err != nil {
		return err
	}
	return e.Plug(ctx, f.device)
}

func (p *program) hotplugEnable(ctx context.Context, e *engine.Engine) error {
	if os.Geteuid() != 0 {
		fmt.Fprintln(p.stderr, "Root is required. Try prepending your command with sudo.")
		p.status = 1
		return nil
	}
	news, err := e.FollowPlugs(ctx)
	if err != nil {
		return err
	}
	if !news {
		fmt.Fprintln(p.stderr, "Not installing hotplug for event of type net. Reason: Already done.")
	}
	fmt.Fprintln(p.stdout, "Enabled cloud-init hotplug for subsystem=net")
	return nil
}
