// Package dhcp asks for an address by DHCP (RFC 2131), for as long as a machine needs one before its own network is
// configured. It takes a lease, says what came with it, and neither renews nor releases it.
package dhcp

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"openguest/internal/machine"
)

// A Lease is what a server gave us.
type Lease struct {
	Link      string
	Address   netip.Prefix
	Broadcast netip.Addr      // invalid where the server says none
	Router    netip.Addr      // the first; invalid where there is none, or Routes come from option 121
	Routes    []machine.Route // what the machine should set, the default route too
	DNS       []netip.Addr
	Domain    string   // option 15; some servers put several there, with spaces between
	Search    []string // option 119
	Hostname  string   // option 12
	MTU       int      // 0 where the server says none
	Server    netip.Addr
	Wire      netip.Addr // Azure's wire server, option 245; invalid elsewhere
	Lifetime  time.Duration
	Options   map[byte][]byte // all options, as they came
}

// Changes are what makes the link use the lease.
func (l *Lease) Changes() []machine.LinkChange {
	var all []machine.LinkChange
	if l.MTU > 0 {
		all = append(all, machine.LinkChange{Link: l.Link, Do: machine.LinkMTU, MTU: l.MTU})
	}
	all = append(all, machine.LinkChange{Link: l.Link, Do: machine.AddressAdd, Address: l.Address})
	for _, r := range l.Routes {
		all = append(all, machine.LinkChange{Do: machine.RouteAdd, Route: r})
	}
	return all
}

// The numbers of options; see https://www.iana.org/assignments/bootp-dhcp-parameters.
const (
	optPad          = 0
	optMask         = 1
	optRouter       = 3
	optDNS          = 6
	optHostname     = 12
	optDomain       = 15
	optMTU          = 26
	optBroadcast    = 28
	optStaticRoutes = 33 // by classes of addresses
	optAddress      = 50
	optLeaseTime    = 51
	optOverload     = 52
	optType         = 53
	optServer       = 54
	optParameters   = 55
	optMessage      = 56
	optMaxSize      = 57
	optSearch       = 119
	optRoutes       = 121 // RFC 3442
	optWire         = 245 // Azure's
	optOldRoutes    = 249 // Microsoft's number for 121
	optEnd          = 255
)

// Of an MTU less than this IPv6 stops working, and of one less than 576 all does: servers that say so are mistaken.
const smallestMTU = 576

// newLease reads an answer of a server.
func newLease(link string, m message) (*Lease, error) {
	if !isHost(m.yours) {
		return nil, errors.New("the server gives no usable address")
	}
	l := &Lease{
		Link:      link,
		Address:   netip.PrefixFrom(m.yours, m.maskBits()),
		Broadcast: m.address(optBroadcast),
		DNS:       m.addresses(optDNS),
		Domain:    strings.Join(m.names(optDomain), " "),
		Search:    searchList(m.options[optSearch]),
		Hostname:  m.name(optHostname),
		Server:    m.address(optServer),
		Wire:      m.address(optWire),
		Lifetime:  time.Duration(m.number(optLeaseTime)) * time.Second,
		Options:   m.options,
	}
	if mtu := m.number(optMTU); mtu >= smallestMTU && len(m.options[optMTU]) == 2 {
		l.MTU = int(mtu)
	}
	l.route(m)
	return l, nil
}

// route takes the routes from option 121, or else from the options before it, as RFC 3442 has it.
func (l *Lease) route(m message) {
	for _, option := range []byte{optRoutes, optOldRoutes} {
		if routes := classless(m.options[option]); len(routes) > 0 {
			l.add(routes...)
			return
		}
	}
	routers := m.addresses(optRouter)
	l.add(classful(m.addresses(optStaticRoutes))...)
	if len(routers) > 0 {
		l.Router = routers[0]
		l.add(machine.Route{To: everywhere, Via: l.Router})
	}
}

// everywhere is what the default route leads to.
var everywhere = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// add adds routes through the link. A gateway that no address speaks of is on the link all the same: some clouds give
// addresses with a network of their own. A gateway that is this machine means that the network is on the link.
func (l *Lease) add(routes ...machine.Route) {
	for _, r := range routes {
		r.Link = l.Link
		if r.Via == l.Address.Addr() {
			r.Via = netip.Addr{}
		}
		r.OnLink = r.Via.IsValid() && !l.Address.Contains(r.Via)
		if !slices.Contains(l.Routes, r) {
			l.Routes = append(l.Routes, r)
		}
	}
}

// isHost says that an address can be a machine's.
func isHost(a netip.Addr) bool {
	return a.Is4() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
