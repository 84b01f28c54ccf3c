package vm

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"openguest/internal/vm"
)

// userData makes one person who may log in, counts how often scripts run, and says on the console where the boot is.
func userData(key *vm.Key) string {
	return fmt.Sprintf(`#cloud-config
hostname: harbour
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

// A person whose user-data names a key could not log in to a new machine.
func TestNoCloudLogin(t *testing.T) {
	key := newKey(t)
	m := start(t, machine(t, "bookworm", "nocloud", userData(key)))
	booted(t, m)
	loggedIn(t, m, key)
	stranger := newKey(t)
	if _, err := m.Exec(within(t), vm.Login{User: "maria", Key: stranger}, "true", io.Discard, io.Discard); err == nil {
		t.Error("a stranger's key logs in as maria")
	}
	if out := ask(t, m, "openguest status; hostname; cat /etc/app.conf /var/tmp/runcmd"); out != "status: done\nharbour\nlisten: 8080\nonce\n" {
		t.Errorf("after the first boot:\n%s", out)
	}
	t.Run("in a clone", func(t *testing.T) { loggedInToClone(t, m, key) })
}

// loggedInToClone goes on in another machine from a snapshot of the first, which is switched off.
func loggedInToClone(t *testing.T, m *vm.Machine, key *vm.Key) {
	if err := m.Snapshot(within(t), "booted"); err != nil {
		t.Fatal(err)
	}
	ask(t, m, "touch /run/after-the-snapshot")
	if err := m.PowerCut(within(t)); err != nil {
		t.Fatal(err)
	}
	clone, err := m.Clone(t.Context(), "booted")
	if err != nil {
		t.Fatal(err)
	}
	watch(t, clone)
	if err := clone.WaitSSH(within(t)); err != nil {
		t.Fatal(err)
	}
	loggedIn(t, clone, key)
	if out := ask(t, clone, "ls /run/after-the-snapshot 2>&1 || true"); !strings.Contains(out, "No such file") {
		t.Errorf("the clone knows what came after its snapshot: %s", out)
	}
}

// state is what a second boot must not change: who may log in, the machine's own keys, its name and what ran once.
const state = `cat /etc/passwd /etc/shadow /etc/group /etc/hostname /etc/hosts /etc/machine-id /var/tmp/runcmd /var/lib/cloud/data/instance-id
sha256sum /etc/ssh/ssh_host_* /home/*/.ssh/authorized_keys /root/.ssh/authorized_keys /etc/app.conf /etc/sudoers.d/*
ls -1 /var/lib/cloud/instances /var/lib/cloud/instance/sem`

// A restart would make a machine another one: new host keys, scripts that run again.
func TestSecondBootChangesNothing(t *testing.T) {
	key := newKey(t)
	m := start(t, machine(t, "bookworm", "nocloud", userData(key)))
	booted(t, m)
	before := ask(t, m, state)
	if err := m.PowerOff(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := m.Boot(); err != nil {
		t.Fatal(err)
	}
	booted(t, m)
	if after := ask(t, m, state); after != before {
		t.Errorf("the second boot changed something. Before:\n%s\nafter:\n%s", before, after)
	}
	loggedIn(t, m, key)
	if out := ask(t, m, "openguest status"); strings.TrimSpace(out) != "status: done" {
		t.Errorf("after the second boot: %s", out)
	}
}

// A machine whose power fails during its first boot could not be reached any more.
func TestPowerCutDuringFirstBoot(t *testing.T) {
	key := newKey(t)
	m := start(t, machine(t, "bookworm", "nocloud", userData(key)))
	cuts := map[string]*vm.Machine{}
	for _, point := range []string{"AT BOOTCMD", "AT RUNCMD"} {
		if err := m.WaitConsole(within(t), point); err != nil {
			t.Fatal(err)
		}
		twin, err := m.Twin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		watch(t, twin)
		cuts[point] = twin
	}
	if err := m.PowerCut(within(t)); err != nil {
		t.Fatal(err)
	}
	for point, twin := range cuts {
		t.Run(point, func(t *testing.T) {
			if err := twin.Boot(); err != nil {
				t.Fatal(err)
			}
			if err := twin.WaitSSH(within(t)); err != nil {
				t.Fatal(err)
			}
			booted(t, twin)
			loggedIn(t, twin, key)
			if err := twin.PowerCut(within(t)); err != nil { // one machine at a time
				t.Fatal(err)
			}
		})
	}
}
