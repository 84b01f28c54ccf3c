package disk

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// setup is one run of the module disk_setup on the disks of this machine, and its report.
type setup struct {
	t        *testing.T
	verdicts map[string]module.Outcome
	said     strings.Builder
}

func (s *setup) Verdict(v module.Verdict) bool {
	s.verdicts[v.Key] = v.Verdict
	fmt.Fprintln(&s.said, v.Key, v.Verdict, v.Reason)
	return true
}

func (s *setup) Log(level module.Level, format string, args ...any) {
	fmt.Fprintf(&s.said, "%s %s\n", level, fmt.Sprintf(format, args...))
}

func (s *setup) Console(string) {}

// setUp runs the module with a configuration, and returns the verdicts by key and what was changed.
func setUp(t *testing.T, config string) (map[string]module.Outcome, []machine.Entry) {
	t.Helper()
	m, err := machine.Live()
	if err != nil {
		t.Fatal(err)
	}
	tree, problems, err := conf.Parse("user-data", []byte(config))
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	s := &setup{t: t, verdicts: map[string]module.Outcome{}}
	distro, _ := module.FindDistro("debian", tree)
	env := &module.Env{Machine: m, Instance: &instance.Instance{ID: "i-1"}, Config: tree, Distro: distro, Report: s, Module: "disk_setup",
		Paths: module.Paths{Cloud: t.TempDir(), Run: t.TempDir()}}
	if err := module.Find("disk_setup").Run(context.Background(), env); err != nil {
		fmt.Fprintln(&s.said, err)
	}
	t.Logf("%s", s.said.String())
	return s.verdicts, m.Ledger.Entries()
}

// attach makes an empty disk of a file. Without loop devices there is nothing to try on.
func attach(t *testing.T, size int64, options ...string) (device, image string) {
	t.Helper()
	needTools(t, "losetup", "partx", "sfdisk", "sgdisk", "blkid", "mkfs.ext4", "mkfs.xfs", "mkswap")
	image = filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, size); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", append([]string{"--find", "--show"}, append(options, image)...)...).CombinedOutput()
	if err != nil {
		t.Skipf("this system gives no loop device: %s", bytes.TrimSpace(out))
	}
	device = strings.TrimSpace(string(out))
	t.Cleanup(func() {
		exec.Command("partx", "--delete", device).Run()
		if out, err := exec.Command("losetup", "--detach", device).CombinedOutput(); err != nil {
			t.Errorf("%s stays attached: %s", device, out)
		}
	})
	return device, image
}

// probed is what blkid says of a device.
func probed(t *testing.T, device, value string) string {
	t.Helper()
	out, _ := exec.Command("blkid", "-p", "-o", "value", "-s", value, device).Output() // status 2: nothing is there
	return strings.TrimSpace(string(out))
}

func wantVerdicts(t *testing.T, got map[string]module.Outcome, want ...module.Outcome) {
	t.Helper()
	counted := map[module.Outcome]int{}
	for _, outcome := range got {
		counted[outcome]++
	}
	for _, outcome := range want {
		counted[outcome]--
	}
	for outcome, n := range counted {
		if n != 0 {
			t.Errorf("the verdicts are %v; want %v", got, want)
			t.Logf("%s: %d too many", outcome, n)
			return
		}
	}
}

// Rows M11 and M12. A new disk comes out as the person asked, with the table that other tools read and the file systems that
// they mount; a second run touches nothing and starts no program.
func TestNewDisk(t *testing.T) {
	for _, sector := range []string{"512", "4096"} {
		for _, kind := range []string{"gpt", "mbr"} {
			t.Run(kind+" with sectors of "+sector, func(t *testing.T) { newDisk(t, kind, sector) })
		}
	}
}

func newDisk(t *testing.T, kind, sector string) {
	device, _ := attach(t, 1<<30, "--sector-size", sector)
	config := fmt.Sprintf(`
device_aliases: {data: %[1]s}
disk_setup:
  data: {table_type: %[2]s, layout: [[25, 82], 75]}
fs_setup:
  - {device: data.1, filesystem: swap, label: more}
  - {device: data, partition: auto, filesystem: ext4, label: data, extra_opts: [-q, -m, 0]}
`, device, kind)
	verdicts, _ := setUp(t, config)
	wantVerdicts(t, verdicts, module.Applied, module.Applied, module.Applied)
	run(t, "sfdisk", "--verify", device)
	if kind == "gpt" {
		if out := run(t, "sgdisk", "-v", device); !strings.Contains(out, "No problems found") {
			t.Errorf("sgdisk says %s", out)
		}
	}
	for node, want := range map[string]string{device + "p1": "swap more", device + "p2": "ext4 data"} {
		if got := probed(t, node, "TYPE") + " " + probed(t, node, "LABEL"); got != want {
			t.Errorf("%s holds %q, want %q", node, got, want)
		}
	}
	verdicts, changes := setUp(t, config)
	wantVerdicts(t, verdicts, module.Unchanged, module.Unchanged, module.Unchanged)
	if len(changes) > 0 {
		t.Errorf("a second run did %v", changes)
	}
}

// Row M11. What is on a disk is somebody's only copy, until somebody says that it may go.
func TestUsedDiskStays(t *testing.T) {
	device, image := attach(t, 64<<20)
	run(t, "mkfs.ext4", "-q", "-F", "-L", "mine", device)
	before := sum(t, image)
	const config = `
disk_setup:
  %[1]s: {table_type: gpt, layout: [50, 50]}
fs_setup:
  - {device: %[1]s, partition: none, filesystem: ext4, label: new}
  - {device: %[1]s, filesystem: ext4, label: new}
`
	verdicts, changes := setUp(t, fmt.Sprintf(config, device))
	wantVerdicts(t, verdicts, module.Skipped, module.Skipped, module.Unchanged)
	if after := sum(t, image); after != before || len(changes) > 0 {
		t.Errorf("the disk is another one now, after %v", changes)
	}
}

// Row M11. A disk that is mounted stays, whatever is asked: two file systems in one place destroy each other.
func TestMountedDiskStays(t *testing.T) {
	device, image := attach(t, 64<<20)
	run(t, "mkfs.ext4", "-q", "-F", device)
	point := t.TempDir()
	if out, err := exec.Command("mount", "-o", "ro", device, point).CombinedOutput(); err != nil {
		t.Skipf("this system may not mount: %s", bytes.TrimSpace(out))
	}
	t.Cleanup(func() { run(t, "umount", point) })
	before := sum(t, image)
	verdicts, _ := setUp(t, fmt.Sprintf(`
disk_setup:
  %[1]s: {layout: true, overwrite: true}
fs_setup:
  - {device: %[1]s, filesystem: xfs, overwrite: true, partition: none}
`, device))
	wantVerdicts(t, verdicts, module.Failed, module.Failed)
	if after := sum(t, image); after != before {
		t.Error("the disk is another one now")
	}
}

// Row M11. A disk that may be written over comes out new: nothing of the old table or file system is left to be found. And
// one whose table is to go is empty.
func TestOverwrittenDisk(t *testing.T) {
	device, _ := attach(t, 1<<30)
	run(t, "mkfs.ext4", "-q", "-F", "-L", "old", device)
	verdicts, _ := setUp(t, fmt.Sprintf("disk_setup:\n  %s: {table_type: gpt, layout: [30, 30, 40], overwrite: true}\n", device))
	wantVerdicts(t, verdicts, module.Applied)
	if got := probed(t, device, "TYPE") + " " + probed(t, device, "PTTYPE"); got != " gpt" {
		t.Errorf("the disk holds %q, want a gpt alone", got)
	}
	run(t, "mkfs.xfs", "-q", device+"p3")
	verdicts, _ = setUp(t, fmt.Sprintf("disk_setup:\n  %s: {table_type: mbr, layout: true, overwrite: true}\n", device))
	wantVerdicts(t, verdicts, module.Applied)
	run(t, "sfdisk", "--verify", device)
	if _, err := os.Stat(device + "p3"); !os.IsNotExist(err) || probed(t, device, "PTTYPE") != "dos" {
		t.Errorf("the kernel still has partition 3 (%v), or the table is no MBR", err)
	}
	verdicts, _ = setUp(t, fmt.Sprintf("disk_setup:\n  %s: {layout: remove}\n", device))
	wantVerdicts(t, verdicts, module.Applied)
	if _, err := os.Stat(device + "p1"); !os.IsNotExist(err) || probed(t, device, "PTTYPE") != "" {
		t.Errorf("the kernel still has partition 1 (%v), or the disk a table", err)
	}
}

// Row M12. A file system that a person makes with a command of their own, and one that takes the place of another.
func TestOwnCommandAndReplacement(t *testing.T) {
	device, _ := attach(t, 512<<20)
	config := fmt.Sprintf(`
fs_setup:
  - {device: %s, cmd: "mkfs.%%(filesystem)s -q -L %%(label)s %%(device)s", filesystem: xfs, label: own}
  - {device: %[1]s, partition: none, filesystem: ext4, label: next, replace_fs: xfs, extra_opts: -q -m 1}
`, device)
	verdicts, _ := setUp(t, config)
	wantVerdicts(t, verdicts, module.Applied, module.Applied)
	if got := probed(t, device, "TYPE") + " " + probed(t, device, "LABEL"); got != "ext4 next" {
		t.Errorf("the disk holds %q", got)
	}
}
