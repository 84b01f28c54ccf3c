package network

import (
	"slices"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// readKernelIP reads the words ip= and nameserver= of a kernel command line, in all forms of klibc's ipconfig and the kernel
// (Documentation/admin-guide/nfs/nfsroot.rst) and of dracut (dracut.cmdline(7)). It becomes version 1.
func readKernelIP(document *conf.Value, host Host) (*Model, []conf.Problem) {
	r := newReading(1, document, host)
	root := r.root(document)
	if document == nil || document.Kind != conf.String {
		root.reject("should be the text of a kernel command line")
		return nil, r.problems
	}
	links, config := map[string]mapping{}, []any{}
	for _, word := range strings.Fields(document.Text) {
		key, value, _ := strings.Cut(word, "=")
		if key == "nameserver" {
			config = append(config, mapping{"type": "nameserver", "address": strings.Trim(value, "[]")})
		}
		if key != "ip" || len(links) >= maxLinks {
			continue
		}
		name, l, subnet := host.kernelIP(colonParts(value))
		if subnet == nil {
			continue
		}
		if links[name] == nil {
			links[name] = l
			l["type"], l["name"], l["subnets"] = "physical", name, []any{}
			config = append(config, l)
		}
		links[name]["subnets"] = append(links[name]["subnets"].([]any), subnet)
	}
	if len(links) == 0 {
		root.reject("has no word ip= that says more than that there be a network")
		return nil, r.problems
	}
	return r.as(mapping{"version": 1, "config": config}, readV1)
}

// colonParts splits at colons, but for those in the brackets around an address of IPv6.
func colonParts(value string) (parts []string) {
	begin, inside := 0, false
	for i, c := range value {
		switch c {
		case '[', ']':
			inside = c == '['
		case ':':
			if !inside {
				parts = append(parts, value[begin:i])
				begin = i + 1
			}
		}
	}
	return append(parts, value[begin:])
}

// autoconfs are the ways to get an address that ip= knows, as types of subnets.
func autoconfs(word string) string {
	switch word {
	case "dhcp", "on", "any", "both", "bootp", "rarp", "single-dhcp":
		return "dhcp4"
	case "dhcp6":
		return "dhcp6"
	case "auto6", "link6", "either6":
		return "ipv6_slaac"
	}
	return ""
}

// kernelIP takes one ip= apart: AUTOCONF, INTERFACE:AUTOCONF[:MTU[:MAC]], or
// ADDRESS:PEER:GATEWAY:NETMASK:HOSTNAME:INTERFACE:AUTOCONF[:MTU[:MAC]|:DNS[:DNS]]. Without an interface the one is meant that most
// likely is connected. The subnet is nil where nothing is said of an interface.
func (h Host) kernelIP(parts []string) (name string, link, subnet mapping) {
	at := func(i int) string {
		if i >= len(parts) {
			return ""
		}
		return strings.Trim(parts[i], "[]")
	}
	link = mapping{}
	name, way, rest := at(5), at(6), 7
	switch address := at(0); {
	case IsIPv4(address) || IsIPv6(address):
		subnet = static(address, at(2), at(3))
		if autoconfs(way) != "" {
			subnet = mapping{"type": autoconfs(way)}
		}
	case len(parts) > 1 && address != "": // INTERFACE:AUTOCONF
		name, way, rest = address, at(1), 2
	case len(parts) == 1: // that there be a network: what is assumed without any word is as good
		return "", nil, nil
	}
	if subnet == nil && autoconfs(way) != "" {
		subnet = mapping{"type": autoconfs(way)}
	}
	if name == "" {
		if likely := machine.FallbackNICs(h.NICs); len(likely) > 0 {
			name = likely[0].Name
		}
	}
	if subnet == nil || name == "" {
		return name, nil, nil
	}
	link["mac_address"] = h.mac(name)
	kernelIPRest(parts[min(rest, len(parts)):], link, subnet)
	return name, link, subnet
}

// static is the subnet of an address.
func static(address, gateway, netmask string) mapping {
	s := mapping{"type": "static", "address": address}
	if netmask != "" {
		s["netmask"] = netmask
	}
	if gateway != "" {
		s["gateway"] = gateway
	}
	return s
}

// kernelIPRest reads what stands behind AUTOCONF: an MTU and a MAC, whose own colons split it, or name servers.
func kernelIPRest(rest []string, link, subnet mapping) {
	if len(rest) == 0 {
		return
	}
	if isNumeral(rest[0]) {
		link["mtu"] = rest[0]
		if mac := strings.Join(rest[1:], ":"); mac != "" {
			link["mac_address"] = mac
		}
		return
	}
	servers := []any{}
	for _, server := range rest[:min(2, len(rest))] {
		if server = strings.Trim(server, "[]"); IsIPv4(server) || IsIPv6(server) {
			servers = append(servers, server)
		}
	}
	subnet["dns_nameservers"] = servers
}

// isNumeral says that a text consists of digits.
func isNumeral(text string) bool {
	return text != "" && !slices.ContainsFunc([]rune(text), func(c rune) bool { return c < '0' || c > '9' })
}
