package machine

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Mount is a place where a file system is mounted, as /proc/self/mountinfo shows it (proc(5)).
type Mount struct {
	Point    string
	Type     string // "ext4", "overlay", …
	Source   string // what was mounted; "/dev/root" where the kernel did it, a data set of zfs, …
	Number   string // of the device, "254:1"; of btrfs and what has no device one of its own
	Root     string // the folder of the file system that is seen at the point
	ReadOnly bool   // here; the file system itself may be written elsewhere
}

// Mounts are the mounts of now. A point may be there more than once: the last one covers the others.
func (f *Facts) Mounts() (all []Mount) {
	text, _ := f.files.Read("/proc/self/mountinfo")
	for line := range strings.Lines(text) {
		first, second, ok := strings.Cut(line, " - ")
		a, b := strings.Fields(first), strings.Fields(second)
		if ok && len(a) >= 6 && len(b) >= 2 {
			all = append(all, Mount{Point: unescapeOctal(a[4]), Type: b[0], Source: unescapeOctal(b[1]), Number: a[2],
				Root: unescapeOctal(a[3]), ReadOnly: slices.Contains(strings.Split(a[5], ","), "ro")})
		}
	}
	return all
}

// unescapeOctal undoes what the kernel does to white space and backslashes: a blank is \040.
func unescapeOctal(s string) string {
	var out strings.Builder
	for at := 0; at < len(s); at++ {
		if s[at] == '\\' && at+4 <= len(s) {
			if n, err := strconv.ParseUint(s[at+1:at+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				at += 3
				continue
			}
		}
		out.WriteByte(s[at])
	}
	return out.String()
}

// MountOf is the mount that a path is in; its Point is empty where there is none.
func (f *Facts) MountOf(name string) (found Mount) {
	name = path.Clean("/" + name)
	for _, m := range f.Mounts() {
		in := m.Point == "/" || name == m.Point || strings.HasPrefix(name, m.Point+"/")
		if in && len(m.Point) >= len(found.Point) {
			found = m
		}
	}
	return found
}

// MountedOn is the block device that a mount stands on; its Name is empty where there is none, as for a network's file system.
// The number counts more than the source: a kernel without an initramfs calls its root /dev/root.
func (f *Facts) MountedOn(m Mount) BlockDevice {
	if link, err := f.files.Look("/sys/dev/block/" + m.Number); err == nil && link.Data != "" {
		return blockDevice(f.files, path.Base(link.Data))
	}
	if device := f.BlockDevice(m.Source); device.Name != "" || !strings.HasPrefix(m.Source, "/dev/") {
		return device
	}
	return f.find(func(b BlockDevice) bool { return b.Number == m.Number && m.Number != "" })
}

// find is the first device that fits.
func (f *Facts) find(fits func(BlockDevice) bool) BlockDevice {
	all := f.BlockDevices()
	if at := slices.IndexFunc(all, fits); at >= 0 {
		return all[at]
	}
	return BlockDevice{}
}

// BlockDevice is the device that a name below /dev leads to, through the links that udev makes; its Name is empty where there
// is none.
func (f *Facts) BlockDevice(name string) BlockDevice {
	name = f.behindLinks(path.Clean(name))
	inside, ok := strings.CutPrefix(name, "/dev/")
	if !ok {
		return BlockDevice{}
	}
	if mapped, ok := strings.CutPrefix(inside, "mapper/"); ok {
		return f.find(func(b BlockDevice) bool { return b.Mapped == mapped && mapped != "" })
	}
	if inside = kernelDisk(name); Exists(f.files, "/sys/class/block/"+inside) {
		return blockDevice(f.files, inside)
	}
	return BlockDevice{}
}

// behindLinks follows the links at the end of a path.
func (f *Facts) behindLinks(name string) string {
	for range 10 {
		n, err := f.files.Look(name)
		if err != nil || n.Mode.Type() != fs.ModeSymlink {
			break
		}
		if !path.IsAbs(n.Data) {
			n.Data = path.Join(path.Dir(name), n.Data)
		}
		name = path.Clean(n.Data)
	}
	return name
}

// Below are the devices that one of device mapper's is made of.
func (f *Facts) Below(b BlockDevice) (all []BlockDevice) {
	names, _ := f.files.List("/sys/class/block/" + b.Name + "/slaves")
	for _, name := range names {
		all = append(all, blockDevice(f.files, name))
	}
	return all
}
