package network

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStateIsThePeers reads all documents and compares the model with cloud-init's network state, key by key. What it
// guards: every renderer starts here, so that a wrong address or a lost route would be on all machines.
// Rows N01, N02.
func TestStateIsThePeers(t *testing.T) {
	all := append(samples(t), ownSamples()...)
	var questions []question
	for _, s := range all {
		questions = append(questions, question{Document: s.text, Renderer: "state"})
	}
	for i, a := range askPeer(t, questions) {
		t.Run(all[i].name, func(t *testing.T) {
			if a.Error != "" {
				t.Fatalf("cloud-init: %s", a.Error)
			}
			kind, v := parse(t, all[i].text)
			m, problems, err := Read(kind, v, Host{})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range problems {
				t.Log(p)
			}
			if d := cmp.Diff(clean(a.State), clean(stateOf(m))); d != "" {
				t.Errorf("(- cloud-init, + ours)\n%s", d)
			}
		})
	}
}

// ownSamples are documents with what the conformance cases do not have.
func ownSamples() []sample {
	return []sample{
		{"netmasks", `
version: 1
config:
- {type: physical, name: eth0, subnets: [
    {type: static, address: 10.0.0.2, netmask: 255.255.252.0, broadcast: 10.0.3.255, metric: 5, scope: link, pointopoint: 10.0.0.9},
    {type: static, address: 10.0.1.2, netmask: 20},
    {type: static, address: 10.0.1.2, prefix: 17},
    {type: static, address: 10.0.1.2/0.0.0.255},
    {type: static, address: 10.0.1.2/255.255.0.0},
    {type: static, address: 10.0.1.2},
    {type: static, address: "2001:db8::2"},
    {type: static6, address: "2001:db8::2", netmask: "ffff:ffff:fe00::"},
    {type: static, address: "2001:db8::3", netmask: 48},
    {type: static, address: "2001:db8::3/060", dns_search: a.example b.example, dns_nameservers: 1.1.1.1 2.2.2.2},
    {type: manual, control: hotplug}, {type: ipv6_slaac}]}
- {type: route, destination: 10.9.0.0/16, gateway: 10.0.0.1, metric: 0}
- {type: route, destination: default, gateway: 10.0.0.1, metric: "7"}
- {type: route, destination: default, gateway: "fe80::1", table: 100}
`},
		{"bond before its parts", `
version: 1
config:
- {type: bond, name: bond0, bond_interfaces: [eth0, eth1], params: {bond-mode: 4, bond_miimon: 100, bond-lacp-rate: fast}}
- {type: physical, name: eth0, mac_address: "AA:BB:CC:00:00:01", mtu: 9000, wakeonlan: on, accept-ra: "yes"}
- {type: bridge, name: br0, bridge_interfaces: [bond0, eth7], params: {bridge_stp: 'on', bridge_waitport: [1 bond0]}}
- {type: vlan, name: bond0.5, vlan_link: bond0, vlan_id: 5, subnets: [{type: dhcp6}]}
- {type: nameserver, address: 9.9.9.9, interface: bond0}
- {type: nameserver, address: [8.8.8.8], search: one.example, interface: bond0.5}
- {type: infiniband, name: ib0, params: {a: 1}}
- {type: loopback, name: lo, subnets: [{type: loopback}]}
`},
		{"version 2", `
network:
  version: 2
  renderer: networkd
  ethernets:
    a:
      match: {macaddress: "AA:bb:cc:00:00:02", driver: virtio_net}
      set-name: net0
      dhcp4: true
      dhcp4-overrides: {route-metric: 200, use-dns: false}
      dhcp6: true
      mtu: 1400
      nameservers: {addresses: [1.1.1.1], search: [x.example]}
      routes: [{to: default, via: 10.1.1.1, metric: 3, mtu: 1300, table: 7}, {to: "2001:db8:9::/48", via: "fe80::1"}]
    b:
      addresses: [10.2.0.2/16, "2001:db8:2::2/64", 10.3.0.2/16]
      gateway4: 10.2.0.1
      gateway6: "2001:db8:2::1"
      nameservers: {addresses: [1.1.1.1, "2606:4700::1"], search: [y.example]}
      accept-ra: false
      optional: true
      wakeonlan: true
  bonds:
    bond0: {interfaces: [b], macaddress: "AA:bb:cc:00:00:03", mtu: 9000, parameters: {mode: 802.3ad, gratuitious-arp: 3, arp-ip-target: [10.0.0.1, 10.0.0.2]}}
  bridges:
    br0: {interfaces: [bond0], dhcp4: yes, parameters: {stp: true, priority: 4, forward-delay: 2}}
  vlans:
    v5: {id: 5, link: br0, addresses: [10.5.0.1/24]}
`},
	}
}

// stateOf is a model in the words of cloud-init's network state.
func stateOf(m *Model) map[string]any {
	interfaces := map[string]any{}
	for _, l := range m.Links {
		interfaces[l.ID] = linkState(m, l)
	}
	return map[string]any{
		"interfaces": interfaces, "routes": routesState(m.Routes), "use_ipv6": m.IPv6,
		"dns": map[string]any{"nameservers": m.DNS.Servers, "search": m.DNS.Search},
	}
}

func linkState(m *Model, l *Link) map[string]any {
	state := map[string]any{
		"name": l.Name, "type": string(l.Kind), "mac_address": l.MAC, "mtu": l.MTU, "inet": "inet", "mode": "manual",
		"accept-ra": pointed(l.AcceptRA), "wakeonlan": pointed(l.WakeOnLAN), "optional": pointed(l.Optional),
		"keep_configuration": l.KeepConfiguration, "bond-master": l.Master, "bridge_ports": l.Bridged,
		"vlan_id": l.VLANID, "vlan-raw-device": l.VLANParent, "driver": l.Driver, "device_id": l.DeviceID,
	}
	if m.Version == 2 && l.Kind == Physical {
		state["config_id"] = l.ID
	}
	if l.Kind == Bond && l.Master == "" {
		state["bond-slaves"] = "none"
	}
	for _, p := range l.Params {
		state[p.Name] = p.Value.Data()
	}
	if l.DNS != nil {
		state["dns"] = map[string]any{"nameservers": l.DNS.Servers, "search": l.DNS.Search}
	}
	subnets := []any{}
	for _, s := range l.Subnets {
		subnets = append(subnets, subnetState(s))
	}
	state["subnets"] = subnets
	return state
}

func pointed(b *bool) any {
	if b == nil {
		return nil
	}
	return *b
}

func subnetState(s Subnet) map[string]any {
	state := map[string]any{
		"type": s.Type, "control": s.Control, "address": s.Address, "netmask": s.Netmask, "broadcast": s.Broadcast,
		"gateway": s.Gateway, "dns_nameservers": s.DNS.Servers, "dns_search": s.DNS.Search, "metric": s.Metric, "mtu": s.MTU,
		"scope": s.Scope, "pointopoint": s.PeerPoint, "routes": routesState(s.Routes),
	}
	if s.Address != "" {
		state["prefix"] = strconv.Itoa(s.Prefix)
	}
	return state
}

func routesState(routes []Route) []any {
	states := []any{}
	for _, r := range routes {
		state := map[string]any{
			"network": r.Network, "prefix": strconv.Itoa(r.Prefix), "netmask": r.Netmask, "gateway": r.Gateway, "mtu": r.MTU, "table": r.Table,
		}
		if r.Metric != nil {
			state["metric"] = strconv.Itoa(*r.Metric)
		}
		states = append(states, state)
	}
	return states
}

// clean makes what both say comparable: numbers as texts, without what says nothing, and without what cloud-init hands on
// and no renderer reads.
func clean(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return err
	}
	return pruned("", plain)
}

func pruned(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		return prunedMap(key, v)
	case []any:
		kept := make([]any, len(v))
		for i, item := range v {
			kept[i] = pruned(key, item)
		}
		if len(v) > 0 {
			return kept
		}
	case bool:
		return v
	case float64:
		if v != 0 || key == "prefix" || key == "metric" || strings.HasPrefix(key, "bridge") {
			return fmt.Sprint(v)
		}
	case string:
		if v != "" {
			return v
		}
	}
	return nil
}

func prunedMap(key string, v map[string]any) any {
	if key == "bridge_pathcost" || key == "bridge_portprio" { // of version 2; ours is the same for both
		var list []any
		for _, port := range slices.Sorted(maps.Keys(v)) {
			list = append(list, fmt.Sprint(port, " ", v[port]))
		}
		return list
	}
	kept := map[string]any{}
	for key, item := range v {
		unread := key == "config" || key == "id" || key == "ipv4" || key == "ipv6" || key == "_orig_eni_name" || item == "route" ||
			key == "netmask" && (!IsIPv4(fmt.Sprint(item)) || v["address"] == nil && v["network"] == nil)
		if item = pruned(key, item); item != nil && !unread {
			kept[strings.TrimPrefix(key, "ip_")] = item
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}
