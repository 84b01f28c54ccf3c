package metadata

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// mtu is given, or what the cloud has.
func (n *NIC) mtu(otherwise int) int {
	if n.MTU > 0 {
		return n.MTU
	}
	return otherwise
}

// mask is the first IPv4 address's netmask; empty where there is none.
func mask(n *NIC) string {
	if all := n.prefixes(false); len(all) > 0 {
		return maskOf(all[0])
	}
	return ""
}

func maskOf(p netip.Prefix) string {
	return net.IP(net.CIDRMask(p.Bits(), p.Addr().BitLen())).String()
}

// networkOf is the network of an address: 10.0.0.0/24.
func networkOf(p netip.Prefix) string { return p.Masked().String() }

// numberOf is a number that stays the same for a text.
func numberOf(text string) uint64 { return binary.BigEndian.Uint64(digest(text)) >> 1 }

// texts are the addresses of one family without their prefixes.
func (n *NIC) texts(v6 bool) (all []string) {
	for _, p := range n.prefixes(v6) {
		all = append(all, p.Addr().String())
	}
	return all
}

// networks are the networks of one family's addresses.
func (n *NIC) networks(v6 bool) (all []string) {
	for _, p := range n.prefixes(v6) {
		all = append(all, networkOf(p))
	}
	return all
}
