package network

import (
	"os"
	"strings"
	"testing"

	"openguest/test/netns"
)

// TestIfupdownBringsUp gives what is written to the real ifupdown, and looks at what comes up: addresses, routes of both families,
// MTU, and a bridge. A line that ifup takes and that does something else would leave a machine that nobody can reach.
// Row N04.
func TestIfupdownBringsUp(t *testing.T) {
	if !netns.Enter(t, "ifup", "ifquery", "brctl", "bridge") {
		return
	}
	for _, name := range []string{"va1", "pa", "vb1"} {
		netns.Link(t, name)
	}
	up(t, `
version: 2
ethernets:
  va1:
    addresses: [10.77.0.2/24, 10.77.1.2/32, "2001:db8:7::2/64"]
    gateway4: 10.77.0.1
    gateway6: "2001:db8:7::1"
    mtu: 1400
    routes: [{to: 10.78.0.0/16, via: 10.77.0.9, metric: 77}, {to: "2001:db8:9::/48", via: "2001:db8:7::9"}]
`, []string{
		"ip address show va1: mtu 1400", "ip address show va1: inet 10.77.0.2/24", "ip address show va1: inet 10.77.1.2/32",
		"ip address show va1: inet6 2001:db8:7::2/64", "ip route show: default via 10.77.0.1 dev va1", "ip -6 route show: default via 2001:db8:7::1 dev va1",
		"ip route show: 10.78.0.0/16 via 10.77.0.9 dev va1 metric 77", "ip -6 route show: 2001:db8:9::/48 via 2001:db8:7::9 dev va1",
	})
	up(t, `
version: 1
config:
- {type: physical, name: pa}
- {type: bridge, name: br0, bridge_interfaces: [pa], params: {bridge_stp: false, bridge_fd: 3, bridge_pathcost: [pa 50], bridge_bridgeprio: 7},
   subnets: [{type: static, address: 10.79.0.1/24, routes: [{network: 10.80.0.0, netmask: 255.255.0.0, gateway: 10.79.0.9}]}]}
- {type: physical, name: vb1, subnets: [{type: static, address: 10.81.0.1, netmask: 255.255.255.0}, {type: manual}]}
- {type: route, destination: 10.82.0.0/16, gateway: 10.81.0.9}
`, []string{
		"ip address show br0: inet 10.79.0.1/24", "bridge link show dev pa: master br0", "bridge link show dev pa: cost 50",
		"ip -details link show br0: forward_delay 300", "ip -details link show br0: priority 7",
		"ip route show: 10.80.0.0/16 via 10.79.0.9 dev br0", "ip route show: 10.82.0.0/16 via 10.81.0.9 dev vb1", "ip address show vb1: inet 10.81.0.1/24",
	})
}

// up has ifup bring up what is written for a document, and compares what commands say then: "COMMAND: TEXT".
func up(t *testing.T, document string, want []string) {
	t.Helper()
	text, _ := rendered(t, "eni", document, fakeTarget("-- usr/sbin/ip --\n", ""))
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "-- /etc/network/interfaces --\n"), "-- "+persistentNames)
	const file = "/run/interfaces"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	netns.Run(t, "mkdir", "-p", "/run/network")
	netns.Run(t, "ifup", "--interfaces="+file, "--state-dir=/run/network", "--all", "--exclude=lo", "--verbose")
	for _, line := range want {
		command, part, _ := strings.Cut(line, ": ")
		if got := netns.Run(t, strings.Fields(command)...); !strings.Contains(got, part) {
			t.Errorf("%s should have %q, and says\n%s\n%s", command, part, got, text)
		}
	}
}
