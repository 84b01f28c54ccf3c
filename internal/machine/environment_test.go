package machine

import (
	"os"
	"testing"
	"time"
)

// Row D02. What a container was told counts; a variable whose name only begins so does not.
func TestEnvironment(t *testing.T) {
	f := fakeFacts(t, "-- /proc/1/environ --\nproduct_name_x=a\x00product_name=OpenStack Nova\x00PATH=/bin=/x\x00\n-- /proc/self/environ --\nVMX_GUESTINFO=\x00A=b\x00\n"+
		"-- /proc/sys/kernel/version --\nBrandZ virtual linux\n")
	for got, want := range map[string]string{
		f.InitEnvironment("product_name"): "OpenStack Nova", f.InitEnvironment("PATH"): "/bin=/x", f.Environment("A"): "b",
		f.Environment("VMX_GUESTINFO") + f.Environment("product_name") + f.InitEnvironment("A"): "", f.KernelVersion(): "BrandZ virtual linux",
	} {
		if got != want {
			t.Errorf("it is %q, want %q", got, want)
		}
	}
}

// A file of an earlier boot must not count as one of this, nor the other way round.
func TestIsFromThisBoot(t *testing.T) {
	root := t.TempDir()
	start := time.Unix(1_700_000_000, 0)
	writeFile(t, root+"/stat", "cpu 1\nbtime 1700000000\nbtimes 5\n")
	if err := os.MkdirAll(root+"/proc", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(root+"/stat", root+"/proc/stat"); err != nil {
		t.Fatal(err)
	}
	for name, when := range map[string]time.Time{"before": start.Add(-time.Second), "after": start.Add(time.Second)} {
		writeFile(t, root+"/"+name, "x")
		if err := os.Chtimes(root+"/"+name, when, when); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Tree(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"/before": false, "/after": true, "/none": false} {
		if got := m.Facts.IsFromThisBoot(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if fakeFacts(t, "-- /proc/stat --\nbtime 1\n-- /x --\n").IsFromThisBoot("/x") {
		t.Error("nobody knows when it was written")
	}
}
