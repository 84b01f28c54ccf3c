package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"openguest/internal/machine"
	"openguest/internal/machine/dhcp"
)

// A race brings up several interfaces; the first through which the cloud answers wins.
type race struct {
	env   *Env
	want  want
	links machine.Links
	found chan *Early // networks that may work; it has room for all, so nobody waits for the judge
	tries sync.WaitGroup

	waiting []*Early // networks that have been found and wait for their turn
	spare   *Early   // the one for the case that there is no other

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

// turnTime is how long a network is asked through before another that waits gets its first turn.
const turnTime = 2 * time.Second

var errTurn = errors.New("its turn is over")

// judge asks through networks as they come, and returns the first that works; nil where none does.
func (r *race) judge(ctx context.Context) *Early {
	for n := r.next(); n != nil; n = r.next() {
		if r.turn(ctx, n) {
			return n
		}
	}
	return nil
}

// next is the network that has waited longest. Where none waits, it waits for one; nil says that there will be no more. The link's
// own address of IPv6 may be there long before a lease, and lead nowhere: where nobody can tell, it is for the case that there is
// no lease.
func (r *race) next() *Early {
	if len(r.waiting) > 0 {
		n := r.waiting[0]
		r.waiting = r.waiting[1:]
		return n
	}
	for n := range r.found {
		if !n.LinkLocal.IsValid() || r.want.Works != nil || r.want.NoIPv4 {
			return n
		}
		r.spare = cmp.Or(r.spare, n)
	}
	n := r.spare
	r.spare = nil
	return n
}

// turn asks through a network: for as long as it takes where no other waits, else for turnTime, and at each further turn for
// twice as long. So a network on which nobody answers does not keep the others from being asked.
func (r *race) turn(ctx context.Context, n *Early) bool {
	asking, end := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		if r.hasAnother(asking) && machine.Pause(asking, turnTime<<n.turns) == nil {
			end(errTurn)
		}
	})
	err := r.works(asking, n)
	isOver := context.Cause(asking) == errTurn
	end(nil)
	watch.Wait()
	switch {
	case err == nil:
		return true
	case isOver:
		n.turns++
		r.waiting = append(r.waiting, n)
	default:
		r.failed(err)
	}
	return false
}

// hasAnother waits until another network waits for its turn.
func (r *race) hasAnother(ctx context.Context) bool {
	if len(r.waiting) > 0 || r.want.Works == nil {
		return len(r.waiting) > 0
	}
	select {
	case n, more := <-r.found:
		if more {
			r.waiting = append(r.waiting, n)
		}
		return more
	case <-ctx.Done():
		return false
	}
}

// works sets a network up, and asks whether the cloud answers through it. One that does not is taken back.
func (r *race) works(ctx context.Context, n *Early) error {
	undo, err := r.set(n.changes)
	if err == nil && r.want.Works != nil {
		start := time.Now()
		err = r.want.Works(ctx, n)
		if r.env.waited -= time.Since(start); err != nil {
			err = fmt.Errorf("ask the cloud through %s: %w", n.Link, err)
		}
	}
	if err != nil {
		return errors.Join(err, undo())
	}
	n.undo = undo
	return nil
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
