package network

import (
	"net/netip"
	"strings"
	"testing"

	"openguest/internal/machine"
)

// links are interfaces out of "name mac", with "=address" behind those that are up and in use.
func links(words ...string) (s machine.LinkState) {
	for _, word := range words {
		word, address, used := strings.Cut(word, "=")
		name, mac, _ := strings.Cut(word, " ")
		l := machine.NetLink{NIC: machine.NIC{Name: name, MAC: mac}, Settled: true}
		if used {
			l.Up, l.Addresses = true, []machine.Address{{Prefix: netip.MustParsePrefix(address)}}
		}
		s.Links = append(s.Links, l)
	}
	return s
}

// TestRenames gives interfaces the names of their MACs. A wrong one, and the address of one network is on another.
// Row N11.
func TestRenames(t *testing.T) {
	for _, c := range []struct {
		name, document string
		state          machine.LinkState
		want           string // the changes
		problem        string
	}{
		{"all as it should be", `{name: a, mac_address: "1"}`, links("a 1"), "", ""},
		{"another name", `{name: a, mac_address: "1"}`, links("x 1", "y 2"), "x: rename to a", ""},
		{"two swap", `{name: a, mac_address: "1"}, {name: b, mac_address: "2"}`, links("a 2", "b 1"),
			"a: rename to cirename0, b: rename to a, cirename0: rename to b", ""},
		{"three go round", `{name: a, mac_address: "1"}, {name: b, mac_address: "2"}, {name: c, mac_address: "3"}`, links("a 3", "b 1", "c 2"),
			"a: rename to cirename0, b: rename to a, c: rename to b, cirename0: rename to c", ""},
		{"one has to make room", `{name: a, mac_address: "1"}`, links("a 2", "b 1", "cirename0 9"), "a: rename to cirename1, b: rename to a", ""},
		{"in use", `{name: a, mac_address: "1"}`, links("x 1=10.0.0.1/8"), "", "rename x to a: it is up and has an address; it keeps its name"},
		{"the name is in use", `{name: a, mac_address: "1"}`, links("x 1", "a 2=10.0.0.1/8"), "", "rename x to a: another interface has that name, is up and has an address"},
		{"an address that came by itself", `{name: a, mac_address: "1"}`, links("x 1=fe80::1/64"), "x: rename to a", ""},
		{"not there", `{name: a, mac_address: "1"}`, links("x 2"), "", "rename an interface to a: none has the MAC 1"},
		{"two with one MAC", `{name: a, mac_address: "1"}`, links("x 1", "y 1"), "", "rename an interface to a: several have the MAC 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, v := parse(t, "version: 1\nconfig: ["+strings.ReplaceAll(c.document, "{name", "{type: physical, name")+"]\n")
			m, _, err := Read("v1", v, Host{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			changes, problems := m.Renames(c.state)
			for _, change := range changes {
				got = append(got, change.String())
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("changes are %q, should be %q", got, c.want)
			}
			if (len(problems) > 0) != (c.problem != "") || len(problems) > 0 && problems[0].Message != c.problem {
				t.Errorf("problems are %v, should be %q", problems, c.problem)
			}
		})
	}
}

// TestWhoIsRenamed: of version 2 only what says set-name and a MAC; and of two with one MAC the driver decides.
// Rows N11, N17.
func TestWhoIsRenamed(t *testing.T) {
	_, v := parse(t, `
version: 2
ethernets:
  a: {match: {macaddress: "AA"}}
  b: {match: {macaddress: "BB"}, set-name: net0}
  c: {match: {name: c*}, set-name: net1}
  d: {match: {macaddress: "DD", driver: hv_netvsc}, set-name: net2}
`)
	m, _, err := Read("v2", v, Host{})
	if err != nil {
		t.Fatal(err)
	}
	state := links("eth0 bb", "eth1 dd", "eth2 dd")
	state.Links[1].Driver, state.Links[2].Driver = "mlx5_core", "hv_netvsc"
	if missing := m.Missing(state); len(missing) != 0 {
		t.Errorf("missing are %q", missing)
	}
	changes, problems := m.Renames(state)
	if len(changes) != 2 || changes[0].String() != "eth0: rename to net0" || changes[1].String() != "eth2: rename to net2" || len(problems) > 0 {
		t.Errorf("changes are %v, problems %v", changes, problems)
	}
	if missing := m.Missing(links("eth0 bb")); len(missing) != 1 || missing[0] != "dd" {
		t.Errorf("missing are %q", missing)
	}
}
