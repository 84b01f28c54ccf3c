package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/internal/module"
	"openguest/internal/network"
)

// ifupdown is what a Debian machine with two network cards has; the first one is connected.
const ifupdown = `-- sbin -> usr/sbin --
-- usr/sbin/ifup --
-- usr/sbin/ifdown --
-- usr/sbin/ifquery -> ifup --
-- usr/sbin/ip --
-- etc/network/interfaces --
source /etc/network/interfaces.d/*
-- sys/class/net/lo/address --
00:00:00:00:00:00
-- sys/class/net/lo/type --
772
-- sys/class/net/ens3/address --
52:54:00:00:00:01
-- sys/class/net/ens3/carrier --
1
-- sys/class/net/ens3/operstate --
up
-- sys/class/net/ens3/device/device --
0x0001
-- sys/class/net/ens4/address --
52:54:00:00:00:02
-- sys/class/net/ens4/operstate --
down
-- sys/class/net/ens4/device/device --
0x0001
`

const eniFile = "/etc/network/interfaces.d/50-cloud-init"

// described is an instance whose cloud says what its network is to be.
func described(id, kind, document string) *instance.Instance {
	in := given(id, "")
	in.Network = &instance.Network{Kind: kind, Document: []byte(document)}
	return in
}

const dhcpOn4 = "version: 1\nconfig: [{type: physical, name: ens4, mac_address: '52:54:00:00:00:02', subnets: [{type: dhcp}]}]\n"

// stages runs some stages over a machine, each in a process of its own.
func stages(t *testing.T, m machine.Machine, o Options, list ...Stage) *Engine {
	t.Helper()
	var e *Engine
	for _, stage := range list {
		o.Version = "test"
		e = New(m, o)
		if _, err := e.Run(context.Background(), stage); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func networkVerdicts(e *Engine) (said []string) {
	for _, v := range e.Verdicts() {
		if v.Key == "network" {
			said = append(said, string(v.Verdict)+" "+v.Origin+": "+v.Reason)
		}
	}
	return said
}

// Row N10: where nobody says anything about the network, the connected interface gets DHCP.
func TestNetworkFallback(t *testing.T) {
	m := machine.Fake(debian+ifupdown, noon)
	e := stages(t, m, Options{Given: given("i", "")}, Local)
	if text := read(t, m, eniFile); !strings.HasSuffix(text, "\nauto ens3\niface ens3 inet dhcp\n\n# control-alias ens3\niface ens3 inet6 dhcp\n") {
		t.Errorf("the file is\n%s", text)
	}
	want := "applied fallback: eni: ifupdown is installed (netplan: there is no netplan); ens3 is connected"
	if got := networkVerdicts(e); !slices.Equal(got, []string{want}) {
		t.Errorf("verdicts are %q", got)
	}
}

// Row N13: whoever wants no network configuration has none, in whichever of the places it is said.
func TestNetworkDisabled(t *testing.T) {
	for by, c := range map[string]struct {
		files string
		in    *instance.Instance
	}{
		"cmdline":                              {"-- proc/cmdline --\nroot=/dev/vda1 network-config=disabled\n", described("i", "v1", dhcpOn4)},
		"cmdline as base64":                    {"-- proc/cmdline --\nnetwork-config=Y29uZmlnOiBkaXNhYmxlZAo=\n", described("i", "v1", dhcpOn4)},
		"system_cfg":                           {"-- etc/cloud/cloud.cfg.d/99-disable-network-config.cfg --\nnetwork: {config: disabled}\n", described("i", "v1", dhcpOn4)},
		"ds":                                   {"", described("i", "v1", "network: {config: disabled}\n")},
		"/var/lib/cloud/data/upgraded-network": {"-- var/lib/cloud/data/upgraded-network --\n", described("i", "v1", dhcpOn4)},
		"disable_fallback_netcfg":              {"-- etc/cloud/cloud.cfg.d/a.cfg --\ndisable_fallback_netcfg: true\n", given("i", "")},
	} {
		m := machine.Fake(debian+ifupdown+c.files, noon)
		e := stages(t, m, Options{Given: c.in}, Local, Network)
		for _, name := range []string{eniFile, "/etc/udev/rules.d/70-persistent-net.rules"} {
			if machine.Exists(m.Files, name) {
				t.Errorf("disabled by %s: %s is there", by, name)
			}
		}
		by, _, _ = strings.Cut(by, " ")
		if log := read(t, m, "/var/log/cloud-init.log"); !strings.Contains(log, "[INFO]: network config is disabled by "+by+"\n") {
			t.Errorf("disabled by %s: the log does not say so\n%s", by, log)
		}
		if got := networkVerdicts(e); got != nil {
			t.Errorf("disabled by %s: verdicts are %q", by, got)
		}
	}
}

// Row B13. The command line counts more than the image, and the image more than the cloud: a machine whose network the cloud describes
// wrongly is reached by what somebody writes there.
func TestNetworkSources(t *testing.T) {
	const cmdline = "-- proc/cmdline --\nnetwork-config=dmVyc2lvbjogMgpldGhlcm5ldHM6IHtmcm9tLWNtZGxpbmU6IHtkaGNwNDogdHJ1ZX19Cg==\n"
	const image = "-- etc/cloud/cloud.cfg.d/net.cfg --\nnetwork: {version: 2, ethernets: {from-image: {dhcp4: true}}}\n"
	const kernel = "-- proc/cmdline --\nip=from-kernel:dhcp\n"
	cloud := described("i", "v2", "version: 2\nethernets: {from-cloud: {dhcp4: true}}\n")
	for _, c := range []struct {
		files string
		in    *instance.Instance
		want  string
	}{
		{cmdline + image, cloud, "from-cmdline"}, {image, cloud, "from-image"}, {"", cloud, "from-cloud"}, {kernel, cloud, "from-cloud"},
		{kernel, given("i", ""), "from-kernel"}, {"-- proc/cmdline --\nip=dhcp\n", given("i", ""), "ens3"},
		{"", described("i", "v2", "{}"), "ens3"}, {"", described("i", "v2", "a: [\n"), "ens3"}, {"", described("i", "v9", "a: 1\n"), "ens3"},
	} {
		m := machine.Fake(debian+ifupdown+c.files, noon)
		stages(t, m, Options{Given: c.in}, Local)
		if text := read(t, m, eniFile); !strings.Contains(text, "iface "+c.want+" inet dhcp\n") {
			t.Errorf("should be %s, is\n%s", c.want, text)
		}
	}
}

// Row N14: a clone has another instance-id and another MAC. No trace of the old one may stay, or the machine would not be
// reached.
func TestNetworkOfAClone(t *testing.T) {
	m := machine.Fake(debian+ifupdown, noon)
	stages(t, m, Options{Given: described("one", "v1", dhcpOn4)}, Local, Network)
	stages(t, m, Options{Given: described("two", "v1", strings.ReplaceAll(strings.ReplaceAll(dhcpOn4, "00:02", "00:01"), "ens4", "ens3"))}, Local)
	for _, name := range []string{eniFile, "/etc/udev/rules.d/70-persistent-net.rules"} {
		if text := read(t, m, name); strings.Contains(text, "00:02") || strings.Contains(text, "ens4") {
			t.Errorf("%s still speaks of the old machine:\n%s", name, text)
		}
	}
}

// Row N14: the same instance with another network card is reachable all the same.
func TestNetworkOnOtherHardware(t *testing.T) {
	m := machine.Fake(debian+ifupdown, noon)
	stages(t, m, Options{Given: given("one", "")}, Local, Network)
	for _, name := range []string{"ens3", "ens4"} {
		m.Files.Remove("/sys/class/net/" + name + "/address")
	}
	m.Files.Put("/sys/class/net/ens3/address", machine.File(0o444, "52:54:00:00:00:77\n"))
	e := stages(t, m, Options{Given: given("one", "")}, Local)
	if text := read(t, m, "/etc/udev/rules.d/70-persistent-net.rules"); !strings.Contains(text, "00:77") || strings.Contains(text, "00:01") {
		t.Errorf("the rules are\n%s\n%q", text, networkVerdicts(e))
	}
}

// A known instance keeps its network, whatever the cloud says now; updates.network.when, or the habit of a cloud, has it
// follow each boot.
// Row N16.
func TestNetworkUpdates(t *testing.T) {
	for when, follows := range map[string]bool{"": false, "updates: {network: {when: [boot-new-instance]}}": false, "updates: {network: {when: [boot]}}": true} {
		m := machine.Fake(debian+ifupdown+"-- etc/cloud/cloud.cfg.d/a.cfg --\n"+when+"\n", noon)
		stages(t, m, Options{Given: described("i", "v1", dhcpOn4)}, Local, Network)
		machine.RemoveAll(m.Files, "/run/cloud-init") // the next boot
		stages(t, m, Options{Given: described("i", "v1", strings.ReplaceAll(dhcpOn4, "dhcp", "dhcp6"))}, Local)
		if text := read(t, m, eniFile); strings.Contains(text, "inet6 dhcp") != follows {
			t.Errorf("%q: the file is\n%s", when, text)
		}
	}
}

// Row N16: what clouds change while a machine is off comes with the next boot where they are known for that, and nowhere else:
// a person's network would be lost.
func TestNetworkUpdatesOfClouds(t *testing.T) {
	for cloud, follows := range map[string]bool{"GCE": true, "AliYun": true, "Azure": true, "Hetzner": true, "Scaleway": true, "SmartOS": true,
		"Ec2": false, "OpenStack": false, "NoCloud": false, "ConfigDrive": false, "VMware": false} {
		m := machine.Fake(debian+ifupdown, noon)
		in := described("i", "v1", dhcpOn4)
		in.Source = cloud
		stages(t, m, Options{Given: in}, Local, Network)
		machine.RemoveAll(m.Files, "/run/cloud-init") // the next boot
		in.Network.Document = []byte(strings.ReplaceAll(dhcpOn4, "dhcp", "dhcp6"))
		stages(t, m, Options{Given: in}, Local)
		if text := read(t, m, eniFile); strings.Contains(text, "inet6 dhcp") != follows {
			t.Errorf("%s: the file is\n%s", cloud, text)
		}
	}
}

// What a person changed stays, and is said; what only we wrote follows the cloud; a second boot writes nothing.
func TestNetworkFilesOfAPerson(t *testing.T) {
	const each = "-- etc/cloud/cloud.cfg.d/a.cfg --\nupdates: {network: {when: [boot, boot-legacy]}}\n"
	m := machine.Fake(debian+ifupdown+each, noon)
	stages(t, m, Options{Given: described("i", "v1", dhcpOn4)}, Local)
	before := m.Ledger.Len()
	stages(t, m, Options{Given: described("i", "v1", dhcpOn4)}, Local, Network)
	for _, entry := range m.Ledger.Entries()[before:] {
		if entry.Who == "network" {
			t.Errorf("the second time it changed: %s", entry)
		}
	}
	m.Files.Put(eniFile, machine.File(0o644, "# mine\n"))
	e := stages(t, m, Options{Given: described("i", "v1", strings.ReplaceAll(dhcpOn4, "ens4", "eth4"))}, Local)
	if text := read(t, m, eniFile); text != "# mine\n" {
		t.Errorf("what a person wrote is gone:\n%s", text)
	}
	if text := read(t, m, "/etc/udev/rules.d/70-persistent-net.rules"); !strings.Contains(text, `NAME="eth4"`) {
		t.Errorf("what is ours did not follow:\n%s", text)
	}
	said := "skipped " + eniFile + ": it was changed since it was written; remove it to have it written again"
	if got := networkVerdicts(e); !slices.Contains(got, said) {
		t.Errorf("verdicts are %q", got)
	}
}

// cloud-init left files: those that are as we would write them are ours from then on. One that is not stays.
func TestNetworkFilesOfCloudInit(t *testing.T) {
	first := machine.Fake(debian+ifupdown, noon)
	stages(t, first, Options{Given: described("i", "v1", dhcpOn4)}, Local)
	left := "-- var/lib/cloud/data/instance-id --\ni\n-- var/lib/cloud/instances/i/ --\n-- etc/cloud/cloud.cfg.d/a.cfg --\nupdates: {network: {when: [boot]}}\n-- etc/network/interfaces.d/50-cloud-init --\n" +
		read(t, first, eniFile) + "-- etc/udev/rules.d/70-persistent-net.rules --\n# by hand\n"
	m := machine.Fake(debian+ifupdown+left, noon)
	stages(t, m, Options{Given: described("i", "v1", dhcpOn4)}, Local)
	machine.RemoveAll(m.Files, "/run/cloud-init")
	stages(t, m, Options{Given: described("i", "v1", strings.ReplaceAll(dhcpOn4, "ens4", "eth4"))}, Local)
	if text := read(t, m, eniFile); !strings.Contains(text, "eth4") {
		t.Errorf("cloud-init's file did not become ours:\n%s", text)
	}
	if text := read(t, m, "/etc/udev/rules.d/70-persistent-net.rules"); text != "# by hand\n" {
		t.Errorf("a file of a person became\n%s", text)
	}
}

// Row N22: what is wrong in a description is said with its place, and the rest is written.
func TestNetworkWithMistakes(t *testing.T) {
	m := machine.Fake(debian+ifupdown, noon)
	e := stages(t, m, Options{Given: described("i", "v2", "version: 2\nethernets:\n  ens3:\n    dhcp4: true\n    addresses: [10.0.0.300/8]\n")}, Local)
	if text := read(t, m, eniFile); !strings.Contains(text, "iface ens3 inet dhcp\n") {
		t.Errorf("the file is\n%s", text)
	}
	i := slices.IndexFunc(e.Verdicts(), func(v module.Verdict) bool { return v.Verdict == module.Rejected })
	if i < 0 || e.Verdicts()[i].Key != "network.ethernets.ens3.addresses[0]" || e.Verdicts()[i].Origin != "network-config:5:17" {
		t.Errorf("verdicts are %+v", e.Verdicts())
	}
}

// Row N22: a key that nobody reads is a warning, and the rest is written; what netplan may know is netplan's to judge.
func TestNetworkAgainstItsSchema(t *testing.T) {
	const warning = "[WARNING]: network-config-%s failed schema validation! You may run 'sudo cloud-init schema --system' to check the details."
	for document, warns := range map[string]string{
		"version: 1\nconfig: [{type: physical, name: ens3, subnets: [{type: dhcp, gatway: 10.0.0.1}]}]\n": "v1",
		"version: 1\nconfig: [{type: physical, name: ens3, subnets: [{type: dhcp}]}]\n":                   "",
		"version: 2\nethernets: {ens3: {dhcp4: true, nameservers: {adresses: [10.0.0.2]}}}\n":             "v2",
		"version: 2\nethernets: {ens3: {dhcp4: true}}\n":                                                  "",
	} {
		for _, netplan := range []string{"", "-- usr/sbin/netplan --\n"} {
			m := machine.Fake(debian+ifupdown+netplan+"-- etc/cloud/cloud.cfg.d/a.cfg --\nsystem_info: {network: {renderers: [eni]}}\n", noon)
			stages(t, m, Options{Given: described("i", "v"+document[9:10], document)}, Local)
			want := warns != "" && (netplan == "" || warns == "v1")
			if got := strings.Contains(read(t, m, "/var/log/cloud-init.log"), fmt.Sprintf(warning, warns)); got != want {
				t.Errorf("netplan %q: warned: %v\n%s", netplan, got, document)
			}
			if text := read(t, m, eniFile); !strings.Contains(text, "iface ens3 inet dhcp\n") {
				t.Errorf("the file is\n%s", text)
			}
		}
	}
}

// Row S16: tools find the description that counts as JSON, below /run by way of the instance; nobody else may read it: it can have
// passwords of wireless networks.
func TestNetworkIsWrittenDown(t *testing.T) {
	for kind, c := range map[string]struct{ document, want string }{
		"v1": {dhcpOn4, `{"config": [{"mac_address": "52:54:00:00:00:02", "name": "ens4", "subnets": [{"type": "dhcp"}], "type": "physical"}], "version": 1}`},
		"v2": {"network: {version: 2, ethernets: {ens4: {dhcp4: true, match: {macaddress: '52:54:00:00:00:02'}}}}\n",
			`{"ethernets": {"ens4": {"dhcp4": true, "match": {"macaddress": "52:54:00:00:00:02"}}}, "version": 2}`},
	} {
		m := machine.Fake(debian+ifupdown, noon)
		stages(t, m, Options{Given: described("i", kind, c.document)}, Local)
		node, err := m.Files.Look("/var/lib/cloud/instances/i/network-config.json")
		if err != nil || node.Mode != 0o600 {
			t.Errorf("%s: %v %v", kind, node.Mode, err)
		}
		if link, err := m.Files.Look("/run/cloud-init/network-config.json"); err != nil || link.Data != "/var/lib/cloud/instances/i/network-config.json" {
			t.Errorf("%s: the link leads to %q, %v", kind, link.Data, err)
		}
		var got, want any
		if err := errors.Join(json.Unmarshal([]byte(read(t, m, "/var/lib/cloud/instances/i/network-config.json")), &got), json.Unmarshal([]byte(c.want), &want)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: it is %v", kind, got)
		}
	}
}

// A machine without any network manager says what each lacks, and goes on.
// Row N12.
func TestNetworkWithoutManager(t *testing.T) {
	m := machine.Fake(debian+"-- sys/class/net/ens3/address --\n52:54:00:00:00:01\n-- sys/class/net/ens3/carrier --\n1\n", noon)
	e := New(m, Options{Version: "test", Given: given("i", "")})
	failed, err := e.Boot(context.Background())
	got := networkVerdicts(e)
	if failed > 0 || err != nil || len(got) != 1 || !strings.Contains(got[0], "No available network renderers found") || !strings.Contains(got[0], "eni: there is no ifquery") {
		t.Errorf("verdicts are %q", got)
	}
}

// A machine that is told its renderers and activators takes the first that it has.
// Row N12.
func TestNetworkRenderersOfTheImage(t *testing.T) {
	const netplan = "-- usr/sbin/netplan --\n"
	for names, want := range map[string]string{"": "netplan", "[eni, netplan]": "eni", "[nothing, netplan]": "netplan"} {
		config := ""
		if names != "" {
			config = "-- etc/cloud/cloud.cfg.d/a.cfg --\nsystem_info: {network: {renderers: " + names + "}}\n"
		}
		m := machine.Fake(debian+ifupdown+netplan+config, noon)
		stages(t, m, Options{Given: given("i", "")}, Local)
		var record network.Record
		if err := json.Unmarshal([]byte(read(t, m, networkRecord())), &record); err != nil {
			t.Fatal(err)
		}
		if record.Renderer != want {
			t.Errorf("%s: the renderer is %s: %s", names, record.Renderer, record.Why)
		}
	}
}

// What a machine knows of its network can be asked at any time.
func TestNetworkOf(t *testing.T) {
	m := machine.Fake(debian+ifupdown, noon)
	stages(t, m, Options{Given: described("i", "v1", dhcpOn4)}, Local)
	before := m.Ledger.Len()
	n := NetworkOf(context.Background(), m)
	if n.From != "ds" || n.Kind != "v1" || n.Record.Renderer != "eni" || n.Record.Source != "ds" || !slices.Equal(n.Renderers, []string{"netplan", "eni", "networkd"}) {
		t.Errorf("it is %+v", n)
	}
	if m.Ledger.Len() != before {
		t.Errorf("asking changed %v", m.Ledger.Entries()[before:])
	}
}

// Row N17: on a slow machine a driver comes while udev works through its queue. It is waited for that long, and where udev has nothing
// to do any more, no longer: who pulled a card out should not wait for minutes.
func TestNetworkWaitsForUdev(t *testing.T) {
	const queue, begun, early = "-- run/udev/queue --\n", "-- run/udev/control --\n-- run/udev/data/n1 --\nI:1\n", "-- run/udev/control --\n"
	for name, c := range map[string]struct {
		udev               string
		idle, card, waited time.Duration
	}{
		"a slow machine":    {queue + begun, time.Hour, 65 * time.Second, 65 * time.Second},
		"before udev began": {early, time.Hour, 65 * time.Second, 65 * time.Second},
		"no such card":      {begun, 0, time.Hour, 10 * time.Second},
		"no udev":           {"", 0, time.Hour, 10 * time.Second},
		"udev is done":      {queue + begun, 25 * time.Second, time.Hour, 30 * time.Second},
		"udev hangs":        {queue + begun, time.Hour, time.Hour, 2 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := machine.Fake(debian+ifupdown+c.udev, noon)
			links := machine.NewFakeLinks(machine.LinkState{Links: []machine.NetLink{netLink("ens3", "52:54:00:00:00:01")}})
			links.Then = func(s *machine.LinkState, _ machine.LinkChange) {
				s.Links = append(s.Links, netLink("ens4", "52:54:00:00:00:02"))
			}
			m.Links = links
			time.AfterFunc(c.idle, func() { m.Quiet().Files.Remove("/run/udev/queue") })
			e := New(m, Options{Version: "test"})
			e.load()
			up := machine.LinkChange{Link: "ens3", Do: machine.LinkUp} // any change: the card comes with it
			start := time.Now()
			defer time.AfterFunc(c.card, func() { links.Apply(up) }).Stop()
			model := &network.Model{Links: []*network.Link{{Name: "ens4", MAC: "52:54:00:00:00:02", Kind: network.Physical, Renamed: true}}}
			e.awaitLinks(t.Context(), model)
			if waited := time.Since(start); waited != c.waited {
				t.Errorf("%s: it waited %v, not %v", name, waited, c.waited)
			}
		})
	}
}

// testLinks are links of a running machine; cards may come while somebody waits.
type testLinks struct {
	machine.Links
	state   machine.LinkState
	later   *machine.NetLink // comes while it is waited for
	arrive  func()           // called when it does
	changes []machine.LinkChange
}

func (l *testLinks) State() (machine.LinkState, error) { return l.state, nil }

func (l *testLinks) Wait(_ context.Context, until func(machine.LinkState) bool) (machine.LinkState, error) {
	if until(l.state) {
		return l.state, nil
	}
	if l.later != nil {
		l.state.Links = append(l.state.Links, *l.later)
		if l.arrive != nil {
			l.arrive()
		}
	}
	if until(l.state) {
		return l.state, nil
	}
	return l.state, context.DeadlineExceeded
}

func (l *testLinks) Apply(changes ...machine.LinkChange) (func() error, error) {
	l.changes = append(l.changes, changes...)
	return func() error { return nil }, nil
}

// OpenStack names cards by the hypervisor's ids where the guest has none of that address yet: one that comes only while it is
// waited for has to keep the name that the kernel gave it.
func TestLateCardKeepsItsName(t *testing.T) {
	const data = `{"links": [{"id": "tap1", "type": "phy", "ethernet_mac_address": "52:54:00:00:00:02"}],
"networks": [{"id": "n", "type": "ipv4_dhcp", "link": "tap1"}], "services": []}`
	tree, _, _ := strings.Cut(ifupdown, "-- sys/class/net/ens4/")
	m := machine.Fake(debian+tree, noon)
	late := netLink("ens9", "52:54:00:00:00:02")
	links := &testLinks{later: &late, state: machine.LinkState{Links: []machine.NetLink{netLink("ens3", "52:54:00:00:00:01")}}}
	links.arrive = func() {
		if err := machine.MakeFolders(m.Files, "/sys/class/net/ens9/device", machine.Folder(0o755)); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"address": "52:54:00:00:00:02\n", "operstate": "down\n", "device/device": "0x0001\n"} {
			if _, err := m.Files.Put("/sys/class/net/ens9/"+name, machine.File(0o444, text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	m.Links = links
	failed, err := New(m, Options{Version: "test", Given: described("i", "network_data", data)}).Boot(context.Background())
	if failed > 0 || err != nil {
		t.Fatalf("%d errors, %v", failed, err)
	}
	if len(links.changes) > 0 {
		t.Errorf("the late card is to be changed: %v", links.changes)
	}
	if text := read(t, m, eniFile); !strings.Contains(text, "iface ens9 inet dhcp") {
		t.Errorf("the network is for another card:\n%s", text)
	}
}

func netLink(name, mac string) machine.NetLink {
	return machine.NetLink{NIC: machine.NIC{Name: name, MAC: mac}, Settled: true}
}

// Row N17: a card that comes late is waited for; for one that never comes the stage says so and writes nothing, and the
// later stages run.
func TestNetworkWaitsForCards(t *testing.T) {
	late := netLink("eth7", "52:54:00:00:00:02")
	for _, c := range []struct {
		later *machine.NetLink
		errs  []string
	}{
		{&late, nil},
		{nil, []string{"Not all expected physical devices present: {'52:54:00:00:00:02'}"}},
	} {
		m := machine.Fake(debian+ifupdown, noon)
		links := &testLinks{later: c.later, state: machine.LinkState{Links: []machine.NetLink{netLink("ens3", "52:54:00:00:00:01")}}}
		m.Links = links
		e := New(m, Options{Version: "test", Given: described("i", "v1", dhcpOn4)})
		failed, err := e.Boot(context.Background())
		if err != nil || (failed > 0) != (c.errs != nil) {
			t.Errorf("%d errors, %v", failed, err)
		}
		if machine.Exists(m.Files, eniFile) != (c.errs == nil) {
			t.Errorf("with the card %v the file is there: %v", c.later, c.errs != nil)
		}
		if log := read(t, m, "/var/log/cloud-init.log"); c.errs != nil && !strings.Contains(log, c.errs[0]) {
			t.Errorf("the log does not say %q", c.errs[0])
		}
		if c.later != nil && (len(links.changes) == 0 || links.changes[0].String() != "eth7: rename to ens4") {
			t.Errorf("Row N11: the changes are %v", links.changes)
		}
		if !strings.Contains(read(t, m, "/var/lib/cloud/data/result.json"), `"v1"`) {
			t.Error("the later stages did not run")
		}
	}
}

// A network stage that finds the source itself brings the network up; a local stage never does.
func TestNetworkIsBroughtUp(t *testing.T) {
	m := machine.Fake(debian+ifupdown, noon)
	ran := &recorded{Commands: m.Commands}
	m.Commands = ran
	stages(t, m, Options{}, Local)
	if len(ran.argv) > 0 {
		t.Errorf("the local stage ran %q", ran.argv)
	}
	stages(t, m, Options{Given: described("j", "v1", dhcpOn4)}, Network)
	if !slices.Contains(ran.argv, "ifup ens4") {
		t.Errorf("the network stage ran %q", ran.argv)
	}
}

// A netplan that does not take its file is an error of the stage: the machine will have no network. The stages go on.
func TestNetworkThatItsManagerRefuses(t *testing.T) {
	m := machine.Fake(debian+ifupdown+"-- usr/sbin/netplan --\n", noon)
	m.Commands = &recorded{Commands: m.Commands, fails: "netplan generate"}
	e := New(m, Options{Version: "test", Given: given("i", "")})
	if failed, err := e.Boot(context.Background()); failed != 1 || err != nil {
		t.Errorf("%d errors, %v", failed, err)
	}
	if got := networkVerdicts(e); !slices.ContainsFunc(got, func(v string) bool { return strings.HasPrefix(v, "failed fallback: netplan: refused") }) {
		t.Errorf("verdicts are %q", got)
	}
}

// recorded are commands that are written down.
type recorded struct {
	machine.Commands
	argv  []string
	fails string // the command that does
}

func (r *recorded) Do(ctx context.Context, c machine.Change) error {
	r.argv = append(r.argv, strings.Join(c.Argv, " "))
	if r.fails == strings.Join(c.Argv, " ") {
		return errors.New("netplan: refused")
	}
	err := r.Commands.Do(ctx, c)
	if errors.Is(err, machine.ErrDeferred) {
		err = nil
	}
	return err
}
