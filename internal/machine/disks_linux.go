package machine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

// liveDisks are the block devices of the running system.
type liveDisks struct{ files walked }

// Labelled reads the first blocks of every disk and partition: links that udev makes may not be there yet.
func (d liveDisks) Labelled(labels ...string) (found []Device, err error) {
	entries, _ := os.ReadDir(blockFolder) // there is none without block devices
	for _, entry := range entries {
		if isWorthReading(entry.Name()) {
			found = append(found, readLabels(BlockDevice{Name: entry.Name()}.Path())...)
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].Path > found[j].Path })
	return WithLabel(found, labels...), nil
}

// blockFolder has an entry for each disk and partition. It is the kernel's: nobody else may put links there, so that it is
// read without a walk.
const blockFolder = "/sys/class/block/"

// isWorthReading leaves out the devices that hold no data source and would cost time: those without a medium, memory, floppy
// drives (an empty one takes seconds to say so), and what device mapper has suspended (reading would wait until it is resumed).
func isWorthReading(name string) bool {
	for _, prefix := range []string{"ram", "zram", "fd"} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	size, err := os.ReadFile(blockFolder + name + "/size")
	if err != nil || strings.TrimSpace(string(size)) == "0" {
		return false
	}
	suspended, _ := os.ReadFile(blockFolder + name + "/dm/suspended")
	return strings.TrimSpace(string(suspended)) != "1"
}

// readLabels opens a device and looks for a file system: an entry for each label, one without where there is none. A
// drive without a medium has no file system.
func readLabels(device string) (found []Device) {
	f, err := os.Open(device)
	if err != nil {
		return nil
	}
	defer f.Close()
	beginning := readHead(f)
	labels, kind := probeLabels(beginning)
	if kind == "" {
		return nil
	}
	one := Device{Path: device, Type: kind, UUID: Probe(beginning).UUID}
	if len(labels) == 0 {
		return []Device{one}
	}
	for _, one.Label = range labels {
		found = append(found, one)
	}
	return found
}

// mountFolder is where file systems are mounted for us alone.
const mountFolder = "/run/cloud-init/tmp"

// Mount reads vfat and iso9660 itself, as seeds come in them, and asks the kernel for the others.
func (d liveDisks) Mount(device Device) (Files, func() error, error) {
	switch device.Type {
	case "vfat":
		return openDevice(device, openFAT)
	case "iso9660":
		return openDevice(device, openISO9660)
	}
	return d.mount(device)
}

// openDevice reads a file system on a device that stays open until close.
func openDevice(device Device, open func(*io.SectionReader) (*volume, error)) (files Files, close func() error, err error) {
	f, err := os.Open(device.Path)
	var v *volume
	if err == nil {
		v, err = openVolume(f, open)
	}
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("open %s, which is %s labelled %q: %w", device.Path, device.Type, device.Label, deviceError(err))
	}
	return walked{store: v}, f.Close, nil
}

// openVolume reads a file system on all of an open disk.
func openVolume(f *os.File, open func(*io.SectionReader) (*volume, error)) (*volume, error) {
	size, err := f.Seek(0, io.SeekEnd) // a device's own size is no part of what stat says
	if err != nil {
		return nil, err
	}
	return open(io.NewSectionReader(f, 0, size))
}

// deviceError says what the kernel's numbers mean for opening a device.
func deviceError(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", ErrRoot, fs.ErrPermission)
	}
	return bare(err)
}

// mount mounts a device below a folder that only root may enter.
func (d liveDisks) mount(device Device) (Files, func() error, error) {
	dir, err := d.mountPoint()
	if err != nil {
		return nil, nil, fmt.Errorf("make a folder to mount %s: %w", device.Path, err)
	}
	if err := mountReadOnly(device, dir); err != nil {
		os.Remove(dir)
		return nil, nil, fmt.Errorf("mount %s, which is %s labelled %q: %w", device.Path, device.Type, device.Label, mountError(err))
	}
	store, err := openDisk(dir)
	if err != nil {
		return nil, nil, errors.Join(err, unmount(dir))
	}
	return walked{store: store}, func() error { return errors.Join(unix.Close(store.root), unmount(dir)) }, nil
}

// mountPoint makes a new folder with a name that nobody knows.
func (d liveDisks) mountPoint() (string, error) {
	if err := MakeFolders(d.files, path.Dir(mountFolder), Folder(0o755)); err != nil {
		return "", err
	}
	if _, err := d.files.Put(mountFolder, Folder(0o700)); err != nil {
		return "", err
	}
	return os.MkdirTemp(mountFolder, "disk-")
}

const mountFlags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// mountReadOnly mounts a device that may be mounted for writing elsewhere: then the kernel refuses a second, read-only
// view of the device, and it is this mount point alone that is made read-only.
func mountReadOnly(device Device, dir string) error {
	err := unix.Mount(device.Path, dir, device.Type, mountFlags|unix.MS_RDONLY, "")
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	if err := unix.Mount(device.Path, dir, device.Type, mountFlags, ""); err != nil {
		return err
	}
	err = unix.Mount("", dir, "", mountFlags|unix.MS_RDONLY|unix.MS_REMOUNT|unix.MS_BIND, "")
	if err != nil {
		return errors.Join(err, unix.Unmount(dir, unix.MNT_DETACH))
	}
	return nil
}

// mountError says what the kernel's numbers mean for a mount.
func mountError(err error) error {
	switch {
	case errors.Is(err, unix.ENODEV):
		return errors.New("this kernel has no such file system")
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: %w", ErrRoot, fs.ErrPermission)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EUCLEAN):
		return errors.New("the kernel cannot read its file system; it may be damaged")
	}
	return err
}

func unmount(dir string) error {
	return errors.Join(unix.Unmount(dir, unix.MNT_DETACH), os.Remove(dir))
}
