package machine

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// State asks the kernel for links, addresses and routes, and /sys for what their devices are.
func (l liveLinks) State() (LinkState, error) {
	n, err := openNetlink()
	if err != nil {
		return LinkState{}, err
	}
	defer n.close()
	s, err := n.state()
	for i := range s.Links {
		s.Links[i].device(l.described(s.Links[i]))
	}
	return s, err
}

// knownLinks are links by their index, as they were described. To ask /sys about a device takes far longer than to ask the kernel for
// all links.
type knownLinks struct {
	mu    sync.Mutex
	links map[int]knownLink
}

type knownLink struct{ seen, described NetLink }

// described is the description of a link. It is made anew until udev is done with the link, and where the link has become another. Where
// there was no udev yet, there may be one by now.
func (l liveLinks) described(link NetLink) NetLink {
	l.known.mu.Lock()
	defer l.known.mu.Unlock()
	k, ok := l.known.links[link.Index]
	if !ok || !k.described.Settled || !l.isSettled(k.described) || k.seen.Name != link.Name || k.seen.MAC != link.MAC || k.seen.Master != link.Master {
		k = knownLink{link, l.describe(link)}
		l.known.links[link.Index] = k
	}
	return k.described
}

// state is all that the kernel says, without the devices.
func (n *netlink) state() (s LinkState, err error) {
	var lists [3][]netlinkMessage
	for i, kind := range []uint16{unix.RTM_GETLINK, unix.RTM_GETADDR, unix.RTM_GETROUTE} {
		if lists[i], err = n.dump(kind, dumpRequests[kind]); err != nil {
			return s, fmt.Errorf("list the network links: %w", err)
		}
	}
	s.Links = linksIn(lists[0])
	for _, m := range lists[1] {
		s.addAddress(m)
	}
	for _, m := range lists[2] {
		s.addRoutes(m)
	}
	return s, nil
}

// dumpRequests are the bodies of questions for all of something. Statistics of links are long and of no use here.
var dumpRequests = map[uint16][]byte{
	unix.RTM_GETLINK:  appendNumber(make([]byte, unix.SizeofIfInfomsg), unix.IFLA_EXT_MASK, skipStatistics),
	unix.RTM_GETADDR:  make([]byte, unix.SizeofIfAddrmsg),
	unix.RTM_GETROUTE: make([]byte, unix.SizeofRtMsg),
}

// skipStatistics is RTEXT_FILTER_SKIP_STATS of /usr/include/linux/rtnetlink.h.
const skipStatistics = 1 << 3

// operstates are the kernel's states of a link; see RFC 2863.
var operstates = []string{"unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"}

// linksIn reads the links of a list.
func linksIn(list []netlinkMessage) (all []NetLink) {
	masters := map[int]int{}
	for _, m := range list {
		if link, master, ok := linkIn(m); ok {
			all = append(all, link)
			masters[link.Index] = master
		}
	}
	for i, link := range all {
		if at := slices.IndexFunc(all, func(m NetLink) bool { return m.Index == masters[link.Index] }); at >= 0 {
			all[i].Master = all[at].Name
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Index < all[j].Index })
	return all
}

// linkIn reads one link, and the index of the one that it belongs to.
func linkIn(m netlinkMessage) (link NetLink, master int, ok bool) {
	if m.kind != unix.RTM_NEWLINK || len(m.body) < unix.SizeofIfInfomsg {
		return link, 0, false
	}
	flags := binary.NativeEndian.Uint32(m.body[8:])
	a := attributesOf(m.body[unix.SizeofIfInfomsg:])
	link = NetLink{
		Index:        int(int32(binary.NativeEndian.Uint32(m.body[4:]))),
		PermanentMAC: macIn(a[unix.IFLA_PERM_ADDRESS]),
		Bus:          cString(a[unix.IFLA_PARENT_DEV_NAME]),
		Kind:         cString(attributesOf(a[unix.IFLA_LINKINFO])[unix.IFLA_INFO_KIND]),
		MTU:          numberIn(a[unix.IFLA_MTU]),
		Up:           flags&unix.IFF_UP != 0,
	}
	if _, elsewhere := a[unix.IFLA_LINK_NETNSID]; !elsewhere && link.Kind != "veth" {
		link.Parent = numberIn(a[unix.IFLA_LINK])
	}
	link.NIC = NIC{
		Name:     cString(a[unix.IFLA_IFNAME]),
		MAC:      macIn(a[unix.IFLA_ADDRESS]),
		Carrier:  link.Up && numberIn(a[unix.IFLA_CARRIER]) == 1, // as /sys has it: what is switched off has none
		Loopback: flags&unix.IFF_LOOPBACK != 0,
		Dormant:  flags&unix.IFF_DORMANT != 0,
		Virtual:  link.Bus == "",
		Bridge:   link.Kind == "bridge",
		Bond:     link.Kind == "bond",
		VLAN:     link.Kind == "vlan",
	}
	if state := numberIn(a[unix.IFLA_OPERSTATE]); state < len(operstates) {
		link.Operstate = operstates[state]
	}
	return link, numberIn(a[unix.IFLA_MASTER]), link.Name != ""
}

func macIn(b []byte) string { return net.HardwareAddr(b).String() }

// describe adds what /sys says about the device of a link. A /sys of another network namespace says nothing.
func (l liveLinks) describe(link NetLink) NetLink {
	a := device(l.files, "/sys/class/net", link.Name)
	link.Settled = !l.hasUdev()
	if int(a.number("ifindex")) != link.Index {
		return link
	}
	link.NIC = readNIC(a, link.Name)
	if link.Bus == "" {
		link.Bus = a.target("device")
	}
	if link.PermanentMAC == "" && link.AddrAssignType == 0 && !link.Virtual {
		link.PermanentMAC = link.MAC // kernels before 5.6 do not say it
	}
	link.Settled = l.isSettled(link)
	return link
}

// device takes what does not change from a description of the link.
func (l *NetLink) device(from NetLink) {
	now := l.NIC
	l.NIC, l.Bus, l.PermanentMAC, l.Settled = from.NIC, from.Bus, from.PermanentMAC, from.Settled
	l.MAC, l.Carrier, l.Operstate = now.MAC, now.Carrier, now.Operstate
	l.Master, l.Dormant, l.Loopback = now.Master, now.Dormant, now.Loopback
}

// isSettled says that udev has seen a link through, and given it its name, or that there is no udev, or nothing to name. It notes that
// in a database of its own; the lines that matter are "I:" and "E:ID_RENAMING=1".
func (l liveLinks) isSettled(link NetLink) bool {
	if link.Virtual || !l.hasUdev() {
		return true
	}
	text, _ := l.files.Read("/run/udev/data/n" + strconv.Itoa(link.Index))
	return strings.Contains("\n"+text, "\nI:") && !strings.Contains(text, "E:ID_RENAMING=1\n")
}

func (l liveLinks) hasUdev() bool { return Exists(l.files, "/run/udev/control") }

// at is the link of an index; nil where there is none.
func (s *LinkState) at(index int) *NetLink {
	for i := range s.Links {
		if s.Links[i].Index == index {
			return &s.Links[i]
		}
	}
	return nil
}

// addAddress reads an address.
func (s *LinkState) addAddress(m netlinkMessage) {
	if m.kind != unix.RTM_NEWADDR || len(m.body) < unix.SizeofIfAddrmsg {
		return
	}
	link := s.at(int(binary.NativeEndian.Uint32(m.body[4:])))
	a := attributesOf(m.body[unix.SizeofIfAddrmsg:])
	value := a[unix.IFA_LOCAL] // of a link to one peer, the other attribute is the peer's
	if value == nil {
		value = a[unix.IFA_ADDRESS]
	}
	address, ok := netip.AddrFromSlice(value)
	if link == nil || !ok {
		return
	}
	flags := int(m.body[2])
	if wide, ok := a[unix.IFA_FLAGS]; ok {
		flags = numberIn(wide)
	}
	link.Addresses = append(link.Addresses, Address{
		Prefix:     netip.PrefixFrom(address, int(m.body[1])),
		Dynamic:    flags&unix.IFA_F_PERMANENT == 0,
		Tentative:  flags&unix.IFA_F_TENTATIVE != 0 && flags&unix.IFA_F_OPTIMISTIC == 0,
		Duplicate:  flags&unix.IFA_F_DADFAILED != 0,
		Deprecated: flags&unix.IFA_F_DEPRECATED != 0,
		Scope:      addressScope(m.body[3]),
	})
}

// addRoutes reads a route; one over several gateways counts as several.
func (s *LinkState) addRoutes(m netlinkMessage) {
	if m.kind != unix.RTM_NEWROUTE || len(m.body) < unix.SizeofRtMsg {
		return
	}
	a := attributesOf(m.body[unix.SizeofRtMsg:])
	flags := binary.NativeEndian.Uint32(m.body[8:])
	r := Route{Metric: numberIn(a[unix.RTA_PRIORITY]), Table: int(m.body[4]), Type: routeType(m.body[7]), Expires: isExpiring(a[unix.RTA_CACHEINFO])}
	if wide, ok := a[unix.RTA_TABLE]; ok {
		r.Table = numberIn(wide)
	}
	if flags&unix.RTM_F_CLONED != 0 {
		return
	}
	r.Source, _ = netip.AddrFromSlice(a[unix.RTA_PREFSRC])
	to, ok := netip.AddrFromSlice(a[unix.RTA_DST])
	if !ok {
		to = unspecified(m.body[0])
	}
	r.To = netip.PrefixFrom(to, int(m.body[1]))
	s.addHop(r, numberIn(a[unix.RTA_OIF]), flags, a)
	s.addHops(r, a[unix.RTA_MULTIPATH])
}

// addressScope is iproute2's word for how far an address counts; empty: everywhere.
func addressScope(scope byte) string {
	switch scope {
	case unix.RT_SCOPE_SITE:
		return "site"
	case unix.RT_SCOPE_LINK:
		return "link"
	case unix.RT_SCOPE_HOST:
		return "host"
	}
	return ""
}

// routeTypes are iproute2's words for the kernel's types of routes, from RTN_UNSPEC on. RTN_UNICAST has none here.
var routeTypes = [...]string{"none", "", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw"}

func routeType(kind byte) string { return routeTypes[min(int(kind), len(routeTypes)-1)] }

// isExpiring says that a route has an end: the third number of its struct rta_cacheinfo.
func isExpiring(b []byte) bool { return len(b) >= 12 && binary.NativeEndian.Uint32(b[8:]) != 0 }

func unspecified(family byte) netip.Addr {
	if family == unix.AF_INET6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// addHop adds a route through the link of an index.
func (s *LinkState) addHop(r Route, index int, flags uint32, a map[uint16][]byte) {
	link := s.at(index)
	if link == nil {
		return
	}
	r.Link, r.OnLink = link.Name, flags&unix.RTNH_F_ONLINK != 0
	r.Via, _ = netip.AddrFromSlice(a[unix.RTA_GATEWAY])
	if via := a[unix.RTA_VIA]; len(via) > 2 { // a gateway of the other family, behind two bytes that name it
		r.Via, _ = netip.AddrFromSlice(via[2:])
	}
	if r.Type != "" || r.Table == localTable {
		s.Own = append(s.Own, r)
		return
	}
	s.Routes = append(s.Routes, r)
}

// addHops adds a route for each of several gateways: 8 bytes with its size, flags and link, then attributes.
func (s *LinkState) addHops(r Route, b []byte) {
	for len(b) >= unix.SizeofRtNexthop {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtNexthop || size > len(b) {
			return
		}
		s.addHop(r, int(binary.NativeEndian.Uint32(b[4:])), uint32(b[2]), attributesOf(b[unix.SizeofRtNexthop:size]))
		b = b[min(aligned(size), len(b)):]
	}
}
