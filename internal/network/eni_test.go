package network

import (
	"strings"
	"testing"
	"time"

	"openguest/internal/machine"
)

// rendered is what a renderer makes of a document: each file with its path, in one text.
func rendered(t *testing.T, renderer, document string, target Target) (text string, problems []string) {
	t.Helper()
	kind, v := parse(t, document)
	m, _, err := Read(kind, v, target.Host)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Renderers() {
		if r.Name != renderer {
			continue
		}
		files, found := r.Render(m, target)
		for _, f := range files {
			mark := ""
			if f.Gone {
				mark = " gone"
			}
			text += "-- " + f.Path + mark + " --\n" + f.Text
		}
		for _, p := range found {
			problems = append(problems, p.Error())
		}
	}
	return text, problems
}

func fakeTarget(text, variant string) Target {
	m := machine.Fake(text, time.Unix(0, 0))
	return Target{Files: m.Files, Facts: m.Facts, Variant: variant}
}

// TestENIOnDebian writes what a Debian machine reads, as cloud-init does there; /etc/network/interfaces itself, which a
// person may have changed, stays. The file of old images that would bring up eth0 a second time goes.
// Row N04.
func TestENIOnDebian(t *testing.T) {
	target := fakeTarget("-- usr/sbin/ip --\n-- etc/network/interfaces.d/eth0.cfg --\n# The primary interface\nauto eth0\niface eth0 inet dhcp\n", "debian")
	got, problems := rendered(t, "eni", "version: 1\nconfig:\n- {type: physical, name: eth0, mac_address: 'AA:00:00:00:00:01', subnets: [{type: dhcp}]}\n", target)
	want := "-- /etc/network/interfaces.d/50-cloud-init --\n" + header("debian") + `auto lo
iface lo inet loopback

auto eth0
iface eth0 inet dhcp
-- /etc/udev/rules.d/70-persistent-net.rules --
SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="aa:00:00:00:00:01", NAME="eth0"
-- /etc/network/interfaces.d/eth0.cfg gone --
# The primary interface
auto eth0
iface eth0 inet dhcp
`
	if got != want || len(problems) > 0 {
		t.Errorf("got\n%s\nand %q\n%s", got, problems, machine.Diff(want, got))
	}
	for variant, path := range map[string]string{"ubuntu": "/etc/network/interfaces.d/50-cloud-init.cfg", "alpine": "/etc/network/interfaces"} {
		got, _ := rendered(t, "eni", "version: 1\nconfig: []\n", fakeTarget("", variant))
		if !strings.HasPrefix(got, "-- "+path+" --\n# This file is generated") {
			t.Errorf("on %s it is\n%s", variant, got)
		}
	}
}

// TestENISaysWhatItCannotWrite renders documents that cloud-init ends at with an exception.
func TestENISaysWhatItCannotWrite(t *testing.T) {
	target := fakeTarget("-- usr/sbin/ip --\n-- etc/network/interfaces.d/eth0.cfg --\nauto eth0\niface eth0 inet static\n", "debian")
	got, problems := rendered(t, "eni", `
version: 1
config:
- {type: physical, name: eth0, mtu: 1500, subnets: [{type: static, address: 10.0.0.2/24, mtu: 1400, routes: [{network: 10.9.0.0/16}]}]}
- {type: bridge, name: br0, bridge_interfaces: [eth7]}
- {type: route, destination: 10.8.0.0/16}
`, target)
	for _, line := range []string{"    post-up ip route add 10.9.0.0/16 dev eth0 || true\n", "iface eth7 inet manual\n", "    bridge-ports eth7\n", "    mtu 1400\n"} {
		if !strings.Contains(got, line) {
			t.Errorf("%q is missing in\n%s", line, got)
		}
	}
	want := []string{
		"ignoring eth0 device-level mtu:1500 because ipv4 subnet-level mtu:1400 provided.",
		"the route to 10.8.0.0/16 is left out: it belongs to no interface and has no gateway",
		"/etc/network/interfaces.d/eth0.cfg has more in it than old images put there, and stays; it may stand in the way of what was written",
	}
	if strings.Join(problems, "\n") != strings.Join(want, "\n") {
		t.Errorf("problems are %q", problems)
	}
}

// TestENIIsAvailable asks for ifupdown as cloud-init does: three programs and the file.
// Row N12.
func TestENIIsAvailable(t *testing.T) {
	programs := "-- sbin -> usr/sbin --\n-- usr/sbin/ifup --\n-- usr/sbin/ifdown --\n"
	for text, want := range map[string]string{
		"":                                    "there is no ifquery",
		programs + "-- usr/sbin/ifquery --\n": "there is no /etc/network/interfaces",
		programs + "-- usr/sbin/ifquery -> ifup --\n-- etc/network/interfaces --\n": "ifupdown is installed",
		programs + "-- etc/network/interfaces --\n":                                 "there is no ifquery",
	} {
		if ok, why := hasIfupdown(fakeTarget(text, "")); why != want || ok != (want == "ifupdown is installed") {
			t.Errorf("%v, because %q; should be %q", ok, why, want)
		}
	}
}
