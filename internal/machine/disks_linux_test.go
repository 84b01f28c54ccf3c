package machine

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"slices"
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

// seedDisks are disks as people make them, with a seed on them.
var seedDisks = map[string]func(t *testing.T, dir string) (file string){
	"vfat": func(t *testing.T, dir string) string {
		file := makeFAT(t, "as cloud-localds does")
		copyToFAT(t, file, dir)
		return file
	},
	"iso9660": func(t *testing.T, dir string) string { return makeISO(t, "xorriso, Rock Ridge and Joliet", dir) },
}

// A seed is found on a device of its own and read, whatever the kernel has modules for. Row D14.
func TestSeedDisks(t *testing.T) {
	for kind, makeSeed := range seedDisks {
		t.Run(kind, func(t *testing.T) {
			d, dir := liveDisksForTest(t), t.TempDir()
			writeFile(t, dir+"/user-data", "#cloud-config\n")
			writeFile(t, dir+"/meta-data", "instance-id: i-1\n")
			device := loopDevice(t, makeSeed(t, dir))
			found := deviceAt(t, d, device, "cidata", "CIDATA")
			if found.Type != kind {
				t.Errorf("it is %s", found.Type)
			}
			if id, err := exec.Command("blkid", "-p", "-o", "value", "-s", "UUID", device).Output(); err == nil && found.UUID != strings.TrimSpace(string(id)) {
				t.Errorf("its number is %s; blkid says %s", found.UUID, id)
			}
			files, closeDisk, err := d.Mount(found)
			if err != nil {
				t.Fatal(err)
			}
			compareTree(t, files, dir, sameName)
			if _, err := files.Put("/user-data", File(0o644, "x")); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("a seed was written to: %v", err)
			}
			if mounts, _ := os.ReadFile("/proc/mounts"); strings.Contains(string(mounts), device+" ") {
				t.Errorf("%s is mounted; the kernel has no part in this", device)
			}
			if err := closeDisk(); err != nil {
				t.Error(err)
			}
			if _, err := files.Read("/user-data"); !errors.Is(err, os.ErrClosed) {
				t.Errorf("the device is still open: %v", err)
			}
		})
	}
}

// What is no FAT in spite of its label, and a device that is gone, cost an error.
func TestOpenOfNothing(t *testing.T) {
	empty := t.TempDir() + "/disk"
	writeFile(t, empty, "")
	for device, want := range map[Device]string{
		{Path: "/dev/none", Label: "cidata", Type: "iso9660"}: `open /dev/none, which is iso9660 labelled "cidata": no such file or directory`,
		{Path: empty, Label: "CIDATA", Type: "vfat"}:          "open " + empty + `, which is vfat labelled "CIDATA": its first sector is none of a FAT file system`,
	} {
		if _, _, err := (liveDisks{}).Mount(device); err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

// A file system that seeds do not come in is mounted for us alone, and the device is free again.
func TestMount(t *testing.T) {
	d := liveDisksForTest(t)
	device := loopDevice(t, makeDisk(t, "ext4"))
	files, closeDisk, err := d.Mount(deviceAt(t, d, device, "a label of 16"))
	if err != nil && strings.Contains(err.Error(), "no such file system") {
		t.Skip("the kernel here cannot mount ext4")
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.Put("/new", File(0o644, "x")); err == nil {
		t.Error("a disk was written to")
	}
	if names, err := files.List("/"); err != nil || len(names) > 1 {
		t.Errorf("there are %q on the disk: %v", names, err)
	}
	if info, err := os.Stat(mountFolder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s is %v, %v; others could read the disk", mountFolder, info, err)
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
}

func deviceAt(t *testing.T, d liveDisks, path string, labels ...string) Device {
	t.Helper()
	found, err := d.Labelled(labels...)
	if err != nil {
		t.Fatal(err)
	}
	for _, device := range found {
		if device.Path == path && slices.Contains(labels, device.Label) {
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
