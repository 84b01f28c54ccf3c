// Package network turns a network's description, in whichever form a cloud gives it, into one model, and the model into
// the files of the network manager that the machine has.
//
// A reader is one file and one line in readers.go; a renderer is one file and one line in renderers.go. Neither asks the
// system for anything: what they need to know of the machine is in Host, and what a renderer wants is a list of files.
package network

import (
	"net/netip"
	"slices"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// A Model is a network as it should be.
type Model struct {
	// Version of the document that the model was read from, 1 or 2: some renderers treat them differently, as cloud-init
	// does. Documents of other kinds become version 1 or 2 first, as they do there.
	Version  int
	Document *conf.Value // the document of that version; netplan's renderer hands a version 2 through

	Links  []*Link // in the order of the document
	Routes []Route // that belong to no link
	DNS    DNS     // for all links
	IPv6   bool    // something in the document speaks of IPv6
}

// A Link is a network interface.
type Link struct {
	ID   string // what the document calls it: the key in version 2, the name in version 1
	Name string // what it is to be called
	Kind Kind

	MAC   string // in lower case; empty where the document has none
	Match Match  // version 2: which interface is meant
	MTU   int    // 0: as it is

	Subnets []Subnet
	DNS     *DNS // nil: the link has none of its own

	TableRoutes []Route // that are in tables of their own, which rules of the document lead to: for networkd and netplan

	AcceptRA, WakeOnLAN, Optional *bool // nil: not said

	KeepConfiguration string // networkd's KeepConfiguration, as written

	// Renamed says that the interface with this MAC is to get the Name: physical ones of version 1, and set-name in version 2.
	Renamed  bool
	DeviceID string // version 1: params.device_id, which with the MAC and the driver says which interface is meant

	Master     string   // the bond that it is part of
	Bridged    []string // the interfaces that are part of this bridge
	VLANParent string   // of a VLAN
	VLANID     string   // of a VLAN, as written
	Driver     string   // match.driver in version 2, params.driver in version 1

	// Params of bonds and bridges under the names that version 1 has for them (bond-mode, bridge_stp), in the order of the
	// document. What is part of a bond has the bond's.
	Params []Param
}

// A Kind is what an interface is.
type Kind string

// The kinds. An interface that is only spoken of as part of a bond or a bridge has the kind that cloud-init gives it: Bond,
// or none.
const (
	Physical   Kind = "physical"
	Bond       Kind = "bond"
	Bridge     Kind = "bridge"
	VLAN       Kind = "vlan"
	Loopback   Kind = "loopback"
	InfiniBand Kind = "infiniband"
)

// A Match says which interface of the machine is meant. Empty fields say nothing.
type Match struct {
	Name, MAC, Driver string
}

// A Param is a setting of a bond or a bridge.
type Param struct {
	Name  string
	Value *conf.Value // a scalar, or a list of them
}

// Param is the setting of a name; nil where there is none.
func (l *Link) Param(name string) *conf.Value {
	for _, p := range l.Params {
		if p.Name == name {
			return p.Value
		}
	}
	return nil
}

// A Subnet is one way in which an interface has addresses.
type Subnet struct {
	Type    string // dhcp, dhcp4, dhcp6, static, static6, manual, ipv6_slaac, ipv6_dhcpv6-stateful, ipv6_dhcpv6-stateless
	Control string // auto, manual or hotplug; empty: auto

	Address   string // as written, without its prefix
	Prefix    int    // length of the network's part
	Netmask   string // of IPv4, dotted; empty where there is no address
	Broadcast string
	Gateway   string
	Routes    []Route
	DNS       DNS
	Metric    string // as written
	MTU       int
	Scope     string
	PeerPoint string // pointopoint
}

// Is6 says that the subnet is one of IPv6.
func (s *Subnet) Is6() bool {
	return strings.HasSuffix(s.Type, "6") || strings.HasPrefix(s.Type, "ipv6") || IsIPv6(s.Address)
}

// A Route leads to a network.
type Route struct {
	Network string // as written, without its prefix; 0.0.0.0 or :: with prefix 0 is the default
	Prefix  int
	Netmask string // of IPv4, dotted
	Gateway string // may be empty
	Metric  *int
	MTU     int
	Table   string // as written
}

// Is6 says that the route is one of IPv6.
func (r Route) Is6() bool { return IsIPv6(r.Network) }

// IsDefault says that the route is for whatever no other is for.
func (r Route) IsDefault() bool {
	return r.Prefix == 0 && (r.Network == "0.0.0.0" || r.Network == "::")
}

// DNS is where names are looked up.
type DNS struct {
	Servers []string
	Search  []string
}

// IsEmpty says that nothing is said.
func (d DNS) IsEmpty() bool { return len(d.Servers) == 0 && len(d.Search) == 0 }

// HasDefaultRoute says that some route of the model is the default one.
func (m *Model) HasDefaultRoute() bool {
	routes := slices.Clone(m.Routes)
	for _, l := range m.Links {
		for i := range l.Subnets {
			routes = append(routes, l.Subnets[i].Routes...)
		}
	}
	for _, r := range routes {
		if r.IsDefault() {
			return true
		}
	}
	return false
}

// Link is the link of an ID; nil where there is none.
func (m *Model) Link(id string) *Link {
	for _, l := range m.Links {
		if l.ID == id {
			return l
		}
	}
	return nil
}

// Of is the same model with what it has for one interface of the machine: by its MAC, or by its name where the document has no
// MAC for it.
func (m *Model) Of(n machine.NetLink) *Model {
	only := *m
	only.Links = nil
	for _, l := range m.Links {
		if l.MAC == n.MAC || l.MAC == "" && l.Name == n.Name && l.Kind == Physical {
			only.Links = append(only.Links, l)
		}
	}
	return &only
}

// IsIPv6 says that a text is an address of IPv6, without a prefix.
func IsIPv6(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && a.Is6()
}

// IsIPv4 says that a text is an address of IPv4, without a prefix.
func IsIPv4(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && a.Is4()
}
