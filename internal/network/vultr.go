package network

import (
	"strings"

	"openguest/internal/conf"
)

// readVultr reads the interfaces of Vultr's metadata: the first is the public one, with DHCP. It becomes version 1.
func readVultr(document *conf.Value, host Host) (*Model, []conf.Problem) {
	r := newReading(1, document, host)
	root := r.root(document)
	if document != nil && document.Kind == conf.Map {
		root = root.at("interfaces")
	}
	config := []any{mapping{"type": "nameserver", "address": []string{"108.61.10.10", "2001:19f0:300:1704::6"}}}
	for i, item := range root.items() {
		if i > 0 && item.at("unconfigured").isSaid() {
			continue
		}
		if c := item.physicalOf("mac"); c != nil {
			item.vultr(c, i == 0)
			config = append(config, c)
		}
	}
	return r.as(mapping{"version": 1, "config": config}, readV1)
}

// physicalOf is an interface of the machine by its MAC, which stands at a key; nil where the machine has none.
func (n node) physicalOf(key string) mapping {
	mac := strings.ToLower(n.at(key).text())
	name := n.r.host.named(mac)
	if mac == "" || name == "" {
		n.at(key).reject("is the MAC of no interface that the machine has; the interface is left out")
		return nil
	}
	return mapping{"type": "physical", "name": name, "mac_address": mac}
}

func (n node) vultr(c mapping, isPublic bool) {
	first := mapping{"type": "static", "control": "auto"}
	subnets := []any{first}
	if isPublic {
		c["accept-ra"], first["type"] = true, "dhcp"
		subnets = append(subnets, mapping{"type": "ipv6_slaac", "control": "auto"})
	} else {
		n.at("ipv4").keep(first, "address", "netmask")
	}
	n.keep(first, "routes")
	n.keep(c, "mtu", "accept-ra")
	for _, more := range n.at("ipv4").at("additional").items() {
		s := mapping{"type": "static", "control": "auto"}
		more.keep(s, "address", "netmask", "routes")
		subnets = append(subnets, s)
	}
	for _, more := range n.at("ipv6").at("additional").items() {
		s := mapping{"type": "static6", "control": "auto", "address": more.at("network").text() + "/" + more.at("prefix").text()}
		more.keep(s, "routes")
		subnets = append(subnets, s)
	}
	c["subnets"] = subnets
}
