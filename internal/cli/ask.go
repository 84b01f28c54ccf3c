package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// askCommands only ask: how far the boot is, what is known of the instance.
func (p *program) askCommands() []*cobra.Command {
	return []*cobra.Command{p.statusCommand(), p.queryCommand(), p.schemaCommand(), p.cleanCommand(), p.detectCommand(), p.featuresCommand()}
}

func (p *program) featuresCommand() *cobra.Command {
	return &cobra.Command{Use: "features", Short: "List what this version can do", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(p.stdout, "NETWORK_CONFIG_V1\nNETWORK_CONFIG_V2")
			return nil
		}}
}
