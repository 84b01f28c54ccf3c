// Package disk tests growing on real block devices: loop devices with real file systems, mounted and being written to.
package disk

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"openguest/internal/disk"
	"openguest/internal/machine"
)

const mib = 1 << 20

// apart says that the tests run in a mount namespace of their own.
const apart = "OPENGUEST_TEST_APART"

// TestMain runs the tests in a mount namespace of their own. What they mount in the host's is copied into each namespace that
// is made meanwhile, by the sandboxes of other tests for one, and stays mounted there when it is gone here.
func TestMain(m *testing.M) {
	unshare, err := exec.LookPath("unshare")
	if err != nil || os.Getuid() != 0 || os.Getenv(apart) != "" {
		os.Exit(m.Run())
	}
	c := exec.Command(unshare, append([]string{"--mount", "--propagation", "private", os.Args[0]}, os.Args[1:]...)...)
	c.Env, c.Stdin, c.Stdout, c.Stderr = append(os.Environ(), apart+"=1"), os.Stdin, os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		os.Exit(1)
	}
}

// command runs a program and returns what it printed.
func command(t *testing.T, input, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// needTools skips the test where it cannot run.
func needTools(t *testing.T, tools ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root has loop devices")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed; scripts/tools says which packages tests need", tool)
		}
	}
}

// loop is an image with a table, and the device on it.
type loop struct {
	t             *testing.T
	image, device string
}

// attachLoop partitions an image and makes a device of it. The kernel may not read tables by itself: partx tells it.
func attachLoop(t *testing.T, layout string, size int64) *loop {
	t.Helper()
	l := &loop{t: t, image: filepath.Join(t.TempDir(), "disk.img")}
	command(t, "", "truncate", "-s", fmt.Sprint(size), l.image)
	command(t, layout, "sfdisk", "--quiet", l.image)
	out, err := exec.Command("losetup", "--find", "--show", l.image).CombinedOutput()
	if err != nil {
		t.Skipf("there are no loop devices here: %s", out)
	}
	l.device = strings.TrimSpace(string(out))
	t.Cleanup(func() {
		exec.Command("partx", "--delete", l.device).Run()
		command(t, "", "losetup", "--detach", l.device)
	})
	exec.Command("partx", "--update", l.device).Run()
	if _, err := os.Stat(l.device + "p1"); err != nil {
		t.Skip("the kernel makes no device nodes for partitions of loop devices here")
	}
	return l
}

// enlarge gives the disk more room, as a cloud does.
func (l *loop) enlarge(size int64) {
	l.t.Helper()
	command(l.t, "", "truncate", "-s", fmt.Sprint(size), l.image)
	command(l.t, "", "losetup", "--set-capacity", l.device)
}

// mount makes a file system on a partition and mounts it.
func (l *loop) mount(kind string, number int) string {
	l.t.Helper()
	device, dir := fmt.Sprintf("%sp%d", l.device, number), l.t.TempDir()
	command(l.t, "", "mkfs."+kind, "-q", device)
	if out, err := exec.Command("mount", device, dir).CombinedOutput(); err != nil {
		l.t.Skipf("this kernel does not mount %s: %s", kind, out)
	}
	l.t.Cleanup(func() { exec.Command("umount", dir).Run() })
	return dir
}

// verify has the tools look at the table.
func (l *loop) verify() {
	l.t.Helper()
	command(l.t, "", "sfdisk", "--verify", l.device)
	if strings.Contains(command(l.t, "", "sfdisk", "--dump", l.device), "label: gpt") {
		if out := command(l.t, "", "sgdisk", "-v", l.device); !strings.Contains(out, "No problems found") {
			l.t.Errorf("sgdisk -v: %s", out)
		}
	}
}

// growth grows a mount point, and returns what the ledger has of it.
func growth(t *testing.T, dir string) ([]disk.Result, []machine.Entry) {
	t.Helper()
	m, err := machine.Live()
	if err != nil {
		t.Fatal(err)
	}
	g := disk.Grower{Machine: m}
	target, err := g.Target(dir)
	if err != nil {
		t.Fatal(err)
	}
	results := g.Grow(t.Context(), target)
	return results, m.Ledger.Entries()
}

// Rows M05 and M09, and row 56 of the GCE table. A mounted file system grows with its partition while somebody writes into it;
// what is in it stays, the tools find nothing wrong, and a second run writes nothing.
func TestGrowMounted(t *testing.T) {
	layouts := map[string]string{
		"gpt": "label: gpt\n14: size=4M\n1: size=400M\n", "mbr": "label: dos\n,400M\n", "fifteen": "label: gpt\n" + strings.Repeat(",1M\n", 14) + ",400M\n",
		"up to a config drive": "label: gpt\n1: start=2048, size=400M\n2: start=1228800, size=8M\n",
	}
	checks := map[string][]string{"xfs": {"xfs_repair", "-n"}, "btrfs": {"btrfs", "check"}}
	for _, test := range []struct {
		kind, layout string
		number       int
		ends         int64 // at least, in MiB
	}{{"xfs", "gpt", 1, 999}, {"btrfs", "gpt", 1, 999}, {"xfs", "mbr", 1, 999}, {"xfs", "fifteen", 15, 999}, {"btrfs", "up to a config drive", 1, 600}} {
		t.Run(test.kind+" "+test.layout, func(t *testing.T) {
			needTools(t, "sfdisk", "sgdisk", "mkfs."+test.kind, "losetup", "partx", checks[test.kind][0])
			l := attachLoop(t, layouts[test.layout], 640*mib)
			dir := l.mount(test.kind, test.number)
			before := fill(t, dir)
			l.enlarge(1000 * mib)
			written := load(dir)
			results, _ := growth(t, dir)
			if err := <-written; err != nil {
				t.Errorf("who wrote while it grew got: %v", err)
			}
			for _, r := range results {
				if r.Outcome != disk.Changed {
					t.Errorf("%v", r)
				}
			}
			if size := sizeOf(t, fmt.Sprintf("%sp%d", l.device, test.number)); size < (test.ends-20)*mib {
				t.Errorf("the partition has %d bytes", size)
			}
			if taken, room := roomOf(t, dir); room-taken > mib {
				t.Errorf("the file system has %d of %d bytes", taken, room)
			}
			if again, entries := growth(t, dir); len(entries) != 0 {
				t.Errorf("a second run changed something: %v, %v", again, entries)
			}
			if after := checksum(t, dir); after != before {
				t.Error("the content of a file has changed")
			}
			command(t, "", "umount", dir)
			command(t, "", "blockdev", "--flushbufs", fmt.Sprintf("%sp%d", l.device, test.number)) // who probed it meanwhile left old blocks in memory
			command(t, "", checks[test.kind][0], append(checks[test.kind][1:], fmt.Sprintf("%sp%d", l.device, test.number))...)
			l.verify()
		})
	}
}

// Row M05. A kernel that was not told, because the power went between the table and the word to it, is told by the next run.
func TestKernelIsToldLater(t *testing.T) {
	needTools(t, "sfdisk", "sgdisk", "losetup", "partx")
	l := attachLoop(t, "label: gpt\n1: size=100M\n", 110*mib)
	l.enlarge(200 * mib)
	m, err := machine.Live()
	if err != nil {
		t.Fatal(err)
	}
	g := disk.Grower{Machine: m}
	if r := g.Image(l.image, 1); r.Outcome != disk.Changed { // the table alone
		t.Fatal(r)
	}
	command(t, "", "blockdev", "--flushbufs", l.device)
	if size := sizeOf(t, l.device+"p1"); size != 100*mib {
		t.Fatalf("the kernel knows already: %d", size)
	}
	target, err := g.Target(l.device + "p1")
	if err != nil {
		t.Fatal(err)
	}
	if r := g.Grow(t.Context(), target)[0]; r.Outcome != disk.Changed || sizeOf(t, l.device+"p1") < 198*mib {
		t.Errorf("%v: the partition has %d bytes", r, sizeOf(t, l.device+"p1"))
	}
}

// A mounted ext4 wants a right that root of many containers and of our build machines lacks: then the partition grows all the
// same, and the error says what is missing. On a machine that has it, the file system grows; a test in a VM sees to that.
func TestGrowExt4(t *testing.T) {
	needTools(t, "sfdisk", "sgdisk", "mkfs.ext4", "losetup", "partx", "e2fsck")
	l := attachLoop(t, "label: gpt\n1: size=100M\n", 110*mib)
	dir := l.mount("ext4", 1)
	before := fill(t, dir)
	l.enlarge(400 * mib)
	results, _ := growth(t, dir)
	switch fs := results[1]; {
	case results[0].Outcome != disk.Changed:
		t.Error(results[0])
	case fs.Outcome == disk.Failed && !strings.Contains(fs.Reason, "CAP_SYS_RESOURCE"):
		t.Error(fs)
	}
	if checksum(t, dir) != before {
		t.Error("the content of a file has changed")
	}
	command(t, "", "umount", dir)
	command(t, "", "e2fsck", "-fn", l.device+"p1")
	l.verify()
}

// fill writes a file of 20 MiB, and returns its checksum.
func fill(t *testing.T, dir string) string {
	t.Helper()
	command(t, "", "dd", "if=/dev/urandom", "of="+dir+"/content", "bs=1M", "count=20", "status=none")
	return checksum(t, dir)
}

func checksum(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.Open(dir + "/content")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// load writes into a file system, and says how that ended.
func load(dir string) <-chan error {
	ended := make(chan error, 1)
	go func() {
		ended <- exec.Command("dd", "if=/dev/zero", "of="+dir+"/load", "bs=1M", "count=64", "conv=fsync", "status=none").Run()
	}()
	return ended
}

func sizeOf(t *testing.T, device string) (size int64) {
	t.Helper()
	fmt.Sscan(command(t, "", "blockdev", "--getsize64", device), &size)
	return size
}

func roomOf(t *testing.T, dir string) (taken, room int64) {
	t.Helper()
	m, err := machine.Live()
	if err != nil {
		t.Fatal(err)
	}
	taken, room, err = m.Blocks.Room(m.Facts.MountOf(dir))
	if err != nil {
		t.Fatal(err)
	}
	return taken, room
}
