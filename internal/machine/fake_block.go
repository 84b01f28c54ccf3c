package machine

import (
	"fmt"
	"io"
	"io/fs"
)

// FakeBlocks are disks in memory, by their path, for tests. What the kernel knows of their partitions stands in the files of
// the machine, below /sys.
type FakeBlocks map[string]*FakeBlock

// A FakeBlock is a disk in memory. What was never written is zero and takes none.
type FakeBlock struct {
	Partitions []Extent // what was told to the kernel

	size, sector int64
	pages        map[int64]*[fakePage]byte
}

const fakePage = 4096

// NewFakeBlock is an empty disk of size bytes.
func NewFakeBlock(size, sector int64) *FakeBlock {
	return &FakeBlock{size: size, sector: sector, pages: map[int64]*[fakePage]byte{}}
}

// Size is the disk's, in bytes.
func (b *FakeBlock) Size() int64 { return b.size }

// Sector is the size of a logical sector, in bytes.
func (b *FakeBlock) Sector() int64 { return b.sector }

// Close does nothing.
func (b *FakeBlock) Close() error { return nil }

// Enlarge makes the disk larger.
func (b *FakeBlock) Enlarge(size int64) { b.size = size }

// ReadAt reads what is on the disk.
func (b *FakeBlock) ReadAt(p []byte, offset int64) (n int, err error) {
	if offset < 0 || offset >= b.size {
		return 0, io.EOF
	}
	if rest := b.size - offset; int64(len(p)) > rest {
		p, err = p[:rest], io.EOF
	}
	for n < len(p) {
		at := offset + int64(n)
		end := min(len(p), n+int(fakePage-at%fakePage))
		clear(p[n:end])
		if page := b.pages[at/fakePage]; page != nil {
			copy(p[n:end], page[at%fakePage:])
		}
		n = end
	}
	return n, err
}

// WriteAt writes onto the disk.
func (b *FakeBlock) WriteAt(p []byte, offset int64) (n int, err error) {
	if offset < 0 || offset+int64(len(p)) > b.size {
		return 0, fmt.Errorf("write beyond the end of a disk of %d bytes", b.size)
	}
	for n < len(p) {
		at := offset + int64(n)
		if b.pages[at/fakePage] == nil {
			b.pages[at/fakePage] = new([fakePage]byte)
		}
		n += copy(b.pages[at/fakePage][at%fakePage:], p[n:])
	}
	return n, nil
}

// find is a disk, or a part of one that the kernel was told of.
func (f FakeBlocks) find(name string) (Block, error) {
	if b, ok := f[name]; ok {
		return b, nil
	}
	for disk, b := range f {
		for _, e := range b.Partitions {
			if PartitionName(disk, e.Number) == name {
				return newWindow(b, e.Start, e.Size), nil
			}
		}
	}
	return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
}

// Open opens a disk or a partition.
func (f FakeBlocks) Open(name string) (Block, error) { return f.find(name) }

// Rewrite writes into a disk.
func (f FakeBlocks) Rewrite(r Rewrite) (bool, error) {
	b := f[r.Device]
	if b == nil {
		return false, fmt.Errorf("write %s: %w", r.Device, fs.ErrNotExist)
	}
	todo, err := r.pending(b)
	forget, tell := r.unknown(b.Partitions)
	if err != nil || len(todo)+len(forget)+len(tell) == 0 {
		return false, err
	}
	for _, w := range todo {
		if _, err := b.WriteAt(w.Data, w.Offset); err != nil {
			return false, err
		}
	}
	b.Partitions = r.Partitions
	return true, nil
}

// Room reads the superblock on the device that is the mount's source.
func (f FakeBlocks) Room(m Mount) (taken, room int64, err error) {
	b, err := f.find(m.Source)
	if err != nil {
		return 0, 0, err
	}
	s := Probe(b)
	if s.Size == 0 {
		return 0, 0, fmt.Errorf("measure the %s at %s: %w", m.Type, m.Point, ErrKernel)
	}
	return s.Size, b.Size(), nil
}

// Grow does nothing: a plan over these disks says what would grow.
func (f FakeBlocks) Grow(m Mount) (bool, error) {
	return false, fmt.Errorf("grow the %s at %s: %w", m.Type, m.Point, ErrKernel)
}
