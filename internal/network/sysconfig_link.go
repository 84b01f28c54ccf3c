package network

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"openguest/internal/conf"
)

// An ifcfg are the variables of an interface.
type ifcfg map[string]string

// set takes over words such as ONBOOT=yes.
func (c ifcfg) set(words string) {
	for _, word := range strings.Fields(words) {
		name, value, _ := strings.Cut(word, "=")
		c[name] = value
	}
}

// put sets a variable to a value, where there is one.
func (c ifcfg) put(name, value string) {
	if value != "" {
		c[name] = value
	}
}

// text is the file. A value of several words has quotes.
func (c ifcfg) text() string {
	text := sysconfigHeader
	for _, name := range slices.Sorted(maps.Keys(c)) {
		value := c[name]
		isQuoted := len(value) > 1 && strings.HasPrefix(value, `"`) && strings.HasSuffix(value, `"`)
		if strings.ContainsAny(value, " \t\u00a0") && !isQuoted {
			value = `"` + value + `"`
		}
		text += name + "=" + value + "\n"
	}
	return text
}

// yesNo is how these files say a boolean.
func yesNo(on bool) string {
	if on {
		return "yes"
	}
	return "no"
}

// pick is the name that the flavour has for a variable.
func (s *sysconfig) pick(rhel, suse string) string {
	if s.suse {
		return suse
	}
	return rhel
}

// isBond says that the interface is a bond, and not only spoken of as a part of one.
func isBond(l *Link) bool { return l.Kind == Bond && l.Master == "" }

// link is an interface: its variables, and the routes that go into files of their own.
func (s *sysconfig) link(l *Link) (c ifcfg, routes []Route) {
	c = ifcfg{}
	c.set(s.pick("ONBOOT=yes USERCTL=no BOOTPROTO=none TYPE=Ethernet DEVICE="+l.Name, "BOOTPROTO=static STARTMODE=auto"))
	s.hardware(c, l)
	switch {
	case isBond(l):
		s.bond(c, l)
	case l.Kind == VLAN:
		s.vlan(c, l)
	case l.Kind == Bridge:
		s.bridge(c, l)
	case l.Kind == InfiniBand:
		c["TYPE"] = "InfiniBand"
	}
	for i := range l.Subnets {
		s.method(c, l, &l.Subnets[i])
	}
	s.addresses(c, l)
	if !s.suse {
		routes = s.routes(c, l)
	}
	s.partOf(c, l)
	return c, routes
}

// hardware is what is said of the card.
func (s *sysconfig) hardware(c ifcfg, l *Link) {
	if l.Kind == Physical || l.Kind == InfiniBand {
		c.put(s.pick("HWADDR", "LLADDR"), l.MAC)
	}
	if l.MTU != 0 {
		c["MTU"] = strconv.Itoa(l.MTU)
	}
	if l.AcceptRA != nil && !s.suse {
		c["IPV6_FORCE_ACCEPT_RA"] = yesNo(*l.AcceptRA)
	}
	if l.Kind == Physical && l.WakeOnLAN != nil && *l.WakeOnLAN {
		c["ETHTOOL_OPTS"] = "wol g"
	}
}

// bondOptions are the settings of the kernel's that these files have, in cloud-init's order.
const bondOptions = "mode xmit_hash_policy miimon min_links arp_interval arp_ip_target arp_validate ad_select num_grat_arp " +
	"downdelay updelay lacp_rate fail_over_mac primary primary_reselect"

func (s *sysconfig) bond(c ifcfg, l *Link) {
	c["BONDING_MASTER"] = "yes"
	if !s.suse {
		c["TYPE"] = "Bond"
	}
	c.put(s.pick("MACADDR", "LLADDR"), l.MAC)
	var options []string
	for _, name := range strings.Fields(bondOptions) {
		v := l.Param("bond_" + name)
		if v == nil {
			v = l.Param("bond-" + strings.ReplaceAll(name, "_", "-"))
		}
		if v != nil {
			options = append(options, name+"="+settingText(v))
		}
	}
	c.put(s.pick("BONDING_OPTS", "BONDING_MODULE_OPTS"), strings.Join(options, " "))
	var parts []string
	for _, part := range s.model.Links {
		if part.Master == l.ID {
			parts = append(parts, part.Name)
		}
	}
	slices.Sort(parts)
	for i, part := range parts {
		c[s.pick("BONDING_SLAVE", "BONDING_SLAVE_")+strconv.Itoa(i)] = part
	}
}

// settingText is a setting as one word; the kernel has commas between those of a list.
func settingText(v *conf.Value) string {
	if v.Kind == conf.List {
		return strings.Join(v.Strings(), ",")
	}
	return v.Text
}

func (s *sysconfig) vlan(c ifcfg, l *Link) {
	if s.suse {
		c.put("VLAN_ID", l.VLANID)
		c["ETHERDEVICE"] = l.VLANParent
		return
	}
	delete(c, "TYPE")
	c.set("VLAN=yes PHYSDEV=" + l.VLANParent)
}

func (s *sysconfig) bridge(c ifcfg, l *Link) {
	if !s.suse {
		c["TYPE"] = "Bridge"
	}
	c.put(s.pick("MACADDR", "LLADDRESS"), l.MAC)
	if v := l.Param("bridge_ageing"); v != nil {
		c[s.pick("AGEING", "BRIDGE_AGEINGTIME")] = settingText(v)
	}
	if v := l.Param("bridge_bridgeprio"); v != nil {
		c[s.pick("PRIO", "BRIDGE_PRIORITY")] = settingText(v)
	}
	if v := l.Param("bridge_stp"); v != nil {
		on := v.Truth(false)
		c[s.pick("STP", "BRIDGE_STP")] = s.pick(yesNo(on), onOrOff(on))
	}
	if s.suse {
		c.put("BRIDGE_PORTS", strings.Join(l.Bridged, " "))
	}
}

// partOf says what bond or bridge the interface is part of.
func (s *sysconfig) partOf(c ifcfg, l *Link) {
	switch master := s.model.Link(l.Master); {
	case master == nil:
	case s.suse:
		c.set("BOOTPROTO=none STARTMODE=hotplug")
	default:
		c.set("SLAVE=yes MASTER=" + master.Name)
	}
	for _, bridge := range s.model.Links {
		if slices.Contains(bridge.Bridged, l.ID) {
			c["BRIDGE"] = s.pick(bridge.Name, "yes")
		}
	}
}

// method says how an interface gets addresses.
func (s *sysconfig) method(c ifcfg, l *Link, n *Subnet) {
	if s.suse {
		methodSUSE(c, n)
	} else {
		c.set(map[string]string{
			"dhcp": "BOOTPROTO=dhcp", "dhcp4": "BOOTPROTO=dhcp",
			"dhcp6":                 "IPV6INIT=yes DHCPV6C=yes",
			"ipv6_slaac":            "IPV6INIT=yes IPV6_AUTOCONF=yes",
			"ipv6_dhcpv6-stateful":  "IPV6INIT=yes DHCPV6C=yes IPV6_AUTOCONF=no IPV6_FAILURE_FATAL=yes",
			"ipv6_dhcpv6-stateless": "IPV6INIT=yes DHCPV6C=yes IPV6_AUTOCONF=yes DHCPV6C_OPTIONS=-S",
			"manual":                "ONBOOT=" + yesNo(c["MTU"] != ""),
		}[n.Type])
	}
	switch isStatic := strings.HasPrefix(n.Type, "static"); {
	case isStatic && !n.Is6():
		s.mtu(c, l, n, "MTU")
	case isStatic && !s.suse:
		s.mtu(c, l, n, "IPV6_MTU")
		c.set("IPV6INIT=yes IPV6_FORCE_ACCEPT_RA=no IPV6_AUTOCONF=no")
	}
	if n.Control == "manual" {
		c.set(s.pick("ONBOOT=no", "STARTMODE=manual"))
	}
}

// methodSUSE says which versions of DHCP are spoken: one, or dhcp, which is both.
func methodSUSE(c ifcfg, n *Subnet) {
	mode := map[string]string{
		"dhcp6": "managed", "ipv6_dhcpv6-stateful": "managed", "ipv6_dhcpv6-stateless": "info", "ipv6_slaac": "info",
	}[n.Type]
	proto, other := "dhcp6", "dhcp4"
	switch {
	case mode != "":
		c["DHCLIENT6_MODE"] = mode
	case n.Type == "dhcp" || n.Type == "dhcp4":
		proto, other = other, proto
	default:
		return
	}
	if c["BOOTPROTO"] == other || c["BOOTPROTO"] == "dhcp" {
		proto = "dhcp"
	}
	c["BOOTPROTO"] = proto
}

func (s *sysconfig) mtu(c ifcfg, l *Link, n *Subnet, name string) {
	if n.MTU == 0 {
		return
	}
	mtu := strconv.Itoa(n.MTU)
	if before := cmp.Or(c[name], mtu); before != mtu {
		s.warn("ignoring %s device-level mtu:%s because ipv4 subnet-level mtu:%s provided.", l.Name, before, mtu)
	}
	c[name] = mtu
}

// addresses are those that an interface is given, and what belongs to them.
func (s *sysconfig) addresses(c ifcfg, l *Link) {
	var v4, v6 int
	for i := range l.Subnets {
		n := &l.Subnets[i]
		if !s.suse {
			s.subnet(c, n)
		}
		switch {
		case !strings.HasPrefix(n.Type, "static"):
		case n.Is6():
			s.address6(c, v6, fmt.Sprintf("%s/%d", n.Address, n.Prefix))
			v6++
		default:
			suffix := ""
			if v4 > 0 {
				suffix = strconv.Itoa(v4)
			}
			c["IPADDR"+suffix], c["NETMASK"+suffix] = n.Address, n.Netmask
			v4++
		}
	}
}

func (s *sysconfig) address6(c ifcfg, number int, address string) {
	switch {
	case number == 0:
		c[s.pick("IPV6ADDR", "IPADDR6")] = address
	case s.suse:
		c["IPADDR6_"+strconv.Itoa(number)] = address
	default:
		c["IPV6ADDR_SECONDARIES"] = strings.TrimSpace(c["IPV6ADDR_SECONDARIES"] + " " + address)
	}
}

// subnet is what only Red Hat's files have of a subnet: its metric, its gateway and name servers, of which three count.
func (s *sysconfig) subnet(c ifcfg, n *Subnet) {
	c.put(metricName(n), n.Metric)
	switch {
	case n.Type == "dhcp" || n.Type == "dhcp4":
		if s.hasDefault && c["BOOTPROTO"] != "none" {
			c["DHCLIENT_SET_DEFAULT_ROUTE"] = "no"
		}
	case strings.HasPrefix(n.Type, "static"):
		gatewayIfcfg(c, n.Gateway)
		c.put("DOMAIN", strings.Join(n.DNS.Search, " "))
		for i, server := range n.DNS.Servers[:min(3, len(n.DNS.Servers))] {
			c["DNS"+strconv.Itoa(i+1)] = server
		}
	}
}

func metricName(n *Subnet) string {
	if n.Is6() {
		return "IPV6_ROUTE_METRIC"
	}
	return "IPV4_ROUTE_METRIC"
}

func gatewayIfcfg(c ifcfg, gateway string) {
	switch {
	case gateway == "":
		return
	case IsIPv6(gateway):
		c["IPV6_DEFAULTGW"] = gateway
	default:
		c["GATEWAY"] = gateway
	}
	c["DEFROUTE"] = "yes"
}

// routes are those that go into a file of their own. The default one stands with the interface, except where routers tell
// it.
func (s *sysconfig) routes(c ifcfg, l *Link) (others []Route) {
	for i := range l.Subnets {
		n := &l.Subnets[i]
		isDynamic := n.Is6() && !strings.HasPrefix(n.Type, "static")
		for _, r := range n.Routes {
			if !r.IsDefault() || isDynamic {
				others = append(others, r)
				continue
			}
			c["DEFROUTE"] = "yes"
			if c["BOOTPROTO"] == "dhcp" {
				c["DHCLIENT_SET_DEFAULT_ROUTE"] = "yes"
			}
			gatewayIfcfg(c, r.Gateway)
			if r.Metric != nil {
				c[metricName(n)] = strconv.Itoa(*r.Metric)
			}
		}
	}
	return others
}
