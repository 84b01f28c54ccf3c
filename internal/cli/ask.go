package cli

import (
	"context"
	"fmt"
	"path"

	"openguest/internal/command"
	"openguest/internal/machine"
)

// askCommands only ask: how far the boot is, what is known of the instance. Clean alone changes something.
func (p *program) askCommands() []*command.Command {
	return []*command.Command{p.statusCommand(), p.queryCommand(), p.schemaCommand(), p.cleanCommand(), p.detectCommand(), p.featuresCommand(), p.collectLogsCommand()}
}

func (p *program) featuresCommand() *command.Command {
	return &command.Command{Use: "features", Short: "List what this version can do",
		Flags: []command.Flag{p.rootFlag()},
		Run: func(context.Context, []string) error {
			fmt.Fprintln(p.stdout, "NETWORK_CONFIG_V1\nNETWORK_CONFIG_V2")
			return nil
		}}
}

// rootFlag lets a command look at a system that is not the running one.
func (p *program) rootFlag() command.Flag {
	p.at = "/"
	return command.Text(&p.at, "root", "", "look at the system in this folder, which is taken as not running")
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
