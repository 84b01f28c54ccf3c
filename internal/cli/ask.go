package cli

import (
	"fmt"
	"path"

	"github.com/spf13/cobra"

	"openguest/internal/machine"
)

// askCommands only ask: how far the boot is, what is known of the instance. Clean alone changes something.
func (p *program) askCommands() []*cobra.Command {
	return []*cobra.Command{p.statusCommand(), p.queryCommand(), p.schemaCommand(), p.cleanCommand(), p.detectCommand(), p.featuresCommand(), p.collectLogsCommand()}
}

func (p *program) featuresCommand() *cobra.Command {
	c := &cobra.Command{Use: "features", Short: "List what this version can do", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(p.stdout, "NETWORK_CONFIG_V1\nNETWORK_CONFIG_V2")
			return nil
		}}
	p.rootFlag(c)
	return c
}

// rootFlag lets a command look at a system that is not the running one.
func (p *program) rootFlag(c *cobra.Command) {
	c.Flags().StringVar(&p.at, "root", "/", "look at the system in this folder, which is taken as not running")
}

// machine is the system that --root names.
func (p *program) machine() (machine.Machine, error) { return machineAt(p.at) }

// isLive says that --root names the running system.
func (p *program) isLive() bool { return path.Clean(p.at) == "/" }

// machineAt is the running system where the folder is its root, or else the one in the folder.
func machineAt(dir string) (machine.Machine, error) {
	if path.Clean(dir) == "/" {
		return machine.Live()
	}
	return machine.Tree(dir)
}
