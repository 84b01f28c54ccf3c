package dhcp

import (
	"context"
	"fmt"
	"testing"
	"time"

	"openguest/internal/machine"
	"openguest/test/netns"
)

// Row D21. A real server, a real wire: the lease, what it makes of the link, and not a trace of it afterwards.
func TestAskDnsmasq(t *testing.T) {
	if !netns.Enter(t, "dnsmasq") {
		return
	}
	netns.Link(t, "eth0", "10.0.0.1/24")
	netns.DHCP(t, "eth0", "--dhcp-range=10.0.0.50,10.0.0.50,255.255.255.0,1h", "--dhcp-option=option:mtu,1420", "--dhcp-option=option:dns-server,10.0.0.9",
		"--dhcp-option=option:domain-search,example.org,lab.example.org", "--dhcp-option=option:domain-name,example.org",
		"--dhcp-option=option:classless-static-route,169.254.169.254/32,10.0.0.2,0.0.0.0/0,10.0.0.1", "--dhcp-option-force=245,a8:3f:81:10")
	m, err := machine.Live()
	if err != nil {
		t.Fatal(err)
	}
	before := netns.Look(t)
	off, err := m.Links.Apply(machine.LinkChange{Link: "eth0", Do: machine.LinkUp})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := time.Now()
	lease, err := Ask(ctx, m.Links, "eth0")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the lease took %v", time.Since(start))
	got := fmt.Sprintln(lease.Address, lease.MTU, lease.DNS, lease.Search, lease.Domain, lease.Routes, lease.Wire, lease.Server, lease.Lifetime)
	want := "10.0.0.50/24 1420 [10.0.0.9] [example.org lab.example.org] example.org [169.254.169.254/32 via 10.0.0.2 0.0.0.0/0 via 10.0.0.1] 168.63.129.16 10.0.0.1 1h0m0s\n"
	if got != want {
		t.Errorf("the lease has\n%s, want\n%s", got, want)
	}
	undo, err := m.Links.Apply(lease.Changes()...)
	if err != nil {
		t.Fatal(err)
	}
	if state, err := m.Links.State(); err != nil || !state.IsOnline() {
		t.Errorf("the machine is not online with %+v, %v", state, err)
	}
	if err := undo(); err != nil {
		t.Error(err)
	}
	if err := off(); err != nil {
		t.Error(err)
	}
	before.Compare(t)
}
