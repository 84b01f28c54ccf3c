package network

import (
	"strings"

	"openguest/internal/conf"
)

// readDigitalOcean reads the interfaces of DigitalOcean's metadata, which are called eth0 (public) and eth1 (private), and
// the name servers. It becomes version 1.
func readDigitalOcean(document *conf.Value, host Host) (*Model, []conf.Problem) {
	r := newReading(1, document, host)
	config := []any{}
	for _, kind := range r.root(document).at("interfaces").entries() {
		if nics := kind.items(); len(nics) > 0 {
			if c := nics[0].digitalOcean(); c != nil {
				config = append(config, c)
			}
		}
	}
	if servers := r.root(document).at("dns").at("nameservers"); servers.isSaid() {
		config = append(config, mapping{"type": "nameserver", "address": servers.Value})
	}
	return r.as(mapping{"version": 1, "config": config}, readV1)
}

func (n node) digitalOcean() mapping {
	kind := n.at("type").text()
	c := mapping{"type": "physical", "mac_address": n.Get("mac"), "name": map[string]string{"public": "eth0", "private": "eth1"}[kind]}
	if c["name"] == "" {
		if c = n.physicalOf("mac"); c == nil {
			return nil
		}
	}
	subnets := []any{}
	for _, key := range []string{"ipv4", "ipv6", "anchor_ipv4", "anchor_ipv6"} {
		network := n.at(key)
		if !network.isSaid() {
			continue
		}
		s := mapping{"type": "static", "control": "auto", "address": network.Get("ip_address"), "netmask": network.Get("netmask")}
		if address := network.at("ip_address").text(); strings.Contains(address, ":") {
			s["address"], s["netmask"] = address+"/"+network.at("cidr").text(), nil
		}
		if kind == "public" && !strings.HasPrefix(key, "anchor") {
			s["gateway"] = network.Get("gateway")
		}
		subnets = append(subnets, s)
	}
	c["subnets"] = subnets
	return c
}
