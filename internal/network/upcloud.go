package network

import (
	"strings"

	"openguest/internal/conf"
)

// readUpCloud reads "network" of UpCloud's metadata: interfaces with addresses, and name servers. It becomes version 1.
func readUpCloud(document *conf.Value, host Host) (*Model, []conf.Problem) {
	r := newReading(1, document, host)
	root := r.root(unwrapped(document))
	servers := root.at("dns")
	config := []any{}
	for _, item := range root.at("interfaces").items() {
		c := item.physicalOf("mac")
		if c == nil {
			continue
		}
		subnets := []any{}
		for _, address := range item.at("ip_addresses").items() {
			subnets = append(subnets, address.upCloud(servers))
		}
		c["subnets"] = subnets
		config = append(config, c)
	}
	if servers.isSaid() {
		config = append(config, mapping{"type": "nameserver", "address": servers.Value})
	}
	return r.as(mapping{"version": 1, "config": config}, readV1)
}

// upCloud is an address as a subnet of version 1. Name servers that all have are not its own.
func (n node) upCloud(servers node) mapping {
	is6 := n.at("family").text() == "IPv6"
	switch isLeased := n.at("dhcp").isSaid(); {
	case isLeased && is6:
		return mapping{"type": "ipv6_dhcpv6-stateless"}
	case isLeased:
		return mapping{"type": "dhcp"}
	}
	s := mapping{"type": "static", "control": "auto", "address": n.Get("address")}
	if is6 {
		s["type"] = "static6"
	}
	n.keep(s, "gateway")
	if _, prefix, ok := strings.Cut(n.at("network").text(), "/"); ok {
		s["netmask"] = prefix
	}
	if own := n.at("dns"); own.isSaid() && !own.Equal(servers.Value) {
		s["dns_nameservers"] = own.Value
	}
	return s
}
