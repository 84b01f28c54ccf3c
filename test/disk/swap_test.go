package disk

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"openguest/internal/machine"
)

// Row M14. Each file system has its own way to refuse a swap file: holes, copying on write, blocks that were never written. The
// kernel must take ours on all of them.
func TestKernelTakesSwapFile(t *testing.T) {
	for kind, options := range map[string][]string{"ext4": {"-q", "-F"}, "xfs": {"-q"}, "btrfs": {"-q"}} {
		t.Run(kind, func(t *testing.T) {
			device, _ := attach(t, 512<<20)
			if _, err := exec.LookPath("mkfs." + kind); err != nil {
				t.Skip("mkfs." + kind + " is not installed; scripts/tools lists what the tests need")
			}
			run(t, append(append([]string{"mkfs." + kind}, options...), device)...)
			swapOn(t, device)
		})
	}
}

// swapOn makes a swap file on a file system, and uses it.
func swapOn(t *testing.T, device string) {
	point := t.TempDir()
	if out, err := exec.Command("mount", device, point).CombinedOutput(); err != nil {
		t.Skipf("this system may not mount: %s", bytes.TrimSpace(out))
	}
	t.Cleanup(func() { run(t, "umount", point) })
	if err := os.Chmod(point, 0o755); err != nil {
		t.Fatal(err)
	}
	m, err := machine.Live()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(point, "swap.img")
	if changed, err := m.Swap.Make(name, 64<<20); err != nil || !changed {
		t.Fatal(changed, err)
	}
	out, err := exec.Command("swapon", name).CombinedOutput()
	if err != nil && strings.Contains(string(out), "not permitted") {
		t.Skipf("this system may not swap: %s", bytes.TrimSpace(out))
	}
	if err != nil {
		t.Fatalf("swapon: %v: %s", err, out)
	}
	run(t, "swapoff", name)
	if changed, err := m.Swap.Make(name, 64<<20); err != nil || changed {
		t.Errorf("a second run: %v %v; want nothing", changed, err)
	}
	if out := run(t, "swaplabel", name); !strings.Contains(out, "UUID") {
		t.Errorf("swaplabel says %q", out)
	}
}
