package vm

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An image would be made from a mirror that the host cannot reach, or from none of Debian's.
func TestMirrorsAreTheHosts(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		parse func(string) []aptSource
		want  mirrors
	}{
		"lines": {
			"# deb http://old/debian bookworm main\ndeb [arch=amd64 signed-by=/k.gpg] http://m/debian bookworm main contrib\n" +
				"deb http://s/debian-security bookworm-security main\ndeb https://other/apt stable main\ndeb-src http://src/debian bookworm main\n",
			aptLines, mirrors{"http://m/debian", "http://s/debian-security"},
		},
		"old security": {
			"deb http://m/debian bullseye main\ndeb http://s/debian-security bullseye/updates main\n",
			aptLines, mirrors{"http://m/debian", "http://s/debian-security"},
		},
		"stanzas": {
			"Types: deb\n# http://old/\nURIs: http://m/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\n" +
				"Types: deb\nURIs: http://s/debian-security\nSuites: bookworm-security\n\nURIs: http://off/debian\nSuites: bookworm\nEnabled: no\n",
			aptStanzas, mirrors{"http://m/debian", "http://s/debian-security"},
		},
		"no Debian": {"deb http://other/ubuntu noble main\n", aptLines, mirrors{}},
	} {
		t.Run(name, func(t *testing.T) {
			m := mirrors{}
			m.take(c.parse(c.text))
			if m != c.want {
				t.Errorf("got %v, want %v", m, c.want)
			}
		})
	}
}

func FuzzSources(f *testing.F) {
	f.Add("deb [a=b] http://m/debian bookworm main\nURIs: x\nSuites: y\n")
	f.Fuzz(func(t *testing.T, text string) {
		m := mirrors{}
		m.take(aptLines(text))
		m.take(aptStanzas(text))
	})
}

// A module that is loaded before what it needs is refused by the kernel, and the machine has no root.
func TestModulesInOrder(t *testing.T) {
	const dep = `kernel/drivers/virtio/virtio_pci.ko.xz: kernel/drivers/virtio/virtio_pci_modern_dev.ko.xz kernel/drivers/virtio/virtio_ring.ko.xz kernel/drivers/virtio/virtio.ko.xz
kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio_ring.ko.xz kernel/drivers/virtio/virtio.ko.xz
kernel/drivers/char/hw_random/virtio-rng.ko.xz:
`
	got := []string{}
	for _, f := range moduleOrder(dep, []string{"virtio_pci", "virtio_blk", "ext4", "virtio_rng"}) {
		got = append(got, moduleName(f))
	}
	want := []string{"virtio", "virtio_ring", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk", "virtio_rng"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
