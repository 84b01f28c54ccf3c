package machine

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// liveSwap is that of the running system.
type liveSwap struct {
	disk  *disk
	files walked
}

// Free counts what root may still write.
func (s liveSwap) Free(folder string) (int64, error) {
	return visit(s.files, folder, true, func(p place) (int64, error) {
		fd, err := s.disk.folder(p.path)
		if err != nil {
			return 0, &fs.PathError{Op: "open", Path: p.name(), Err: err}
		}
		defer unix.Close(fd)
		var st unix.Statfs_t
		if err := unix.Fstatfs(fd, &st); err != nil {
			return 0, fmt.Errorf("find out how much room %s has: %w", p.name(), err)
		}
		return int64(st.Bfree) * int64(st.Frsize), nil
	})
}

func (s liveSwap) Holds(name string) (bool, error) {
	return visit(s.files, name, false, func(p place) (bool, error) {
		n, err := s.disk.look(p)
		if err != nil || !n.Mode.IsRegular() {
			return false, err
		}
		f, err := s.disk.open(p, unix.O_RDONLY, Node{})
		if err != nil {
			return false, err
		}
		defer f.Close()
		_, kind := superblocks{f}.swap()
		return kind == "swap", nil
	})
}

func (s liveSwap) Make(name string, size int64) (bool, error) {
	return newSwap(s.files, s, name, size, s.disk.makeSwap)
}

// makeSwap makes a swap file beside its name and moves it there when it is whole. A file that an earlier run could not
// finish, because the power went, has the same name as this one's and leaves.
func (d *disk) makeSwap(p place, size int64) error {
	half := place{path: path.Join(path.Dir(p.path), "."+path.Base(p.path)+".new")}
	if err := d.remove(half); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := d.open(half, unix.O_WRONLY|unix.O_CREAT, File(0o600, ""))
	if err != nil {
		return err
	}
	err = errors.Join(d.fillSwap(f, p, size), f.Close())
	if err == nil {
		err = d.in(p, func(folder int, base string) error { return d.rename(folder, path.Base(half.path), base) })
	}
	if err != nil {
		d.remove(half)
	}
	return err
}

// fillSwap gives an empty file its blocks, its mark and its label.
func (d *disk) fillSwap(f *os.File, p place, size int64) error {
	var id [16]byte
	rand.Read(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // a random UUID (RFC 9562, 5.4)
	if err := allocate(f, size); err != nil {
		return err
	}
	if _, err := f.WriteAt(swapMark(os.Getpagesize(), size, id), 0); err != nil {
		return err
	}
	return errors.Join(d.dress(f, p, File(0o600, ""), ""), f.Sync())
}

// noCopyOnWrite is FS_NOCOW_FL of include/uapi/linux/fs.h.
const noCopyOnWrite = 0x00800000

// allocate gives an empty file a block of the disk for each of its bytes: the kernel does not swap to a file with holes. A
// file system that copies on write is told not to.
func allocate(f *os.File, size int64) error {
	fd := int(f.Fd())
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return fmt.Errorf("find out what file system it is on: %w", err)
	}
	if uint32(st.Type) == unix.BTRFS_SUPER_MAGIC {
		if err := unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, noCopyOnWrite); err != nil {
			return fmt.Errorf("turn copying on write off for it: %w", err)
		}
	}
	if uint32(st.Type) == unix.XFS_SUPER_MAGIC && isOlderThan(4, 18) { // such a kernel takes blocks that were never written for holes
		return writeZeros(f, size)
	}
	err := unix.EINTR
	for errors.Is(err, unix.EINTR) {
		err, _ = unix.Fallocate(fd, 0, 0, size).(unix.Errno)
	}
	switch err {
	case 0:
		return nil
	case unix.EOPNOTSUPP, unix.ENOSYS:
		return writeZeros(f, size)
	}
	return err
}

// writeZeros writes a file full.
func writeZeros(f *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}

// isOlderThan compares the running kernel's version.
func isOlderThan(major, minor int) bool {
	var name unix.Utsname
	var has [2]int
	if err := unix.Uname(&name); err != nil {
		return false
	}
	n, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &has[0], &has[1])
	return err == nil && n == 2 && (has[0] < major || has[0] == major && has[1] < minor)
}
