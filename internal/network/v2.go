package network

import (
	"maps"
	"slices"
	"strings"

	"openguest/internal/conf"
)

// readV2 reads cloud-init's version 2, which is a part of netplan's. Its interfaces become what those of version 1 would
// be; what only netplan and networkd know stays in the document.
func readV2(document *conf.Value, host Host) (*Model, []conf.Problem) {
	document = unwrapped(document)
	r := newReading(2, document, host)
	if document == nil || document.Kind != conf.Map {
		r.root(document).reject("should be a mapping")
		return nil, r.problems
	}
	for _, section := range r.root(document).entries() {
		section.section()
	}
	return r.model, r.problems
}

// section reads all interfaces of one kind.
func (e entry) section() {
	read := map[string]func(entry){
		"ethernets": entry.ethernet, "vlans": entry.vlan2, "bonds": entry.bond2, "bridges": entry.bridge2,
	}
	f, ok := read[e.key]
	switch {
	case e.key == "version" || e.key == "renderer":
	case e.key == "wifis":
		e.warn("wifis are for machines with netplan only")
	case !ok:
		e.unknown("kind of interface", e.key, slices.Sorted(maps.Keys(read)))
	default:
		for _, i := range e.entries() {
			f(i)
		}
	}
}

// device makes the interface of an entry, with what every kind of it has.
func (e entry) device(kind Kind, mac node) *Link {
	if !e.IsNull() && e.Kind != conf.Map {
		e.reject("should be a mapping, but is %v", e.Kind)
		return nil
	}
	key := e.node
	key.Value = conf.Of(e.key, e.origin)
	id, ok := key.name()
	if !ok {
		return nil
	}
	l := e.linkOf(id)
	if l == nil {
		return nil
	}
	l.Name, l.Kind = id, kind
	l.MAC = strings.ToLower(mac.text())
	l.MTU = e.at("mtu").number()
	dns := e.at("nameservers").dns("addresses")
	if !dns.IsEmpty() {
		l.DNS = &dns
	}
	e.r.setSubnets(l, e.subnets2(dns))
	return l
}

func (e entry) ethernet() {
	match := e.at("match")
	l := e.device(Physical, match.at("macaddress"))
	if l == nil {
		return
	}
	if name := e.deviceName(l.MAC); name != "" {
		l.Name = name
	}
	l.Renamed = l.MAC != "" && e.at("set-name").isSaid()
	l.Match = Match{Name: match.at("name").text(), MAC: l.MAC, Driver: firstOf(match.at("driver").texts())}
	l.Driver = l.Match.Driver
	l.AcceptRA, l.WakeOnLAN, l.Optional = e.at("accept-ra").truth(), e.at("wakeonlan").truth(), e.at("optional").truth()
}

func firstOf(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}

// deviceName is what set-name says, or else the name of the machine's interface that has the MAC. Empty where neither
// says one.
func (e entry) deviceName(mac string) string {
	if e.at("set-name").isSaid() {
		name, _ := e.at("set-name").name()
		return name
	}
	if mac == "" {
		return ""
	}
	return e.r.host.named(mac)
}

func (e entry) vlan2() {
	if l := e.device(VLAN, e.at("macaddress")); l != nil {
		l.VLANID, l.VLANParent = e.at("id").text(), e.at("link").text()
	}
}

func (e entry) bond2() {
	if l := e.device(Bond, e.at("macaddress")); l != nil {
		e.parameters(l, bondParams())
		e.at("interfaces").enslave(l)
	}
}

func (e entry) bridge2() {
	names := e.at("interfaces").names()
	for _, name := range names {
		e.placeholder(name, "")
	}
	if l := e.device(Bridge, e.at("macaddress")); l != nil {
		e.parameters(l, bridgeParams())
		l.Bridged = names
	}
}

// bondParams are the names that version 2 has for the settings of bonds, by those of version 1.
func bondParams() map[string]string {
	return map[string]string{
		"bond-ad-select":             "ad-select",
		"bond-all-slaves-active":     "all-slaves-active",
		"bond-arp-all-targets":       "arp-all-targets",
		"bond-arp-interval":          "arp-interval",
		"bond-arp-ip-target":         "arp-ip-target",
		"bond-arp-validate":          "arp-validate",
		"bond-downdelay":             "down-delay",
		"bond-fail-over-mac":         "fail-over-mac-policy",
		"bond-lacp-rate":             "lacp-rate",
		"bond-learn-packet-interval": "learn-packet-interval",
		"bond-miimon":                "mii-monitor-interval",
		"bond-min-links":             "min-links",
		"bond-mode":                  "mode",
		"bond-num-grat-arp":          "gratuitous-arp",
		"bond-packets-per-slave":     "packets-per-slave",
		"bond-primary":               "primary",
		"bond-primary-reselect":      "primary-reselect-policy",
		"bond-updelay":               "up-delay",
		"bond-xmit-hash-policy":      "transmit-hash-policy",
	}
}

// bridgeParams are the names that version 2 has for the settings of bridges, by those of version 1. It has none for
// bridge_gcint, bridge_maxwait and bridge_waitport.
func bridgeParams() map[string]string {
	return map[string]string{
		"bridge_ageing":     "ageing-time",
		"bridge_bridgeprio": "priority",
		"bridge_fd":         "forward-delay",
		"bridge_hello":      "hello-time",
		"bridge_maxage":     "max-age",
		"bridge_pathcost":   "path-cost",
		"bridge_portprio":   "port-priority",
		"bridge_stp":        "stp",
	}
}

// parameters reads the settings of a bond or a bridge, and gives them the names of version 1.
func (e entry) parameters(l *Link, names map[string]string) {
	old := map[string]string{"gratuitious-arp": "bond-num-grat-arp"} // netplan's spelling of before
	for v1, v2 := range names {
		old[v2] = v1
	}
	for _, p := range e.at("parameters").entries() {
		name, ok := old[p.key]
		switch {
		case !ok:
			p.unknown("parameter", p.key, slices.Sorted(maps.Values(names)))
		case name == "bridge_stp":
			l.set(name, p.onOff())
		case p.Value != nil && p.Kind == conf.Map:
			l.set(name, p.perPort())
		default:
			l.set(name, p.setting())
		}
	}
}

// perPort is a mapping from the ports of a bridge to numbers as version 1 writes it: a list of "PORT NUMBER".
func (n node) perPort() *conf.Value {
	list := &conf.Value{Kind: conf.List, Origin: n.origin}
	for _, port := range n.entries() {
		if text := port.text(); text != "" {
			list.Items = append(list.Items, conf.Of(port.key+" "+text, port.origin))
		}
	}
	return list
}

// subnets2 are the ways in which an interface has addresses. The first subnet of each family has the gateway, the first
// with an address the name servers, and the first of all has the routes.
func (e entry) subnets2(servers DNS) (subnets []Subnet) {
	for _, family := range []string{"dhcp4", "dhcp6"} {
		if on := e.at(family); on.Truth(on.isSaid()) {
			s := Subnet{Type: family}
			if metric := e.at(family + "-overrides").at("route-metric"); metric.isSaid() {
				s.Metric = metric.text()
			}
			subnets = append(subnets, s)
		}
	}
	subnets = append(subnets, e.addresses(servers)...)
	routes := e.routes2()
	switch {
	case len(subnets) > 0:
		subnets[0].Routes = routes
	case len(routes) > 0:
		e.at("routes").reject("are left out: the interface has no address and no DHCP")
	}
	return subnets
}

func (e entry) addresses(servers DNS) (subnets []Subnet) {
	gateways := map[bool]string{false: e.at("gateway4").gateway(), true: e.at("gateway6").gateway()}
	for _, item := range e.at("addresses").items() {
		net, ok := item.address2()
		if !ok {
			continue
		}
		is6 := IsIPv6(net.address)
		s := Subnet{Type: "static", Address: net.address, Prefix: net.prefix, Netmask: net.netmask}
		s.Gateway, s.DNS = gateways[is6], servers
		gateways[is6], servers = "", DNS{}
		subnets = append(subnets, s)
	}
	return subnets
}

// address2 is one address, with or without options. Only netplan knows what the options are for.
func (n node) address2() (net network, ok bool) {
	text := ""
	if n.Value != nil && n.Kind == conf.Map {
		if len(n.Pairs) > 0 {
			text = spelled(n.Pairs[0].Key)
		}
		n.warn("the options of this address are for machines with netplan only")
	} else {
		text = n.text()
	}
	return n.networkOf(n, text)
}

func (e entry) routes2() (routes []Route) {
	for _, item := range e.at("routes").items() {
		net, ok := item.network("to")
		if !ok {
			continue
		}
		if r, ok := item.routeTo(net, item.at("via").gateway()); ok {
			routes = append(routes, r)
		}
	}
	return routes
}
