package network

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"openguest/internal/conf"
)

// rendererNetworkd writes systemd-networkd's files, see systemd.network(5) and systemd.netdev(5).
func rendererNetworkd() Manager {
	return Manager{
		Name: "networkd",
		Doc:  "systemd-networkd: /etc/systemd/network/10-cloud-init-NAME.network, and .netdev for bonds, bridges and VLANs.",
		Available: func(t Target) (ok bool, why string) {
			for _, program := range []string{"ip", "systemctl"} {
				if t.program(program, "/usr/sbin", "/bin") == "" {
					return false, "there is no " + program
				}
			}
			return true, "ip and systemctl are installed"
		},
		Render: renderNetworkd,
	}
}

func renderNetworkd(m *Model, t Target) (files []File, problems []conf.Problem) {
	n := &networkd{Model: m, host: t.Host, document: newReading(m.Version, m.Document, t.Host)}
	add := func(l *Link, ending string, u unit) {
		if len(u) > 0 {
			path := "/etc/systemd/network/10-cloud-init-" + l.Name + ending
			files = append(files, File{Path: path, Text: u.text(), User: "systemd-network"})
		}
	}
	for _, l := range m.Links {
		add(l, ".netdev", n.netdev(l))
		add(l, ".network", n.network(l))
	}
	return files, n.document.problems
}

// A unit is a file of systemd's: lines by section. Sections of one name are kept apart by what is behind a NUL.
type unit map[string][]string

func (u unit) set(section, key, value string) {
	if value != "" {
		u[section] = append(u[section], key+"="+value)
	}
}

// text has sections and lines in the order of the alphabet, as cloud-init does.
func (u unit) text() string {
	var parts []string
	for _, section := range slices.Sorted(maps.Keys(u)) {
		name, _, _ := strings.Cut(section, "\x00")
		lines := slices.Compact(slices.Sorted(slices.Values(u[section])))
		parts = append(parts, "["+name+"]\n"+strings.Join(lines, "\n")+"\n")
	}
	return strings.Join(parts, "\n")
}

// A networkd is the files of systemd-networkd in the making.
type networkd struct {
	*Model
	host     Host
	document *reading // for what only networkd and netplan know of
}

// netdev is how an interface is made that no hardware stands for; empty where there is nothing to make.
func (n *networkd) netdev(l *Link) unit {
	u := unit{}
	switch {
	case l.Kind == VLAN && l.VLANID != "" && l.VLANParent != "":
		u.set("VLAN", "Id", l.VLANID)
	case l.Kind == Bond && slices.ContainsFunc(n.Links, func(part *Link) bool { return part.Master == l.ID }):
		bondNetworkd(l, u)
	case l.Kind == Bridge && len(l.Bridged) > 0:
		bridgeNetworkd(l, u)
	case l.Kind == VLAN || l.Kind == Bridge || l.Kind == Bond && l.Master == "":
		at := node{path: l.ID, r: n.document}
		at.warn("is not made: it is a %s, and the document does not say of what", l.Kind)
		return nil
	default:
		return nil
	}
	u.set("NetDev", "Name", l.Name)
	u.set("NetDev", "Kind", string(l.Kind))
	u.set("NetDev", "MTUBytes", numeral(l.MTU))
	u.set("NetDev", "MACAddress", l.MAC)
	return u
}

// numeral is a number that is said.
func numeral(number int) string {
	if number == 0 {
		return ""
	}
	return strconv.Itoa(number)
}

func bondNetworkd(l *Link, u unit) {
	names := map[string]string{
		"bond-ad-select": "AdSelect", "bond-arp-interval": "ARPIntervalSec ms", "bond-arp-validate": "ARPValidate",
		"bond-downdelay": "DownDelaySec ms", "bond-fail-over-mac": "FailOverMACPolicy", "bond-lacp-rate": "LACPTransmitRate",
		"bond-miimon": "MIIMonitorSec ms", "bond-min-links": "MinLinks", "bond-mode": "Mode", "bond-num-grat-arp": "GratuitousARP",
		"bond-primary-reselect": "PrimaryReselectPolicy", "bond-updelay": "UpDelaySec ms",
		"bond-xmit-hash-policy": "TransmitHashPolicy", "bond-all-slaves-active": "AllSlavesActive",
		"bond-arp-all-targets": "ARPAllTargets", "bond-learn-packet-interval": "LearnPacketIntervalSec",
		"bond-packets-per-slave": "PacketsPerSlave", "bond-arp-ip-target": "ARPIPTargets",
	}
	for _, p := range l.Params {
		key, suffix, _ := strings.Cut(names[strings.ReplaceAll(p.Name, "_", "-")], " ")
		value := strings.Join(p.Value.Strings(), " ")
		switch {
		case key == "":
			continue
		case key == "AllSlavesActive":
			value = strings.ToLower(value)
		case key == "Mode" && len(value) == 1 && value[0] >= '0' && int(value[0]-'0') < len(bondModes()):
			value = bondModes()[value[0]-'0']
		}
		u.set("Bond", key, value+suffix)
	}
}

func bridgeNetworkd(l *Link, u unit) {
	names := map[string]string{
		"bridge_ageing": "AgeingTimeSec", "bridge_bridgeprio": "Priority", "bridge_fd": "ForwardDelaySec",
		"bridge_hello": "HelloTimeSec", "bridge_maxage": "MaxAgeSec", "bridge_stp": "STP",
	}
	for _, p := range l.Params {
		if key := names[p.Name]; key != "" && (node{Value: p.Value}).isSaid() {
			u.set("Bridge", key, yes(p.Value))
		}
	}
}

// yes is a scalar, where true is yes.
func yes(v *conf.Value) string {
	if v.Kind == conf.Bool && v.Text == "True" {
		return "yes"
	}
	return v.Text
}

// network is what an interface is part of, and its addresses.
func (n *networkd) network(l *Link) unit {
	u := unit{}
	n.match(l, u)
	u.set("Link", "MTUBytes", numeral(l.MTU))
	if l.Kind != Physical {
		u.set("Link", "MACAddress", l.MAC)
	}
	if l.Optional != nil && *l.Optional {
		u.set("Link", "RequiredForOnline", "no")
	}
	if l.AcceptRA != nil {
		u.set("Network", "IPv6AcceptRA", map[bool]string{true: "yes", false: "no"}[*l.AcceptRA])
	}
	n.parts(l, u)
	dhcp := dhcpOf(l)
	u.set("Network", "DHCP", dhcp)
	n.addresses(l, u)
	n.dns(l, u)
	if n.Version == 2 {
		n.policy(l, u)
		n.dhcp(l, dhcp, u)
	}
	return u
}

// match says which interface is meant. Its name is no help where version 2 describes one by other things: then the name
// here is only the document's.
func (n *networkd) match(l *Link, u unit) {
	name := l.Name
	if n.Version == 2 && l.Kind == Physical && name == l.ID && !l.Renamed {
		switch {
		case l.Match.Name != "":
			name = l.Match.Name
		case l.MAC != "" && n.host.named(l.MAC) != name, l.MAC == "" && l.Match.Driver != "":
			name = ""
		}
	}
	u.set("Match", "Name", name)
	u.set("Match", "Driver", l.Driver)
	switch { // what becomes part of a bond has the bond's MAC from then on, and must be found all the same
	case l.Kind == Physical && l.Master == "":
		u.set("Match", "MACAddress", l.MAC)
	case l.Kind == Physical && name == "":
		u.set("Match", "PermanentMACAddress", l.MAC)
	}
}

// parts ties an interface to the bond or bridge that it is part of, and to its VLANs.
func (n *networkd) parts(l *Link, u unit) {
	u.set("Network", "Bond", l.Master)
	if v := l.Param("bond-primary"); v != nil && (v.Text == l.ID || v.Text == l.Name) { // the part has its bond's settings
		u.set("Network", "PrimarySlave", "true")
	}
	for _, other := range n.Links {
		switch {
		case other.Kind == VLAN && other.VLANID != "" && other.VLANParent == l.ID:
			u.set("Network", "VLAN", other.Name)
		case slices.Contains(other.Bridged, l.ID):
			u.set("Network", "Bridge", other.Name)
			u.set("Bridge", "Cost", other.forPort("bridge_pathcost", l.ID))
			u.set("Bridge", "Priority", other.forPort("bridge_portprio", l.ID))
		}
	}
}

// forPort is the number that a setting has for one port of a bridge; empty where it has none, or 0.
func (l *Link) forPort(setting, port string) string {
	v := l.Param(setting)
	if v == nil {
		return ""
	}
	for _, text := range v.Strings() {
		if words := strings.Fields(text); len(words) == 2 && words[0] == port && words[1] != "0" {
			return words[1]
		}
	}
	return ""
}

// dhcpOf is the families that addresses are asked for: no, ipv4, ipv6 or yes.
func dhcpOf(l *Link) string {
	four, six := false, false
	for _, s := range l.Subnets {
		four = four || s.Type == "dhcp" || s.Type == "dhcp4"
		six = six || s.Type == "dhcp6"
	}
	switch {
	case four && six:
		return "yes"
	case four:
		return "ipv4"
	case six:
		return "ipv6"
	}
	return "no"
}

func (n *networkd) addresses(l *Link, u unit) {
	at := 0 // of all routes of the interface
	route := func(mark string) string { at++; return fmt.Sprintf("Route\x00%s%d", mark, at-1) }
	for i := range l.Subnets {
		s := &l.Subnets[i]
		for _, r := range s.Routes {
			u.route(route("r"), r)
		}
		if s.Address == "" {
			continue
		}
		address := fmt.Sprintf("%s/%d", s.Address, s.Prefix)
		u["Address\x00"+address] = []string{"Address=" + address}
		if s.Gateway != "" {
			section := route("a")
			u.set(section, "Gateway", s.Gateway)
			if !holds(s, s.Gateway) {
				u.set(section, "GatewayOnLink", "yes")
			}
		}
		u.servers(s.DNS)
	}
	for _, r := range l.TableRoutes {
		u.route(route("t"), r)
	}
	for i, r := range n.Routes {
		u.route(fmt.Sprintf("Route\x00c%d", i), r)
	}
}

func (u unit) route(section string, r Route) {
	u.set(section, "Gateway", r.Gateway)
	u.set(section, "Destination", fmt.Sprintf("%s/%d", r.Network, r.Prefix))
	if r.Metric != nil {
		u.set(section, "Metric", strconv.Itoa(*r.Metric))
	}
	u.set(section, "Table", r.Table)
}

func (u unit) servers(dns DNS) {
	u.set("Network", "DNS", strings.Join(dns.Servers, " "))
	u.set("Network", "Domains", strings.Join(dns.Search, " "))
}

// dns are the name servers of an interface, or in version 1 else those of all.
func (n *networkd) dns(l *Link, u unit) {
	switch {
	case l.DNS != nil:
		u.servers(*l.DNS)
	case n.Version == 1:
		u.servers(n.DNS)
	}
}

// policy is netplan's routing-policy.
func (n *networkd) policy(l *Link, u unit) {
	names := map[string]string{"mark": "FirewallMark", "type-of-service": "TypeOfService"}
	for _, kind := range []string{"ethernets", "bonds", "vlans", "bridges"} {
		for i, rule := range n.document.root(n.Document).at(kind).at(l.ID).at("routing-policy").items() {
			for _, e := range rule.entries() {
				key := names[e.key]
				if key == "" && e.key != "" {
					key = strings.ToUpper(e.key[:1]) + strings.ToLower(e.key[1:])
				}
				u.set(fmt.Sprintf("RoutingPolicyRule\x00%06d", i), key, e.text())
			}
		}
	}
}

// dhcp is what netplan's dhcp4-overrides say of a lease, and the keys of before that VMware has.
func (n *networkd) dhcp(l *Link, dhcp string, u unit) {
	device := n.document.root(n.Document).at("ethernets").at(l.ID)
	for _, family := range []string{"4", "6"} {
		section, overrides := "DHCPv"+family, device.at("dhcp"+family+"-overrides")
		if domain := device.at("dhcp" + family + "domain"); !domain.IsNull() {
			if overrides.Get("use-domains") != nil {
				domain.reject("is left out: use-domains of the overrides says it too, and that counts")
			} else {
				u.set(section, "UseDomains", domain.useDomains())
			}
		}
		if dhcp != "yes" && dhcp != "ipv"+family {
			continue
		}
		names := overrideNames(family)
		for _, key := range slices.Sorted(maps.Keys(names)) {
			u.set(section, names[key], overrides.at(key).text())
		}
	}
}

func overrideNames(family string) map[string]string {
	names := map[string]string{"use-dns": "UseDNS", "use-domains": "UseDomains", "use-hostname": "UseHostname", "use-ntp": "UseNTP"}
	if family == "4" {
		maps.Copy(names, map[string]string{
			"send-hostname": "SendHostname", "hostname": "Hostname", "route-metric": "RouteMetric", "use-mtu": "UseMTU", "use-routes": "UseRoutes",
		})
	}
	return names
}

// useDomains is yes, no or route.
func (n node) useDomains() string {
	switch text := strings.ToLower(n.text()); text {
	case "true", "1", "on", "yes":
		return "yes"
	case "false", "0", "off", "no":
		return "no"
	case "route":
		return text
	}
	n.warn("should be true, false or route; it is taken as false")
	return "no"
}
