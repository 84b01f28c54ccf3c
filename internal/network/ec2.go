package network

import (
	"cmp"
	"maps"
	"math"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"openguest/internal/conf"
)

// readEC2 reads what EC2's metadata says of the machine's interfaces: "network" of its meta-data. It becomes version 2: DHCP
// on each, further addresses as they are, and where there are several interfaces, for each but the first a routing table
// of its own, so that what came in by an interface is answered by it. Only netplan and networkd know of such tables.
func readEC2(document *conf.Value, host Host) (*Model, []conf.Problem) {
	r := newReading(2, document, host)
	root := r.root(unwrapped(document))
	nics := r.ec2Order(root.at("interfaces").at("macs"))
	if full := root.at("apply_full_imds_network_config"); len(nics) > 0 && !full.Truth(true) { // the source's setting
		nics = nics[:1]
		nics[0].Value = conf.Of(mapping{"ipv6s": nics[0].Get("ipv6s")}, nics[0].origin)
	}
	ethernets := mapping{}
	for i, n := range nics {
		ethernets[host.named(strings.ToLower(n.key))] = n.ec2Device(i, len(nics) > 1)
	}
	m, problems := r.as(mapping{"version": 2, "ethernets": ethernets}, readV2)
	for _, l := range m.Links {
		for i := range l.Subnets {
			l.TableRoutes = append(l.TableRoutes, l.Subnets[i].Routes...)
			l.Subnets[i].Routes = nil
		}
	}
	return m, problems
}

// ec2Order are the interfaces that both the metadata and the machine have, the first one first.
func (r *reading) ec2Order(macs node) (nics []entry) {
	for _, e := range macs.entries() {
		if !e.IsNull() && e.r.host.named(strings.ToLower(e.key)) != "" {
			nics = append(nics, e)
		}
	}
	number := func(e entry, key string) int {
		if e.Get(key) == nil {
			return math.MaxInt
		}
		return e.at(key).number()
	}
	sort.SliceStable(nics, func(i, j int) bool {
		a, b := nics[i], nics[j]
		return cmp.Or(cmp.Compare(number(a, "network-card"), number(b, "network-card")),
			cmp.Compare(number(a, "device-number"), number(b, "device-number")), cmp.Compare(a.key, b.key)) < 0
	})
	return nics
}

func (e entry) ec2Device(index int, hasOthers bool) mapping {
	mac := strings.ToLower(e.key)
	d := mapping{"dhcp4": true, "dhcp6": e.at("ipv6s").isSaid(), "match": mapping{"macaddress": mac}, "set-name": e.r.host.named(mac)}
	if addresses := e.ec2Addresses(); len(addresses) > 0 {
		d["addresses"] = addresses
	}
	if !hasOthers {
		return d
	}
	overrides := mapping{"route-metric": 100 * (index + 1)}
	if index > 0 && e.at("device-number").isSaid() {
		overrides["use-routes"] = true
		e.ec2Policy(d, 100+index)
	}
	d["dhcp4-overrides"] = overrides
	if d["dhcp6"] == true {
		d["dhcp6-overrides"] = maps.Clone(overrides)
	}
	return d
}

// ec2Addresses are those of an interface but the first of each family, which DHCP gives.
func (e entry) ec2Addresses() (addresses []string) {
	for _, family := range []struct{ addresses, network, prefix string }{
		{"local-ipv4s", "subnet-ipv4-cidr-block", "24"}, {"ipv6s", "subnet-ipv6-cidr-block", "128"},
	} {
		prefix := family.prefix
		if _, said, ok := strings.Cut(e.at(family.network).text(), "/"); ok {
			prefix = said
		}
		for i, address := range e.at(family.addresses).texts() {
			if i > 0 {
				addresses = append(addresses, address+"/"+prefix)
			}
		}
	}
	slices.Sort(addresses)
	return addresses
}

// ec2Policy gives an interface a routing table, and rules that have packets from its addresses go by that table.
func (e entry) ec2Policy(d mapping, table int) {
	var routes, rules []any
	for _, family := range []struct{ addresses, networks string }{
		{"local-ipv4s", "subnet-ipv4-cidr-block"}, {"ipv6s", "subnet-ipv6-cidr-blocks"},
	} {
		networks, addresses := e.at(family.networks).texts(), e.at(family.addresses).texts()
		if len(networks) == 0 || len(addresses) == 0 {
			continue
		}
		if via := ec2Router(networks[0]); via != "" {
			routes = append(routes, mapping{"to": "0.0.0.0/0", "via": via, "table": table})
		}
		for _, network := range networks {
			routes = append(routes, mapping{"to": network, "table": table})
		}
		for _, address := range addresses {
			rules = append(rules, mapping{"from": address, "table": table})
		}
	}
	if len(rules) > 0 {
		d["routes"], d["routing-policy"] = routes, rules
	}
}

// ec2Router is the router of a network of IPv4: its first address, see "Subnet CIDR blocks" of the VPC User Guide. Empty
// for IPv6, where routers advertise themselves.
func ec2Router(cidr string) string {
	p, err := netip.ParsePrefix(cidr)
	if err != nil || !p.Addr().Is4() {
		return ""
	}
	return p.Masked().Addr().Next().String()
}
