package cli

import (
	"context"

	"openguest/internal/command"
	"openguest/internal/engine"
	"openguest/internal/machine"
)

// hostKeysCommand is what openguest-hostkeys.service runs.
func (p *program) hostKeysCommand() *command.Command {
	return &command.Command{Use: "host-keys", Short: "Make the ssh host key that a boot left for later",
		Run: func(ctx context.Context, _ []string) error {
			if err := needRoot("host-keys"); err != nil {
				return err
			}
			m, err := machine.Live()
			if err != nil {
				return err
			}
			return p.engine(m, engine.Options{}).HostKeys(ctx)
		}}
}
