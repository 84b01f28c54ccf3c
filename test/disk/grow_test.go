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
	"syscall"
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

// run runs a program, and returns what it printed; one that fails ends the test.
func run(t *testing.T, argv ...string) string {
	t.Helper()
	return feed(t, "", argv...)
}

// feed runs a program that reads a text.
func feed(t *testing.T, input string, argv ...string) string {
	t.Helper()
	c := exec.Command(argv[0], argv[1:]...)
	c.Stdin = strings.NewReader(input)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// needTools skips the test where it cannot run.
func needTools(t *testing.T, tools ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root has loop devices")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed; scripts/tools says which packages tests need", tool)
		}
	}
}

// sum is the content of a file in a word.
func sum(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
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

// loop is an image with a table, and the device on it.
type loop struct {
	t             *testing.T
	image, device string
}

// attachLoop makes a disk with partitions. The kernel may not read tables by itself: partx tells it.
func attachLoop(t *testing.T, layout string, size int64, options ...string) *loop {
	t.Helper()
	l := &loop{t: t}
	l.device, l.image = attach(t, size, options...)
	feed(t, layout, "sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", l.device)
	exec.Command("partx", "--update", l.device).Run()
	if _, err := os.Stat(l.device + "p1"); err != nil {
		t.Skip("the kernel makes no device nodes for partitions of loop devices here")
	}
	return l
}

// enlarge gives the disk more room, as a cloud does.
func (l *loop) enlarge(size int64) {
	l.t.Helper()
	run(l.t, "truncate", "-s", fmt.Sprint(size), l.image)
	run(l.t, "losetup", "--set-capacity", l.device)
}

// mount makes a file system on a partition and mounts it.
func (l *loop) mount(kind string, number int) string {
	l.t.Helper()
	device, dir := fmt.Sprintf("%sp%d", l.device, number), l.t.TempDir()
	run(l.t, "mkfs."+kind, "-q", device)
	if out, err := exec.Command("mount", device, dir).CombinedOutput(); err != nil {
		l.t.Skipf("this kernel does not mount %s: %s", kind, out)
	}
	l.t.Cleanup(func() { exec.Command("umount", dir).Run() })
	return dir
}

// verify has the tools look at the table.
func (l *loop) verify() {
	l.t.Helper()
	run(l.t, "sfdisk", "--verify", l.device)
	if strings.Contains(run(l.t, "sfdisk", "--dump", l.device), "label: gpt") {
		if out := run(l.t, "sgdisk", "-v", l.device); !strings.Contains(out, "No problems found") {
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

// The disks that grow: what sfdisk makes of them while they have 640 MiB.
var layouts = map[string]string{
	"gpt": "label: gpt\n14: size=4M\n1: size=400M\n", "mbr": "label: dos\n,400M\n", "fifteen": "label: gpt\n" + strings.Repeat(",1M\n", 14) + ",400M\n",
	"logical": "label: dos\n,8M\n,8M\n,8M\n,600M,5\n,8M\n,400M\n", "up to a config drive": "label: gpt\n1: start=2048, size=400M\n2: start=1228800, size=8M\n",
}

// checks are what finds faults in a file system that is not mounted.
var checks = map[string][]string{"ext4": {"e2fsck", "-fn"}, "xfs": {"xfs_repair", "-n"}, "btrfs": {"btrfs", "check"}}

// Rows M05 and M09, and rows 56 and 57 of the GCE table. A mounted file system grows with its partition while somebody writes into it;
// what is in it stays, the tools find nothing wrong, and a second run writes nothing and starts no process.
func TestGrowMounted(t *testing.T) {
	for _, test := range []struct {
		kind, layout string
		number       int
		ends         int64 // at least, in MiB
		sector       string
	}{
		{"xfs", "gpt", 1, 999, "512"}, {"btrfs", "gpt", 1, 999, "4096"}, {"ext4", "gpt", 1, 999, "512"},
		{"xfs", "logical", 6, 980, "512"}, {"btrfs", "mbr", 1, 999, "512"}, {"ext4", "mbr", 1, 999, "4096"},
		{"xfs", "fifteen", 15, 999, "4096"}, {"btrfs", "up to a config drive", 1, 600, "512"}, {"ext4", "logical", 6, 980, "512"},
	} {
		t.Run(test.kind+" "+test.layout, func(t *testing.T) {
			needTools(t, "mkfs."+test.kind, checks[test.kind][0])
			l := attachLoop(t, layouts[test.layout], 640*mib, "--sector-size", test.sector)
			device := fmt.Sprintf("%sp%d", l.device, test.number)
			dir := l.mount(test.kind, test.number)
			before := fill(t, dir)
			l.enlarge(1000 * mib)
			isGrown := growLoaded(t, dir)
			if size := sizeOf(t, device); size < (test.ends-20)*mib {
				t.Errorf("the partition has %d bytes", size)
			}
			if isGrown {
				isFull(t, dir)
				growsNoMore(t, dir)
			}
			run(t, "umount", dir)
			run(t, "blockdev", "--flushbufs", device) // who probed it meanwhile left old blocks in memory
			if !isGrown {
				run(t, "e2fsck", "-fp", device)
				run(t, "resize2fs", device)
			}
			run(t, append(checks[test.kind], device)...)
			l.verify()
			run(t, "mount", "-o", "ro", device, dir)
			if sum(t, dir+"/content") != before {
				t.Error("the content of a file has changed")
			}
		})
	}
}

// growLoaded grows a mount point while somebody writes into it. A mounted ext4 wants a right that root of many containers and of our
// build machines lacks: then its partition grows all the same, and the error says what is missing. A test in a virtual machine sees it
// grow where the right is there.
func growLoaded(t *testing.T, dir string) (isGrown bool) {
	t.Helper()
	written := load(dir)
	results, _ := growth(t, dir)
	if err := <-written; err != nil {
		t.Errorf("who wrote while it grew got: %v", err)
	}
	for _, r := range results {
		switch {
		case r.Outcome == disk.Failed && strings.Contains(r.Reason, "CAP_SYS_RESOURCE"):
			return false
		case r.Outcome != disk.Changed:
			t.Error(r)
		}
	}
	return true
}

// isFull says that a file system has all of its device.
func isFull(t *testing.T, dir string) {
	t.Helper()
	if taken, room := roomOf(t, dir); room-taken > mib {
		t.Errorf("the file system has %d of %d bytes", taken, room)
	}
}

// growsNoMore runs again, and sees that nothing is changed and no process started.
func growsNoMore(t *testing.T, name string) {
	t.Helper()
	before := children(t)
	results, entries := growth(t, name)
	if len(entries) != 0 {
		t.Errorf("a second run changed something: %v, %v", results, entries)
	}
	if children(t) != before {
		t.Error("a second run started a process")
	}
	for _, r := range results {
		if r.Outcome == disk.Changed || r.Outcome == disk.Failed {
			t.Errorf("a second run: %v", r)
		}
	}
}

// children is what the processes that this one started have cost: it is the same where none was started.
func children(t *testing.T) int64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		t.Fatal(err)
	}
	return u.Minflt
}

// Rows M05 and M06. Whatever number the last partition has, it grows on the disk and in the kernel, and those before it stay as they are. A
// second run writes nothing to the disk.
func TestGrowEveryNumber(t *testing.T) {
	for _, label := range []string{"gpt", "dos"} {
		for number := 1; number <= 15; number++ {
			t.Run(fmt.Sprint(label, " ", number), func(t *testing.T) {
				l := attachLoop(t, crowd(label, number), 80*mib)
				last := fmt.Sprintf("%sp%d", l.device, number)
				others := l.others(last)
				l.enlarge(160 * mib)
				if results, _ := growth(t, last); results[0].Outcome != disk.Changed || sizeOf(t, last) < 100*mib {
					t.Errorf("%v, and the kernel says %d bytes", results[0], sizeOf(t, last))
				}
				l.verify()
				if now := l.others(last); now != others {
					t.Errorf("the partitions before it were\n%s\nand are\n%s", others, now)
				}
				written := l.written()
				growsNoMore(t, last)
				if l.written() != written {
					t.Error("a second run wrote to the disk")
				}
			})
		}
	}
}

// crowd is a table of small partitions, of which the last one has the rest of the disk.
func crowd(label string, last int) string {
	small := strings.Repeat(",2M\n", last-1)
	if label == "dos" && last > 4 {
		small = strings.Repeat(",2M\n", 3) + ",,5\n" + strings.Repeat(",2M\n", last-5)
	}
	return "label: " + label + "\n" + small + ",\n"
}

// others are the places of all partitions but one, as the kernel has them. An extended one may grow.
func (l *loop) others(but string) (text string) {
	l.t.Helper()
	names, err := filepath.Glob("/sys/class/block/" + filepath.Base(l.device) + "p*")
	if err != nil || len(names) == 0 {
		l.t.Fatalf("the kernel has no partitions of %s: %v", l.device, err)
	}
	for _, name := range names {
		if filepath.Base(name) == filepath.Base(but) {
			continue
		}
		for _, what := range []string{"/start", "/size"} {
			number, err := os.ReadFile(name + what)
			if err != nil {
				l.t.Fatal(err)
			}
			text += filepath.Base(name) + what + " " + string(number)
		}
	}
	return text
}

// written is how many writes the disk has had.
func (l *loop) written() string {
	l.t.Helper()
	text, err := os.ReadFile("/sys/class/block/" + filepath.Base(l.device) + "/stat")
	if err != nil || len(strings.Fields(string(text))) < 5 {
		l.t.Fatalf("the kernel does not count the writes of %s: %q %v", l.device, text, err)
	}
	return strings.Fields(string(text))[4]
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
	run(t, "blockdev", "--flushbufs", l.device)
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

// fill writes a file of 8 MiB, and returns its checksum.
func fill(t *testing.T, dir string) string {
	t.Helper()
	run(t, "dd", "if=/dev/urandom", "of="+dir+"/content", "bs=1M", "count=8", "status=none")
	return sum(t, dir+"/content")
}

// load writes into a file system, and says how that ended.
func load(dir string) <-chan error {
	ended := make(chan error, 1)
	go func() {
		ended <- exec.Command("dd", "if=/dev/zero", "of="+dir+"/load", "bs=1M", "count=24", "conv=fsync", "status=none").Run()
	}()
	return ended
}

func sizeOf(t *testing.T, device string) (size int64) {
	t.Helper()
	fmt.Sscan(run(t, "blockdev", "--getsize64", device), &size)
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
