package machine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"sync"
)

// Links are the network interfaces, with their addresses and the routes through them.
type Links interface {
	// State is how things are now. Of a system that is not running it has what stands in its /sys.
	State() (LinkState, error)
	// Apply makes changes, in order. What is so already is left alone. undo takes back what was done, the last first, and
	// does not mind what has gone by itself. Where a change fails, those before it are taken back and undo does nothing.
	Apply(changes ...LinkChange) (undo func() error, err error)
	// Wait returns the state as soon as until is true of it: at once, or after the event that made it so. Its error is
	// the context's cause where that ends first.
	Wait(ctx context.Context, until func(LinkState) bool) (LinkState, error)
	// Packets opens a link that is up for packets of IPv4, past the system's own routes and addresses.
	Packets(link string) (Packets, error)
}

// Packets sends and receives packets of IPv4, from their IP header on.
type Packets interface {
	// Broadcast sends a packet to all that are on the link.
	Broadcast(packet []byte) error
	// Receive waits for a packet and puts it into buffer. unsummed says that it comes from this very machine, which leaves
	// checksums for a network card to fill in: they mean nothing.
	Receive(ctx context.Context, buffer []byte) (n int, unsummed bool, err error)
	Close() error
}

// A LinkState is how links and routes are at one moment.
type LinkState struct {
	Links  []NetLink // by index
	Routes []Route   // of all tables but the one with the machine's own addresses
	Own    []Route   // of that one, and those of a Type
}

// A NetLink is a network interface: what its device is, and how it is set.
type NetLink struct {
	NIC
	Index        int
	PermanentMAC string // the device's own, lower case; empty where the kernel does not say
	Bus          string // of its device, such as "0000:00:03.0"
	Kind         string // "bridge", "bond", "vlan", "veth", …; empty for the driver of a device
	Parent       int    // index of the link below a VLAN or the like; 0 for none
	MTU          int
	Up           bool // it is switched on
	Settled      bool // no one is about to rename it: udev is done with it, or there is no udev
	Addresses    []Address
}

// An Address is one of a link.
type Address struct {
	netip.Prefix        // the address, and how many bits of it are the network's
	Dynamic      bool   // it has an end: from router advertisements or a DHCP client
	Tentative    bool   // not yet usable: others are still asked whether they have it
	Duplicate    bool   // not usable: another machine has it
	Deprecated   bool   // no new connections should use it
	Scope        string // how far it counts: "link", "host" or "site"; empty: everywhere
}

// A Route leads to a network. Two that are equal are the same route.
type Route struct {
	Link   string
	To     netip.Prefix // 0.0.0.0/0 and ::/0 are the default
	Via    netip.Addr   // the gateway; invalid where the network is on the link itself
	Source netip.Addr   // the address that packets are sent from; invalid leaves that to the kernel
	Metric int          // 0 is the kernel's choice: 0 for IPv4, 1024 for IPv6
	Table  int          // 0 is the main one
	OnLink bool         // the gateway is on the link although no address says so

	Expires bool   // it has an end, as what router advertisements gave
	Type    string // "local", "multicast", "unreachable", …; empty for one that leads to others
}

// A LinkChange is one thing to do to a link. Which fields count depends on Do.
type LinkChange struct {
	Link    string
	Do      LinkAct
	Name    string       // the new name, for LinkRename
	Address netip.Prefix // for AddressAdd and AddressRemove
	MTU     int          // for LinkMTU
	Route   Route        // for RouteAdd and RouteRemove; its Link counts, not that of the change
}

// A LinkAct is the verb of a LinkChange.
type LinkAct string

// What can be done to a link.
const (
	LinkUp        LinkAct = "up"
	LinkDown      LinkAct = "down"   // the kernel removes its routes, and its addresses of IPv6
	LinkRename    LinkAct = "rename" // a link that is up is down for that moment
	LinkMTU       LinkAct = "mtu"
	AddressAdd    LinkAct = "address"
	AddressRemove LinkAct = "remove address"
	RouteAdd      LinkAct = "route"
	RouteRemove   LinkAct = "remove route"
)

var linkActs = []LinkAct{LinkUp, LinkDown, LinkRename, LinkMTU, AddressAdd, AddressRemove, RouteAdd, RouteRemove}

// String is the change as plans and errors show it: "eth0: address 10.0.0.5/24".
func (c LinkChange) String() string {
	switch c.Do {
	case LinkRename:
		return fmt.Sprintf("%s: rename to %s", c.Link, c.Name)
	case LinkMTU:
		return fmt.Sprintf("%s: mtu %d", c.Link, c.MTU)
	case AddressAdd, AddressRemove:
		return fmt.Sprintf("%s: %s %s", c.Link, c.Do, c.Address)
	case RouteAdd, RouteRemove:
		return fmt.Sprintf("%s: %s %s", c.Route.Link, c.Do, c.Route)
	}
	return fmt.Sprintf("%s: %s", c.Link, c.Do)
}

// String is "10.0.0.0/8 via 10.0.0.1".
func (r Route) String() string {
	text := r.To.String()
	if r.Via.IsValid() {
		text += " via " + r.Via.String()
	}
	return text
}

// IsDefault says that the route is for whatever no other is for.
func (r Route) IsDefault() bool { return r.To.IsValid() && r.To.Bits() == 0 }

// Named is the link of a name, and whether there is one.
func (s LinkState) Named(name string) (NetLink, bool) {
	at := slices.IndexFunc(s.Links, func(l NetLink) bool { return l.Name == name })
	if at < 0 {
		return NetLink{}, false
	}
	return s.Links[at], true
}

// IsOnline says that the machine can reach others: a default route leads through a link that is up and connected.
func (s LinkState) IsOnline() bool {
	return slices.ContainsFunc(s.Routes, func(r Route) bool {
		link, ok := s.Named(r.Link)
		return ok && r.IsDefault() && link.Up && link.Carrier && !link.Loopback
	})
}

// LinkLocal is the link's own address of IPv6 (fe80::/10), once it is usable; invalid before that.
func (l NetLink) LinkLocal() netip.Addr {
	for _, a := range l.Addresses {
		if a.Addr().Is6() && a.Addr().IsLinkLocalUnicast() && !a.Tentative && !a.Duplicate {
			return a.Addr()
		}
	}
	return netip.Addr{}
}

// link is the name of the link that changes.
func (c LinkChange) link() string {
	if c.Do == RouteAdd || c.Do == RouteRemove {
		return c.Route.Link
	}
	return c.Link
}

// with is the state after a change, and whether that is any different.
func (s LinkState) with(c LinkChange) (next LinkState, changed bool, err error) {
	if !slices.Contains(linkActs, c.Do) {
		return s, false, fmt.Errorf("%s: %q is nothing that can be done to a link", c, c.Do)
	}
	name := c.link()
	at := slices.IndexFunc(s.Links, func(l NetLink) bool { return l.Name == name })
	if at < 0 {
		return s, false, fmt.Errorf("%s: there is no link %s: %w", c, name, ErrNone)
	}
	next = LinkState{Links: slices.Clone(s.Links), Routes: slices.Clone(s.Routes)}
	changed = next.change(&next.Links[at], c)
	return next, changed, nil
}

// change makes a change to a state that is the caller's own.
func (s *LinkState) change(l *NetLink, c LinkChange) bool {
	was := *l
	switch c.Do {
	case LinkUp, LinkDown:
		l.Up = c.Do == LinkUp
		return was.Up != l.Up
	case LinkMTU:
		l.MTU = c.MTU
		return was.MTU != l.MTU
	case LinkRename:
		s.rename(l, c.Name)
		return was.Name != l.Name
	case AddressAdd, AddressRemove:
		return l.setAddress(c.Address, c.Do == AddressAdd)
	}
	return s.setRoute(c.Route, c.Do == RouteAdd)
}

func (s *LinkState) rename(l *NetLink, name string) {
	for i := range s.Routes {
		if s.Routes[i].Link == l.Name {
			s.Routes[i].Link = name
		}
	}
	l.Name = name
}

func (l *NetLink) setAddress(p netip.Prefix, there bool) (changed bool) {
	at := slices.IndexFunc(l.Addresses, func(a Address) bool { return a.Prefix == p })
	switch {
	case there == (at >= 0):
		return false
	case there:
		l.Addresses = append(slices.Clone(l.Addresses), Address{Prefix: p})
	default:
		l.Addresses = slices.Delete(slices.Clone(l.Addresses), at, at+1)
	}
	return true
}

func (s *LinkState) setRoute(r Route, there bool) (changed bool) {
	at := slices.IndexFunc(s.Routes, func(other Route) bool { return other.same(r) })
	switch {
	case there == (at >= 0):
		return false
	case there:
		s.Routes = append(s.Routes, r.plain())
	default:
		s.Routes = slices.Delete(s.Routes, at, at+1)
	}
	return true
}

// same says whether two routes lead the same way: what a change leaves to the kernel may be anything.
func (r Route) same(other Route) bool {
	r, other = r.plain(), other.plain()
	r.OnLink, other.OnLink = false, false
	r.Expires, other.Expires = false, false
	if !other.Source.IsValid() {
		r.Source = other.Source
	}
	return r == other
}

// plain is the route with the numbers that stand for the kernel's choice.
func (r Route) plain() Route {
	r.To = r.To.Masked()
	if r.Metric == 0 && r.To.Addr().Is6() {
		r.Metric = 1024
	}
	if r.Table == 0 {
		r.Table = mainTable
	}
	return r
}

// The kernel's numbers for tables of routes; see /usr/include/linux/rtnetlink.h.
const (
	mainTable  = 254
	localTable = 255
)

// opposite is the change that takes another back, given the state before it.
func (c LinkChange) opposite(before LinkState) LinkChange {
	link, _ := before.Named(c.Link)
	switch c.Do {
	case LinkUp:
		c.Do = LinkDown
	case LinkDown:
		c.Do = LinkUp
	case LinkMTU:
		c.MTU = link.MTU
	case LinkRename:
		c.Link, c.Name = c.Name, c.Link
	case AddressAdd:
		c.Do = AddressRemove
	case AddressRemove:
		c.Do = AddressAdd
	case RouteAdd:
		c.Do = RouteRemove
	case RouteRemove:
		c.Do = RouteAdd
	}
	return c
}

// linksOfFiles are the links in a system's /sys, as far as it has one.
func linksOfFiles(files Files) LinkState {
	facts := NewFacts(files, nil)
	var s LinkState
	for _, n := range facts.NICs() {
		a := attributes{facts.files, "/sys/class/net/" + n.Name}
		s.Links = append(s.Links, NetLink{NIC: n, Index: int(a.number("ifindex")), MTU: int(a.number("mtu")),
			Bus: a.target("device"), Up: n.Operstate == "up", Settled: true})
	}
	sort.SliceStable(s.Links, func(i, j int) bool { return s.Links[i].Index < s.Links[j].Index })
	return s
}

// offlineLinks are those of a system that is not running.
type offlineLinks struct{ files Files }

func (l offlineLinks) State() (LinkState, error) { return linksOfFiles(l.files), nil }

func (offlineLinks) Apply(...LinkChange) (func() error, error) { return nothingToUndo, ErrOffline }

func (l offlineLinks) Wait(_ context.Context, until func(LinkState) bool) (LinkState, error) {
	return settledNow(l, until, ErrOffline)
}

func (offlineLinks) Packets(string) (Packets, error) { return nil, ErrOffline }

// settledNow answers a Wait where nothing will change.
func settledNow(l Links, until func(LinkState) bool, otherwise error) (LinkState, error) {
	s, err := l.State()
	if err == nil && !until(s) {
		err = otherwise
	}
	return s, err
}

func nothingToUndo() error { return nil }

// planLinks remember what the plan would set.
type planLinks struct {
	below  Links
	ledger *Ledger

	mutex sync.Mutex
	state *LinkState // nil before the first change
}

func (l *planLinks) State() (LinkState, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.state != nil {
		return *l.state, nil
	}
	return l.below.State()
}

func (l *planLinks) set(s LinkState) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.state = &s
}

func (l *planLinks) Apply(changes ...LinkChange) (func() error, error) {
	if _, offline := l.below.(offlineLinks); offline {
		return nothingToUndo, ErrOffline
	}
	before, err := l.State()
	if err != nil {
		return nothingToUndo, err
	}
	next := before
	for _, c := range changes {
		after, changed, err := next.with(c)
		if err != nil {
			return nothingToUndo, err
		}
		if changed {
			l.ledger.add(Entry{Kind: KindLink, Detail: c.String()})
		}
		next = after
	}
	l.set(next)
	return func() error { l.set(before); return nil }, nil
}

func (l *planLinks) Wait(_ context.Context, until func(LinkState) bool) (LinkState, error) {
	return settledNow(l, until, ErrUnknown)
}

// Packets are not for a plan: who asks for a lease has a trace of it on the server.
func (l *planLinks) Packets(link string) (Packets, error) {
	return nil, fmt.Errorf("send packets on %s: %w", link, ErrUnknown)
}

// quietLinks are the same links, but what is done to them is not written down.
func quietLinks(l Links) Links {
	switch l := l.(type) {
	case *planLinks:
		return &planLinks{below: l.below, state: l.state}
	case ledgered:
		return l.withoutLedger()
	}
	return l
}

// ledgered are links that write down what is done to them.
type ledgered interface{ withoutLedger() Links }

// undoing joins the steps back, the last first.
func undoing(steps []func() error) func() error {
	return func() error {
		var err error
		for _, step := range slices.Backward(steps) {
			err = errors.Join(err, step())
		}
		return err
	}
}
