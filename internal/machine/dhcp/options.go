package dhcp

import (
	"net/netip"
	"slices"
	"strings"

	"openguest/internal/machine"
)

// classless reads the routes of option 121: for each the length of the network's part, as many bytes of it as that needs,
// and a gateway (RFC 3442). Where it breaks off or makes no sense, no route of it counts.
func classless(b []byte) (routes []machine.Route) {
	for len(b) > 0 {
		length := int(b[0])
		end := 1 + (length+7)/8
		if length > 32 || len(b) < end+4 {
			return nil
		}
		var network [4]byte
		copy(network[:], b[1:end])
		routes = append(routes, route(netip.PrefixFrom(netip.AddrFrom4(network), length), netip.AddrFrom4([4]byte(b[end:]))))
		b = b[end+4:]
	}
	return routes
}

// classful reads the routes of option 33: pairs of a network and a gateway, without masks.
func classful(pairs []netip.Addr) (routes []machine.Route) {
	for pair := range slices.Chunk(pairs, 2) {
		if len(pair) < 2 || pair[0].IsUnspecified() {
			continue // the option must not have the default route
		}
		length := classBits(pair[0])
		if to := netip.PrefixFrom(pair[0], length); to.Masked() != to {
			length = 32 // one machine
		}
		routes = append(routes, route(netip.PrefixFrom(pair[0], length), pair[1]))
	}
	return routes
}

// route is one whose gateway 0.0.0.0 says that the network is on the link itself.
func route(to netip.Prefix, via netip.Addr) machine.Route {
	if via.IsUnspecified() {
		via = netip.Addr{}
	}
	return machine.Route{To: to.Masked(), Via: via}
}

// The most that a search list may have.
const (
	mostDomains   = 64
	longestDomain = 255
)

// searchList reads the domains of option 119: names as DNS writes them, where the end of one may be a pointer to an
// earlier place (RFC 3397). What makes no sense ends the list.
func searchList(b []byte) (domains []string) {
	for at := 0; at < len(b) && len(domains) < mostDomains; {
		domain, next, ok := domainAt(b, at)
		if !ok {
			return domains
		}
		if domain != "" {
			domains = append(domains, domain)
		}
		at = next
	}
	return domains
}

// domainAt reads the name at a place, and says where the next one starts. A pointer must lead back, so no name is endless.
func domainAt(b []byte, at int) (domain string, next int, ok bool) {
	var labels []string
	length, lowest, next := 0, at, -1
	for at < len(b) {
		n := int(b[at])
		switch {
		case n == 0:
			if next < 0 {
				next = at + 1
			}
			return strings.Join(labels, "."), next, true
		case n&0xc0 == 0xc0:
			if at+1 >= len(b) {
				return "", 0, false
			}
			to := (n&0x3f)<<8 | int(b[at+1])
			if next < 0 {
				next = at + 2
			}
			if to >= lowest {
				return "", 0, false
			}
			at, lowest = to, to
		default:
			length += n + 1
			if n > 63 || at+1+n > len(b) || length > longestDomain || !isLabel(b[at+1:at+1+n]) {
				return "", 0, false
			}
			labels = append(labels, string(b[at+1:at+1+n]))
			at += 1 + n
		}
	}
	return "", 0, false
}

// isLabel says that a part of a name has only what names have: it may end up in resolv.conf.
func isLabel(label []byte) bool {
	return !slices.ContainsFunc(label, func(c byte) bool {
		return c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	})
}
