package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"openguest/internal/engine"
	"openguest/internal/machine"
)

// A plug is what udev's rule hands to hotplug-hook: what was plugged in, and what became of it.
type plug struct{ subsystem, device, action string }

// hotplugCommand follows network cards that are plugged in, under the name and with the arguments of cloud-init's. query says
// whether they are followed, enable has them followed from now on, and handle gives one its network.
func (p *program) hotplugCommand() *cobra.Command {
	var f plug
	c := &cobra.Command{Use: "hotplug-hook --subsystem net query|enable|handle", Short: "Follow network cards that are plugged in", Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 || f.subsystem == "" {
				return usageError{c, errors.New("the following arguments are required: -s/--subsystem, hotplug_action")}
			}
			err := errors.Join(oneOf(c, "-s/--subsystem", f.subsystem, "net"), oneOf(c, "hotplug_action", args[0], "query", "handle", "enable"))
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
				return p.hotplugEnable(c.Context(), e)
			}
			return p.hotplugHandle(c, e, f)
		}}
	c.Flags().StringVarP(&f.subsystem, "subsystem", "s", "", "what was plugged in: net")
	c.Flags().StringVarP(&f.device, "devpath", "d", "", "handle: the card's path below /sys")
	c.Flags().StringVarP(&f.action, "udevaction", "u", "", "handle: what became of it: add")
	return c
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

func (p *program) hotplugHandle(c *cobra.Command, e *engine.Engine, f plug) error {
	if f.device == "" || f.action == "" {
		return usageError{c, errors.New("the following arguments are required: -d/--devpath, -u/--udevaction")}
	}
	if err := oneOf(c, "-u/--udevaction", f.action, "add"); err != nil {
		return err
	}
	if err := needRoot("hotplug-hook"); err != nil {
		return err
	}
	return e.Plug(c.Context(), f.device)
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
