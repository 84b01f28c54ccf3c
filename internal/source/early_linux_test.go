package source

import (
	"context"
	"errors"
	"testing"
	"time"

	"openguest/internal/machine"
	"openguest/test/netns"
)

// liveLocal is the local stage of the running system.
func liveLocal(t *testing.T) *Env {
	t.Helper()
	m, err := machine.Live()
	if err != nil {
		t.Fatal(err)
	}
	e := inLocal(t, m.Links, "datasource: {OpenStack: {dhcp_timeout: 60}}")
	e.Machine = m
	return e
}

// Row D21. Lease, routes and MTU as the server gives them, and afterwards not a trace; row D25: the interface without a
// server costs nothing but its turn.
func TestEarlyNetwork(t *testing.T) {
	if !netns.Enter(t, "dnsmasq") {
		return
	}
	netns.Link(t, "eth0")
	netns.Link(t, "eth1", "10.0.0.1/24")
	netns.DHCP(t, "eth1", "--dhcp-range=10.0.0.50,10.0.0.50,255.255.255.0,1h", "--dhcp-option=option:mtu,1420",
		"--dhcp-option=option:classless-static-route,169.254.169.254/32,10.0.0.2,0.0.0.0/0,10.0.0.1")
	before, e := netns.Look(t), liveLocal(t)
	start := time.Now()
	n, err := e.early(t.Context(), want{Source: "OpenStack"})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the network came after %v", time.Since(start))
	s, err := e.Machine.Links.State()
	if err != nil {
		t.Fatal(err)
	}
	eth1, _ := s.Named("eth1")
	if n.Link != "eth1" || n.Lease == nil || !s.IsOnline() || eth1.MTU != 1420 || !eth1.Up {
		t.Errorf("the network is %+v with %+v", n, eth1)
	}
	if eth0, _ := s.Named("eth0"); eth0.Up {
		t.Errorf("the interface that lost is %+v", eth0)
	}
	n.close()
	before.Compare(t)
	if e.Machine.Ledger.Len() != 0 {
		t.Errorf("what leaves no trace is in the ledger: %v", e.Machine.Ledger.Entries())
	}
}

// A server that asks for too much gets what this machine can do: a card's MTU ends somewhere.
func TestEarlyNetworkOfMistakes(t *testing.T) {
	if !netns.Enter(t, "dnsmasq") {
		return
	}
	netns.Link(t, "eth0", "10.0.0.1/24")
	netns.DHCP(t, "eth0", "--dhcp-range=10.0.0.50,10.0.0.50,255.255.255.0,1h", "--dhcp-option=option:mtu,65535",
		"--dhcp-option=option:classless-static-route,10.5.0.0/16,127.0.0.1,0.0.0.0/0,10.0.0.1")
	before, e := netns.Look(t), liveLocal(t)
	n, err := e.early(t.Context(), want{Source: "OpenStack"})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := e.Machine.Links.State(); err != nil || !s.IsOnline() {
		t.Errorf("the machine is not online with %+v, %v", s, err)
	}
	n.close()
	before.Compare(t)
}

// Both interfaces have a server, and only one leads to the cloud; both are asked at the same time.
func TestEarlyNetworkOfTwo(t *testing.T) {
	if !netns.Enter(t, "dnsmasq") {
		return
	}
	netns.Link(t, "eth0", "10.0.0.1/24")
	netns.Link(t, "eth1", "10.1.0.1/24")
	netns.DHCP(t, "eth0", "--dhcp-range=10.0.0.50,10.0.0.50,255.255.255.0,1h")
	netns.DHCP(t, "eth1", "--dhcp-range=10.1.0.50,10.1.0.50,255.255.255.0,1h")
	before, e := netns.Look(t), liveLocal(t)
	n, err := e.early(t.Context(), want{Source: "OpenStack", AtOnce: true, Works: func(_ context.Context, n *Early) error {
		if n.Link == "eth0" {
			return errors.New("nobody is there")
		}
		return nil
	}})
	if err != nil || n.Link != "eth1" || n.Lease.Address.String() != "10.1.0.50/24" {
		t.Fatalf("the network is %+v, %v", n, err)
	}
	n.close()
	before.Compare(t)
}

// Row D04. The link's own address of IPv6 is usable when the network is there, and gone afterwards.
func TestEarlyNetworkOverIPv6(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	netns.Link(t, "eth0", "fe80::a9fe:a9fe/64")
	before, e := netns.Look(t), liveLocal(t)
	n, err := e.early(t.Context(), want{Source: "OpenStack", NoIPv4: true, IPv6: true})
	if err != nil || !n.LinkLocal.IsLinkLocalUnicast() || n.LinkLocal.Zone() != "eth0" {
		t.Fatalf("the network is %+v, %v", n, err)
	}
	n.close()
	before.Compare(t)
}
