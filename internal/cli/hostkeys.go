package cli

import (
	"github.com/spf13/cobra"

	"openguest/internal/engine"
	"openguest/internal/machine"
)

// hostKeysCommand is what openguest-hostkeys.service runs.
func (p *program) hostKeysCommand() *cobra.Command {
	return &cobra.Command{Use: "host-keys", Short: "Make the ssh host key that a boot left for later", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needRoot("host-keys"); err != nil {
				return err
			}
			m, err := machine.Live()
			if err != nil {
				return err
			}
			return p.engine(m, engine.Options{}).HostKeys(c.Context())
		}}
}
