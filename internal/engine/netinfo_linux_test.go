package engine

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"openguest/internal/machine"
	"openguest/test/netns"
)

// Row N21: people and tools read a machine's addresses from its console; what they find there is what cloud-init prints. It is
// asked in the same network, with addresses and routes of all kinds.
func TestNetInfoIsThePeers(t *testing.T) {
	tree := os.Getenv("CLOUD_INIT")
	if tree == "" {
		tree = filepath.Join(os.TempDir(), "ci-main")
	}
	if _, err := os.Stat(filepath.Join(tree, "cloudinit/netinfo.py")); err != nil {
		t.Skip("there is no source tree of cloud-init: set CLOUD_INIT to one")
	}
	if !netns.Enter(t, "python3") {
		return
	}
	netns.Link(t, "eth0", "10.0.2.2/24", "fd00:2::2/64")
	netns.Link(t, "eth1")
	netns.Run(t, "ip", "link", "add", "eth2", "type", "veth", "peer", "name", "eth3") // off
	netns.Run(t, "ip", "link", "add", "br0", "type", "bridge")
	for _, change := range [][]string{
		{"link", "set", "eth0", "up"}, {"link", "set", "eth1", "up"},
		{"address", "add", "10.0.2.15/24", "brd", "+", "dev", "eth0"}, {"address", "add", "10.0.2.16/32", "scope", "link", "dev", "eth0"},
		{"address", "add", "fd00:2::15/64", "dev", "eth0", "nodad"}, {"address", "add", "169.254.9.9/16", "scope", "link", "dev", "eth1"},
		{"route", "add", "default", "via", "10.0.2.2", "dev", "eth0", "metric", "100"}, {"route", "add", "10.9.0.0/16", "dev", "eth1"},
		{"route", "add", "10.8.0.7/32", "via", "10.0.2.2"}, {"route", "add", "10.7.0.0/16", "via", "10.0.2.2", "table", "77"},
		{"route", "add", "default", "dev", "eth1", "metric", "900"},
		{"-6", "route", "add", "default", "via", "fd00:2::2", "dev", "eth0"}, {"-6", "route", "add", "fd00:9::/64", "dev", "eth1", "expires", "3600"},
		{"-6", "route", "add", "fd00:8::7/128", "via", "fd00:2::2"},
	} {
		netns.Run(t, append([]string{"ip"}, change...)...)
	}
	settled := func() bool { // the kernel has looked whether others have the addresses that it made itself
		made, err := exec.Command("ip", "-6", "-o", "address", "show", "scope", "link").Output()
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(made, []byte("\n")) == 2 && !bytes.Contains(made, []byte("tentative"))
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	for !settled() {
		if err := machine.Pause(ctx, 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("python3", "-B", "-c", "from cloudinit import netinfo; print(netinfo.debug_info())")
	cmd.Env = append(os.Environ(), "PYTHONPATH="+tree)
	want, err := cmd.Output()
	if err != nil {
		t.Skip("cloud-init does not run here: it needs python3 with its modules: ", err)
	}
	m, err := machine.Live()
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Links.State()
	if err != nil {
		t.Fatal(err)
	}
	if got := netInfo(s); got != string(want) {
		t.Errorf("cloud-init prints\n%sand ours\n%s", want, got)
	}
}
