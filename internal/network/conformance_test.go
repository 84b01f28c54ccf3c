package network

import (
	"bytes"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// A judge compares what a renderer wrote with what a case expects of it, as cloud-init's own test does.
type judge struct {
	name     string // as the result is counted
	renderer string
	machine  string // a Fake of the machine that is rendered for
	variant  string

	// expected is what the case of a folder expects: texts by path. None: the case is not for this renderer.
	expected func(t *testing.T, folder string) map[string]string
	// below is where files are compared; others may be there too.
	below string
	// same says that two texts mean the same. nil: byte for byte, but for white space around.
	same func(got, want string) bool

	floor int // how many cases pass, at least
	// known are the cases that do not pass, each with the reason.
	known map[string]string
}

func judges() []judge {
	const features = "-- usr/share/netplan/netplan/_features.py --\nNETPLAN_FEATURE_FLAGS = ['ipv6-mtu']\n"
	return []judge{
		{name: "eni with ip", renderer: "eni", machine: "-- usr/sbin/ip 755 --\n", expected: one("eni_ip_cmd.txt", "/etc/network/interfaces"),
			below: "/etc/network/", same: sameWithoutBlank, floor: 32, known: knownENI()},
		{name: "eni with route", renderer: "eni", expected: one("eni_route_cmd.txt", "/etc/network/interfaces"),
			below: "/etc/network/", same: sameWithoutBlank, floor: 32, known: knownENI()},
		{name: "netplan", renderer: "netplan", machine: features, expected: one("netplan.txt", "/etc/netplan/50-cloud-init.yaml"),
			below: "/etc/netplan/", same: sameYAML, floor: 21},
		{name: "networkd", renderer: "networkd", expected: networkdFiles, below: "/etc/systemd/network/", same: sameSections, floor: 13,
			known: knownNetworkd()},
		{name: "network-manager", renderer: "network-manager", expected: all("network_manager", "/etc/NetworkManager/system-connections/"),
			below: "/etc/NetworkManager/system-connections/", floor: 30, known: neverWritten("large_v2", "bond_v2")},
		{name: "sysconfig of RHEL", renderer: "sysconfig", variant: "rhel", expected: all("sysconfig_rhel", "/etc/sysconfig/network-scripts/"),
			below: "/etc/sysconfig/network-scripts/", same: sameShell, floor: 28, known: neverWritten("large_v2", "v1-dns")},
		{name: "sysconfig of SUSE", renderer: "sysconfig", variant: "suse", expected: all("sysconfig_opensuse", "/etc/sysconfig/network/"),
			below: "/etc/sysconfig/network/", same: sameShell, floor: 30, known: neverWritten("large_v2")},
	}
}

// neverWritten are cases that cloud-init's own tests mark as failing: what they expect is what it does not write.
func neverWritten(cases ...string) map[string]string {
	known := map[string]string{}
	for _, c := range cases {
		known[c+"/input.yaml"] = "cloud-init does not write this itself: its test is marked as failing"
	}
	return known
}

func knownENI() map[string]string {
	return neverWritten("large_v2", "small_v2", "bond_v2", "v1-dns", "dhcpv6_stateful")
}

// lostMAC is why networkd must not look for a part of a bond by its MAC: the kernel gives it that of the bond, and then another file fits
// it, or none. Row N18's virtual machine was cut off by that.
const lostMAC = "cloud-init has networkd find a part of a bond by the MAC that it loses to the bond"

func knownNetworkd() map[string]string {
	known := neverWritten("v1-dns")
	known["artifacts/openstack_net_config_v1.yaml"], known["artifacts/photon_net_config_v2.yaml"] = lostMAC, lostMAC
	return known
}

// TestConformance renders every case with every renderer that there is.
// Rows N01, N02, N04, N05, N06, N07, N08.
func TestConformance(t *testing.T) {
	all := samples(t)
	for _, j := range judges() {
		t.Run(j.name, func(t *testing.T) {
			i := slices.IndexFunc(Renderers(), func(r Manager) bool { return r.Name == j.renderer })
			if i < 0 {
				t.Skip("this renderer is not built")
			}
			passed, cases := 0, 0
			for _, s := range all {
				want := j.expected(t, filepath.Join(conformance, path.Dir(s.name)))
				maps.Copy(want, artifacts(t, s.name, j.below))
				if len(want) == 0 {
					continue
				}
				cases++
				if d := j.compare(t, Renderers()[i], s, want); d == "" {
					passed++
				} else if j.known[s.name] == "" {
					t.Errorf("%s: %s", s.name, d)
				} else if testing.Verbose() {
					t.Logf("%s is known not to pass: %s", s.name, j.known[s.name])
				}
			}
			t.Logf("%s: %d of %d", j.name, passed, cases)
			if passed < j.floor {
				t.Errorf("%d cases pass, and %d did before", passed, j.floor)
			}
		})
	}
}

// compare renders a case, and says what is not as expected.
func (j judge) compare(t *testing.T, r Manager, s sample, want map[string]string) string {
	kind, v := parse(t, s.text)
	host := Host{}
	if strings.HasPrefix(s.name, "v2-dev-name-via-mac-lookup/") {
		host.NICs = nics(map[string]string{"eth0": "cf:d6:af:48:e8:80"})
	}
	m, _, err := Read(kind, v, host)
	if err != nil {
		return err.Error()
	}
	fake := machine.Fake(j.machine, time.Unix(0, 0))
	files, _ := r.Render(m, Target{Files: fake.Files, Facts: fake.Facts, Host: host, Variant: j.variant})
	got := map[string]string{}
	for _, f := range files {
		if strings.HasPrefix(f.Path, j.below) && !f.Gone {
			got[f.Path] = f.Text
		}
	}
	return j.difference(got, want)
}

func (j judge) difference(got, want map[string]string) string {
	same := j.same
	if same == nil {
		same = func(got, want string) bool { return strings.TrimSpace(got) == strings.TrimSpace(want) }
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if text, ok := got[name]; !ok {
			return name + " is missing"
		} else if !same(text, want[name]) {
			return name + " differs\n" + machine.Diff(want[name], text)
		}
	}
	if j.renderer == "networkd" { // its cases name only some of the files
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok && !isMore(name) {
			return name + " is not expected\n" + got[name]
		}
	}
	return ""
}

// isMore says that cloud-init has nothing like a file: what is written there, it leaves out.
func isMore(name string) bool { return strings.HasPrefix(name, "/etc/sysconfig/network/ifroute-") }

// one expects the text of a file of the case at a path.
func one(file, at string) func(*testing.T, string) map[string]string {
	return func(t *testing.T, folder string) map[string]string {
		text, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			return map[string]string{}
		}
		return map[string]string{at: string(text)}
	}
}

// all expects the files of a folder of the case below a path.
func all(name, below string) func(*testing.T, string) map[string]string {
	return func(t *testing.T, folder string) map[string]string {
		want := map[string]string{}
		paths, _ := filepath.Glob(filepath.Join(folder, name, "*"))
		for _, p := range paths {
			text, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			want[below+filepath.Base(p)] = string(text)
		}
		return want
	}
}

// artifacts are the files below a path that the folder artifacts expects of one of its documents: those of NAME.yaml and
// NAME_v2.yaml are below NAME/etc.
func artifacts(t *testing.T, name, below string) map[string]string {
	want := map[string]string{}
	base, ok := strings.CutPrefix(strings.TrimSuffix(name, ".yaml"), "artifacts/")
	if !ok {
		return want
	}
	for _, base := range []string{base, strings.TrimSuffix(base, "_v2")} {
		maps.Copy(want, all(base+below, below)(t, filepath.Join(conformance, "artifacts")))
	}
	return want
}

// networkdFiles expects networkd.txt of the one interface, or networkd_NAME.txt of several.
func networkdFiles(t *testing.T, folder string) map[string]string {
	want := map[string]string{}
	paths, _ := filepath.Glob(filepath.Join(folder, "networkd*.txt"))
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(p), "networkd_"), ".txt")
		switch {
		case name != "networkd":
		case strings.HasSuffix(folder, "-dns"):
			name = map[string]string{"v1-dns": "interface0", "v2-dns": "eth0"}[filepath.Base(folder)]
		default:
			name = "iface0"
		}
		want["/etc/systemd/network/10-cloud-init-"+name+".network"] = string(text)
	}
	return want
}

// sameWithoutBlank ignores a blank line at the end.
func sameWithoutBlank(got, want string) bool {
	return strings.TrimRight(got, "\n") == strings.TrimRight(want, "\n")
}

// sameYAML says that two documents hold the same.
func sameYAML(got, want string) bool {
	a, _, err := conf.Parse("got", []byte(got))
	b, _, err2 := conf.Parse("want", []byte(want))
	return err == nil && err2 == nil && a.Equal(b)
}

// sameSections says that two files of networkd have the same lines in the same sections, in whatever order.
func sameSections(got, want string) bool {
	return maps.EqualFunc(sections(got), sections(want), slices.Equal[[]string])
}

func sections(text string) map[string][]string {
	lines := map[string][]string{}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "["):
			section = line
		case line != "" && !strings.HasPrefix(line, "#"):
			lines[section] = append(lines[section], line)
		}
	}
	for _, section := range lines {
		slices.Sort(section)
	}
	return lines
}

// sameShell says that two files give the same variables the same values, whatever the comments are.
func sameShell(got, want string) bool {
	return bytes.Equal(variables(got), variables(want))
}

func variables(text string) []byte {
	var kept []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			kept = append(kept, strings.NewReplacer(`"`, "", `'`, "").Replace(line))
		}
	}
	slices.Sort(kept) // some cases say a variable twice
	return []byte(strings.Join(slices.Compact(kept), "\n"))
}
