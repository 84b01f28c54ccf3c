package engine

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"openguest/internal/machine"
	"openguest/test/netns"
)

// Row N16: the whole way in a network of its own, with ifupdown: a machine boots with one card, another one comes, and has its address
// when the command that udev leads to has ended. The first one keeps what it has.
func TestPlugInNamespace(t *testing.T) {
	if !netns.Enter(t, "ifup", "ifquery", "mount") {
		return
	}
	overlay(t, "/etc")
	overlay(t, "/var")
	netns.Link(t, "eth0")
	netns.Link(t, "eth1")
	netns.Run(t, "ip", "link", "set", "eth0", "address", "52:54:00:00:00:01")
	netns.Run(t, "ip", "link", "set", "eth1", "netns", "server") // it comes later
	files := map[string]string{
		"/etc/network/interfaces":                    "source /etc/network/interfaces.d/*\n",
		"/etc/cloud/cloud.cfg.d/a.cfg":               "datasource_list: [NoCloud]\nsystem_info: {distro: debian, network: {renderers: [eni], activators: [eni]}}\ncloud_init_modules: []\ncloud_config_modules: []\ncloud_final_modules: []\n",
		"/var/lib/cloud/seed/nocloud/meta-data":      "instance-id: i\n",
		"/var/lib/cloud/seed/nocloud/user-data":      following,
		"/var/lib/cloud/seed/nocloud/network-config": "version: 2\nethernets: {eth0: {addresses: [10.77.0.2/24]}}\n",
	}
	for name, text := range files {
		write(t, name, text)
	}
	live, err := machine.Live()
	if err != nil {
		t.Fatal(err)
	}
	stages(t, live, Options{Terminal: true}, Stages()...)
	netns.Run(t, "mkdir", "-p", "/run/network")
	netns.Run(t, "ifup", "--all")
	netns.Serve(t, "ip", "link", "set", "eth1", "netns", "1")
	netns.Run(t, "ip", "link", "set", "eth1", "address", "52:54:00:00:00:02")
	write(t, "/var/lib/cloud/seed/nocloud/network-config", "version: 2\nethernets: {eth0: {addresses: [10.77.0.2/24]}, "+
		"eth1: {match: {macaddress: '52:54:00:00:00:02'}, set-name: eth1, addresses: [10.78.0.2/24], routes: [{to: 10.79.0.0/16, via: 10.78.0.1}]}}\n")
	if live, err = machine.Live(); err != nil {
		t.Fatal(err)
	}
	if err := New(live, Options{Version: "test", Terminal: true}).Plug(context.Background(), "/devices/virtual/net/eth1"); err != nil {
		log, _ := os.ReadFile("/var/log/cloud-init.log")
		t.Fatalf("%v\n%s", err, log)
	}
	for _, c := range []struct{ command, want string }{
		{"ip address show eth0", "inet 10.77.0.2/24"}, {"ip address show eth1", "inet 10.78.0.2/24"}, {"ip route", "10.79.0.0/16 via 10.78.0.1 dev eth1"},
	} {
		if got := netns.Run(t, strings.Fields(c.command)...); !strings.Contains(got, c.want) {
			t.Errorf("%s should have %q, and says\n%s", c.command, c.want, got)
		}
	}
}

// overlay lets the test write below a folder without changing it for others.
func overlay(t *testing.T, folder string) {
	t.Helper()
	upper, work := filepath.Join("/run/overlay", folder, "upper"), filepath.Join("/run/overlay", folder, "work")
	for _, dir := range []string{upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	argv := []string{"-t", "overlay", "overlay", "-o", "lowerdir=" + folder + ",upperdir=" + upper + ",workdir=" + work, folder}
	if out, err := exec.Command("mount", argv...).CombinedOutput(); err != nil {
		t.Skipf("an overlay cannot be mounted here: %s", out)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
