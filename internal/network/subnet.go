package network

import (
	"slices"
	"strconv"

	"openguest/internal/conf"
	"openguest/internal/spelling"
)

// subnetTypes are those of version 1.
func subnetTypes() []string {
	return []string{
		"dhcp", "dhcp4", "dhcp6", "static", "static6", "manual", "loopback",
		"ipv6_slaac", "ipv6_dhcpv6-stateful", "ipv6_dhcpv6-stateless",
	}
}

// subnets reads those of an interface of version 1. One that cannot be used costs no other.
func (n node) subnets() (subnets []Subnet) {
	for _, item := range n.items() {
		if s, ok := item.subnet(); ok {
			subnets = append(subnets, s)
		}
	}
	return subnets
}

func (n node) subnet() (s Subnet, ok bool) {
	s.Type = n.at("type").text()
	if !slices.Contains(subnetTypes(), s.Type) {
		n.at("type").unknown("type of subnet", s.Type, subnetTypes())
		return s, false
	}
	if s.Type == "static" || s.Type == "static6" {
		net, ok := n.network("address", "ip_address")
		if !ok {
			return s, false
		}
		s.Address, s.Prefix, s.Netmask = net.address, net.prefix, net.netmask
	} else if n.at("address").isSaid() {
		n.at("address").warn("is not used: only subnets of type static have addresses")
	}
	s.Control, s.Broadcast = n.at("control").text(), n.at("broadcast").text()
	s.Scope, s.PeerPoint = n.at("scope").text(), n.at("pointopoint").text()
	s.Gateway = n.at("gateway").gateway()
	s.DNS = DNS{Servers: n.at("dns_nameservers").words(), Search: n.at("dns_search").words()}
	s.MTU = n.at("mtu").number()
	if n.at("metric").isSaid() {
		s.Metric = n.at("metric").text()
	}
	s.Routes = n.at("routes").routes()
	return s, true
}

// unknown says that a word is none of those that may stand there.
func (n node) unknown(what, word string, known []string) {
	if word == "" {
		n.reject("is missing: there must be a %s", what)
		return
	}
	hint := ""
	if near := spelling.Nearest(word, known); near != "" {
		hint = "did you mean " + near + "?"
	}
	n.say(conf.Rejected, hint, "there is no such %s", what)
}

// gateway is an address; empty where there is none.
func (n node) gateway() string {
	text := n.text()
	if text != "" && !IsIPv4(text) && !IsIPv6(text) {
		n.reject("%v", errNoAddress)
		return ""
	}
	return text
}

// routes reads a list of routes of version 1. One that cannot be used costs no other.
func (n node) routes() (routes []Route) {
	for _, item := range n.items() {
		if r, ok := item.route(); ok {
			routes = append(routes, r)
		}
	}
	return routes
}

func (n node) route() (r Route, ok bool) {
	net, ok := n.network("destination", "network")
	if !ok {
		return r, false
	}
	return n.routeTo(net, n.at("gateway").gateway())
}

// routeTo reads what a route has beside where it leads to.
func (n node) routeTo(net network, gateway string) (r Route, ok bool) {
	r = Route{
		Network: net.address, Prefix: net.prefix, Netmask: net.netmask, Gateway: gateway,
		MTU: n.at("mtu").number(), Table: n.at("table").text(),
	}
	if text := n.at("metric").text(); text != "" {
		metric, err := strconv.Atoi(text)
		if err != nil {
			n.at("metric").reject("should be a whole number; the route is left out")
			return r, false
		}
		r.Metric = &metric
	}
	return r, true
}

// A network is an address with the length of its network's part.
type network struct {
	address string
	prefix  int
	netmask string // of IPv4
}

// network reads the address at the first of the keys that says something, with the prefix behind it or in "prefix" or
// "netmask"; without any it is 24, and 64 for IPv6. The word "default" is a network of length 0 of the gateway's family.
func (n node) network(keys ...string) (net network, ok bool) {
	address := n.first(keys...)
	text := address.text()
	switch {
	case text == "":
		address.reject("is missing: there must be an address")
		return net, false
	case text == "default":
		text = defaultNetwork(n.first("gateway", "via").text())
		if text == "" {
			address.reject("is default, and there is no gateway that would say whether of IPv4 or IPv6")
			return net, false
		}
	}
	return n.networkOf(address, text)
}

func defaultNetwork(gateway string) string {
	switch {
	case IsIPv4(gateway):
		return "0.0.0.0/0"
	case IsIPv6(gateway):
		return "::/0"
	}
	return ""
}

func (n node) networkOf(address node, text string) (net network, ok bool) {
	host, prefix, err := splitAddress(text)
	if err != nil {
		address.reject("%v", err)
		return net, false
	}
	if prefix < 0 {
		if prefix, ok = n.prefix(IsIPv6(host)); !ok {
			return net, false
		}
	} else if said := n.at("prefix").text(); said != "" && said != strconv.Itoa(prefix) {
		n.at("prefix").warn("is not what stands behind the slash of the address; that counts")
	}
	net = network{address: host, prefix: prefix}
	if !IsIPv6(host) {
		net.netmask = netmask4(prefix)
	}
	return net, true
}

// prefix reads the length of a network that does not stand behind its address.
func (n node) prefix(is6 bool) (prefix int, ok bool) {
	said, read, otherwise := n.at("prefix"), prefix4, 24
	if is6 {
		read, otherwise = prefix6, 64
	}
	if said.text() == "" {
		said = n.at("netmask")
	}
	if said.text() == "" {
		return otherwise, true
	}
	prefix, err := read(said.text())
	if err != nil {
		said.reject("%v", err)
	}
	return prefix, err == nil
}
