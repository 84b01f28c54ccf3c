package vm

import (
	"strings"
	"testing"

	"openguest/internal/vm"
)

// layered is a network with everything in it that this project's build hosts have no kernel for.
const layered = `version: 2
ethernets:
  net0: {match: {macaddress: "52:54:00:12:34:56"}, set-name: net0, dhcp4: true}
  part1: {match: {macaddress: "52:54:00:12:34:57"}, set-name: part1}
  part2: {match: {macaddress: "52:54:00:12:34:58"}, set-name: part2}
  late: {match: {macaddress: "52:54:00:12:34:77"}, addresses: [10.9.9.2/24]}
bonds:
  bond0:
    interfaces: [part1, part2]
    mtu: 1400
    macaddress: "52:54:00:12:34:99"
    parameters: {mode: active-backup, mii-monitor-interval: '120', primary: part2, fail-over-mac-policy: none}
    addresses: [10.9.0.2/24]
vlans:
  bond0.7: {id: 7, link: bond0, addresses: [10.9.7.2/24, "2001:db8:7::2/64"], routes: [{to: 10.77.0.0/16, via: 10.9.7.9, metric: 70}]}
  bond0.8: {id: 8, link: bond0}
bridges:
  br0: {interfaces: [bond0.8], addresses: [10.9.8.2/24], parameters: {stp: false, forward-delay: 4, path-cost: {bond0.8: 55}}}
`

// Rows N18 and N11: the kernel has what the description says: names by MAC, a bond, VLANs on it, and a bridge over one of them, at the
// first boot and at the next one. A machine that gets only a part of it is in no network that its owner planned.
func TestLayeredNetwork(t *testing.T) {
	thorough(t)
	t.Parallel()
	key := newKey(t)
	data := userData(key) + "updates: {network: {when: [boot-new-instance, hotplug]}}\n"
	c := machine(t, "bookworm", "nocloud", data)
	c.NICs = 3
	c.Media = []vm.Medium{vm.Seed{UserData: []byte(data), NetworkConfig: []byte(layered)}.NoCloud()}
	c.QEMU = append(c.QEMU, "-netdev", "hubport,id=late,hubid=9")
	m := start(t, c)
	came(t, m)
	layers(t, m)
	if err := m.PowerOff(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := m.Boot(); err != nil {
		t.Fatal(err)
	}
	came(t, m)
	layers(t, m)
	plugged(t, m)
}

// came waits for the end of a boot, and shows the log of one that did not end well.
func came(t *testing.T, m *vm.Machine) {
	t.Helper()
	if state, err := m.WaitBoot(within(t)); err != nil || state != "running" {
		t.Fatalf("the system is %s: %v\n%s", state, err, ask(t, m, "systemctl --failed --plain --no-legend; openguest status --long; "+
			"grep -E 'net|WARN|ERR' /var/log/cloud-init.log; journalctl -b -u systemd-networkd --no-pager | tail -n 30"))
	}
}

// plugged adds a card. Row N16: udev, the socket and our command give it its network, and the others keep theirs.
func plugged(t *testing.T, m *vm.Machine) {
	t.Helper()
	card := map[string]string{"driver": "virtio-net-pci", "netdev": "late", "mac": "52:54:00:12:34:77", "bus": "hot0", "id": "late"}
	if _, err := m.QMP(within(t), "device_add", card); err != nil {
		t.Fatal(err)
	}
	out := ask(t, m, "for i in $(seq 120); do grep -q 'finish: hotplug-hook' /var/log/cloud-init.log && ip address | grep -q 10.9.9.2/24 && break; sleep 1; done; "+
		"grep hotplug /var/log/cloud-init.log; ip address")
	for _, want := range []string{"finish: hotplug-hook: SUCCESS", "inet 10.9.9.2/24", "inet 10.9.7.2/24"} {
		if !strings.Contains(out, want) {
			t.Errorf("after a card was plugged in, this is missing: %s\n%s\n%s", want, out, ask(t, m, "journalctl -b -u cloud-init-hotplugd --no-pager; cat /run/cloud-init/hook-hotplug.log"))
		}
	}
}

func layers(t *testing.T, m *vm.Machine) {
	t.Helper()
	for command, want := range map[string][]string{
		"ip -details link show bond0":   {"mtu 1400", "link/ether 52:54:00:12:34:99", "bond mode active-backup", "miimon 120", "primary part2", "fail_over_mac none"},
		"ip -details link show part1":   {"master bond0", "bond_slave"},
		"ip -details link show part2":   {"master bond0", "bond_slave state ACTIVE"},
		"ip -details link show bond0.7": {"bond0.7@bond0", "vlan protocol 802.1Q id 7"},
		"ip -details link show bond0.8": {"bond0.8@bond0", "vlan protocol 802.1Q id 8", "master br0", "bridge_slave", "cost 55"},
		"ip -details link show br0":     {"forward_delay 400", "stp_state 0"},
		"ip address":                    {"inet 10.0.2.15/24", "inet 10.9.0.2/24", "inet 10.9.7.2/24", "inet6 2001:db8:7::2/64", "inet 10.9.8.2/24"},
		"ip route":                      {"10.77.0.0/16 via 10.9.7.9 dev bond0.7 proto static metric 70", "default via 10.0.2.2 dev net0"},
	} {
		out := ask(t, m, command)
		for _, text := range want {
			if !strings.Contains(out, text) {
				t.Errorf("%s does not say %q:\n%s", command, text, out)
			}
		}
	}
	if t.Failed() {
		t.Log(ask(t, m, "cat /etc/systemd/network/10-cloud-init-*; networkctl --no-pager; journalctl -b -u systemd-networkd --no-pager | tail -n 30; openguest status --long"))
	}
}
