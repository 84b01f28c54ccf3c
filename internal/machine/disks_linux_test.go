package machine

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// loopDevice makes a disk of a file.
func loopDevice(t *testing.T, file string) string {
	t.Helper()
	out, err := exec.Command("losetup", "--find", "--show", file).Output()
	if err != nil {
		t.Skip("losetup cannot make a loop device here")
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() { exec.Command("losetup", "--detach", device).Run() })
	return device
}

func liveDisksForTest(t *testing.T) liveDisks {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root and loop devices")
	}
	store, err := openDisk("/")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{mountFolder, "/run/cloud-init"} {
		if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			defer t.Cleanup(func() { os.Remove(dir) }) // the outer one last
		}
	}
	return liveDisks{files: walked{store: store}}
}

// A seed is found on a device of its own, read, and the device is free again. Row D14.
func TestSeedDisks(t *testing.T) {
	for name, want := range map[string]string{"fat16": "CIDATA", "iso": "cidata", "ext4": "a label of 16"} {
		t.Run(name, func(t *testing.T) {
			d := liveDisksForTest(t)
			device := loopDevice(t, makeDisk(t, name))
			found := deviceAt(t, d, device, want)
			files, closeDisk, err := d.Mount(found)
			if err != nil && strings.Contains(err.Error(), "no such file system") {
				t.Skipf("the kernel here cannot mount %s", found.Type)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := files.Put("/new", File(0o644, "x")); err == nil {
				t.Error("a seed was written to")
			}
			if names, err := files.List("/"); err != nil || len(names) > 1 {
				t.Errorf("there are %q on the disk: %v", names, err)
			}
			if name == "iso" {
				if text, err := files.Read("user-data"); err != nil || text != "#cloud-config\n" {
					t.Errorf("the user-data are %q, %v", text, err)
				}
			}
			if info, err := os.Stat(mountFolder); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s is %v, %v; others could read the seed", mountFolder, info, err)
			}
			if err := closeDisk(); err != nil {
				t.Error(err)
			}
			if left, err := os.ReadDir(mountFolder); err != nil || len(left) != 0 {
				t.Errorf("below %s there is left %v, %v", mountFolder, left, err)
			}
			if mounts, _ := os.ReadFile("/proc/mounts"); strings.Contains(string(mounts), device+" ") {
				t.Errorf("%s is still mounted", device)
			}
		})
	}
}

func deviceAt(t *testing.T, d liveDisks, path, label string) Device {
	t.Helper()
	found, err := d.Labelled("none such", label)
	if err != nil {
		t.Fatal(err)
	}
	for _, device := range found {
		if device.Path == path && device.Label == label {
			return device
		}
	}
	t.Fatalf("%s is not among %v", path, found)
	return Device{}
}

// A configuration disk may be mounted already, for writing, by the image's own fstab.
func TestMountTwice(t *testing.T) {
	d := liveDisksForTest(t)
	device := loopDevice(t, makeDisk(t, "ext4"))
	dir := t.TempDir()
	if err := unix.Mount(device, dir, "ext4", 0, ""); err != nil {
		t.Skip("the kernel here does not mount a loop device: ", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	if err := os.WriteFile(dir+"/meta-data", []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	files, closeDisk, err := d.Mount(Device{Path: device, Type: "ext4"})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := files.Read("meta-data"); err != nil || text != "x" {
		t.Errorf("the meta-data are %q, %v", text, err)
	}
	if _, err := files.Put("/new", File(0o644, "x")); !errors.Is(err, unix.EROFS) {
		t.Errorf("the second mount is not read-only: %v", err)
	}
	if err := closeDisk(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(dir+"/meta-data", []byte("y"), 0o644); err != nil {
		t.Errorf("the first mount is read-only now: %v", err)
	}
}

// Two seeds: the one on the later device name counts, as with cloud-init. Row D14.
func TestOrderOfDevices(t *testing.T) {
	d := liveDisksForTest(t)
	file := makeDisk(t, "ext4")
	one, two := loopDevice(t, file), loopDevice(t, file)
	found, err := d.Labelled("a label of 16")
	if err != nil || len(found) != 2 || found[0].Path != max(one, two) || found[1].Path != min(one, two) {
		t.Errorf("the devices are %v, %v; want %s before %s", found, err, max(one, two), min(one, two))
	}
}

func TestMountOfNothing(t *testing.T) {
	d := liveDisksForTest(t)
	_, _, err := d.Mount(Device{Path: "/dev/none", Label: "cidata", Type: "ext4"})
	if want := `mount /dev/none, which is ext4 labelled "cidata": no such file or directory`; err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	if left, err := os.ReadDir(mountFolder); err != nil || len(left) != 0 {
		t.Errorf("below %s there is left %v, %v", mountFolder, left, err)
	}
}
