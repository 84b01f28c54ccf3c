package source

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"openguest/internal/conf"
	"openguest/internal/machine"
	"openguest/internal/machine/dhcp"
)

// A want is the network that a source needs before the machine's own is configured.
type want struct {
	Source string                     // whose configuration has the limits
	NoIPv4 bool                       // do not ask for an address by DHCP
	IPv6   bool                       // the link's own address of IPv6 will do as well
	Static netip.Prefix               // the address to take, where the cloud has one for everybody; no DHCP then
	Prefer func(a, b machine.NIC) int // which interface comes first; nil: cloud-init's order
	AtOnce bool                       // ask on all interfaces at the same time; else each has a head start over the next
	// Works says whether the cloud answers through a network that has come up. Where it does not, the next one is tried.
	// nil takes the first.
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

// A race brings up several interfaces; the first through which the cloud answers wins.
type race struct {
	env   *Env
	want  want
	links machine.Links
	found chan *Early // networks that may work; it has room for all, so nobody waits for the judge
	tries sync.WaitGroup

	mutex sync.Mutex
	up    map[string]func() error // by link: what switches it off again, where it was off
	why   []error                 // what did not work
}

// run tries all links, and takes back what was done to those that did not win.
func (r *race) run(ctx context.Context, names []string) (*Early, error) {
	limit := r.env.leaseTime(r.want.Source)
	racing, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%v are over", limit))
	defer cancel()
	for i, name := range names {
		r.tries.Go(func() { r.try(racing, name, time.Duration(i)*headStart) })
	}
	go func() {
		r.tries.Wait()
		close(r.found)
	}()
	winner := r.judge(ctx)
	cancel()
	r.tries.Wait()
	return r.finish(winner)
}

// judge takes networks as they come, and returns the first that works; nil where none does. The link's own address of
// IPv6 may be there long before a lease, and lead nowhere: where nobody can tell, it is for the case that there is no lease.
func (r *race) judge(ctx context.Context) *Early {
	var spare *Early
	for n := range r.found {
		switch {
		case n.LinkLocal.IsValid() && r.want.Works == nil && !r.want.NoIPv4:
			if spare == nil {
				spare = n
			}
		case r.works(ctx, n):
			return n
		}
	}
	if spare != nil && r.works(ctx, spare) {
		return spare
	}
	return nil
}

// works sets a network up, and asks whether the cloud answers through it. One that does not is taken back.
func (r *race) works(ctx context.Context, n *Early) bool {
	undo, err := r.set(n.changes)
	if err == nil && r.want.Works != nil {
		if err = r.want.Works(ctx, n); err != nil {
			err = fmt.Errorf("ask the cloud through %s: %w", n.Link, err)
		}
	}
	if err != nil {
		r.failed(errors.Join(err, undo()))
		return false
	}
	n.undo = undo
	return true
}

// set makes changes. Only an address must be: a server may name an MTU that this card cannot have, or a route to nowhere.
func (r *race) set(changes []machine.LinkChange) (undo func() error, err error) {
	var steps []func() error
	undo = func() error {
		var all error
		for _, step := range slices.Backward(steps) {
			all = errors.Join(all, step())
		}
		return all
	}
	for _, c := range changes {
		step, err := r.links.Apply(c)
		if err != nil && c.Do == machine.AddressAdd {
			return undo, err
		}
		if err != nil {
			r.env.debug("%v; the cloud is asked without it", err)
		}
		steps = append(steps, step)
	}
	return undo, nil
}

func (r *race) failed(err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.why = append(r.why, err)
}

// finish switches the links off that did not win, and tells the winner how to do that with its own.
func (r *race) finish(winner *Early) (*Early, error) {
	for name, off := range r.up {
		if winner != nil && winner.Link == name {
			configured := winner.undo
			winner.undo = func() error { return errors.Join(configured(), off()) }
		} else if err := off(); err != nil {
			r.env.warn("switch %s off again: %v", name, err)
		}
	}
	if winner == nil {
		return nil, fmt.Errorf("%s: %w", r.reasons(), ErrNotYet)
	}
	r.env.debug("%s has a network for asking the cloud", winner.Link)
	return winner, nil
}

// reasons are all that did not work, in a line.
func (r *race) reasons() string {
	var all []string
	for _, err := range r.why {
		all = append(all, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return strings.Join(all, "; ")
}

// try switches a link on, and looks for networks on it until the race ends.
func (r *race) try(ctx context.Context, link string, after time.Duration) {
	if after > 0 && !r.want.AtOnce && machine.Pause(ctx, after) != nil {
		return
	}
	off, err := r.links.Apply(machine.LinkChange{Link: link, Do: machine.LinkUp})
	if err != nil {
		r.failed(err)
		return
	}
	r.mutex.Lock()
	r.up[link] = off
	r.mutex.Unlock()
	var ways sync.WaitGroup
	if r.want.IPv6 {
		ways.Go(func() { r.overIPv6(ctx, link) })
	}
	if r.want.Static.IsValid() {
		ways.Go(func() { r.offer(r.static(ctx, link)) })
	} else if !r.want.NoIPv4 {
		ways.Go(func() { r.offer(r.lease(ctx, link)) })
	}
	ways.Wait()
}

// offer hands a network to the judge, or notes why there is none.
func (r *race) offer(n *Early, err error) {
	if err != nil {
		r.failed(err)
		return
	}
	r.found <- n
}

// lease asks for an address by DHCP.
func (r *race) lease(ctx context.Context, link string) (*Early, error) {
	lease, err := dhcp.Ask(ctx, r.links, link)
	if err != nil {
		return nil, err
	}
	return &Early{Link: link, Lease: lease, changes: lease.Changes(), env: r.env}, nil
}

// static takes the address that the cloud has for everybody.
func (r *race) static(ctx context.Context, link string) (*Early, error) {
	_, err := r.links.Wait(ctx, func(s machine.LinkState) bool {
		l, _ := s.Named(link)
		return l.Carrier
	})
	if err != nil {
		return nil, fmt.Errorf("bring up %s: it has no carrier: %w", link, err)
	}
	add := machine.LinkChange{Link: link, Do: machine.AddressAdd, Address: r.want.Static}
	return &Early{Link: link, changes: []machine.LinkChange{add}, env: r.env}, nil
}

// overIPv6 offers the link twice: with its own address, and again when a router has told the way to others.
func (r *race) overIPv6(ctx context.Context, link string) {
	usable := func(s machine.LinkState) bool {
		l, _ := s.Named(link)
		return l.Carrier && l.LinkLocal().IsValid()
	}
	r.offer(r.linkLocal(ctx, link, usable))
	isRouter := func(way machine.Route) bool { return way.Link == link && way.IsDefault() && way.To.Addr().Is6() }
	n, err := r.linkLocal(ctx, link, func(s machine.LinkState) bool { return usable(s) && slices.ContainsFunc(s.Routes, isRouter) })
	if err == nil { // most links have no router, and that is no fault
		r.offer(n, nil)
	}
}

// linkLocal waits until the link's own address of IPv6 is ready. The kernel makes it, and asks its neighbours for a second
// or two whether it is free.
func (r *race) linkLocal(ctx context.Context, link string, ready func(machine.LinkState) bool) (*Early, error) {
	s, err := r.links.Wait(ctx, ready)
	if err != nil {
		return nil, fmt.Errorf("wait for an address of IPv6 on %s: %w", link, err)
	}
	l, _ := s.Named(link)
	return &Early{Link: link, LinkLocal: l.LinkLocal().WithZone(link), env: r.env}, nil
}
