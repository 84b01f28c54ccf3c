package network

import (
	"slices"
	"strings"
	"testing"

	"openguest/internal/conf"
)

// checked are documents of both versions, right and wrong in each way that the schemas know.
func checked() []string {
	const physical, bond, subnet = "version: 1\nconfig: [{type: physical, name: eth0", "version: 1\nconfig: [{type: bond, name: b, bond_interfaces: [eth0]", "version: 1\nconfig: [{type: physical, name: e, subnets: [{"
	const ethernet = "version: 2\nethernets: {e: {"
	return []string{
		physical + "}]", "network:\n  " + strings.ReplaceAll(physical, "\n", "\n  ") + "}]\n", physical + ", mtu: 1500, mac_address: '52:54:00:12:34:56', accept-ra: false}]",
		physical + ", mtu: null}]", physical + ", mtu: '1500'}]", physical + ", mtu: 15.5}]", physical + ", wakeonlan: true}]", physical + ", colour: red}]", physical + ", accept-ra: 1}]",
		"version: 1\nconfig: [{type: physical, name: a-name-too-long1}]", "version: 1\nconfig: [{type: physical, name: a-name-of-15-xx}]", "version: 1\nconfig: [{type: physical}]",
		"version: 1\nconfig: [{type: loopback, name: lo}]", "version: 1\nconfig: [{name: e}]", "version: 1\nconfig: {}", "version: 1\nconfig: []", "version: 1", "version: 1\nconfig: [7]", "version: 1\nconfig: disabled",
		"config: disabled", "network: {config: disabled}", "{}", "network: {}", "[]", "7", "version: 3\nethernets: {}", "version: '1'\nconfig: []", "version: 1\nconfig: []\nmore: 1", "network: {version: 1, config: []}\nmore: 1",
		bond + "}]", bond + ", params: {bond-mode: active-backup, bond-miimon: 100}}]", bond + ", params: {bond-mode: 1}}]", bond + ", params: {bond-num_grat_arp: 256}}]", bond + ", params: {bond-num_grat_arp: 255}}]",
		bond + ", params: {bond_miimon: 100}}]", bond + ", params: {bond-primary_reselect: never}}]", bond + ", params: {bond-arp_validate: true}}]",
		"version: 1\nconfig: [{type: bond, name: b, bond_interfaces: eth0}]", "version: 1\nconfig: [{type: bond, name: b, bond_interfaces: [1]}]",
		"version: 1\nconfig: [{type: bridge, name: b, bridge_interfaces: [eth0]}]", "version: 1\nconfig: [{type: bridge, name: b, bridge_interfaces: [eth0], params: {bridge_stp: 'off', bridge_pathcost: [eth0 50]}}]",
		"version: 1\nconfig: [{type: bridge, name: b, bridge_interfaces: [eth0], params: {bridge_stp: off}}]",
		"version: 1\nconfig: [{type: vlan, name: v, vlan_link: eth0, vlan_id: 7}]", "version: 1\nconfig: [{type: vlan, name: v, vlan_link: eth0, vlan_id: '7'}]", "version: 1\nconfig: [{type: vlan, name: v, vlan_id: 7}]",
		"version: 1\nconfig: [{type: nameserver, address: 1.1.1.1}]", "version: 1\nconfig: [{type: nameserver, address: [1.1.1.1], search: [a.example], interface: eth0}]", "version: 1\nconfig: [{type: nameserver, address: [1.1.1.1], search: a}]", "version: 1\nconfig: [{type: nameserver, address: 7}]",
		"version: 1\nconfig: [{type: route, destination: 10.0.0.0/8, gateway: 10.0.0.1, metric: 3}]", "version: 1\nconfig: [{type: route, network: 10.0.0.0, netmask: 255.0.0.0, gateway: 10.0.0.1}]",
		"version: 1\nconfig: [{type: route, network: 10.0.0.0, destination: 10.0.0.0/8, gateway: 10.0.0.1}]", "version: 1\nconfig: [{type: route, gateway: 10.0.0.1}]", "version: 1\nconfig: [{type: route, destination: 10.0.0.0/8}]",
		subnet + "type: dhcp}]}]", subnet + "type: dhcp5}]}]", subnet + "type: static, address: 10.0.0.1/8, control: auto, ipv4: true}]}]", subnet + "type: static, address: 10.0.0.1/8, control: never}]}]",
		subnet + "type: static, dns_nameservers: 1.1.1.1}]}]", subnet + "type: static, dns_nameservers: [1.1.1.1], routes: [{destination: 10.0.0.0/8, gateway: 10.0.0.1}]}]}]", subnet + "routes: [{destination: 10.0.0.0/8}]}]}]", subnet + "mtu: 1400}]}]", subnet + "}]}]",
		"version: 2", "version: 2\nethernets: {}", "version: 2\nethernets: []", "version: 2\nethernets: {e: }", "version: 2\nwifis: {}", "version: 2\nrenderer: networkd", "version: 2\nrenderer: eni", "ethernets: {}",
		ethernet + "}}", ethernet + "dhcp4: true}}", ethernet + "dhcp4: 'yes'}}", ethernet + "dhcp4: 'on'}}", ethernet + "dhcp4: 1}}", ethernet + "anything: 1}}", ethernet + "match: {macaddress: x, driver: y}, set-name: z, wakeonlan: true}}",
		ethernet + "match: {mac: x}}}", ethernet + "match: {driver: [x]}}}", ethernet + "mtu: '1500'}}", ethernet + "addresses: 10.0.0.1/8}}", ethernet + "addresses: [10.0.0.1/8]}}", ethernet + "addresses: [{10.0.0.1/8: {lifetime: 0}}]}}",
		ethernet + "nameservers: {addresses: [1.1.1.1], search: [a]}}}", ethernet + "nameservers: {servers: [1.1.1.1]}}}", ethernet + "routes: [{to: default, via: 10.0.0.1, metric: 3}]}}", ethernet + "routes: [{via: 10.0.0.1}]}}", ethernet + "routes: [{to: default, table: 3}]}}",
		ethernet + "dhcp4-overrides: {route-metric: 3, use-dns: false}}}", ethernet + "dhcp4-overrides: {use-domains: true}}}", ethernet + "gateway4: 7}}", ethernet + "optional: 'true'}}",
		"version: 2\nbonds: {b: {interfaces: [e], parameters: {mode: 802.3ad, lacp-rate: fast, mii-monitor-interval: 100}}}", "version: 2\nbonds: {b: {interfaces: [e], parameters: {mode: 802.3ad, mii-monitor-interval: '100', other: 1}}}", "version: 2\nbonds: {b: {parameters: {mode: 4}}}",
		"version: 2\nbridges: {b: {interfaces: [e], parameters: {stp: true, priority: 7}}}", "version: 2\nbridges: {b: {parameters: {stp: 'true'}}}", "version: 2\nbridges: {b: {parameters: {path-cost: {e: 7}}}}",
		"version: 2\nvlans: {v: {id: 7, link: e}}", "version: 2\nvlans: {v: {id: '7', link: e}}", "version: 2\nvlans: {v: 7}",
	}
}

// Row C08: who checks a description before a machine boots with it is told the same as by cloud-init's schemas: all documents of the
// conformance cases, and one for each way to be wrong.
func TestCheckIsThePeers(t *testing.T) {
	documents := checked()
	for _, s := range append(samples(t), ownSamples()...) {
		documents = append(documents, s.text)
	}
	var questions []question
	for _, d := range documents {
		questions = append(questions, question{Document: d, Renderer: "schema"})
	}
	lost := []string{ // cloud-init's own validator lets these pass, which its schema does not
		"version: 1\nconfig: [{type: route, gateway: 10.0.0.1}]", "version: 1\nconfig: [{type: route, destination: 10.0.0.0/8}]",
	}
	invalid := 0
	for i, a := range askPeer(t, questions) {
		if a.Error != "" {
			if strings.HasPrefix(a.Error, "ModuleNotFoundError") {
				t.Skip("cloud-init needs Python modules for this: ", a.Error)
			}
			continue // it ends with an exception
		}
		v, _, err := conf.Parse("net", []byte(documents[i]))
		if err != nil {
			t.Fatal(err)
		}
		problems := []conf.Problem{{Message: "no mapping", Level: conf.Rejected}}
		if v.Kind == conf.Map {
			problems = Check(v)
		}
		isEmpty := v.Kind == conf.Map && len(unwrapped(v).Pairs) == 0 // said before it is checked
		valid := isEmpty || !slices.ContainsFunc(problems, func(p conf.Problem) bool { return p.Level == conf.Rejected })
		if valid != a.State["valid"] && (valid || !slices.Contains(lost, documents[i])) {
			t.Errorf("it is valid: %v, for cloud-init %v %v\n%s\n%v", valid, a.State["valid"], a.State["why"], documents[i], problems)
		}
		if !valid {
			invalid++
		}
	}
	t.Logf("%d documents, %d of them not valid", len(documents), invalid)
}

// FuzzCheck checks any document: no panic, and not more problems than anybody reads.
func FuzzCheck(f *testing.F) {
	for _, d := range checked() {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if v, _, err := conf.Parse("net", []byte(text)); err == nil && len(Check(v)) > maxProblems {
			t.Fatal("too many problems")
		}
	})
}
