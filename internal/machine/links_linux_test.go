package machine_test

import (
	"context"
	"errors"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"openguest/internal/machine"
	"openguest/test/netns"
)

func live(t *testing.T) machine.Machine {
	t.Helper()
	m, err := machine.Live()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func state(t *testing.T, m machine.Machine) machine.LinkState {
	t.Helper()
	s, err := m.Links.State()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func apply(t *testing.T, m machine.Machine, changes ...machine.LinkChange) (undo func() error) {
	t.Helper()
	undo, err := m.Links.Apply(changes...)
	if err != nil {
		t.Fatal(err)
	}
	return undo
}

func up(link string) machine.LinkChange { return machine.LinkChange{Link: link, Do: machine.LinkUp} }

func address(link, prefix string) machine.LinkChange {
	return machine.LinkChange{Link: link, Do: machine.AddressAdd, Address: netip.MustParsePrefix(prefix)}
}

func route(link, to, via string) machine.LinkChange {
	r := machine.Route{Link: link, To: netip.MustParsePrefix(to)}
	if via != "" {
		r.Via = netip.MustParseAddr(via)
	}
	return machine.LinkChange{Do: machine.RouteAdd, Route: r}
}

// What a person sees with ip is what was asked for; a second time changes nothing; and undone there is no trace. Row D21.
func TestApply(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	netns.Link(t, "eth0")
	m, before := live(t), netns.Look(t)
	onLink := route("eth0", "10.9.0.0/16", "172.31.0.1")
	onLink.Route.OnLink = true
	changes := []machine.LinkChange{
		{Link: "eth0", Do: machine.LinkMTU, MTU: 1400}, up("eth0"), address("eth0", "10.0.0.5/24"), address("eth0", "fd00::5/64"),
		route("eth0", "0.0.0.0/0", "10.0.0.1"), route("eth0", "10.8.1.0/24", ""), onLink, route("eth0", "::/0", "fd00::1"),
		{Do: machine.RouteAdd, Route: machine.Route{Link: "eth0", To: netip.MustParsePrefix("10.7.0.0/16"), Via: netip.MustParseAddr("10.0.0.2"),
			Source: netip.MustParseAddr("10.0.0.5"), Metric: 50, Table: 101}},
	}
	undo := apply(t, m, changes...)
	for command, want := range map[string][]string{
		"ip address show eth0":    {"mtu 1400", "UP", "inet 10.0.0.5/24 brd 10.0.0.255 scope global eth0", "inet6 fd00::5/64"},
		"ip route":                {"default via 10.0.0.1 dev eth0", "10.8.1.0/24 dev eth0 scope link", "10.9.0.0/16 via 172.31.0.1 dev eth0 onlink"},
		"ip -6 route":             {"default via fd00::1 dev eth0"},
		"ip route show table 101": {"10.7.0.0/16 via 10.0.0.2 dev eth0 src 10.0.0.5 metric 50"},
	} {
		out := netns.Run(t, strings.Fields(command)...)
		for _, text := range want {
			if !strings.Contains(out, text) {
				t.Errorf("%s does not say %q:\n%s", command, text, out)
			}
		}
	}
	if n := m.Ledger.Len(); n != len(changes) {
		t.Errorf("there are %d changes in the ledger, want %d", n, len(changes))
	}
	apply(t, m, changes...)
	if n := m.Ledger.Len(); n != len(changes) {
		t.Errorf("the second run changed: %v", m.Ledger.Entries()[len(changes):])
	}
	if err := undo(); err != nil {
		t.Error(err)
	}
	before.Compare(t)
	if err := undo(); err != nil {
		t.Errorf("undone again: %v", err)
	}
}

// A change that cannot be made takes back those before it, and says why.
func TestApplyFails(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	netns.Link(t, "eth0")
	m, before := live(t), netns.Look(t)
	for want, c := range map[string]machine.LinkChange{
		"there is no link eth9":                               up("eth9"),
		"eth0: route 0.0.0.0/0 via 192.168.9.9":               route("eth0", "0.0.0.0/0", "192.168.9.9"),
		"change network link eth0: mtu 7: invalid argument":   {Link: "eth0", Do: machine.LinkMTU, MTU: 7},
		"change network link eth0: rename to lo: file exists": {Link: "eth0", Do: machine.LinkRename, Name: "lo"},
		`"dance" is nothing that can be done to a link`:       {Link: "eth0", Do: "dance"},
		"there is no link : there is no such thing":           {Do: machine.LinkUp},
		"rename to a-name-of-more-than-15-letters: ":          {Link: "eth0", Do: machine.LinkRename, Name: "a-name-of-more-than-15-letters"},
		"eth0: route 10.0.0.0/24 via 10.0.0.9: ":              route("eth0", "10.0.0.0/24", "10.0.0.9"),
	} {
		if _, err := m.Links.Apply(up("eth0"), address("eth0", "172.16.0.5/24"), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
		before.Compare(t)
	}
}

// Row N11. Names follow addresses; with old kernels a link must be off for it, and ours comes up again.
func TestRename(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	netns.Link(t, "eth0")
	netns.Link(t, "eth1")
	m := live(t)
	was := state(t, m)
	swap := []machine.LinkChange{{Link: "eth0", Do: machine.LinkRename, Name: "swap"}, {Link: "eth1", Do: machine.LinkRename, Name: "eth0"},
		{Link: "swap", Do: machine.LinkRename, Name: "eth1"}}
	undo := apply(t, m, append([]machine.LinkChange{up("eth1"), address("eth1", "10.0.0.5/24")}, swap...)...)
	now := state(t, m)
	for from, to := range map[string]string{"eth0": "eth1", "eth1": "eth0"} {
		old, _ := was.Named(from)
		if link, _ := now.Named(to); link.MAC != old.MAC || link.Index != old.Index {
			t.Errorf("%s is %+v, and was %s as %+v", to, link, from, old)
		}
	}
	if link, _ := now.Named("eth0"); !link.Up || !slices.ContainsFunc(link.Addresses, func(a machine.Address) bool { return a.String() == "10.0.0.5/24" }) {
		t.Errorf("the link that was up is %+v", link)
	}
	if err := undo(); err != nil {
		t.Error(err)
	}
	for _, old := range was.Links {
		if link, _ := state(t, m).Named(old.Name); link.MAC != old.MAC || link.Up != old.Up {
			t.Errorf("%s is %+v, and was %+v", old.Name, link, old)
		}
	}
}

// What a link is stands in its state: the readers of network configuration choose by it.
func TestState(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	netns.Link(t, "eth0")
	for _, command := range []string{"ip link add br0 type bridge", "ip link set eth0 address 52:54:00:12:34:56", "ip link set eth0 master br0",
		"ip link set eth0 up", "ip address add 10.0.0.5/24 dev br0", "ip link set br0 up", "ip route add default nexthop via 10.0.0.1 nexthop via 10.0.0.2"} {
		netns.Run(t, strings.Fields(command)...)
	}
	m := live(t)
	s, err := m.Links.Wait(t.Context(), func(s machine.LinkState) bool { l, _ := s.Named("br0"); return l.Carrier })
	if err != nil {
		t.Fatal(err)
	}
	if l, _ := s.Named("eth0"); l.MAC != "52:54:00:12:34:56" || l.Master != "br0" || !l.Up || !l.Carrier || !l.Virtual || l.Kind != "veth" || l.Parent != 0 || l.MTU != 1500 {
		t.Errorf("eth0 is %+v", l)
	}
	if l, _ := s.Named("br0"); !l.Bridge || l.Bond || len(l.Addresses) == 0 || l.Addresses[0].String() != "10.0.0.5/24" || l.Addresses[0].Dynamic {
		t.Errorf("br0 is %+v", l)
	}
	if l, _ := s.Named("lo"); !l.Loopback || !l.Settled || l.Index != 1 {
		t.Errorf("lo is %+v", l)
	}
	hops := slices.DeleteFunc(s.Routes, func(r machine.Route) bool { return !r.IsDefault() || r.Link != "br0" })
	if len(hops) != 2 || !s.IsOnline() {
		t.Errorf("the default routes are %+v", hops)
	}
	netns.Run(t, "ip", "link", "set", "br0", "down")
	if s := state(t, m); s.IsOnline() {
		t.Errorf("without br0 the machine is online with %+v", s)
	}
}

// A VLAN is not taken for an interface of its own, and knows the link below.
func TestStateOfVLAN(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	netns.Link(t, "eth0")
	if out, err := exec.Command("ip", "link", "add", "link", "eth0", "name", "eth0.7", "type", "vlan", "id", "7").CombinedOutput(); err != nil {
		t.Skipf("the kernel here makes no VLANs: %s", out)
	}
	s := state(t, live(t))
	parent, _ := s.Named("eth0")
	if l, _ := s.Named("eth0.7"); !l.VLAN || l.Kind != "vlan" || l.Parent != parent.Index || l.Up || l.Carrier {
		t.Errorf("eth0.7 is %+v", l)
	}
}

// The wait ends with the event, not with a clock: who waits for the network would lose seconds at each boot. With a cable
// that is never put in, the budget ends it.
func TestWait(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	netns.Link(t, "eth0", "fe80::1/64")
	m := live(t)
	came := make(chan machine.LinkState)
	go func() {
		s, err := m.Links.Wait(t.Context(), func(s machine.LinkState) bool {
			l, _ := s.Named("eth0")
			return l.Carrier && l.LinkLocal().IsValid() && s.IsOnline()
		})
		if err != nil {
			t.Error(err)
		}
		came <- s
	}()
	apply(t, m, up("eth0"), address("eth0", "10.0.0.5/24"), route("eth0", "0.0.0.0/0", "10.0.0.1"))
	if l, _ := (<-came).Named("eth0"); !l.LinkLocal().IsLinkLocalUnicast() {
		t.Errorf("the link is %+v", l)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("the time is over"))
	defer cancel()
	if _, err := m.Links.Wait(ctx, func(machine.LinkState) bool { return false }); err == nil || err.Error() != "the time is over" {
		t.Errorf("the error is %v", err)
	}
}
