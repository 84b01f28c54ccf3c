package source

import (
	"context"
	"net/netip"

	"openguest/internal/machine"
	"openguest/internal/machine/dhcp"
)

// A want is the network that a source needs before the machine's own is configured.
type want struct {
	Source string       // whose configuration has the limits
	NoIPv4 bool         // do not ask for an address by DHCP
	IPv6   bool         // the link's own address of IPv6 will do as well
	Static netip.Prefix // the address to take, where the cloud has one for everybody; no DHCP then
	Prefer func(a, b machine.NIC) int
	AtOnce bool // ask on all interfaces at the same time; else the likeliest one has a head start
	// Works says whether the cloud answers through a network that has come up. Where it does not, the next interface is
	// tried. nil takes the first network.
	Works func(ctx context.Context, n *Early) error
}

// Early is a network for the time before the machine's own is configured. All of it is zero where the machine has one already.
type Early struct {
	Link      string      // the interface; empty where nothing had to be done
	Lease     *dhcp.Lease // nil without DHCP
	LinkLocal netip.Addr  // the link's own address of IPv6, with its zone; invalid where it is not usable
}

// early brings up a network for a source that is asked before the network is configured. Where the machine is online
// already, or the stage is a later one, it does nothing. Its error is ErrNotYet: the source may be reached once the
// machine's own network is up. Whoever calls it must call close.
func (e *Env) early(ctx context.Context, w want) (*Early, error) { return &Early{}, nil }

// close takes back all that early did, without a trace.
func (n *Early) close() {}
