package engine

import (
	"strings"
	"testing"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

// Row D07. What the cloud puts into a machine is there once: who changes it later keeps the change, and a file that cannot
// be written costs no other.
func TestInjectedFiles(t *testing.T) {
	m := machine.Fake(debian+"-- etc/motd --\nold\n-- etc/plain --\nx\n", noon)
	in := given("one", "")
	in.Files = []instance.File{{Path: "/etc/plain/below", Content: []byte("no")}, {Path: "/etc/motd", Content: []byte("Welcome\n")}, {Path: "/srv/new/key", Content: []byte{0, 255}}}
	boot(t, m, Options{Given: in})
	for name, want := range map[string]string{"/etc/motd": "Welcome\n", "/srv/new/key": "\x00\xff"} {
		n, err := m.Files.Look(name)
		if got := read(t, m, name); err != nil || got != want || n.Mode != 0o660 {
			t.Errorf("%s is %v %q, %v", name, n.Mode, got, err)
		}
	}
	if log := read(t, m, "/var/log/cloud-init.log"); !strings.Contains(log, "the file /etc/plain/below, which the cloud gave this machine, was not written: ") {
		t.Errorf("nothing is said of the file that was not written")
	}
	m.Files.Put("/etc/motd", machine.File(0o644, "mine\n"))
	m.Files.Remove("/run/cloud-init/.instance-id")
	boot(t, m, Options{Given: in})
	if got := read(t, m, "/etc/motd"); got != "mine\n" {
		t.Errorf("at the second boot the file is %q", got)
	}
}

// Templates and queries see the same bytes at every boot.
func TestRandomSeedStaysBytes(t *testing.T) {
	m := machine.Fake(debian, noon)
	in := given("one", "")
	in.RandomSeed, in.Metadata = []byte("seed"), map[string]any{"random_seed": []byte("seed")}
	boot(t, m, Options{Given: in})
	boot(t, m, Options{})
	data := read(t, m, "/run/cloud-init/instance-data.json")
	if !strings.Contains(data, `"ds/meta_data/random_seed"`) || !strings.Contains(data, `"random_seed": "c2VlZA=="`) {
		t.Errorf("the seed is not said to be bytes: %s", data)
	}
}
