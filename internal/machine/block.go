package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Blocks are disks and partitions, or images of disks in files, below their file systems.
type Blocks interface {
	// Open opens a device or an image to be read.
	Open(name string) (Block, error)
	// Rewrite writes into a device or an image, and tells the kernel of the partitions that are there then. What is so
	// already is not touched.
	Rewrite(r Rewrite) (changed bool, err error)
	// Room says how many bytes of its device a mounted file system has taken, and how many the device has. ErrKernel says that
	// the kernel does not tell for its type.
	Room(m Mount) (taken, room int64, err error)
	// Grow makes a mounted file system as large as its device. ErrKernel says that the kernel leaves this to the file
	// system's own tool.
	Grow(m Mount) (changed bool, err error)
}

// ErrKernel says that the kernel cannot do something with a file system, and the file system's own tool may.
var ErrKernel = errors.New("this kernel cannot do it")

// A Block is an open device or image. Reading beyond its end is an error.
type Block interface {
	io.ReaderAt
	Size() int64   // in bytes
	Sector() int64 // bytes of a logical sector; for an image 512
	Close() error
}

// A Rewrite is what a device is to hold, and the kernel to know of it.
type Rewrite struct {
	Device string
	Writes []Write // in this order: each is on the device before the next begins
	// Partitions are those that the kernel should know. One with no size is to be forgotten.
	Partitions []Extent
	Only       bool   // the kernel should know no others
	Detail     string // what this does, for a plan and the log
}

// A Write is bytes at a place. What is there must be Was or Data: other bytes mean that somebody else has changed the device
// since it was read. A nil Was fits anything.
type Write struct {
	Offset    int64
	Was, Data []byte
}

// An Extent is where a partition is, in bytes.
type Extent struct {
	Number      int
	Start, Size int64
}

// pending are the writes that a device still needs.
func (r Rewrite) pending(b io.ReaderAt) (todo []Write, _ error) {
	for _, w := range r.Writes {
		now := make([]byte, len(w.Data))
		if n, err := b.ReadAt(now, w.Offset); err != nil && n < len(now) {
			return nil, fmt.Errorf("read %d bytes at %d: %w", len(now), w.Offset, bare(err))
		}
		switch {
		case bytes.Equal(now, w.Data):
		case w.Was != nil && !bytes.Equal(now, w.Was):
			return nil, fmt.Errorf("the bytes at %d are no longer those that were read; another program is at work there", w.Offset)
		default:
			todo = append(todo, w)
		}
	}
	return todo, nil
}

// A kernelChange is what the kernel is to be told of one partition.
type kernelChange struct {
	Extent
	known Extent // what the kernel has now; no size where it knows none
}

// unknown are the partitions of which the kernel knows something else. What is to be forgotten comes first, as its room may
// be given to another.
func (r Rewrite) unknown(known []Extent) (forget, tell []kernelChange) {
	for _, k := range known {
		same := func(e Extent) bool { return e.Number == k.Number }
		at := slices.IndexFunc(r.Partitions, same)
		if at < 0 && r.Only || at >= 0 && (r.Partitions[at].Size == 0 || r.Partitions[at].Start != k.Start) {
			forget = append(forget, kernelChange{Extent{Number: k.Number}, k})
		}
	}
	for _, e := range r.Partitions {
		change := kernelChange{Extent: e}
		if at := slices.IndexFunc(known, func(k Extent) bool { return k.Number == e.Number && k.Start == e.Start }); at >= 0 {
			change.known = known[at]
		}
		if e.Size != 0 && change.known != e {
			tell = append(tell, change)
		}
	}
	return forget, tell
}

// knownPartitions are those of a disk that the kernel knows.
func knownPartitions(files Files, disk string) (known []Extent) {
	names, _ := files.List("/sys/class/block")
	for _, name := range names {
		if !strings.HasPrefix(name, disk) || name == disk {
			continue
		}
		if b := blockDevice(files, name); b.Parent == disk && b.Partition > 0 {
			known = append(known, Extent{b.Partition, b.Start, b.Size})
		}
	}
	return known
}

// kernelDisk is the kernel's name of the disk at a path.
func kernelDisk(device string) string {
	return strings.ReplaceAll(strings.TrimPrefix(device, "/dev/"), "/", "!")
}

// PartitionName is the kernel's name of a partition: sda1, nvme0n1p1.
func PartitionName(disk string, number int) string {
	if last := disk[len(disk)-1]; last >= '0' && last <= '9' {
		disk += "p"
	}
	return disk + strconv.Itoa(number)
}

// window is a part of a Block.
type window struct {
	*io.SectionReader
	below Block
}

func newWindow(b Block, offset, size int64) window {
	return window{io.NewSectionReader(b, offset, size), b}
}

func (w window) Sector() int64 { return w.below.Sector() }
func (w window) Close() error  { return w.below.Close() }

// offlineBlocks are those of a system that does not run: its disks are another machine's.
type offlineBlocks struct{}

func (offlineBlocks) Open(name string) (Block, error) {
	return nil, fmt.Errorf("open %s: %w", name, ErrDeferred)
}

func (offlineBlocks) Rewrite(r Rewrite) (bool, error) {
	return false, fmt.Errorf("write %s: %w", r.Device, ErrDeferred)
}

func (offlineBlocks) Room(m Mount) (int64, int64, error) {
	return 0, 0, fmt.Errorf("measure %s: %w", m.Point, ErrDeferred)
}

func (offlineBlocks) Grow(m Mount) (bool, error) {
	return false, fmt.Errorf("grow %s: %w", m.Point, ErrDeferred)
}
