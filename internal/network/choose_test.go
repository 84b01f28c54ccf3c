package network

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"openguest/internal/machine"
)

// managers are what makes cloud-init take a network manager for installed.
func managers() map[string]string {
	return map[string]string{
		"eni":     "-- usr/sbin/ifup --\n-- usr/sbin/ifdown --\n-- usr/sbin/ifquery --\n-- etc/network/interfaces --\n",
		"netplan": "-- usr/sbin/netplan --\n",
	}
}

// TestChoice tries all machines with some of the managers and some lists: the first of the list that is there is taken, and
// the reason names those before it.
// Row N12.
func TestChoice(t *testing.T) {
	for _, c := range []struct {
		have, list []string
		want, why  string
	}{
		{nil, []string{"eni", "netplan"}, "", "none (eni: there is no ifquery; netplan: there is no netplan)"},
		{[]string{"eni"}, []string{"netplan", "eni"}, "eni", "eni: ifupdown is installed (netplan: there is no netplan)"},
		{[]string{"eni", "netplan"}, []string{"netplan", "eni"}, "netplan", "netplan: netplan is installed"},
		{[]string{"eni", "netplan"}, nil, "eni", "eni: ifupdown is installed"},
		{[]string{"eni"}, []string{"bogus", "eni"}, "eni", "eni: ifupdown is installed (bogus: nothing is called that)"},
	} {
		text := ""
		for _, name := range c.have {
			text += managers()[name]
		}
		t.Run(fmt.Sprint(c.have, c.list), func(t *testing.T) {
			m := machine.Fake(text, time.Unix(0, 0))
			target := Target{Files: m.Files, Facts: m.Facts}
			renderer, why := Choose(target, Renderers(), c.list)
			if (renderer == nil) != (c.want == "") || renderer != nil && renderer.Name != c.want || why != c.why {
				t.Errorf("chosen is %v, because %q", renderer, why)
			}
			activator, why := Choose(target, Activators(), c.list)
			if (activator == nil) != (c.want == "") || activator != nil && activator.Name != c.want || why != c.why {
				t.Errorf("the activator is %v, because %q", activator, why)
			}
		})
	}
}

// TestActivators lists what brings a network up. A command that is not one of these could cut the machine off.
// Row N12.
func TestActivators(t *testing.T) {
	m := &Model{Links: []*Link{{ID: "a", Name: "eth0"}, {ID: "b", Name: "eth1"}}}
	want := map[string]string{
		"eni":      "ifup eth0, ifup eth1",
		"netplan":  "netplan apply",
		"networkd": "systemctl restart --no-block systemd-networkd systemd-resolved.servic[e]",
		"wicked":   "wicked ifup eth0, wicked ifup eth1",
		"ifconfig": "ifconfig eth0 up, ifconfig eth1 up",
		"ip":       "ip link set dev eth0 up, ip link set dev eth1 up",
		"network-manager": "systemctl try-reload-or-restart --no-block NetworkManager.service, " +
			"nmcli connection load /etc/NetworkManager/system-connections/cloud-init-a.nmconnection, " +
			"nmcli connection up filename /etc/NetworkManager/system-connections/cloud-init-a.nmconnection, " +
			"nmcli connection load /etc/NetworkManager/system-connections/cloud-init-b.nmconnection, " +
			"nmcli connection up filename /etc/NetworkManager/system-connections/cloud-init-b.nmconnection",
	}
	for _, a := range Activators() {
		var got []string
		for _, c := range a.BringUp(m) {
			got = append(got, strings.Join(c.Argv, " "))
		}
		if strings.Join(got, ", ") != want[a.Name] {
			t.Errorf("%s runs %q", a.Name, got)
		}
	}
}

// TestWickedIsAsked: SUSE has ip and systemctl as well, but a networkd that is started there would know of no interface.
// Row N12.
func TestWickedIsAsked(t *testing.T) {
	const suse = "-- usr/sbin/ip --\n-- bin/systemctl --\n-- usr/sbin/wicked --\n"
	for files, want := range map[string]string{
		suse + "-- etc/sysconfig/network/config --\n": "wicked",
		suse:                  "networkd",
		"-- usr/sbin/ip --\n": "ip",
		"-- usr/sbin/ip --\n-- sbin/ifconfig --\n":                "ifconfig",
		"-- etc/sysconfig/network/config --\n-- sbin/ifconfig --": "ifconfig",
	} {
		if activator, why := Choose(fakeTarget(files, ""), Activators(), nil); activator == nil || activator.Name != want {
			t.Errorf("with %q it is not %s: %s", files, want, why)
		}
	}
}

// TestFallback: a netfailover's parts share their MAC, so that it is meant by its name; without a card there is no network.
// Row N10.
func TestFallback(t *testing.T) {
	for _, c := range []struct {
		nics []machine.NIC
		want string
	}{
		{nil, "no interface could have a network"},
		{[]machine.NIC{{Name: "lo", MAC: "00", Loopback: true}, {Name: "veth1", MAC: "01", Carrier: true}}, "no interface could have a network"},
		{[]machine.NIC{{Name: "eth1", MAC: "01", Carrier: true}, {Name: "eth0", MAC: "00", Operstate: "down"}}, "eth1 is connected {'match': {'macaddress': '01'}}"},
		{[]machine.NIC{{Name: "eth0", MAC: "00", Operstate: "down"}}, "eth0 may get a network {'match': {'macaddress': '00'}}"},
		{[]machine.NIC{{Name: "ens3", MAC: "00", Carrier: true, Driver: "virtio_net", Standby: true}}, "ens3 is connected {'match': {'name': 'ens3'}}"},
	} {
		document, why := Fallback(c.nics)
		got := why
		if document != nil {
			name, _, _ := strings.Cut(why, " ")
			match := document.At("ethernets", name, "match").Pairs[0]
			got += fmt.Sprintf(" {'match': {'%s': '%s'}}", match.Key.Text, match.Value.Text)
			if !document.At("ethernets", name, "dhcp6").Truth(false) || document.At("ethernets", name, "set-name").Text != name {
				t.Errorf("%s: the document is %v", why, document.Data())
			}
		}
		if got != c.want {
			t.Errorf("%q, should be %q", got, c.want)
		}
	}
}

// TestChoiceIsThePeers tries each set of files that a choice looks at, and several lists, in both programs.
// Row N12.
func TestChoiceIsThePeers(t *testing.T) {
	files := []string{"/usr/sbin/ifup", "/sbin/ifdown", "/usr/sbin/ifquery", "/etc/network/interfaces", "/usr/sbin/netplan", "/sbin/ip", "/bin/systemctl"}
	lists := []string{"[eni, netplan, networkd]", "[netplan, eni]", "[networkd, netplan]", "[netplan]", "[eni]"}
	var questions []question
	for set := range 1 << len(files) {
		sys := map[string]string{}
		for i, name := range files {
			if set&(1<<i) != 0 {
				sys[name] = ""
			}
		}
		questions = append(questions, question{Renderer: "choose", Sys: sys, Document: lists[set%len(lists)]})
	}
	for i, a := range askPeer(t, questions) {
		q := questions[i]
		if strings.HasPrefix(a.Error, "ModuleNotFoundError") {
			t.Skip("cloud-init needs the Python module configobj for this: ", a.Error)
		}
		if isUnbuilt := !slices.ContainsFunc(Renderers(), func(r Manager) bool { return r.Name == "networkd" }); isUnbuilt && strings.Contains(q.Document, "networkd") {
			continue
		}
		text := ""
		for name := range q.Sys {
			text += "-- " + name + " --\n"
		}
		got, why := "", ""
		renderer, why := Choose(fakeTarget(text, ""), Renderers(), strings.Split(strings.Trim(q.Document, "[]"), ", "))
		if renderer != nil {
			got = renderer.Name
		}
		if a.Error != "" || got != a.State["name"] {
			t.Errorf("with %v of %s it is %q (%s), and %q %s for cloud-init", slices.Sorted(maps.Keys(q.Sys)), q.Document, got, why, a.State["name"], a.Error)
		}
	}
}
