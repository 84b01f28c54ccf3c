package source

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"time"

	"openguest/internal/conf"
	"openguest/internal/machine"
	"openguest/internal/machine/dhcp"
)

// A want is the network that a source needs before the machine's own is configured.
type want struct {
	Source string                     // whose configuration has the limits of a lease
	Limits limits                     // of asking, for reach; nothing: all tries of one request
	NoIPv4 bool                       // do not ask for an address by DHCP
	IPv6   bool                       // the link's own address of IPv6 will do as well
	Static netip.Prefix               // the address to take, where the cloud has one for everybody; no DHCP then
	Prefer func(a, b machine.NIC) int // which interface comes first; nil: cloud-init's order
	AtOnce bool                       // ask on all interfaces at the same time; else each has a head start over the next
	// Works says whether the cloud answers through a network that has come up. Where it does not, the next one is tried. One
	// that is slow has its turn ended where another waits, and gets another. nil takes the first.
	Works func(ctx context.Context, n *Early) error
}

// Early is a network for the time before the machine's own is configured. All of it is zero where the machine has one
// already.
type Early struct {
	Link      string      // the interface; empty where nothing had to be done
	Lease     *dhcp.Lease // nil without DHCP
	LinkLocal netip.Addr  // the link's own address of IPv6, with its zone; invalid where it is not usable

	changes []machine.LinkChange
	undo    func() error
	env     *Env
	turns   int // how often it was asked through and another's turn came
}

// close takes back all that early did, without a trace. It may be called of nil, and again.
func (n *Early) close() {
	if n == nil || n.undo == nil {
		return
	}
	if err := n.undo(); err != nil {
		n.env.warn("take back the network that was only for asking the cloud: %v", err)
	}
	n.undo = nil
}

// The limits of an early network that nobody configured.
const (
	leaseTime  = 15 * time.Second // until there must be an address
	namingTime = 3 * time.Second  // until udev must have named the interfaces
	headStart  = time.Second      // of an interface over the next likely one
)

// errNoLink says that there is nothing to bring up.
var errNoLink = fmt.Errorf("this machine has no network interface that could be brought up: %w", ErrNotYet)

// early brings up a network for a source that is asked before the network is configured. Where the machine is online
// already, or the stage is a later one, it does nothing. Its error is an ErrNotYet: the source may be reached once the
// machine's own network is up. Who has no error must call close.
func (e *Env) early(ctx context.Context, w want) (*Early, error) {
	none := &Early{env: e}
	if e.Stage != Local {
		return none, nil
	}
	start := time.Now()
	defer func() { e.waited += time.Since(start) }()
	links := e.Machine.Quiet().Links
	state, err := links.State()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrNotYet)
	}
	if w.isMet(state) {
		return none, nil
	}
	names := w.candidates(named(ctx, links, state))
	if len(names) == 0 {
		return nil, errNoLink
	}
	r := &race{env: e, want: w, links: links, found: make(chan *Early, 3*len(names)), up: map[string]func() error{}}
	return r.run(ctx, names)
}

// isMet says that the machine has the network already. One of IPv6 alone does not lead to a cloud that has none.
func (w want) isMet(s machine.LinkState) bool {
	if !w.IPv6 {
		s.Routes = slices.DeleteFunc(slices.Clone(s.Routes), func(r machine.Route) bool { return r.To.Addr().Is6() })
	}
	return s.IsOnline()
}

// leaseTime is datasource.NAME.dhcp_timeout in seconds, and never more than max_wait of the same source.
func (e *Env) leaseTime(source string) time.Duration {
	limit := seconds(e.config(source).Get("dhcp_timeout"), leaseTime)
	return min(limit, seconds(e.config(source).Get("max_wait"), limit))
}

// seconds reads a number of seconds; what is none, or not positive, is otherwise.
func seconds(v *conf.Value, otherwise time.Duration) time.Duration {
	n, err := strconv.ParseFloat(scalar(v), 64)
	if err != nil || !(n > 0 && n < 1e9) {
		return otherwise
	}
	return time.Duration(n * float64(time.Second))
}

// named waits until udev has named the interfaces: what is up cannot be renamed by every kernel, and a name that we
// remember would be wrong afterwards.
func named(ctx context.Context, links machine.Links, state machine.LinkState) machine.LinkState {
	if areSettled(state) {
		return state
	}
	ctx, cancel := context.WithTimeout(ctx, namingTime)
	defer cancel()
	later, err := links.Wait(ctx, areSettled)
	if err != nil && later.Links == nil {
		return state
	}
	return later
}

func areSettled(s machine.LinkState) bool {
	return !slices.ContainsFunc(s.Links, func(l machine.NetLink) bool { return !l.Settled })
}

// candidates are the names of the interfaces to try, the likeliest first.
func (w want) candidates(s machine.LinkState) (names []string) {
	var all []machine.NIC
	for _, l := range s.Links {
		all = append(all, l.NIC)
	}
	all = machine.FallbackNICs(all)
	if w.Prefer != nil {
		sort.SliceStable(all, func(i, j int) bool { return w.Prefer(all[i], all[j]) < 0 })
	}
	for _, n := range all {
		names = append(names, n.Name)
	}
	return names
}
