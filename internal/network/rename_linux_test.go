package network

import (
	"context"
	"strings"
	"testing"
	"time"

	"openguest/internal/machine"
	"openguest/test/netns"
)

// TestSwapNames gives two links each other's names and a third its own, in the kernel. A second time nothing is to do.
// Row N11.
func TestSwapNames(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	live, err := machine.Live()
	if err != nil {
		t.Fatal(err)
	}
	for name, mac := range map[string]string{"eth0": "52:54:00:00:00:02", "eth1": "52:54:00:00:00:01", "card": "52:54:00:00:00:03"} {
		netns.Link(t, name)
		netns.Run(t, "ip", "link", "set", name, "address", mac)
	}
	netns.Run(t, "ip", "link", "set", "eth1", "up")
	_, v := parse(t, `
version: 2
ethernets:
  a: {match: {macaddress: "52:54:00:00:00:01"}, set-name: eth0}
  b: {match: {macaddress: "52:54:00:00:00:02"}, set-name: eth1}
  c: {match: {macaddress: "52:54:00:00:00:03"}, set-name: inner0}
`)
	m, _, err := Read("v2", v, Host{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		state, err := live.Links.State()
		if err != nil {
			t.Fatal(err)
		}
		changes, problems := m.Renames(state)
		if _, err := live.Links.Apply(changes...); err != nil || len(problems) > 0 {
			t.Fatalf("%v, %v", err, problems)
		}
		for name, mac := range map[string]string{"eth0": "00:01", "eth1": "00:02", "inner0": "00:03"} {
			if out := netns.Run(t, "ip", "link", "show", name); !strings.Contains(out, "52:54:00:00:"+mac) {
				t.Errorf("%s should be %s:\n%s", name, mac, out)
			}
		}
		if out := netns.Run(t, "ip", "link", "show", "eth0"); !strings.Contains(out, ",UP") {
			t.Errorf("what was up is down:\n%s", out)
		}
	}
	if state, err := live.Links.State(); err != nil {
		t.Fatal(err)
	} else if changes, _ := m.Renames(state); len(changes) > 0 {
		t.Errorf("there is more to do: %v", changes)
	}
}

// TestALateCard waits for a card that comes while it is waited for.
// Row N17.
func TestALateCard(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	live, err := machine.Live()
	if err != nil {
		t.Fatal(err)
	}
	_, v := parse(t, "version: 1\nconfig: [{type: physical, name: eth0, mac_address: '52:54:00:00:00:01'}]\n")
	m, _, err := Read("v1", v, Host{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	looked := make(chan bool, 1)
	found := make(chan error, 1)
	go func() {
		_, err := live.Links.Wait(ctx, func(s machine.LinkState) bool {
			select {
			case looked <- true:
			default:
			}
			return len(m.Missing(s)) == 0
		})
		found <- err
	}()
	<-looked
	netns.Link(t, "late")
	netns.Run(t, "ip", "link", "set", "late", "address", "52:54:00:00:00:01")
	if err := <-found; err != nil {
		t.Errorf("the card was not found: %v", err)
	}
}
