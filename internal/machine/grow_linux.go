package machine

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Numbers of the ioctls of file systems, as include/uapi/linux/{ext4,btrfs}.h and fs/xfs/libxfs/xfs_fs.h make them.
var (
	ioctlExtResize   = ioctlNumber(ioctlWrite, 'f', 16, 8)
	ioctlXFSGrow     = ioctlNumber(ioctlWrite, 'X', 110, unsafe.Sizeof(xfsGrowth{}))
	ioctlXFSGeometry = ioctlNumber(ioctlRead, 'X', 100, unsafe.Sizeof(xfsGeometry{}))
	ioctlBtrfsResize = ioctlNumber(ioctlWrite, 0x94, 3, unsafe.Sizeof(btrfsName{}))
	ioctlBtrfsDevice = ioctlNumber(ioctlRead|ioctlWrite, 0x94, 30, unsafe.Sizeof(btrfsDevice{}))
)

const (
	ioctlWrite = 1
	ioctlRead  = 2
)

// ioctlNumber packs a number (include/uapi/asm-generic/ioctl.h). Some architectures have one bit less for the size and write
// the direction otherwise; BLKRRPART, which has neither, tells them by its "none".
func ioctlNumber(direction, kind, number, size uintptr) uintptr {
	if unix.BLKRRPART == 0x125f {
		return direction<<30 | size<<16 | kind<<8 | number
	}
	swapped := direction&ioctlRead<<0 | direction&ioctlWrite<<2
	return swapped<<29 | size<<16 | kind<<8 | number
}

// xfsGrowth is struct xfs_growfs_data.
type xfsGrowth struct {
	blocks uint64
	inodes uint32 // the most that inodes may take, in percent
	_      uint32
}

// xfsGeometry is struct xfs_fsop_geom_v1, of which we read the block's size, the blocks, and the share of inodes.
type xfsGeometry struct {
	block  uint32
	_      [6]uint32
	inodes uint32
	blocks uint64
	_      [72]byte
}

// btrfsName is struct btrfs_ioctl_vol_args.
type btrfsName struct {
	_    int64
	name [4088]byte
}

// btrfsDevice is struct btrfs_ioctl_dev_info_args.
type btrfsDevice struct {
	id    uint64
	_     [16]byte // its uuid
	_     uint64   // how much of it is used
	total uint64
	_     [379]uint64
	path  [1024]byte
}

// pointer hands a struct to an ioctl.
func pointer[T any](fd int, number uintptr, arg *T) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), number, uintptr(unsafe.Pointer(arg))); errno != 0 {
		return errno
	}
	return nil
}

// A mounted file system that the kernel can grow.
type mounted struct {
	Mount
	folder *os.File
	device BlockDevice
	facts  *Facts
	btrfs  uint64 // the number of the device in a btrfs
}

// open opens the folder at which a file system is mounted. A btrfs whose root is read only for snapper has a part that is not.
func (l liveBlocks) open(m Mount) (mounted, error) {
	facts := NewFacts(l.files, nil)
	device := facts.MountedOn(m)
	if device.Name == "" {
		return mounted{}, fmt.Errorf("%s (%s) stands on no disk of this machine", m.Point, m.Type)
	}
	name := m.Point
	if snapshots := path.Join(name, ".snapshots"); m.Type == "btrfs" && m.ReadOnly && Exists(l.files, snapshots) {
		name = snapshots
	}
	folder, err := os.Open(name)
	if err != nil {
		return mounted{}, fmt.Errorf("open %s: %w", name, deviceError(err))
	}
	return mounted{Mount: m, folder: folder, device: device, facts: facts}, nil
}

// Room asks each kind of file system in its own way.
func (l liveBlocks) Room(m Mount) (taken, room int64, err error) {
	fs, err := l.open(m)
	if err != nil {
		return 0, 0, err
	}
	defer fs.folder.Close()
	taken, err = fs.taken()
	return taken, fs.device.Size, err
}

func (fs *mounted) taken() (int64, error) {
	switch {
	case strings.HasPrefix(fs.Type, "ext"):
		return fs.extSize()
	case fs.Type == "xfs":
		g, err := fs.geometry()
		return int64(g.blocks) * int64(g.block), err
	case fs.Type == "btrfs":
		return fs.btrfsSize()
	}
	return 0, fmt.Errorf("the size of a %s is its own affair: %w", fs.Type, ErrKernel)
}

// extSize reads the superblock, which the kernel keeps in the same memory that we read.
func (fs *mounted) extSize() (int64, error) {
	b, err := openBlock(fs.device.Path(), os.O_RDONLY)
	if err != nil {
		return 0, err
	}
	defer b.Close()
	s := Probe(b)
	if !strings.HasPrefix(s.Kind, "ext") || s.Size == 0 {
		return 0, fmt.Errorf("%s is mounted from %s, which holds no ext file system", fs.Point, fs.device.Path())
	}
	return s.Size, nil
}

// geometry asks a mounted xfs: what stands on the disk may be older.
func (fs *mounted) geometry() (g xfsGeometry, err error) {
	if err := pointer(int(fs.folder.Fd()), ioctlXFSGeometry, &g); err != nil {
		return g, fmt.Errorf("ask for the size of the xfs at %s: %w", fs.Point, err)
	}
	return g, nil
}

// btrfsSize finds the device among those of the file system. Numbers have gaps where devices were taken away.
func (fs *mounted) btrfsSize() (int64, error) {
	for id := uint64(1); id <= 64; id++ {
		d := btrfsDevice{id: id}
		err := pointer(int(fs.folder.Fd()), ioctlBtrfsDevice, &d)
		if errors.Is(err, unix.ENODEV) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("ask for the devices of the btrfs at %s: %w", fs.Point, err)
		}
		if fs.facts.BlockDevice(unix.ByteSliceToString(d.path[:])).Name == fs.device.Name {
			fs.btrfs = id
			return int64(d.total), nil
		}
	}
	return 0, fmt.Errorf("the btrfs at %s does not know the device %s", fs.Point, fs.device.Path())
}

// Grow measures before and after: what the kernel does with a rest that is too small for a group of blocks is its own affair.
func (l liveBlocks) Grow(m Mount) (bool, error) {
	fs, err := l.open(m)
	if err != nil {
		return false, err
	}
	defer fs.folder.Close()
	before, err := fs.taken()
	if err != nil {
		return false, err
	}
	if !isWorthGrowing(before, fs.device.Size) {
		return false, nil
	}
	if err := fs.grow(); err != nil {
		return false, fmt.Errorf("grow the %s at %s: %w", m.Type, m.Point, growError(err))
	}
	after, err := fs.taken()
	if err != nil || after <= before {
		return false, err
	}
	l.ledger.add(Entry{Kind: KindDisk, Path: m.Point, Detail: growDetail(m, before, after)})
	return true, nil
}

func (fs *mounted) grow() error {
	fd := int(fs.folder.Fd())
	switch {
	case fs.Type == "xfs":
		g, err := fs.geometry()
		if err != nil {
			return err
		}
		return pointer(fd, ioctlXFSGrow, &xfsGrowth{blocks: uint64(fs.device.Size / int64(g.block)), inodes: g.inodes})
	case fs.Type == "btrfs":
		arg := btrfsName{}
		copy(arg.name[:], fmt.Sprintf("%d:max", fs.btrfs))
		return pointer(fd, ioctlBtrfsResize, &arg)
	}
	return fs.growExt(fd)
}

// growExt counts in the file system's own blocks.
func (fs *mounted) growExt(fd int) error {
	b, err := openBlock(fs.device.Path(), os.O_RDONLY)
	if err != nil {
		return err
	}
	defer b.Close()
	shift := min(le.Uint32(superblocks{b}.at(1024, 512)[24:]), 16)
	blocks := uint64(fs.device.Size) >> 10 >> shift
	return pointer(fd, ioctlExtResize, &blocks)
}

// growError says what the kernel's numbers mean here.
func growError(err error) error {
	switch {
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w: %w", ErrKernel, err)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return errors.New("the kernel does not permit it; root may lack the capability to use resources (CAP_SYS_RESOURCE) in a container")
	case errors.Is(err, unix.EROFS):
		return errors.New("it is mounted read only")
	}
	return err
}
