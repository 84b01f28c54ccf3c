package network

import (
	"strings"
	"testing"

	"openguest/internal/machine"
)

// TestNetworkd writes what cloud-init ends at, leaves out, or writes in words that networkd does not know. What it guards: a
// machine with networkd alone has the network that was described.
// Rows N07, N18.
func TestNetworkd(t *testing.T) {
	for _, c := range []struct{ name, document, want, problems string }{
		{"an interface by its name or driver", `
version: 2
ethernets:
  any: {match: {name: "en*"}, dhcp4: true}
  virtio: {match: {driver: virtio_net}, dhcp6: true}
`, `-- /etc/systemd/network/10-cloud-init-any.network --
[Match]
Name=en*

[Network]
DHCP=ipv4
-- /etc/systemd/network/10-cloud-init-virtio.network --
[Match]
Driver=virtio_net

[Network]
DHCP=ipv6
`, ""},
		{"parts of a bond", `
version: 2
ethernets:
  a: {match: {macaddress: "52:54:00:00:00:0a"}, set-name: a}
  b: {match: {macaddress: "52:54:00:00:00:0b"}}
bonds:
  c: {interfaces: [a, b], parameters: {mode: active-backup, primary: a}}
`, `-- /etc/systemd/network/10-cloud-init-a.network --
[Match]
Name=a

[Network]
Bond=c
DHCP=no
PrimarySlave=true
-- /etc/systemd/network/10-cloud-init-b.network --
[Match]
PermanentMACAddress=52:54:00:00:00:0b

[Network]
Bond=c
DHCP=no
-- /etc/systemd/network/10-cloud-init-c.netdev --
[Bond]
Mode=active-backup

[NetDev]
Kind=bond
Name=c
-- /etc/systemd/network/10-cloud-init-c.network --
[Match]
Name=c

[Network]
DHCP=no
`, ""},
		{"what only networkd and netplan know", `
version: 2
ethernets:
  e:
    dhcp4: true
    dhcp6: true
    dhcp4-overrides: {use-dns: false, route-metric: 7, use-domains: route, hostname: "a\nb"}
    dhcp6-overrides: {use-ntp: no, route-metric: 7}
    dhcp4domain: true
    dhcp6domain: Route
    routing-policy: [{from: 10.0.0.2, table: 101, mark: 4}, {to: 10.0.0.0/8, priority: 3}]
`, `-- /etc/systemd/network/10-cloud-init-e.network --
[DHCPv4]
RouteMetric=7
UseDNS=False
UseDomains=route

[DHCPv6]
UseDomains=route
UseNTP=False

[Match]
Name=e

[Network]
DHCP=yes

[RoutingPolicyRule]
FirewallMark=4
From=10.0.0.2
Table=101

[RoutingPolicyRule]
Priority=3
To=10.0.0.0/8
`, "network-config:9:18: ethernets.e.dhcp4domain: is left out: use-domains of the overrides says it too, and that counts\n" +
			"network-config:7:86: ethernets.e.dhcp4-overrides.hostname: has a line break or another control character in it"},
		{"a bridge with costs", `
version: 1
config:
- {type: bridge, name: br0, bridge_interfaces: [e], params: {bridge_pathcost: [e 3, f 4], bridge_portprio: [e 0]}}
- {type: bridge, name: br1, bridge_interfaces: []}
- {type: route, destination: default, gateway: 10.0.0.1}
`, `-- /etc/systemd/network/10-cloud-init-e.network --
[Bridge]
Cost=3

[Match]
Name=e

[Network]
Bridge=br0
DHCP=no

[Route]
Destination=0.0.0.0/0
Gateway=10.0.0.1
-- /etc/systemd/network/10-cloud-init-br0.netdev --
[NetDev]
Kind=bridge
Name=br0
-- /etc/systemd/network/10-cloud-init-br0.network --
[Match]
Name=br0

[Network]
DHCP=no

[Route]
Destination=0.0.0.0/0
Gateway=10.0.0.1
-- /etc/systemd/network/10-cloud-init-br1.network --
[Match]
Name=br1

[Network]
DHCP=no

[Route]
Destination=0.0.0.0/0
Gateway=10.0.0.1
`, "br1: is not made: it is a bridge, and the document does not say of what"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, problems := rendered(t, "networkd", c.document, fakeTarget("", "debian"))
			if got != c.want {
				t.Errorf("got\n%s", machine.Diff(c.want, got))
			}
			if p := strings.Join(problems, "\n"); p != c.problems {
				t.Errorf("problems are\n%s", p)
			}
		})
	}
}
