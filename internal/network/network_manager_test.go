package network

import (
	"os/exec"
	"strings"
	"testing"
)

// TestNetworkManagerIsAvailable asks for nmcli, and whether the service is started at boot.
// Row N12.
func TestNetworkManagerIsAvailable(t *testing.T) {
	const nmcli, systemd = "-- usr/bin/nmcli --\n", "-- usr/lib/systemd/systemd --\n"
	for text, want := range map[string]string{
		"":              "there is no nmcli",
		nmcli:           "NetworkManager is installed",
		nmcli + systemd: "NetworkManager.service is not enabled",
		nmcli + systemd + "-- etc/systemd/system/multi-user.target.wants/NetworkManager.service -> /usr/lib/systemd/system/NetworkManager.service --\n": "NetworkManager is installed",
	} {
		if ok, why := hasNetworkManager(fakeTarget(text, "")); why != want || ok != (want == "NetworkManager is installed") {
			t.Errorf("%v, because %q; should be %q, for\n%s", ok, why, want, text)
		}
	}
}

// TestNetworkManagerOfWhatCloudInitCannotWrite renders what cloud-init ends at with an exception, or leaves NetworkManager
// to refuse: a port that is only spoken of, InfiniBand without an MTU, a route with a metric and no gateway.
// Row N08.
func TestNetworkManagerOfWhatCloudInitCannotWrite(t *testing.T) {
	got, problems := rendered(t, "network-manager", `
version: 1
config:
- {type: bond, name: bond0, bond_interfaces: [eth1], params: {bond-mode: 4}}
- {type: bridge, name: br0, bridge_interfaces: [eth7], mac_address: 'AA-bb:cc:00:00:01'}
- {type: infiniband, name: ib0}
- {type: physical, name: e, mtu: 1500, subnets: [{type: dhcp4, mtu: 1400, routes: [{network: 10.9.0.0/16, metric: 5}, {network: '::/0', gateway: 'fe80::1', metric: 7}]}]}
- {type: route, destination: 10.8.0.0/16, gateway: 10.0.0.1}
- {type: loopback, name: lo}
`, fakeTarget("", ""))
	for _, want := range []string{
		"type=ethernet\nslave-type=bond\nmaster=" + connectionUUID("bond0") + "\ninterface-name=eth1\n",
		"\nslave-type=bridge\nmaster=" + connectionUUID("br0") + "\n", "\n[bridge]\nmac-address=AA:BB:CC:00:00:01\n",
		"\n[infiniband]\ntransport-mode=datagram\n", "\nroute1=10.9.0.0/16,,5\n", "\n[ipv6]\nroute-metric=7\nroute1=::/0,fe80::1\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if want := "ignoring e device-level mtu:1500 because ipv4 subnet-level mtu:1400 provided.\nroutes that belong to no interface are left out: NetworkManager has none"; strings.Join(problems, "\n") != want || strings.Contains(got, "init-lo.") {
		t.Errorf("problems are %q", problems)
	}
}

// TestNetworkManagerAcceptsWhatIsWritten gives each connection of every case to the real NetworkManager.
// Row N08.
func TestNetworkManagerAcceptsWhatIsWritten(t *testing.T) {
	nmcli, err := exec.LookPath("nmcli")
	if err != nil {
		t.Skip("nmcli is not installed")
	}
	known := map[string]string{ // what NetworkManager refuses
		"artifacts/photon_net_config_v2.yaml":     "ipv6.method: property is missing", // as the case below expects it
		"v2-mixed-routes-no-ipv6-addr/input.yaml": "ipv6.method: property is missing",
		"version 2": "'arp_ip_target' option requires 'arp_interval'", // which the document does not have
	}
	for _, s := range append(samples(t), ownSamples()...) {
		kind, v := parse(t, s.text)
		m, _, err := Read(kind, v, Host{})
		if err != nil {
			t.Fatal(err)
		}
		files, _ := renderNetworkManager(m, Target{})
		for _, f := range files[:len(files)-1] { // the last one is no connection
			cmd := exec.Command(nmcli, "--offline", "connection", "modify", "connection.autoconnect-priority", "120")
			cmd.Stdin = strings.NewReader(f.Text)
			out, err := cmd.CombinedOutput()
			if expected := known[s.name]; err != nil && (expected == "" || !strings.Contains(string(out), expected)) {
				t.Errorf("%s: %s: %v\n%s\n%s", s.name, f.Path, err, out, f.Text)
			}
		}
	}
}
