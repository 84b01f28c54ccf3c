// Package disk knows partition tables, and how a partition and the file system on it come to fill the disk. It reads and
// writes through the door: what it works out is a list of writes, so that a plan can show it.
package disk

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"

	"openguest/internal/machine"
)

// The kinds of partition tables.
const (
	GPT = "gpt" // UEFI specification, 5
	MBR = "mbr" // what PCs had before: four partitions, one of which may hold more
)

// A Table is the partition table of a disk, as it was read or made and as it was changed since. Nothing is written before the
// machine's Blocks are given its Rewrite.
type Table struct {
	Label      string // GPT or MBR
	ID         string // of the table: a GUID; eight hexadecimal digits in an MBR
	Sector     int64  // bytes of a logical sector
	Size       int64  // of the disk, in bytes
	Partitions []Partition

	form    form
	touched []int // the numbers of which the kernel is to know
	made    bool  // the table is a new one
}

// A Partition is a part of a disk. Places and sizes are in bytes.
type Partition struct {
	Number      int
	Start, Size int64
	Type        string // a GUID in capital letters, or two hexadecimal digits in an MBR
	Name        string // GPT only
	ID          string // a GUID; in an MBR as the kernel makes it, "1234abcd-01"
	Extended    bool   // MBR: it holds the logical ones
	Logical     bool   // MBR: it is in the extended one
}

// End is where the next byte is not the partition's.
func (p Partition) End() int64 { return p.Start + p.Size }

// A form writes one kind of table down.
type form interface {
	usable() (from, to int64) // where partitions may be
	resize(p Partition)       // gives a partition that is there another size
	add(p *Partition) error   // writes a new one down
	writes() []machine.Write  // in the order that leaves a readable table at any cut
}

// ErrNoTable says that a disk has no partition table that we know.
var ErrNoTable = errors.New("it has no partition table")

// Read reads the table of a disk. A table that does not verify (checksums, partitions that overlap or are not on the disk)
// is an error: it is never written.
func Read(b machine.Block) (*Table, error) {
	t, err := readGPT(b)
	if errors.Is(err, ErrNoTable) {
		t, err = readMBR(b)
	}
	if err != nil {
		return nil, err
	}
	return t, t.verify()
}

// New is an empty table for a disk, of the kind GPT or MBR. It takes the place of whatever table is there.
func New(label string, b machine.Block) (*Table, error) {
	t := &Table{Label: label, Sector: b.Sector(), Size: b.Size() / b.Sector() * b.Sector(), made: true}
	switch {
	case t.Size < 2<<20:
		return nil, fmt.Errorf("a disk of %d bytes is too small for partitions", b.Size())
	case label == GPT:
		return t, newGPT(t)
	case label == MBR:
		return t, newMBR(t)
	}
	return nil, fmt.Errorf("there is no partition table of the kind %q; it may be %s or %s", label, GPT, MBR)
}

// verify looks for partitions where none can be.
func (t *Table) verify() error {
	from, to := t.form.usable()
	var last [2]Partition // of those on the disk, and of those in the extended one
	for _, p := range t.taken() {
		level := 0
		if p.Logical {
			level = 1
		}
		switch {
		case p.Size <= 0:
			return fmt.Errorf("partition %d ends before it begins", p.Number)
		case p.Start < from || p.End() > to:
			return fmt.Errorf("partition %d goes from %d to %d, and partitions may be from %d to %d", p.Number, p.Start, p.End(), from, to)
		case p.Start < last[level].End():
			return fmt.Errorf("the partitions %d and %d overlap", last[level].Number, p.Number)
		}
		last[level] = p
	}
	return nil
}

// taken is what takes room on the disk, by where it begins: partitions, and the sectors that lead to logical ones.
func (t *Table) taken() []Partition {
	list := slices.Clone(t.Partitions)
	if m, ok := t.form.(*mbr); ok {
		for _, r := range m.records[1:] {
			list = append(list, Partition{Number: r.number, Start: r.lba * t.Sector, Size: t.Sector, Logical: true})
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].Start < list[j].Start })
	return list
}

// Find is the partition of a number.
func (t *Table) Find(number int) (Partition, bool) {
	at := slices.IndexFunc(t.Partitions, func(p Partition) bool { return p.Number == number })
	if at < 0 {
		return Partition{}, false
	}
	return t.Partitions[at], true
}

// worth is how much a partition must gain to be grown, as growpart has it. Ends of partitions are often rounded.
const worth = 1 << 20

// Room is where a partition may end at most: where the next one begins, or where the disk ends. An error says why there is no
// telling.
func (t *Table) Room(number int) (end int64, _ error) {
	p, ok := t.Find(number)
	if !ok {
		return 0, fmt.Errorf("there is no partition %d", number)
	}
	if m, ok := t.form.(*mbr); ok && p.Logical {
		return m.roomOfLogical(p)
	}
	if g, ok := t.form.(*gpt); ok && g.isMirrored(p) {
		return 0, fmt.Errorf("partition %d stands in the MBR beside the GPT as well (a hybrid table), and the two must not differ", number)
	}
	if t.Label == MBR && t.Size/t.Sector > mbrSectors {
		return 0, fmt.Errorf("the disk has %s, and an MBR reaches %s of it; convert the table to GPT", machine.Size(t.Size), machine.Size(mbrSectors*t.Sector))
	}
	return t.roomAfter(p), nil
}

// roomAfter is where the next partition begins that is no logical one, or where the last one may end.
func (t *Table) roomAfter(p Partition) int64 {
	_, end := t.form.usable()
	if t.Label == MBR {
		end = mbrEnd(t)
	}
	for _, other := range t.Partitions {
		if other.Start > p.Start && !other.Logical {
			end = min(end, other.Start)
		}
	}
	return end
}

// Grow makes a partition as large as it can be, up to the next one or the end of the disk. It answers the partition as it was
// and as it is; they are the same where there is less than 1 MiB to gain.
func (t *Table) Grow(number int) (before, after Partition, err error) {
	before, ok := t.Find(number)
	if !ok {
		return before, before, fmt.Errorf("there is no partition %d", number)
	}
	t.touch(number) // a power cut may have come between the table and the kernel
	end, err := t.Room(number)
	if err != nil || end-before.End() < worth {
		return before, before, err
	}
	t.widen(before, end)
	after, _ = t.Find(number)
	return before, after, nil
}

// widen moves the end of a partition, and of the extended one that it is in.
func (t *Table) widen(p Partition, end int64) {
	if extended, ok := t.extended(); ok && p.Logical && extended.End() < end {
		t.widen(extended, end)
	}
	at := slices.IndexFunc(t.Partitions, func(q Partition) bool { return q.Number == p.Number })
	t.Partitions[at].Size = end - p.Start
	t.form.resize(t.Partitions[at])
	t.touch(p.Number)
}

func (t *Table) extended() (Partition, bool) {
	at := slices.IndexFunc(t.Partitions, func(p Partition) bool { return p.Extended })
	if at < 0 {
		return Partition{}, false
	}
	return t.Partitions[at], true
}

func (t *Table) touch(number int) {
	if !slices.Contains(t.touched, number) {
		t.touched = append(t.touched, number)
	}
}

// Add makes a partition. Where p says nothing, it chooses: the first free number, a start at the first multiple of 1 MiB in the
// largest free room, all of that room, the type of Linux' file systems, a random ID. A logical partition wants Logical; one
// that is Extended is made for them.
func (t *Table) Add(p Partition) (Partition, error) {
	if p.Type == "" {
		p.Type = Type(t.Label, "linux")
	}
	if err := t.place(&p); err != nil {
		return p, err
	}
	if err := t.form.add(&p); err != nil {
		return p, err
	}
	t.Partitions = append(t.Partitions, p)
	t.touch(p.Number)
	return p, t.verify()
}

// place chooses where a new partition goes, and sees to it that it fits.
func (t *Table) place(p *Partition) error {
	free := t.Free(p.Logical)
	if len(free) == 0 {
		return errors.New("there is no free room on the disk for another partition")
	}
	room := slices.MaxFunc(free, func(a, b Room) int { return cmp.Compare(a.Size, b.Size) })
	if p.Start != 0 {
		at := slices.IndexFunc(free, func(r Room) bool { return p.Start >= r.Start && p.Start < r.Start+r.Size })
		if at < 0 {
			return fmt.Errorf("the byte %d, where a partition should begin, is not free", p.Start)
		}
		room = free[at]
	} else {
		p.Start = room.Start
	}
	end := room.Start + room.Size
	if p.Size == 0 {
		p.Size = end - p.Start
	}
	p.Size -= p.Size % t.Sector
	if p.Size <= 0 || p.End() > end {
		return fmt.Errorf("a partition of %s does not fit into the free %s", machine.Size(p.Size), machine.Size(room.Size))
	}
	return nil
}

// A Room is a free part of a disk, in bytes; it begins at a multiple of 1 MiB.
type Room struct{ Start, Size int64 }

// Free are the parts of the disk in which a partition may be made, or of the extended partition for logical ones. Less than
// 1 MiB is not worth one.
func (t *Table) Free(logical bool) (free []Room) {
	from, to := t.form.usable()
	if t.Label == MBR {
		to = min(mbrEnd(t), mbrSectors*t.Sector)
	}
	if extended, ok := t.extended(); logical {
		if !ok {
			return nil
		}
		from, to = extended.Start, extended.End()
	}
	for _, p := range append(t.taken(), Partition{Start: to, Logical: logical}) {
		if p.Logical != logical {
			continue
		}
		start, end := roundUp(from), p.Start
		if logical {
			start = roundUp(from + t.Sector) // before it there is the sector that leads to it
		}
		if end-start >= worth {
			free = append(free, Room{start, end - start})
		}
		from = max(from, p.End())
	}
	return free
}

// roundUp is the next multiple of 1 MiB: where partitions begin, so that no kind of disk has to read before it writes.
func roundUp(n int64) int64 { return (n + 1<<20 - 1) &^ (1<<20 - 1) }

// Rewrite is what is to be written to a device for the table to be there, and what the kernel is to know then. The detail says
// what it does, for a plan and the log.
func (t *Table) Rewrite(device, detail string) machine.Rewrite {
	r := machine.Rewrite{Device: device, Writes: t.form.writes(), Only: t.made, Detail: detail}
	for _, p := range t.Partitions {
		if !p.Extended && slices.Contains(t.touched, p.Number) { // of an extended one the kernel knows the first two sectors, always
			r.Partitions = append(r.Partitions, machine.Extent{Number: p.Number, Start: p.Start, Size: p.Size})
		}
	}
	return r
}
