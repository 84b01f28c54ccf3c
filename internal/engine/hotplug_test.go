package engine

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"openguest/internal/machine"
	"openguest/internal/network"
)

// withSeed is a machine whose cloud is a seed in its own files: what it says can change while the machine runs.
func withSeed(more, document string) machine.Machine {
	m := machine.Fake(debian+ifupdown+"-- var/lib/cloud/seed/nocloud/meta-data --\ninstance-id: i\n-- var/lib/cloud/seed/nocloud/user-data --\n"+more+
		"-- var/lib/cloud/seed/nocloud/network-config --\n"+document, noon)
	m.Links = machine.NewFakeLinks(machine.LinkState{Links: []machine.NetLink{netLink("ens3", "52:54:00:00:00:01")}})
	return m
}

// plugIn adds the second card.
func plugIn(m machine.Machine) *machine.FakeLinks {
	return machine.NewFakeLinks(machine.LinkState{Links: []machine.NetLink{netLink("ens3", "52:54:00:00:00:01"), netLink("ens4", "52:54:00:00:00:02")}})
}

func say(m machine.Machine, document string) {
	m.Quiet().Files.Put("/var/lib/cloud/seed/nocloud/network-config", machine.File(0o644, document))
}

const (
	first     = "version: 1\nconfig: [{type: physical, name: ens3, mac_address: '52:54:00:00:00:01', subnets: [{type: dhcp}]}"
	onlyFirst = first + "]\n"
	both      = first + ", {type: physical, name: ens4, mac_address: '52:54:00:00:00:02', subnets: [{type: dhcp}]}]\n"
	following = "#cloud-config\nupdates: {network: {when: [boot, hotplug]}}\n"
)

// Row N16: a card that is plugged in gets its network: the cloud is asked until it knows of the card, the files are written, and
// only that card is brought up: others would be cut off for a moment.
func TestPlug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := withSeed(following, onlyFirst)
		stages(t, m, Options{}, Stages()...)
		ran := &recorded{Commands: m.Commands}
		m.Commands, m.Links = ran, plugIn(m)
		time.AfterFunc(6*time.Second, func() { say(m, both) })
		start := time.Now()
		if err := New(m, Options{Version: "test"}).Plug(context.Background(), "/devices/pci0000:00/0000:00:04.0/virtio1/net/ens4"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 9*time.Second { // after 1, 4 and 9 seconds
			t.Errorf("it took %v: the cloud is not asked as it should be", took)
		}
		if text := read(t, m, eniFile); !strings.Contains(text, "iface ens4 inet dhcp\n") {
			t.Errorf("the file is\n%s", text)
		}
		if !slices.Equal(ran.argv, []string{"ifup ens4"}) {
			t.Errorf("it ran %q", ran.argv)
		}
		if text := read(t, m, OwnState+"/instance.json"); !strings.Contains(text, "ens4") && !strings.Contains(text, "ZW5zN") {
			t.Error("what the cloud said is not remembered: the next boot would go back to what was before")
		}
		log := read(t, m, "/var/log/cloud-init.log")
		for _, want := range []string{"subsystem=net update attempt 3/5", "Failed to detect 52:54:00:00:00:02 in updated metadata", "finish: hotplug-hook: SUCCESS"} {
			if !strings.Contains(log, want) {
				t.Errorf("the log does not say %q", want)
			}
		}
	})
}

// Row N16: where nobody asked for it, or the person describes the network, a card that is plugged in changes nothing.
func TestPlugIsNotFollowed(t *testing.T) {
	for name, c := range map[string]struct{ data, files string }{
		"by default":        {"#cloud-config\n{}\n", ""},
		"only boots":        {"#cloud-config\nupdates: {network: {when: [boot]}}\n", ""},
		"a person's own":    {following, "-- etc/cloud/cloud.cfg.d/net.cfg --\nnetwork: {version: 1, config: [{type: physical, name: ens3}]}\n"},
		"a person's wish":   {following, "-- etc/cloud/cloud.cfg.d/net.cfg --\nnetwork: {config: disabled}\n"},
		"the kernel's word": {following, "-- proc/cmdline --\nnetwork-config=disabled\n"},
	} {
		m := withSeed(c.data+c.files, onlyFirst)
		stages(t, m, Options{}, Stages()...)
		ran := &recorded{Commands: m.Commands}
		m.Commands, m.Links = ran, plugIn(m)
		say(m, both)
		before := m.Ledger.Len()
		if err := New(m, Options{Version: "test"}).Plug(context.Background(), "/devices/net/ens4"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if m.Ledger.Len() > before || ran.argv != nil {
			t.Errorf("%s: it changed %v and ran %q", name, m.Ledger.Entries()[before:], ran.argv)
		}
	}
}

// Row N16: a cloud that never knows of the card is asked five times; the machine keeps what it has, and the log says why.
func TestPlugOfAStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := withSeed(following, onlyFirst)
		stages(t, m, Options{}, Stages()...)
		m.Links = plugIn(m)
		before := read(t, m, eniFile)
		err := New(m, Options{Version: "test"}).Plug(context.Background(), "/devices/net/ens4")
		if err == nil || !strings.Contains(err.Error(), "Failed to detect 52:54:00:00:00:02 in updated metadata") {
			t.Errorf("the error is %v", err)
		}
		if read(t, m, eniFile) != before {
			t.Error("the network was changed for a card that nobody described")
		}
		if err := New(m, Options{}).Plug(context.Background(), "/devices/net/ens9"); err == nil {
			t.Error("a card that is gone again is no error")
		}
	})
}

// Row N16: `enable` counts for ever, whatever the configuration says; a second time changes nothing.
func TestFollowPlugs(t *testing.T) {
	m := withSeed("#cloud-config\nupdates: {network: {when: [boot]}}\n-- usr/bin/udevadm --\n", onlyFirst)
	stages(t, m, Options{}, Stages()...)
	ran := &recorded{Commands: m.Commands}
	m.Commands = ran
	for _, want := range []bool{true, false} {
		news, err := New(m, Options{}).FollowPlugs(context.Background())
		if err != nil || news != want {
			t.Errorf("it is news: %v, %v", news, err)
		}
	}
	if follows, err := New(m, Options{}).FollowsPlugs(); err != nil || !follows {
		t.Errorf("it follows: %v, %v", follows, err)
	}
	if text := read(t, m, "/var/lib/cloud/hotplug.enabled"); text != `{"scopes": ["network"]}` {
		t.Errorf("the file is %q", text)
	}
	if !machine.Exists(m.Files, "/etc/udev/rules.d/90-cloud-init-hook-hotplug.rules") || !slices.Equal(ran.argv, []string{"udevadm control --reload-rules"}) {
		t.Errorf("udev was not told: it ran %q", ran.argv)
	}
	if _, err := New(machine.Fake(debian, noon), Options{}).FollowsPlugs(); err == nil {
		t.Error("a machine that is no instance follows something")
	}
}

// What a renderer wrote for a machine says for which cards it was: after a plug the new one too, or the next boot takes the
// machine for another one when only that card is left.
func TestPlugIsRecorded(t *testing.T) {
	m := withSeed(following, onlyFirst)
	stages(t, m, Options{}, Stages()...)
	m.Links = plugIn(m)
	say(m, both)
	if err := New(m, Options{}).Plug(context.Background(), "/devices/net/ens4"); err != nil {
		t.Fatal(err)
	}
	var record network.Record
	if err := json.Unmarshal([]byte(read(t, m, networkRecord())), &record); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(record.MACs, []string{"52:54:00:00:00:01", "52:54:00:00:00:02"}) {
		t.Errorf("it is for %q", record.MACs)
	}
}
