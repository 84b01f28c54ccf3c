package network

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// rendererENI writes ifupdown's files, see interfaces(5).
func rendererENI() Manager {
	return Manager{
		Name:      "eni",
		Doc:       "ifupdown: /etc/network/interfaces or a file in interfaces.d, and a rule for udev that names interfaces by their MAC.",
		Available: hasIfupdown,
		Render:    renderENI,
	}
}

func hasIfupdown(t Target) (ok bool, why string) {
	for _, program := range []string{"ifquery", "ifup", "ifdown"} {
		if t.program(program, "/sbin", "/usr/sbin") == "" {
			return false, "there is no " + program
		}
	}
	if !machine.Exists(t.Files, "/etc/network/interfaces") {
		return false, "there is no /etc/network/interfaces"
	}
	return true, "ifupdown is installed"
}

// Files that are told to udev and ifupdown.
const (
	persistentNames = "/etc/udev/rules.d/70-persistent-net.rules"
	legacyENI       = "/etc/network/interfaces.d/eth0.cfg"
)

// eniPath is where a family of distributions wants the interfaces, and what the file begins with.
func eniPath(variant string) (path, begin string) {
	switch variant {
	case "debian", "raspberry-pi-os":
		return "/etc/network/interfaces.d/50-cloud-init", header(variant)
	case "ubuntu":
		return "/etc/network/interfaces.d/50-cloud-init.cfg", header(variant)
	case "alpine":
		return "/etc/network/interfaces", header(variant) + "\n"
	}
	return "/etc/network/interfaces", ""
}

func renderENI(m *Model, t Target) ([]File, []conf.Problem) {
	e := &eni{ip: t.program("ip", programFolders()...) != ""}
	path, begin := eniPath(t.Variant)
	files := []File{
		{Path: path, Text: begin + e.interfaces(m)},
		{Path: persistentNames, Text: persistentRules(m)},
	}
	if strings.HasPrefix(path, "/etc/network/interfaces.d/") {
		files = append(files, e.legacy(t)...)
	}
	return files, e.problems
}

// persistentRules are udev's, one for each physical interface with a MAC: it has a name.
func persistentRules(m *Model) string {
	var rules strings.Builder
	for _, l := range m.Links {
		if l.Kind != Physical || l.MAC == "" {
			continue
		}
		driver := l.Driver
		if driver == "" {
			driver = "?*"
		}
		fmt.Fprintf(&rules, "SUBSYSTEM==\"net\", ACTION==\"add\", DRIVERS==\"%s\", ATTR{address}==\"%s\", NAME=\"%s\"\n", driver, l.MAC, l.Name)
	}
	return rules.String()
}

// An eni is interfaces(5) in the making.
type eni struct {
	ip       bool // there is the command ip; otherwise route has to do
	problems []conf.Problem
}

func (e *eni) warn(format string, args ...any) {
	e.problems = append(e.problems, conf.Problem{Message: fmt.Sprintf(format, args...), Level: conf.Warning})
}

// legacy is a file of old images that would speak of eth0 a second time. Where it holds anything but that, it stays.
func (e *eni) legacy(t Target) []File {
	text, err := t.Files.Read(legacyENI)
	if err != nil {
		return nil
	}
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if slices.Equal(lines, []string{"auto eth0", "iface eth0 inet dhcp"}) {
		return []File{{Path: legacyENI, Text: text, Gone: true}}
	}
	e.warn("%s has more in it than old images put there, and stays; it may stand in the way of what was written", legacyENI)
	return nil
}

// interfaces is the whole text. The loopback interface comes first, because it is always up: it has the name servers of
// all. What is physical comes before what is made of it.
func (e *eni) interfaces(m *Model) string {
	links := []*Link{loopback(m)}
	for _, l := range m.Links {
		if l.Name != "lo" {
			links = append(links, l)
		}
	}
	others := links[1:]
	sort.SliceStable(others, func(i, j int) bool {
		a, b := others[i], others[j]
		if d := eniRank(a.Kind) - eniRank(b.Kind); d != 0 {
			return d < 0
		}
		return a.Name < b.Name
	})
	var stanzas []string
	for _, l := range links {
		stanzas = append(stanzas, e.link(l)...)
	}
	for _, r := range m.Routes {
		if r.Gateway == "" {
			e.warn("the route to %s/%d is left out: it belongs to no interface and has no gateway", r.Network, r.Prefix)
			continue
		}
		stanzas = append(stanzas, strings.Join(e.route(r, "", ""), "\n"))
	}
	return strings.Join(stanzas, "\n\n") + "\n"
}

func eniRank(k Kind) int {
	return max(slices.Index([]Kind{Loopback, Physical, InfiniBand, Bond, Bridge, VLAN}, k), 0)
}

func loopback(m *Model) *Link {
	lo := Link{Name: "lo", Kind: Physical}
	for _, l := range m.Links {
		if l.Name == "lo" {
			lo = *l
		}
	}
	lo.Subnets = slices.Clone(lo.Subnets)
	if len(lo.Subnets) == 0 {
		lo.Subnets = []Subnet{{Type: "loopback"}}
	}
	if len(m.DNS.Servers) > 0 {
		lo.Subnets[0].DNS.Servers = m.DNS.Servers
	}
	if len(m.DNS.Search) > 0 {
		lo.Subnets[0].DNS.Search = m.DNS.Search
	}
	return &lo
}

// link is an interface: a stanza for each subnet.
func (e *eni) link(l *Link) (stanzas []string) {
	if len(l.Subnets) == 0 {
		return []string{e.idle(l)}
	}
	var dns DNS       // of the first subnet that has some; those after it without have them too
	var later []Route // of IPv6, for the next subnet of IPv6
	auto := false
	for i, s := range l.Subnets {
		if s.DNS.IsEmpty() {
			s.DNS = dns
		} else if dns.IsEmpty() {
			dns = s.DNS
		}
		lines := append(startENI(l.Name, &s, auto), subnetENI(&s)...)
		auto = auto || lines[0] == "auto "+l.Name
		if i == 0 {
			lines = append(lines, e.attributes(l, &s)...)
		}
		var now []Route
		now, later = sortRoutes(&s, later)
		stanzas = append(stanzas, e.withRoutes(lines, now, l.Name))
	}
	if len(later) > 0 {
		stanzas = append(stanzas, e.only6(l, later, dns, auto))
	}
	return stanzas
}

// sortRoutes says which routes a subnet's stanza has: those of IPv6 wait for a stanza of IPv6.
func sortRoutes(s *Subnet, waiting []Route) (now, later []Route) {
	is6 := s.Is6()
	for _, r := range s.Routes {
		if r.Is6() && !is6 {
			waiting = append(waiting, r)
		} else {
			now = append(now, r)
		}
	}
	if is6 {
		return append(now, waiting...), nil
	}
	return now, waiting
}

// only6 is a stanza for routes of IPv6 where no subnet is of IPv6.
func (e *eni) only6(l *Link, routes []Route, dns DNS, auto bool) string {
	s := Subnet{Type: "static", DNS: dns, Control: l.Subnets[len(l.Subnets)-1].Control}
	lines := startENI(l.Name, &s, auto && len(l.Subnets) > 1)
	lines[1] = "iface " + l.Name + " inet6 static"
	lines = append(lines, dnsENI(dns, true)...)
	return e.withRoutes(lines, routes, l.Name)
}

func (e *eni) withRoutes(lines []string, routes []Route, link string) string {
	for _, r := range routes {
		lines = append(lines, e.route(r, "    ", link)...)
	}
	return strings.Join(lines, "\n")
}

// idle is an interface that has no address of its own. What is part of a bond has to come up by itself.
func (e *eni) idle(l *Link) string {
	var lines []string
	if l.Master != "" || l.Kind == Bond {
		lines = append(lines, "auto "+l.Name)
	}
	lines = append(lines, "iface "+l.Name+" inet manual")
	return strings.Join(append(lines, e.attributes(l, &Subnet{})...), "\n")
}

// startENI is how a stanza begins. An interface is brought up once: further stanzas are aliases.
func startENI(name string, s *Subnet, auto bool) []string {
	control := s.Control
	switch {
	case auto:
		control = "# control-alias"
	case control == "" || control == "auto":
		control = "auto"
	case control == "hotplug":
		control = "allow-hotplug"
	default:
		control = "# control-" + control
	}
	family, method := "inet", s.Type
	if s.Is6() {
		family, method = "inet6", "static"
	}
	switch s.Type {
	case "dhcp4", "dhcp6", "ipv6_dhcpv6-stateful":
		method = "dhcp"
	case "ipv6_dhcpv6-stateless", "ipv6_slaac":
		method = "auto"
	}
	return []string{control + " " + name, "iface " + name + " " + family + " " + method}
}

// subnetENI are the options of a stanza that a subnet has.
func subnetENI(s *Subnet) (lines []string) {
	option := func(name, value string) {
		if value != "" {
			lines = append(lines, "    "+name+" "+value)
		}
	}
	if s.Address != "" {
		option("address", fmt.Sprintf("%s/%d", s.Address, s.Prefix))
	}
	option("broadcast", s.Broadcast)
	option("metric", s.Metric)
	option("gateway", s.Gateway)
	option("pointopoint", s.PeerPoint)
	option("scope", s.Scope)
	if s.MTU != 0 {
		option("mtu", strconv.Itoa(s.MTU))
	}
	lines = append(lines, dnsENI(s.DNS, s.Is6())...)
	slices.Sort(lines)
	return lines
}

// dnsENI are the name servers of one family. Search domains make sense only with a server to ask.
func dnsENI(dns DNS, is6 bool) (lines []string) {
	var servers []string
	for _, server := range dns.Servers {
		if address, _, err := splitAddress(server); err == nil && IsIPv6(address) == is6 {
			servers = append(servers, server)
		}
	}
	if len(servers) > 0 {
		lines = append(lines, "    dns-nameservers "+strings.Join(servers, " "))
	}
	if len(dns.Search) > 0 && (len(servers) > 0 || len(dns.Servers) == 0) {
		lines = append(lines, "    dns-search "+strings.Join(dns.Search, " "))
	}
	return lines
}

// attributes are the options that an interface has once, in its first stanza.
func (e *eni) attributes(l *Link, first *Subnet) (lines []string) {
	option := func(name, value string) {
		if value != "" {
			lines = append(lines, "    "+strings.ReplaceAll(name, "_", "-")+" "+value)
		}
	}
	for _, p := range l.Params {
		for _, value := range valuesENI(p) {
			option(p.Name, value)
		}
	}
	option("mtu", e.mtu(l, first))
	if slices.Contains([]Kind{Bond, Bridge, InfiniBand, VLAN}, l.Kind) {
		option("hwaddress", l.MAC)
	}
	option("accept-ra", acceptRA(l, first))
	option("dhcp", map[string]string{"ipv6_dhcpv6-stateless": "1", "ipv6_slaac": "0"}[first.Type])
	if l.WakeOnLAN != nil && *l.WakeOnLAN {
		option("ethernet-wol", "g")
	}
	if l.Optional != nil {
		option("optional", onOrOff(*l.Optional))
	}
	option("keep-configuration", spokenTruth(l.KeepConfiguration))
	option("vlan-id", l.VLANID)
	option("vlan-raw-device", l.VLANParent)
	option("bridge-ports", strings.Join(l.Bridged, " "))
	option("bond-master", l.Master)
	if l.Kind == Bond && l.Master == "" {
		option("bond-slaves", "none")
	}
	slices.Sort(lines)
	return lines
}

// mtu is the interface's, where no subnet of IPv4 has another.
func (e *eni) mtu(l *Link, first *Subnet) string {
	switch {
	case l.MTU == 0:
		return ""
	case first.MTU == 0 || first.Is6():
		return strconv.Itoa(l.MTU)
	case first.MTU != l.MTU:
		e.warn("ignoring %s device-level mtu:%d because ipv4 subnet-level mtu:%d provided.", l.Name, l.MTU, first.MTU)
	}
	return ""
}

// acceptRA says whether router advertisements count: 1 or 0; empty where it is not said, or where they have to.
func acceptRA(l *Link, first *Subnet) string {
	isManaged := first.Type == "dhcp4" || first.Type == "dhcp6" || first.Type == "ipv6_dhcpv6-stateful"
	isStatic := first.Is6() && !strings.HasPrefix(first.Type, "ipv6_")
	switch {
	case l.AcceptRA == nil || !isManaged && !isStatic:
		return ""
	case *l.AcceptRA:
		return "1"
	}
	return "0"
}

func onOrOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// spokenTruth is a text in which Python's booleans are on and off.
func spokenTruth(text string) string {
	switch text {
	case "True":
		return "on"
	case "False":
		return "off"
	}
	return text
}

// valuesENI are what a setting is: one text, or a line for each of those that ifupdown wants by port. What is 0 or empty
// says nothing.
func valuesENI(p Param) []string {
	perPort := p.Name == "bridge_pathcost" || p.Name == "bridge_portprio" || p.Name == "bridge_waitport"
	switch {
	case p.Value.Kind == conf.List && perPort:
		return p.Value.Strings()
	case p.Value.Kind == conf.List:
		return []string{strings.Join(p.Value.Strings(), " ")}
	case p.Value.Kind == conf.Bool:
		return []string{spokenTruth(p.Value.Text)}
	case (node{Value: p.Value}).isSaid():
		return []string{p.Value.Text}
	}
	return nil
}

// route are the lines that add a route when an interface comes up, and take it away before it goes down. That the route is
// there already, or gone, is no reason for ifup and ifdown to stop.
func (e *eni) route(r Route, indent, link string) []string {
	add, remove := e.routeCommand(r)
	where := e.routeTarget(r)
	switch {
	case r.Gateway != "" && e.ip:
		where += " via " + r.Gateway
	case r.Gateway != "":
		where += " gw " + r.Gateway
	}
	if r.Metric != nil {
		where += " metric " + strconv.Itoa(*r.Metric)
	}
	if r.Gateway == "" && link != "" {
		where += " dev " + link
	}
	return []string{
		indent + "post-up " + add + where + " || true",
		indent + "pre-down " + remove + where + " || true",
	}
}

func (e *eni) routeCommand(r Route) (add, remove string) {
	switch {
	case !e.ip:
		return "route add", "route del"
	case r.Is6():
		return "ip -family inet6 route add", "ip -family inet6 route del"
	}
	return "ip route add", "ip route del"
}

func (e *eni) routeTarget(r Route) string {
	network := fmt.Sprintf(" %s/%d", r.Network, r.Prefix)
	if r.IsDefault() {
		network = " default"
	}
	switch {
	case e.ip || r.IsDefault() && !r.Is6():
		return network
	case r.Is6():
		return " -A inet6" + network
	case r.Prefix == 32:
		return " -host" + network
	}
	return " -net" + network
}
