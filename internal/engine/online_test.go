package engine

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"openguest/internal/machine"
)

// Row B20: plain cloud-config that needs no network does not wait for it, and whoever looks for cloud-init's file finds it.
func TestSkipNetwork(t *testing.T) {
	for data, skips := range map[string]bool{
		"": true, "#cloud-config\nusers: [ada]\nruncmd: [id]\n": true,
		"#cloud-config\nbootcmd: [id]\n": false, "#cloud-config\nmounts: [[sdc, /data]]\n": false,
		"#cloud-config\nrandom_seed: {command: [x]}\n":                                    false,
		"#cloud-config\nwrite_files: [{path: /a, source: {uri: 'http://a.example/b'}}]\n": false,
		"#cloud-config\nwrite_files: [{path: /a, content: b}]\n":                          true,
		"#include\nhttp://a.example/\n":                                                   false, "#!/bin/sh\n": false, "#cloud-config\n{": false,
	} {
		m := machine.Fake(debian, noon)
		stages(t, m, Options{Given: given("i", data)}, Local)
		if got := machine.Exists(m.Files, "/run/cloud-init/.skip-network"); got != skips {
			t.Errorf("user-data %q: .skip-network is there: %v", data, got)
		}
	}
}

// slow are links of which the first one has an address after a while, and a default route at once then, if it has one.
func slow(after time.Duration, route bool) *machine.FakeLinks {
	card := netLink("ens3", "52:54:00:00:00:01")
	card.Up, card.Carrier, card.Settled = true, true, true
	links := machine.NewFakeLinks(machine.LinkState{Links: []machine.NetLink{card}})
	changes := []machine.LinkChange{{Do: machine.AddressAdd, Link: "ens3", Address: netip.MustParsePrefix("10.0.2.15/24")}}
	if route {
		to := machine.Route{Link: "ens3", To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.0.2.2")}
		changes = append(changes, machine.LinkChange{Do: machine.RouteAdd, Link: "ens3", Route: to})
	}
	time.AfterFunc(after, func() { links.Apply(changes...) })
	return links
}

// An include that is asked for before the network is there would end the boot; a network that never comes must not hold it up for
// ever, and where nothing needs it, not at all. A slow host takes its time to load the driver of a card that is there.
func TestNetworkIsAwaited(t *testing.T) {
	for name, c := range map[string]struct {
		data   string
		after  time.Duration
		waited time.Duration
		log    string
	}{
		"an include":    {"#include\nhttp://a.example/\n", 3 * time.Second, 3 * time.Second, "for the network, which an include needs"},
		"bootcmd":       {"#cloud-config\nbootcmd: ['true']\n", 3 * time.Second, 3 * time.Second, "which bootcmd needs"},
		"a boothook":    {"#cloud-boothook\n#!/bin/sh\n", 3 * time.Second, 3 * time.Second, "which a boothook needs"},
		"it is late":    {"#cloud-config\nbootcmd: ['true']\n", time.Hour, onlineBudget, "the boot goes on without"},
		"no way out":    {"#cloud-config\nbootcmd: ['true']\n", 3 * time.Second, 3*time.Second + routeBudget, "which bootcmd needs"},
		"no card":       {"#cloud-config\nbootcmd: ['true']\n", time.Hour, noCardBudget, "there is no network card"},
		"no driver":     {"#cloud-config\nbootcmd: ['true']\n", time.Hour, cardBudget, "there is no network card"},
		"not a service": {"#cloud-config\nbootcmd: ['true']\n", time.Hour, 0, ""},
		"nothing":       {"#cloud-config\nusers: [ada]\n", time.Hour, 0, ""},
		"its own run":   {"#cloud-config\nruncmd: ['true']\n", time.Hour, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				files := debian
				if name == "no driver" {
					files += "\n-- /sys/devices/pci0/0000:00:03.0/class --\n0x020000\n-- /sys/bus/pci/devices/0000:00:03.0 -> ../../../devices/pci0/0000:00:03.0 --\n"
				}
				m := machine.Fake(files, noon)
				m.Net = &server{text: "#cloud-config\n{}\n"}
				stages(t, m, Options{Given: given("i", c.data)}, Local)
				m.Links = slow(c.after, name != "no way out")
				if name == "no card" || name == "no driver" {
					m.Links = machine.NewFakeLinks(machine.LinkState{})
				}
				start := time.Now()
				stages(t, m, Options{Given: given("i", c.data), Await: name != "not a service"}, Network)
				if waited := time.Since(start); waited != c.waited {
					t.Errorf("it waited %v, not %v", waited, c.waited)
				}
				if log := read(t, m, "/var/log/cloud-init.log"); !strings.Contains(log, c.log) {
					t.Errorf("the log does not say %q:\n%s", c.log, log)
				}
			})
		})
	}
}
