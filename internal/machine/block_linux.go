package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// liveBlocks are the disks of the running system.
type liveBlocks struct {
	files  walked
	ledger *Ledger
}

// liveBlock is an open device, or an image in a file.
type liveBlock struct {
	*os.File
	size, sector int64
	isDevice     bool
}

func (b liveBlock) Size() int64   { return b.size }
func (b liveBlock) Sector() int64 { return b.sector }

func (liveBlocks) Open(name string) (Block, error) { return openBlock(name, os.O_RDONLY) }

func openBlock(name string, flags int) (b liveBlock, err error) {
	if b.File, err = os.OpenFile(name, flags|unix.O_NONBLOCK, 0); err != nil {
		return b, fmt.Errorf("open %s: %w", name, deviceError(err))
	}
	info, err := b.Stat()
	if err == nil {
		b.size, err = b.Seek(0, io.SeekEnd) // a device's own size is no part of what stat says
	}
	if err != nil {
		b.Close()
		return b, fmt.Errorf("measure %s: %w", name, bare(err))
	}
	switch mode := info.Mode(); {
	case mode&os.ModeDevice != 0 && mode&os.ModeCharDevice == 0:
		b.isDevice = true
	case !mode.IsRegular():
		b.Close()
		return b, fmt.Errorf("%s is neither a disk nor an image of one", name)
	}
	b.sector = 512
	if n, err := unix.IoctlGetInt(int(b.Fd()), unix.BLKSSZGET); b.isDevice && err == nil && n >= 512 {
		b.sector = int64(n)
	}
	return b, nil
}

// Rewrite reads and compares before it writes. A disk in use cannot be opened for us alone: the lock is what udev and the
// tools for disks ask for before they read or write a table (systemd's "Locking Block Device Access").
func (l liveBlocks) Rewrite(r Rewrite) (bool, error) {
	b, err := openBlock(r.Device, os.O_RDONLY)
	if err != nil {
		return false, err
	}
	defer b.Close()
	todo, err := r.pending(b)
	if err != nil {
		return false, fmt.Errorf("write %s: %w", r.Device, err)
	}
	forget, tell := l.unknown(r, b)
	if len(todo)+len(forget)+len(tell) == 0 {
		return false, nil
	}
	if err := l.rewrite(r); err != nil {
		return false, err
	}
	l.ledger.add(Entry{Kind: KindDisk, Path: r.Device, Detail: r.Detail})
	return true, nil
}

// unknown is what the kernel is to be told; of an image it knows nothing.
func (l liveBlocks) unknown(r Rewrite, b liveBlock) (forget, tell []kernelChange) {
	if !b.isDevice {
		return nil, nil
	}
	return r.unknown(knownPartitions(l.files, kernelDisk(r.Device)))
}

// rewrite locks the device, looks again, writes and tells.
func (l liveBlocks) rewrite(r Rewrite) error {
	b, err := openBlock(r.Device, os.O_RDWR)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := lockBlock(b, r.Device); err != nil {
		return err
	}
	todo, err := r.pending(b)
	if err == nil {
		err = writeInOrder(b, todo)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", r.Device, err)
	}
	forget, tell := l.unknown(r, b)
	if err := tellKernel(b, forget, tell); err != nil {
		return fmt.Errorf("the table of %s is written, and the kernel goes on with the old one until the next boot: %w", r.Device, err)
	}
	return nil
}

// lockBlock waits until nobody else works on the device.
func lockBlock(b liveBlock, name string) error {
	for end := time.Now().Add(lockWait); ; {
		err := unix.Flock(int(b.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s is locked: another program has been at work on it for %v; try again when it has ended", name, lockWait)
		}
		if err := Pause(context.Background(), 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// writeInOrder has each write on the disk before the next begins.
func writeInOrder(b liveBlock, writes []Write) error {
	for _, w := range writes {
		if _, err := b.WriteAt(w.Data, w.Offset); err != nil {
			return fmt.Errorf("%d bytes at %d: %w", len(w.Data), w.Offset, bare(err))
		}
		if err := b.Sync(); err != nil {
			return bare(err)
		}
	}
	return nil
}

// ioctlBlkpg changes what the kernel knows of one partition (include/uapi/linux/blkpg.h). It stands ten numbers behind
// BLKRRPART; architectures differ in what stands before the number.
const ioctlBlkpg = unix.BLKRRPART + 10

// blkpgResize is an operation that x/sys has no name for.
const blkpgResize = 3

// blkpgPartition is struct blkpg_partition.
type blkpgPartition struct {
	start, length int64
	number        int32
	_             [128]byte // names, which the kernel does not read
	_             [4]byte
}

// tellKernel says one partition after the other: those that are in use stay as they are, and only those that differ are
// touched. A kernel that cannot do that reads the whole table again, which it does while no partition is in use.
func tellKernel(b liveBlock, forget, tell []kernelChange) error {
	for _, c := range slices.Concat(forget, tell) {
		op, what := int32(unix.BLKPG_ADD_PARTITION), "add"
		switch {
		case c.Size == 0:
			op, what = unix.BLKPG_DEL_PARTITION, "forget"
		case c.known.Size != 0:
			op, what = blkpgResize, "resize"
		}
		err := blkpg(b, op, c.Extent)
		if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.ENOSYS) || err == unix.EINVAL && op == blkpgResize {
			return unix.IoctlSetInt(int(b.Fd()), unix.BLKRRPART, 0)
		}
		if err != nil {
			return fmt.Errorf("%s partition %d: %w", what, c.Number, blkpgError(err))
		}
	}
	return nil
}

func blkpg(b liveBlock, op int32, e Extent) error {
	p := blkpgPartition{start: e.Start, length: e.Size, number: int32(e.Number)}
	arg := unix.BlkpgIoctlArg{Op: op, Datalen: int32(unsafe.Sizeof(p)), Data: (*byte)(unsafe.Pointer(&p))}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, b.Fd(), ioctlBlkpg, uintptr(unsafe.Pointer(&arg))); errno != 0 {
		return errno
	}
	return nil
}

// blkpgError says what the kernel's numbers mean here.
func blkpgError(err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return errors.New("it is in use")
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return ErrRoot
	}
	return err
}
