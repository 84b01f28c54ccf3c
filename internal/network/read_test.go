package network

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"openguest/internal/conf"
)

// TestWhatIsWrongCostsItsOwnPart reads documents with mistakes. What it guards: cloud-init ends with an exception at most of
// them, and the machine is without a network; here all else still comes up, and the person is told where to look.
// Row N22.
func TestWhatIsWrongCostsItsOwnPart(t *testing.T) {
	for _, c := range []struct {
		name, config string
		problems     []string
		left         string // what remains: link and addresses
	}{
		{"no address", `[{type: physical, name: e, subnets: [{type: static}, {type: dhcp}]}]`,
			[]string{"config[0].subnets[0].address: is missing: there must be an address"}, "e:dhcp"},
		{"no such type of subnet", `[{type: physical, name: e, subnets: [{type: dchp}, {type: dhcp6}, {}]}]`,
			[]string{
				"config[0].subnets[0].type: there is no such type of subnet (did you mean dhcp?)",
				"config[0].subnets[2].type: is missing: there must be a type of subnet",
			}, "e:dhcp6"},
		{"no such type", `[{type: physicel, name: e}, {type: physical, name: f}, {}]`,
			[]string{"config[0].type: there is no such type (did you mean physical?)", "config[2].type: is missing: there must be a type"}, "f:"},
		{"a prefix too long", `[{type: physical, name: e, subnets: [{type: static, address: 10.0.0.1/33}, {type: static, address: 10.0.0.1/8}]}]`,
			[]string{"config[0].subnets[0].address: is an address with something behind its slash that is no prefix or netmask"}, "e:10.0.0.1/8"},
		{"a netmask with a hole", `[{type: physical, name: e, subnets: [{type: static, address: 10.0.0.1, netmask: 255.0.255.0}]}]`,
			[]string{"config[0].subnets[0].netmask: is no netmask"}, "e:"},
		{"a gateway that is none", `[{type: physical, name: e, subnets: [{type: static, address: 10.0.0.1/8, gateway: gw.example}]}]`,
			[]string{"config[0].subnets[0].gateway: is no address of IPv4 or IPv6"}, "e:10.0.0.1/8"},
		{"a route to nowhere", `[{type: route, destination: x}, {type: route, destination: 10.0.0.0/8, metric: much}, {type: physical, name: e}]`,
			[]string{"config[0].destination: is no address of IPv4 or IPv6", "config[1].metric: should be a whole number; the route is left out"}, "e:"},
		{"a name that is a path", `[{type: physical, name: ../../etc/passwd}, {type: physical, name: e}, {type: physical}]`,
			[]string{"config[0].name: is no name for an interface: it has a slash or white space in it", "config[2].name: is missing: an interface needs a name"}, "e:"},
		{"a line break in a text", `[{type: physical, name: e, params: {bond-mode: "1\n    up rm -r /"}, mac_address: "a\nb"}]`,
			[]string{"config[0].mac_address: has a line break or another control character in it", "config[0].params.bond-mode: has a line break or another control character in it"}, "e:"},
		{"a bond without settings", `[{type: bond, name: b, bond_interfaces: [e]}, {type: physical, name: e}]`,
			[]string{"config[0].params: is missing; what needs it is left out"}, "e:"},
		{"name servers of nobody", `[{type: nameserver, address: 1.1.1.1, interface: x}, {type: physical, name: e}]`,
			[]string{"config[0].interface: names an interface that the document does not have; these name servers are left out"}, "e:"},
		{"a MAC without quotes", `[{type: physical, name: e, mac_address: 52:54:00:12:34:00}]`, nil, "e[52:54:00:12:34:00]:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			compareRead(t, "v1", "version: 1\nconfig: "+c.config, c.problems, c.left)
		})
	}
}

// TestWhatIsWrongInVersion2 is the same for version 2.
// Row N22.
func TestWhatIsWrongInVersion2(t *testing.T) {
	for _, c := range []struct {
		name, config string
		problems     []string
		left         string
	}{
		{"a section that there is not", `{ethernet: {e: {dhcp4: true}}, ethernets: {f: {dhcp4: true}}}`,
			[]string{"ethernet: there is no such kind of interface (did you mean ethernets?)"}, "f:dhcp4"},
		{"a parameter that there is not", `{bonds: {b: {interfaces: [e], parameters: {moda: 1, mode: 2}}}}`,
			[]string{"bonds.b.parameters.moda: there is no such parameter (did you mean mode?)"}, "b: e:"},
		{"routes without an address", `{ethernets: {e: {routes: [{to: default, via: 10.0.0.1}]}}}`,
			[]string{"ethernets.e.routes: are left out: the interface has no address and no DHCP"}, "e:"},
		{"a default route without a gateway", `{ethernets: {e: {dhcp4: true, routes: [{to: default}]}}}`,
			[]string{"ethernets.e.routes[0].to: is default, and there is no gateway that would say whether of IPv4 or IPv6"}, "e:dhcp4"},
		{"an address with options", `{ethernets: {e: {addresses: [{10.0.0.1/8: {lifetime: 0}}, x, 10.0.0.2/8]}}}`,
			[]string{"ethernets.e.addresses[0]: the options of this address are for machines with netplan only", "ethernets.e.addresses[1]: is no address of IPv4 or IPv6"},
			"e:10.0.0.1/8,10.0.0.2/8"},
		{"nothing said of an interface", `{ethernets: {e: , f: {match: }, g: []}}`,
			[]string{"ethernets.g: should be a mapping, but is a list"}, "e: f:"},
		{"bridges and bonds of nothing", `{bridges: {b: {dhcp4: true}}, bonds: {c: {}}}`, nil, "b:dhcp4 c:"},
		{"search domains alone", `{ethernets: {e: {dhcp4: true, nameservers: {search: [x.example]}}}}`, nil, "e:dhcp4"},
		{"wifis", `{wifis: {w: {nameservers: {addresses: [1.1.1.1]}}}}`, []string{"wifis: wifis are for machines with netplan only"}, ""},
		{"a list", `[]`, []string{"should be a mapping"}, "nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			compareRead(t, "v2", c.config, c.problems, c.left)
		})
	}
}

func compareRead(t *testing.T, kind, document string, want []string, left string) {
	t.Helper()
	v, _, err := conf.Parse("net", []byte(document))
	if err != nil {
		t.Fatal(err)
	}
	m, problems, err := Read(kind, v, Host{})
	if (err != nil) != (left == "nothing") {
		t.Fatalf("error is %v", err)
	}
	var got []string
	for _, p := range problems {
		_, text, _ := strings.Cut(p.Error(), ": ")
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("problems are\n%s\nshould be\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if m != nil && outlined(m) != left {
		t.Errorf("what is left is %q, should be %q", outlined(m), left)
	}
}

// outlined is each link with its subnets: "eth0:dhcp,10.0.0.1/8".
func outlined(m *Model) string {
	var links []string
	for _, l := range m.Links {
		var subnets []string
		for _, s := range l.Subnets {
			text := s.Type
			if s.Address != "" {
				text = fmt.Sprintf("%s/%d", s.Address, s.Prefix)
			}
			subnets = append(subnets, text)
		}
		name := l.ID
		if l.MAC != "" {
			name += "[" + l.MAC + "]"
		}
		links = append(links, name+":"+strings.Join(subnets, ","))
	}
	return strings.Join(links, " ")
}

// TestDeviceNames looks up what an interface of version 2 is to be called: set-name, then the machine's interface with its
// MAC, then its key. A wrong one and ifupdown would bring up an interface that is not there.
// Row N02.
func TestDeviceNames(t *testing.T) {
	host := Host{NICs: nics(map[string]string{"ens3": "aa:00:00:00:00:01"})}
	_, v := parse(t, `
version: 2
ethernets:
  a: {match: {macaddress: "AA:00:00:00:00:01"}, dhcp4: true}
  b: {match: {macaddress: "aa:00:00:00:00:01"}, set-name: eth9}
  c: {match: {macaddress: "aa:00:00:00:00:02"}}
`)
	m, _, err := Read("v2", v, host)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"a": "ens3", "b": "eth9", "c": "c"} {
		if got := m.Link(id).Name; got != want {
			t.Errorf("the name of %s is %s, should be %s", id, got, want)
		}
	}
}

// FuzzRead reads any document of either version: no panic, and no more than a second for a short one.
func FuzzRead(f *testing.F) {
	for _, s := range ownSamples() {
		f.Add(s.text)
	}
	f.Add("version: 1\nconfig: [&a {type: bond, name: b, bond_interfaces: [x, y], params: {q: [1, 2]}}, *a]\n")
	f.Add("version: 2\nethernets: {e: {addresses: [1.2.3.4/0.0.0.255, {}], routes: [{to: 0.0.0.0/0, via: ::1}]}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		v, _, err := conf.Parse("net", []byte(text))
		if err != nil {
			return
		}
		for _, kind := range []string{"v1", "v2"} {
			m, problems, err := Read(kind, v, Host{})
			if err == nil && m == nil || len(problems) > maxProblems {
				t.Fatalf("%v and %d problems", m, len(problems))
			}
		}
	})
}

// TestAShortDocumentIsNoHugeNetwork reads a document whose aliases stand for 250000 routes. It must not cost their memory.
func TestAShortDocumentIsNoHugeNetwork(t *testing.T) {
	text := "version: 1\nconfig:\n- {type: physical, name: e0, subnets: [{type: dhcp, routes: &r [" +
		strings.Repeat("{network: 10.0.0.0/8},", 500) + "]}," + strings.Repeat("{type: dhcp, routes: *r},", 500) + "]}\n"
	v, _, err := conf.Parse("net", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	m, problems, err := Read("v1", v, Host{})
	if err != nil || len(problems) == 0 || len(m.Links[0].Subnets) != 501 {
		t.Fatalf("%v and %d problems, %d subnets", err, len(problems), len(m.Links[0].Subnets))
	}
}
