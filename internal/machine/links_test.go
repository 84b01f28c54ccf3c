package machine

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"
)

const fakeNICs = `
-- /sys/class/net/lo/address --
00:00:00:00:00:00
-- /sys/class/net/lo/ifindex --
1
-- /sys/class/net/eth0/address --
52:54:00:12:34:56
-- /sys/class/net/eth0/ifindex --
2
-- /sys/class/net/eth0/mtu --
1500
-- /sys/class/net/eth0/operstate --
up
-- /sys/class/net/eth0/device -> ../../../devices/pci0000:00/0000:00:03.0 --
`

// An image has links only as its /sys says, and nothing can be done to them.
func TestLinksOffline(t *testing.T) {
	m := Fake(fakeNICs, time.Unix(0, 0))
	s, err := m.Links.State()
	eth0, ok := s.Named("eth0")
	if err != nil || !ok || eth0.Index != 2 || eth0.MTU != 1500 || !eth0.Up || eth0.Bus != "0000:00:03.0" || !eth0.Settled || s.IsOnline() {
		t.Errorf("the links are %+v, %v", s, err)
	}
	if lo, _ := s.Named("lo"); !lo.Loopback || len(s.Links) != 2 {
		t.Errorf("the links are %+v", s)
	}
	_, applied := m.Links.Apply(LinkChange{Link: "eth0", Do: LinkUp})
	_, opened := m.Links.Packets("eth0")
	_, waited := m.Links.Wait(t.Context(), LinkState.IsOnline)
	p, _ := Plan(m)
	_, planned := p.Links.Apply(LinkChange{Link: "eth0", Do: LinkUp})
	for _, err := range []error{applied, opened, waited, planned} {
		if !errors.Is(err, ErrOffline) {
			t.Errorf("the error is %v", err)
		}
	}
}

func oneLink() *FakeLinks {
	return NewFakeLinks(LinkState{Links: []NetLink{{NIC: NIC{Name: "eth0", MAC: "52:54:00:12:34:56"}, Index: 2, MTU: 1500}}})
}

// A plan says what would be done to links, later steps see it, and nothing is done. What comes of it only the network knows.
func TestPlanOfLinks(t *testing.T) {
	m, links := Fake("", time.Unix(0, 0)), oneLink()
	m.Links = links
	p, changes := Plan(m)
	gateway := Route{Link: "eth0", To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.0.0.1")}
	do := []LinkChange{
		{Link: "eth0", Do: LinkUp},
		{Link: "eth0", Do: LinkUp},
		{Link: "eth0", Do: AddressAdd, Address: netip.MustParsePrefix("10.0.0.5/24")},
		{Do: RouteAdd, Route: gateway},
		{Link: "eth0", Do: LinkMTU, MTU: 1400},
		{Link: "eth0", Do: LinkRename, Name: "ens3"},
	}
	undo, err := p.Links.Apply(do...)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes.List() {
		got = append(got, c.String())
	}
	want := []string{"link  (eth0: up)", "link  (eth0: address 10.0.0.5/24)", "link  (eth0: route 0.0.0.0/0 via 10.0.0.1)", "link  (eth0: mtu 1400)", "link  (eth0: rename to ens3)"}
	if len(got) != len(want) {
		t.Fatalf("the plan is %q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("the plan says %q, want %q", got[i], want[i])
		}
	}
	s, err := p.Links.State()
	if l, ok := s.Named("ens3"); err != nil || !ok || !l.Up || l.MTU != 1400 || len(l.Addresses) != 1 || s.Routes[0].Link != "ens3" {
		t.Errorf("a later step sees %+v, %v", s, err)
	}
	if done := links.Done(); len(done) != 0 {
		t.Errorf("the plan did %q", done)
	}
	_, opened := p.Links.Packets("ens3")
	_, waited := p.Links.Wait(t.Context(), LinkState.IsOnline)
	if !errors.Is(opened, ErrUnknown) || !errors.Is(waited, ErrUnknown) {
		t.Errorf("the errors are %v and %v", opened, waited)
	}
	if err := undo(); err != nil {
		t.Error(err)
	}
	if s, _ := p.Links.State(); s.Links[0].Name != "eth0" || s.Links[0].Up {
		t.Errorf("undone it is %+v", s)
	}
	before := changes.ledger.Len()
	if _, err := p.Quiet().Links.Apply(do...); err != nil || changes.ledger.Len() != before || len(links.Done()) != 0 {
		t.Errorf("what is quiet is written down or done: %v, %v, %v", err, changes.ledger.Entries(), links.Done())
	}
}

// A wait ends with the change that it is for, or with its budget.
func TestWaitOfFake(t *testing.T) {
	links := oneLink()
	links.Then = func(s *LinkState, done LinkChange) {
		if done.Do == LinkUp {
			s.Links[0].Addresses = []Address{{Prefix: netip.MustParsePrefix("fe80::1/64")}}
		}
	}
	came := make(chan LinkState)
	go func() {
		s, _ := links.Wait(t.Context(), func(s LinkState) bool { return s.Links[0].LinkLocal().IsValid() })
		came <- s
	}()
	undo, err := links.Apply(LinkChange{Link: "eth0", Do: LinkUp})
	if err != nil {
		t.Fatal(err)
	}
	if s := <-came; !s.Links[0].Carrier || s.Links[0].LinkLocal() != netip.MustParseAddr("fe80::1") {
		t.Errorf("the state is %+v", s)
	}
	if err := undo(); err != nil || links.Done()[1] != "eth0: down" {
		t.Errorf("undone: %q, %v", links.Done(), err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrNone)
	if _, err := links.Wait(ctx, LinkState.IsOnline); !errors.Is(err, ErrNone) {
		t.Errorf("the error is %v", err)
	}
}

// Row N10. The machine's network is expected where cloud-init would expect it; on another interface it would find nobody.
func TestFallbackNICs(t *testing.T) {
	nic := func(name string, set func(*NIC)) NIC {
		n := NIC{Name: name, MAC: "52:54:00:00:00:01", Operstate: "down"}
		if set != nil {
			set(&n)
		}
		return n
	}
	carrier := func(n *NIC) { n.Carrier, n.Operstate = true, "up" }
	all := []NIC{
		nic("lo", func(n *NIC) { n.Loopback, n.Carrier = true, true }),
		nic("veth12", carrier), nic("br0", func(n *NIC) { n.Bridge, n.Carrier = true, true }), nic("bond0", func(n *NIC) { n.Bond = true }),
		nic("tun0", func(n *NIC) { n.MAC = "" }),
		nic("ens10", nil), nic("ens9", nil), nic("ENS9", nil), nic("eth0", nil), nic("wlan0", func(n *NIC) { n.Operstate, n.Dormant = "up", true }),
		nic("ens11", carrier), nic("ens8", carrier), nic("ens007", carrier), nic("gone", func(n *NIC) { n.Operstate = "notpresent" }),
		nic("ens8nsby", func(n *NIC) { n.Driver, n.Standby, n.Master, n.Carrier = "virtio_net", true, "ens3", true }),
		nic("ens3", func(n *NIC) { n.Driver, n.Standby, n.Carrier = "virtio_net", true, true }),
		nic("ens4", func(n *NIC) { n.Driver, n.Master, n.Carrier = "ixgbevf", "ens3", true }),
		nic("slave1", func(n *NIC) { n.Driver, n.Master, n.Carrier = "e1000", "bond0", true }),
		nic("hv1", func(n *NIC) { n.Driver, n.MAC, n.Carrier = "hv_netvsc", "00:15:5d:00:00:01", true }),
		nic("vf1", func(n *NIC) { n.Driver, n.MAC, n.Carrier = "mlx5_core", "00:15:5d:00:00:01", true }),
	}
	var got []string
	for _, n := range FallbackNICs(all) {
		got = append(got, n.Name)
	}
	want := []string{"ens3", "ens007", "ens8", "ens11", "hv1", "slave1", "eth0", "ens9", "ENS9", "ens10", "wlan0"}
	if len(got) != len(want) {
		t.Fatalf("the candidates are %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("candidate %d is %s, want %s", i, got[i], want[i])
		}
	}
}
