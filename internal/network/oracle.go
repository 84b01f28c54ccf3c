package network

import (
	"strings"

	"openguest/internal/conf"
)

// readOracle reads the VNICs of Oracle's metadata, a list of them or at "vnics": DHCP on the first, and the addresses of
// the others; keep_configuration is the first one's. It becomes version 1. The networks of Oracle's cloud carry packets of 9000 bytes.
func readOracle(document *conf.Value, host Host) (*Model, []conf.Problem) {
	r := newReading(1, document, host)
	root := r.root(document)
	vnics := root
	if document != nil && document.Kind == conf.Map {
		vnics = root.at("vnics")
	}
	config := []any{}
	for i, item := range vnics.items() {
		if c := item.physicalOf("macAddr"); c != nil {
			c["mtu"], c["subnets"] = 9000, item.oracle(i == 0)
			if i == 0 {
				root.keep(c, "keep_configuration")
			}
			config = append(config, c)
		}
	}
	return r.as(mapping{"version": 1, "config": config}, readV1)
}

func (n node) oracle(isFirst bool) (subnets []any) {
	address, six := n.at("privateIp"), n.at("ipv6Addresses").texts()
	_, prefix, _ := strings.Cut(n.at("subnetCidrBlock").text(), "/")
	isOnly6 := n.at("ipv6VirtualRouterIp").isSaid() && !address.isSaid()
	if isOnly6 && len(six) > 0 {
		_, prefix, _ = strings.Cut(six[0], "/")
	}
	switch {
	case isFirst && isOnly6:
		return []any{mapping{"type": "dhcp6"}}
	case isFirst:
		return []any{mapping{"type": "dhcp"}}
	}
	if address.isSaid() {
		subnets = append(subnets, mapping{"type": "static", "address": address.text() + "/" + prefix})
	}
	if len(six) > 0 {
		host, own, ok := strings.Cut(six[0], "/")
		if ok {
			prefix = own
		}
		subnets = append(subnets, mapping{"type": "static", "address": host + "/" + prefix})
	}
	return subnets
}
