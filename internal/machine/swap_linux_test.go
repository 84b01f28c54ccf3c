package machine

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// swapIn is the swap of a folder, as if it were the root of the running system.
func swapIn(t *testing.T) (liveSwap, string, *Ledger) {
	t.Helper()
	dir := t.TempDir()
	store, err := openDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	ledger := &Ledger{}
	return liveSwap{store, walked{store: store, ledger: ledger}}, dir, ledger
}

// Row M14. The kernel refuses a swap file with holes, and one that others may read shows them what programs had in memory.
func TestSwapFileIsWholeAndPrivate(t *testing.T) {
	swap, dir, ledger := swapIn(t)
	const size = 3<<20 + 100 // not a whole number of pages
	changed, err := swap.Make("/swap.img", size)
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	info, err := os.Stat(filepath.Join(dir, "swap.img"))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Sys().(*syscall.Stat_t).Blocks * 512; info.Size() != 3<<20 || got < 3<<20 || info.Mode() != 0o600 {
		t.Errorf("it has %d bytes, %d of them on the disk, and mode %v; want 3 MiB twice and 0600", info.Size(), got, info.Mode())
	}
	if changed, err := swap.Make("/swap.img", size); err != nil || changed || ledger.Len() != 1 {
		t.Errorf("a second run says %v %v and wrote down %v; want nothing", changed, err, ledger.Entries())
	}
}

// A power cut in the middle would leave a file of gigabytes that nobody takes away.
func TestSwapFileHalfMadeLeaves(t *testing.T) {
	swap, dir, _ := swapIn(t)
	half := filepath.Join(dir, ".swap.img.new")
	if err := os.WriteFile(half, []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := swap.Make("/swap.img", 1<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(half); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", half, err)
	}
}

// What is there under the name may be somebody's only copy.
func TestSwapNeverReplaces(t *testing.T) {
	swap, dir, _ := swapIn(t)
	for name, make := range map[string]func(string) error{
		"file":   func(name string) error { return os.WriteFile(name, []byte("mine\n"), 0o644) },
		"folder": func(name string) error { return os.Mkdir(name, 0o755) },
		"link":   func(name string) error { return os.Symlink("file", name) },
	} {
		if err := make(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if changed, err := swap.Make("/"+name, 1<<20); changed || err == nil || !strings.Contains(err.Error(), "holds no swap") {
			t.Errorf("%s: changed %v, %v", name, changed, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(text) != "mine\n" {
		t.Errorf("the file has %q now, %v", text, err)
	}
}

// In a folder where others may write, the file could be swapped for theirs before the kernel takes it.
func TestSwapStaysOutOfSharedFolders(t *testing.T) {
	swap, dir, _ := swapIn(t)
	shared := filepath.Join(dir, "tmp")
	if err := os.Mkdir(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(shared, fs.ModeSticky|0o777); err != nil {
		t.Fatal(err)
	}
	if changed, err := swap.Make("/tmp/swap.img", 1<<20); changed || err == nil {
		t.Errorf("changed %v, %v", changed, err)
	}
}

func TestSwapTooSmall(t *testing.T) {
	swap, _, _ := swapIn(t)
	if _, err := swap.Make("/swap.img", 10<<10); err == nil || !strings.Contains(err.Error(), "too few") {
		t.Error(err)
	}
}

// Row M14. A mark that differs from mkswap's is one that some kernel does not take.
func TestSwapMarkIsAsMkswapWritesIt(t *testing.T) {
	mkswap, err := exec.LookPath("mkswap")
	if err != nil {
		t.Skip("mkswap is not installed: there is nothing to compare with")
	}
	swap, dir, _ := swapIn(t)
	if _, err := swap.Make("/ours", 2<<20); err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(dir, "theirs")
	if err := os.WriteFile(theirs, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(mkswap, theirs).CombinedOutput(); err != nil {
		t.Fatalf("mkswap: %v\n%s", err, out)
	}
	want, err := os.ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "ours"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got[1036:1052], make([]byte, 16)) {
		t.Error("the swap has no UUID: nothing could name it in fstab")
	}
	copy(want[1036:1052], got[1036:1052]) // the UUID is made at random
	if !bytes.Equal(got, want) {
		t.Error("the file is not as mkswap makes it, but for the UUID")
	}
	if swaplabel, err := exec.LookPath("swaplabel"); err == nil {
		if out, err := exec.Command(swaplabel, filepath.Join(dir, "ours")).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("UUID")) {
			t.Errorf("swaplabel says %v\n%s", err, out)
		}
	}
}

// What a plan shows of swap is what would be made, and later steps see it.
func TestSwapInAPlan(t *testing.T) {
	swap, dir, _ := swapIn(t)
	m, changes := Plan(Machine{Files: swap.files, Swap: swap, Kernel: offlineKernel{}})
	if changed, err := m.Swap.Make("/new/swap.img", 64<<20); err == nil {
		t.Errorf("its folder is not there: changed %v", changed)
	}
	if err := MakeFolders(m.Files, "/new", Folder(0o755)); err != nil {
		t.Fatal(err)
	}
	if changed, err := m.Swap.Make("/new/swap.img", 64<<20); err != nil || !changed {
		t.Fatal(changed, err)
	}
	if changed, err := m.Swap.Make("/new/swap.img", 64<<20); err != nil || changed {
		t.Errorf("the second time: changed %v, %v", changed, err)
	}
	if holds, err := m.Swap.Holds("/new/swap.img"); err != nil || !holds {
		t.Error(holds, err)
	}
	if free, err := m.Swap.Free("/new"); err != nil || free <= 0 {
		t.Error(free, err)
	}
	if changed, err := m.Swap.Make("/new/huge", 1<<60); err == nil || !strings.Contains(err.Error(), "are free there") {
		t.Errorf("swap larger than the disk: changed %v, %v", changed, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "tmp"), fs.ModeSticky|0o777); err != nil {
		t.Fatal(err)
	}
	if changed, err := m.Swap.Make("/tmp/swap.img", 1<<20); err == nil || changed {
		t.Errorf("swap in a shared folder: changed %v, %v", changed, err)
	}
	list := changes.List()
	if len(list) != 2 || list[1].Path != "/new/swap.img" || !strings.Contains(list[1].Detail, "swap of 64 MiB") {
		t.Errorf("the plan is %+v", list)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("the plan wrote %v, %v", names, err)
	}
}
