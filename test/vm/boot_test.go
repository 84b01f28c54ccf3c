package vm

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"openguest/internal/source"
	"openguest/internal/vm"
)

// userData makes one person who may log in, counts how often scripts run, and says on the console where the boot is. It asks for one host
// key only: to make an RSA key takes an emulated processor longer than all the rest.
func userData(key *vm.Key) string {
	return fmt.Sprintf(`#cloud-config
hostname: harbour
ssh_genkeytypes: [ed25519]
users:
  - name: maria
    sudo: "ALL=(ALL) NOPASSWD:ALL"
    shell: /bin/bash
    ssh_authorized_keys: [%q]
write_files:
  - path: /etc/app.conf
    content: "listen: 8080\n"
bootcmd:
  - echo AT BOOTCMD >/dev/ttyS0
runcmd:
  - echo AT RUNCMD >/dev/ttyS0
  - echo once >>/var/tmp/runcmd
`, key.Authorized())
}

func newKey(t *testing.T) *vm.Key {
	t.Helper()
	key, err := vm.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// loggedIn logs in as maria by ssh, with her key, and becomes root.
func loggedIn(t *testing.T, m *vm.Machine, key *vm.Key) {
	t.Helper()
	var out, problems bytes.Buffer
	status, err := m.Exec(within(t), vm.Login{User: "maria", Key: key}, "id -un && sudo -n id -un", &out, &problems)
	if err != nil || status != 0 || out.String() != "maria\nroot\n" {
		t.Errorf("maria logged in: status %d, %v: %q %s", status, err, out.String(), problems.String())
	}
}

// keptOut tries to log in as maria with another key.
func keptOut(t *testing.T, m *vm.Machine) {
	t.Helper()
	if _, err := m.Exec(within(t), vm.Login{User: "maria", Key: newKey(t)}, "true", io.Discard, io.Discard); err == nil {
		t.Error("a stranger's key logs in as maria")
	}
}

// A person whose user-data names a key could not log in to a new machine of that cloud.
func TestClouds(t *testing.T) {
	t.Parallel()
	for cloud, name := range map[string]string{"gce": "GCE", "ec2": "Ec2", "openstack": "OpenStack", "configdrive": "ConfigDrive"} {
		t.Run(cloud, func(t *testing.T) {
			t.Parallel()
			if s := source.Named(name); s == nil || s.Fetch == nil {
				t.Skipf("the source %s cannot be asked yet; this test runs as soon as it can", name)
			}
			m := boots(t, "bookworm", cloud)
			if cloud == "gce" {
				t.Run("followed", func(t *testing.T) { isFollowed(t, m) })
			}
		})
	}
}

// Releases whose systemd is older or newer boot as well.
func TestReleases(t *testing.T) {
	t.Parallel()
	for _, release := range []string{"bullseye", "trixie"} {
		t.Run(release, func(t *testing.T) {
			thorough(t)
			t.Parallel()
			boots(t, release, "nocloud")
		})
	}
}

func boots(t *testing.T, release, cloud string) *vm.Machine {
	key := newKey(t)
	m := start(t, machine(t, release, cloud, userData(key)))
	booted(t, m)
	loggedIn(t, m, key)
	keptOut(t, m)
	if out := ask(t, m, "openguest status; hostname; cat /etc/app.conf /var/tmp/runcmd"); out != "status: done\nharbour\nlisten: 8080\nonce\n" {
		t.Errorf("after the first boot:\n%s", out)
	}
	return m
}
