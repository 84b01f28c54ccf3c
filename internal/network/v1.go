package network

import (
	"maps"
	"slices"
	"strings"

	"openguest/internal/conf"
)

// readV1 reads cloud-init's version 1: a list of interfaces, name servers and routes.
func readV1(document *conf.Value, host Host) (*Model, []conf.Problem) {
	document = unwrapped(document)
	r := newReading(1, document, host)
	config := r.root(document).at("config")
	if config.IsNull() || config.Kind != conf.List {
		config.reject("should be a list of interfaces, name servers and routes")
		return nil, r.problems
	}
	servers := linkServers{}
	for _, item := range config.items() {
		item.command(servers)
	}
	servers.apply()
	return r.model, r.problems
}

// command reads one item of the list.
func (n node) command(servers linkServers) {
	read := map[string]func(node){
		"physical": node.physical, "loopback": node.physical, "infiniband": node.physical,
		"vlan": node.vlan, "bond": node.bond, "bridge": node.bridge, "route": node.globalRoute,
		"nameserver": func(n node) { n.nameserver(servers) },
	}
	word := n.at("type").text()
	if f, ok := read[word]; ok {
		f(n)
		return
	}
	n.at("type").unknown("type", word, slices.Sorted(maps.Keys(read)))
}

// physical reads what every kind of interface has.
func (n node) physical() { n.link() }

// link makes the interface of an item, or completes one that a bond or a bridge spoke of before. It is nil where the item
// cannot be used.
func (n node) link() *Link {
	name, ok := n.at("name").name()
	if !ok {
		return nil
	}
	l := n.linkOf(name)
	if l == nil {
		return nil
	}
	l.Name, l.Kind = name, Kind(n.at("type").text())
	l.MAC = strings.ToLower(n.at("mac_address").text())
	l.MTU = n.at("mtu").number()
	l.AcceptRA, l.WakeOnLAN, l.Optional = n.at("accept-ra").truth(), n.at("wakeonlan").truth(), n.at("optional").truth()
	l.KeepConfiguration = n.at("keep_configuration").text()
	n.r.setSubnets(l, n.at("subnets").subnets())
	n.params(l)
	l.Renamed = l.Kind == Physical && l.MAC != ""
	return l
}

// setSubnets gives an interface its subnets.
func (r *reading) setSubnets(l *Link, subnets []Subnet) {
	l.Subnets = subnets
	for _, s := range subnets {
		r.model.IPv6 = r.model.IPv6 || strings.HasSuffix(s.Type, "6") || IsIPv6(s.Address)
	}
}

// linkOf is the interface of an ID, which is made where there is none; nil where there are too many.
func (n node) linkOf(id string) *Link {
	if l := n.r.links[id]; l != nil {
		return l
	}
	if len(n.r.links) == maxLinks {
		n.reject("is left out: the document has more than %d interfaces", maxLinks)
		return nil
	}
	l := &Link{ID: id, Name: id}
	n.r.links[id] = l
	n.r.model.Links = append(n.r.model.Links, l)
	return l
}

// params reads the settings of an interface: those of bonds and bridges, and a driver.
func (n node) params(l *Link) {
	for _, p := range n.at("params").entries() {
		switch {
		case p.key == "driver":
			l.Driver = p.text()
		case p.key == "device_id":
			l.DeviceID = p.text()
		case p.key == "bridge_stp":
			l.set(p.key, p.onOff())
		default:
			l.set(p.key, p.setting())
		}
	}
}

// set gives an interface a setting. nil says nothing.
func (l *Link) set(name string, v *conf.Value) {
	if v == nil {
		return
	}
	for i := range l.Params {
		if l.Params[i].Name == name {
			l.Params[i].Value = v
			return
		}
	}
	if len(l.Params) < maxParams {
		l.Params = append(l.Params, Param{name, v})
	}
}

// setting is a scalar or a list of such, as Param has it; nil where it is neither.
func (n node) setting() *conf.Value {
	if n.IsNull() {
		return nil
	}
	parts := []node{n}
	if n.Kind == conf.List {
		parts = n.items()
	}
	for _, part := range parts {
		if part.IsNull() || part.text() == "" && part.Text != "" {
			return nil
		}
	}
	return n.Value
}

// onOff is the boolean of bridge_stp, which may also be on, off, 1 or 0.
func (n node) onOff() *conf.Value {
	if n.IsNull() {
		return nil
	}
	switch {
	case n.Kind == conf.Bool:
		return n.Value
	case n.Text == "on" || n.Text == "1":
		return conf.Of(true, n.origin)
	case n.Text == "off" || n.Text == "0":
		return conf.Of(false, n.origin)
	}
	n.reject("should be true or false")
	return nil
}

// has says that all keys are there; that one is missing is said.
func (n node) has(keys ...string) bool {
	for _, key := range keys {
		if n.Get(key) == nil {
			n.at(key).reject("is missing; what needs it is left out")
			return false
		}
	}
	return true
}

func (n node) vlan() {
	if !n.has("vlan_id", "vlan_link") {
		return
	}
	if l := n.link(); l != nil {
		l.VLANID, l.VLANParent = n.at("vlan_id").text(), n.at("vlan_link").text()
	}
}

func (n node) bond() {
	if !n.has("bond_interfaces", "params") {
		return
	}
	if l := n.link(); l != nil {
		n.at("bond_interfaces").enslave(l)
	}
}

// enslave makes interfaces part of a bond. They have its settings, as ifupdown wants it.
func (n node) enslave(bond *Link) {
	for _, name := range n.names() {
		l := n.placeholder(name, Bond)
		if l == nil || l.Master == bond.ID {
			continue
		}
		l.Master = bond.ID
		for _, p := range bond.Params {
			l.set(p.Name, p.Value)
		}
	}
}

// placeholder is an interface that a bond or a bridge speaks of, perhaps before the document has more of it.
func (n node) placeholder(id string, kind Kind) *Link {
	if l := n.r.links[id]; l != nil {
		return l
	}
	l := n.linkOf(id)
	if l != nil {
		l.Kind = kind
	}
	return l
}

// names are those of interfaces.
func (n node) names() (names []string) {
	list := []node{n}
	switch {
	case n.IsNull():
		return nil
	case n.Kind == conf.List:
		list = n.items()
	}
	for _, item := range list {
		if name, ok := item.name(); ok {
			names = append(names, name)
		}
	}
	return names
}

func (n node) bridge() {
	if !n.has("bridge_interfaces") {
		return
	}
	names := n.at("bridge_interfaces").names()
	for _, name := range names {
		n.placeholder(name, "")
	}
	if l := n.link(); l != nil {
		l.Bridged = names
	}
}

func (n node) globalRoute() {
	if r, ok := n.route(); ok {
		n.r.model.Routes = append(n.r.model.Routes, r)
	}
}

// linkServers are the name servers that belong to one interface each, with the item that says so. The last one counts.
type linkServers map[string]node

func (n node) nameserver(servers linkServers) {
	if !n.has("address") {
		return
	}
	if n.Get("interface") != nil {
		servers[n.at("interface").text()] = n
		return
	}
	dns := n.dns("address")
	n.r.model.DNS.Servers = append(n.r.model.DNS.Servers, dns.Servers...)
	n.r.model.DNS.Search = append(n.r.model.DNS.Search, dns.Search...)
}

// dns reads name servers, which stand at a key, and search domains.
func (n node) dns(servers string) DNS {
	return DNS{Servers: n.at(servers).texts(), Search: n.at("search").texts()}
}

// apply gives the interfaces their name servers, once all interfaces are known.
func (s linkServers) apply() {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		n := s[name]
		if l := n.r.links[name]; l != nil {
			dns := n.dns("address")
			l.DNS = &dns
		} else {
			n.at("interface").reject("names an interface that the document does not have; these name servers are left out")
		}
	}
}
