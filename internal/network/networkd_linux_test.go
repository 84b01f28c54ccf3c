package network

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"openguest/test/netns"
)

// TestNetworkdBringsUp gives what is written to the real systemd-networkd, and looks at what comes up: addresses, routes,
// rules, MTU, and a bridge with the costs of its port.
// Rows N07, N19.
func TestNetworkdBringsUp(t *testing.T) {
	const folder = "/lib/systemd/"
	for _, program := range []string{"systemd-networkd", "systemd-networkd-wait-online"} {
		if _, err := os.Stat(folder + program); err != nil {
			t.Skip("systemd-networkd is not installed")
		}
	}
	if !netns.Enter(t, "bridge", "mount", "dnsmasq") {
		return
	}
	netns.Run(t, "mount", "-o", "remount,ro,bind", "/sys") // without udev, networkd takes what the kernel says only so
	netns.Run(t, "mkdir", "-p", "/run/systemd/network", "/run/systemd/netif/links", "/run/systemd/netif/leases")
	netns.Run(t, "chown", "-R", "systemd-network:systemd-network", "/run/systemd/netif")
	netns.Run(t, "ip", "link", "add", "va1", "type", "veth", "peer", "name", "vb1")
	netns.Run(t, "ip", "link", "add", "pa", "type", "veth", "peer", "name", "pb")
	netns.Run(t, "ip", "link", "set", "vb1", "up")
	netns.Run(t, "ip", "link", "set", "pb", "up")
	netns.Link(t, "vd", "10.83.0.1/24")
	netns.DHCP(t, "vd", "--dhcp-range=10.83.0.50,10.83.0.50", "--dhcp-option=121,10.84.0.0/16,10.83.0.9")
	writeUnits(t, `
version: 2
ethernets:
  vd: {dhcp4: true, dhcp4-overrides: {route-metric: 321}}
  any:
    match: {name: "va*"}
    addresses: [10.77.0.2/24, "2001:db8:7::2/64"]
    gateway4: 10.77.0.1
    accept-ra: false
    mtu: 1400
    routes: [{to: 10.78.0.0/16, via: 10.77.0.9, metric: 77, table: 101}]
    routing-policy: [{from: 10.77.0.2, table: 101, mark: 4, priority: 500}]
`)
	writeUnits(t, `
version: 1
config:
- {type: physical, name: pa}
- {type: bridge, name: br0, accept-ra: false, bridge_interfaces: [pa], params: {bridge_stp: false, bridge_fd: 3, bridge_pathcost: [pa 50]},
   subnets: [{type: static, address: 10.79.0.1/24}]}
`)
	networkd := exec.Command(folder + "systemd-networkd")
	if err := networkd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = networkd.Process.Kill(); _ = networkd.Wait() }()
	netns.Run(t, folder+"systemd-networkd-wait-online", "--timeout=60", "--interface=va1:routable", "--interface=br0:routable", "--interface=vd:routable")
	for _, c := range []struct{ command, want string }{
		{"ip address show va1", "mtu 1400"}, {"ip address show va1", "inet 10.77.0.2/24"}, {"ip address show va1", "inet6 2001:db8:7::2/64"},
		{"ip route show", "default via 10.77.0.1 dev va1"}, {"ip route show table 101", "10.78.0.0/16 via 10.77.0.9 dev va1 proto static metric 77"},
		{"ip rule", "from 10.77.0.2 fwmark 0x4 lookup 101"}, {"ip address show br0", "inet 10.79.0.1/24"}, {"bridge link show dev pa", "master br0"},
		{"bridge link show dev pa", "cost 50"}, {"ip address show vd", "inet 10.83.0.50/24"},
		{"ip route show dev vd", "10.84.0.0/16 via 10.83.0.9 proto dhcp src 10.83.0.50 metric 321"},
	} {
		if got := netns.Run(t, strings.Fields(c.command)...); !strings.Contains(got, c.want) {
			t.Errorf("%s should have %q, and says\n%s", c.command, c.want, got)
		}
	}
}

// writeUnits writes the files of networkd for a document where networkd reads them until the next boot.
func writeUnits(t *testing.T, document string) {
	t.Helper()
	kind, v := parse(t, document)
	m, _, err := Read(kind, v, Host{})
	if err != nil {
		t.Fatal(err)
	}
	files, _ := renderNetworkd(m, Target{})
	for _, f := range files {
		if err := os.WriteFile(filepath.Join("/run/systemd/network", filepath.Base(f.Path)), []byte(f.Text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
