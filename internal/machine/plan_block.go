package machine

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// planBlocks are disks in a plan: what would be written is kept aside, for later steps to read, and nowhere else.
type planBlocks struct {
	*Changes
	disks map[string]*Rewrite // by the path of the device: all that would be written, and what the kernel would know
	grown map[string]bool     // by mount point
}

// overlay is a device as it would be.
type overlay struct {
	Block
	writes []Write
}

func (o overlay) ReadAt(p []byte, offset int64) (int, error) {
	n, err := o.Block.ReadAt(p, offset)
	for _, w := range o.writes {
		from, to := max(offset, w.Offset), min(offset+int64(n), w.Offset+int64(len(w.Data)))
		if from < to {
			copy(p[from-offset:to-offset], w.Data[from-w.Offset:])
		}
	}
	return n, err
}

// Open opens a device as it would be; a partition that the plan makes is there.
func (b *planBlocks) Open(name string) (Block, error) {
	if r, ok := b.disks[name]; ok {
		below, err := b.real.Blocks.Open(name)
		return overlay{below, r.Writes}, err
	}
	if disk, e := b.partition(name); e.Size > 0 {
		whole, err := b.Open(disk)
		if err != nil {
			return nil, err
		}
		return newWindow(whole, e.Start, e.Size), nil
	}
	return b.real.Blocks.Open(name)
}

// partition finds a partition that the plan has changed or made.
func (b *planBlocks) partition(name string) (disk string, _ Extent) {
	for disk, r := range b.disks {
		for _, e := range r.Partitions {
			if PartitionName(disk, e.Number) == name {
				return disk, e
			}
		}
	}
	return "", Extent{}
}

// Rewrite compares as the real one does, and keeps the difference.
func (b *planBlocks) Rewrite(r Rewrite) (bool, error) {
	now, err := b.Open(r.Device)
	if err != nil {
		return false, err
	}
	defer now.Close()
	todo, err := r.pending(now)
	if err != nil {
		return false, fmt.Errorf("write %s: %w", r.Device, err)
	}
	known := b.known(r.Device)
	forget, tell := r.unknown(known)
	if len(todo)+len(forget)+len(tell) == 0 {
		return false, nil
	}
	kept := b.disks[r.Device]
	if kept == nil {
		kept = &Rewrite{}
		b.disks[r.Device] = kept
	}
	kept.Writes = append(kept.Writes, todo...)
	kept.Partitions = known
	for _, change := range slices.Concat(forget, tell) {
		kept.Partitions = slices.DeleteFunc(kept.Partitions, func(e Extent) bool { return e.Number == change.Number })
		if change.Size > 0 {
			kept.Partitions = append(kept.Partitions, change.Extent)
		}
	}
	b.ledger.add(Entry{Kind: KindDisk, Path: r.Device, Detail: r.Detail})
	return true, nil
}

// known are the partitions that the kernel would know by now.
func (b *planBlocks) known(device string) []Extent {
	if r, ok := b.disks[device]; ok {
		return slices.Clone(r.Partitions)
	}
	return knownPartitions(b.real.Files, kernelDisk(device))
}

// Room knows what a partition would have, and says so where a command of the plan would change it.
func (b *planBlocks) Room(m Mount) (taken, room int64, err error) {
	device := b.real.Facts.MountedOn(m)
	size := place{path: path.Join("sys/class/block", device.Name, "size")}
	if _, err := b.look(size); errors.Is(err, ErrUnknown) {
		return 0, 0, fmt.Errorf("the size of %s is %w", device.Path(), ErrUnknown)
	}
	taken, room, err = b.real.Blocks.Room(m)
	if _, e := b.partition(device.Path()); e.Size > 0 {
		room = e.Size
	}
	if b.grown[m.Point] {
		taken = room
	}
	return taken, room, err
}

// Grow writes down that a file system would grow.
func (b *planBlocks) Grow(m Mount) (bool, error) {
	taken, room, err := b.Room(m)
	if err != nil || !isWorthGrowing(taken, room) {
		return false, err
	}
	b.grown[m.Point] = true
	b.ledger.add(Entry{Kind: KindDisk, Path: m.Point, Detail: growDetail(m, taken, room)})
	return true, nil
}

// isWorthGrowing says whether a file system leaves room on its device. Each kind has units of its own; less than 1 MiB is
// not worth a call.
func isWorthGrowing(taken, room int64) bool { return room-taken >= 1<<20 }

// growDetail is what a plan and the log say of a file system that grows.
func growDetail(m Mount, from, to int64) string {
	return fmt.Sprintf("the %s grows from %s to %s", m.Type, Size(from), Size(to))
}

// Size is a number of bytes as people read it: "512 B", "3.5 GiB".
func Size(n int64) string {
	value, unit := float64(n), "B"
	for _, larger := range []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, larger
	}
	digits := 1
	if value >= 100 {
		digits = 0
	}
	return strings.TrimSuffix(strconv.FormatFloat(value, 'f', digits, 64), ".0") + " " + unit
}
