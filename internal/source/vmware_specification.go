package source

import (
	"net/netip"
	"strconv"
	"strings"

	"openguest/internal/conf"
)

// A specification is what VMware's guest customization wants of the machine: "SECTION|KEY" and a value. See
// https://knowledge.broadcom.com/external/article/340117 for what vCenter writes into it.
type specification map[string]string

// readSpecification reads cust.cfg: sections in brackets, and lines with = or : between key and value.
func readSpecification(text string) specification {
	s, section := specification{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch at := strings.IndexAny(line, "=:"); {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		case at > 0:
			s[section+"|"+strings.TrimSpace(line[:at])] = strings.TrimSpace(line[at+1:])
		}
	}
	return s
}

// says reads yes or no.
func (s specification) says(key string) bool {
	value := strings.ToLower(s[key])
	return value == "yes" || value == "true"
}

// numbered are the values of KEY1, KEY2 and so on.
func (s specification) numbered(key string) (values []any) {
	for i := 1; ; i++ {
		value, there := s[key+strconv.Itoa(i)]
		if !there {
			return values
		}
		values = append(values, value)
	}
}

// metadata is what the specification says of the machine, in cloud-init's names.
func (s specification) metadata(e *Env) string {
	meta := map[string]any{"network": map[string]any{"version": 2, "ethernets": s.ethernets(e)}}
	if name := s["NETWORK|HOSTNAME"]; name != "" {
		if domain := s["NETWORK|DOMAINNAME"]; domain != "" {
			name += "." + domain
		}
		meta["local-hostname"] = name
	}
	if id := s["MISC|INSTANCE-ID"]; id != "" {
		meta["instance-id"] = id
	}
	return conf.JSON(meta)
}

// ethernets are the interfaces, by the names that they have here. One that is not here costs only itself.
func (s specification) ethernets(e *Env) map[string]any {
	all := map[string]any{}
	nics := listed(s["NIC-CONFIG|NICS"])
	hasPrimary := false
	for _, nic := range nics {
		hasPrimary = hasPrimary || s.says(nic+"|PRIMARY")
	}
	for _, nic := range nics {
		mac := strings.ToLower(s[nic+"|MACADDR"])
		name := nameOf(e, mac)
		if name == "" {
			e.warn("No known device has MACADDR: %s; %s of the customization is left out", mac, nic)
			continue
		}
		link := s.link(nic, hasPrimary)
		link["match"], link["set-name"] = map[string]any{"macaddress": mac}, name
		all[name] = link
	}
	return all
}

// link is an interface as version 2 describes it. Where none is the primary one, each has the way to its own network only.
func (s specification) link(nic string, hasPrimary bool) map[string]any {
	isStatic := strings.EqualFold(s[nic+"|BOOTPROTO"], "static")
	names := map[string]any{}
	putList(names, "search", s.numbered("DNS|SUFFIX|"))
	putList(names, "addresses", s.numbered("DNS|NAMESERVER|"))
	link := map[string]any{"wakeonlan": s.says(nic + "|ONBOOT"), "dhcp4": !isStatic || strings.EqualFold(s[nic+"|IPv4_MODE"], "disabled")}
	if len(names) > 0 {
		link["nameservers"] = names
		if link["dhcp4"] == true {
			link["dhcp4-overrides"] = map[string]any{"use-dns": false}
		}
	}
	var addresses, routes []any
	add := func(address, mask, gateways, everywhere string) {
		if prefix := prefixOf(address, mask); prefix.IsValid() {
			addresses = append(addresses, prefix.String())
		}
		for i, gateway := range listed(gateways) {
			to := prefixOf(gateway, mask).Masked()
			switch {
			case !hasPrimary && to.IsValid():
				routes = append(routes, map[string]any{"to": to.String(), "via": gateway})
			case s.says(nic+"|PRIMARY") && i == 0:
				routes = append(routes, map[string]any{"to": everywhere, "via": gateway})
			}
		}
	}
	if isStatic {
		add(s[nic+"|IPADDR"], s[nic+"|NETMASK"], s[nic+"|GATEWAY"], "0.0.0.0/0")
	}
	for i, address := range s.numbered(nic + "|IPv6ADDR|") {
		number := strconv.Itoa(i + 1)
		link["dhcp6"] = false
		add(address.(string), s[nic+"|IPv6NETMASK|"+number], s[nic+"|IPv6GATEWAY|"+number], "::/0")
	}
	putList(link, "addresses", addresses)
	putList(link, "routes", routes)
	return link
}

// putList puts a list under a key, unless it is empty.
func putList(in map[string]any, key string, list []any) {
	if len(list) > 0 {
		in[key] = list
	}
}

// listed are the words between commas.
func listed(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// prefixOf is an address with its mask, which may be written as the number of its bits; without one it is alone.
func prefixOf(address, mask string) netip.Prefix {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}
	}
	bits := a.BitLen()
	if m, err := netip.ParseAddr(mask); err == nil {
		bits = 0
		for _, part := range m.AsSlice() {
			for ; part&0x80 != 0; part <<= 1 {
				bits++
			}
		}
	} else if n, err := strconv.Atoi(mask); err == nil {
		bits = n
	}
	return netip.PrefixFrom(a, bits)
}
