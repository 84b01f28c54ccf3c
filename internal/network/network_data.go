package network

import (
	"fmt"
	"slices"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// readNetworkData reads OpenStack's network_data.json: links, networks on them, and services. It becomes version 1. See
// OpenStack's doc/api_schemas/network_data.json.
func readNetworkData(document *conf.Value, host Host) (*Model, []conf.Problem) {
	r := newReading(1, document, host)
	root := r.root(document)
	d := &networkData{networks: map[string][]node{}, links: map[string]node{}, bonds: map[string]int{}}
	for _, n := range root.at("networks").items() {
		id := n.at("link").text()
		d.networks[id] = append(d.networks[id], n)
	}
	links := root.at("links").items()
	for _, l := range links {
		id := l.at("id").text()
		d.links[id] = l
		if l.at("type").text() == "bond" {
			d.bonds[id] = len(d.bonds)
		}
	}
	config := []any{}
	for _, l := range links {
		config = append(config, d.link(l))
	}
	for _, s := range root.at("services").items() {
		c := mapping{"type": "nameserver", "address": s.Get("address")}
		s.keep(c, "search")
		config = append(config, c)
	}
	return r.as(mapping{"version": 1, "config": config}, readV1)
}

// as reads a document that was made from the one that is read: plain data, and values of that one.
func (r *reading) as(document mapping, read reader) (*Model, []conf.Problem) {
	m, problems := read(conf.Of(document, r.root(r.model.Document).origin), r.host)
	return m, append(r.problems, problems...)
}

// keep copies what is there at the keys.
func (n node) keep(to mapping, keys ...string) {
	for _, key := range keys {
		if v := n.Get(key); v != nil {
			to[key] = v
		}
	}
}

// A networkData is network_data.json on its way to version 1.
type networkData struct {
	networks map[string][]node // by the ID of the link that they are on
	links    map[string]node   // by ID
	bonds    map[string]int    // the number of each bond, by ID
}

// link is a link with its networks.
func (d *networkData) link(l node) mapping {
	c := mapping{"type": "physical", "name": d.name(l), "mac_address": l.Get("ethernet_mac_address")}
	l.keep(c, "mtu", "params")
	switch kind := l.at("type").text(); {
	case kind == "bond":
		c["type"], c["params"], c["bond_interfaces"] = kind, l.bondSettings(), d.names(l.at("bond_links"))
	case kind == "vlan":
		c["type"], c["vlan_id"], c["mac_address"] = kind, l.Get("vlan_id"), l.Get("vlan_mac_address")
		c["vlan_link"] = d.nameOf(l.at("vlan_link"))
	case kind != "" && !slices.Contains(networkDataLinks(), kind):
		l.at("type").warn("Unknown network_data link type (%s); treating as physical", kind)
	}
	if nic := l.nic(); nic != nil && isInfiniBand(nic.MAC) {
		c["type"], c["mac_address"] = "infiniband", nic.MAC
	}
	subnets := []any{}
	for _, n := range d.networks[l.at("id").text()] {
		switch n.at("type").text() {
		case "ipv6", "static6":
			c["accept-ra"] = false
		case "ipv6_dhcpv6-stateful", "ipv6_dhcp":
			c["accept-ra"] = true
		}
		subnets = append(subnets, n.networkDataSubnet())
	}
	c["subnets"] = subnets
	return c
}

// networkDataLinks are the types of links that are an interface of the machine, see nova/network/model.py.
func networkDataLinks() []string {
	return []string{"bgpovs", "bridge", "cascading", "dvs", "ethernet", "hostdev_physical", "hw_veb", "hyperv", "ovs", "phy", "tap", "vhostuser", "vif"}
}

// name is what a link is to be called: what the document says, else what the machine calls it; bonds are numbered. One that
// the machine does not have (yet) has its ID for a name.
func (d *networkData) name(l node) string {
	id, name := l.at("id").text(), l.at("name").text()
	switch number, isBond := d.bonds[id]; {
	case l.at("type").text() == "vlan":
		return d.nameOf(l.at("vlan_link")) + "." + l.at("vlan_id").text()
	case name != "":
		return name
	case isBond:
		return fmt.Sprintf("bond%d", number)
	}
	if nic := l.nic(); nic != nil {
		return nic.Name
	}
	l.warn("the machine has no interface with this MAC; until it has, it is called by its id")
	return id
}

// nameOf is the name of the link that an ID stands for.
func (d *networkData) nameOf(id node) string {
	l, ok := d.links[id.text()]
	if !ok || l.at("type").text() == "vlan" {
		id.reject("is the id of no link that this one can be part of")
		return ""
	}
	return d.name(l)
}

func (d *networkData) names(ids node) (names []any) {
	for _, id := range ids.items() {
		if name := d.nameOf(id); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// nic is the machine's interface with a link's MAC; nil where there is none. Those of InfiniBand are spoken of by an address
// that has six of the twenty bytes.
func (n node) nic() *machine.NIC {
	mac := strings.ToLower(n.at("ethernet_mac_address").text())
	for i, nic := range n.r.host.NICs {
		if mac != "" && (nic.MAC == mac || isInfiniBand(nic.MAC) && nic.MAC[36:45]+nic.MAC[51:] == mac) {
			return &n.r.host.NICs[i]
		}
	}
	return nil
}

// isInfiniBand says that an address has twenty bytes.
func isInfiniBand(mac string) bool { return len(mac) == 59 }

// bondSettings are a link's, whose names begin with bond_ here.
func (n node) bondSettings() mapping {
	settings := mapping{}
	for _, e := range n.entries() {
		if name, ok := strings.CutPrefix(e.key, "bond_"); ok && name != "links" {
			settings["bond-"+name] = e.Value
		}
	}
	return settings
}

// networkDataSubnet is a network as a subnet of version 1.
func (n node) networkDataSubnet() mapping {
	s := mapping{}
	n.keep(s, "type", "netmask", "broadcast", "metric", "gateway", "pointopoint", "scope", "dns_nameservers", "dns_search")
	switch n.at("type").text() {
	case "ipv4_dhcp":
		s["type"] = "dhcp4"
	case "ipv6_dhcp":
		s["type"] = "dhcp6"
	case "ipv4", "static":
		s["type"], s["address"] = "static", n.Get("ip_address")
	case "ipv6", "static6":
		s["type"], s["address"] = "static6", n.Get("ip_address")
	}
	servers, routes := []any{}, []any{}
	for _, item := range n.at("routes").items() {
		route := mapping{}
		item.keep(route, "network", "destination", "netmask", "gateway", "metric")
		routes, servers = append(routes, route), item.nameServers(servers)
	}
	if servers = n.nameServers(servers); len(servers) > 0 {
		s["dns_nameservers"] = servers
	}
	s["routes"] = routes
	return s
}

// nameServers adds those of the services to a list.
func (n node) nameServers(servers []any) []any {
	for _, service := range n.at("services").items() {
		address := service.at("address").text()
		if service.at("type").text() == "dns" && address != "" && !slices.Contains(servers, any(address)) {
			servers = append(servers, address)
		}
	}
	return servers
}
