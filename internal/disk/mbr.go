package disk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"openguest/internal/machine"
)

const (
	mbrTable      = 446     // where the four entries are, of 16 bytes each
	mbrID         = 440     // where the disk's number is
	mbrProtective = 0xee    // the type that says: there is a GPT
	mbrSectors    = 1 << 32 // how many sectors an MBR can count
	maxLogical    = 128     // partitions in an extended one; the kernel knows fewer
	reservedEnd   = 33      // sectors that growpart leaves free at the end, so that the table can become a GPT
)

// mbr is a boot sector with four partitions, one of which may be extended: a chain of sectors, each with one logical partition
// and the place of the next.
type mbr struct {
	table   *Table
	records []*mbrRecord // the boot sector, then the chain
}

// An mbrRecord is a sector that holds entries.
type mbrRecord struct {
	lba       int64
	was, data []byte
	slot      int // of a chain's sector: which entry is its partition
	next      int // and which one leads to the next
	number    int // of that partition; 0 where the sector holds none
	isNew     bool
}

func hasMBRSignature(sector []byte) bool { return sector[510] == 0x55 && sector[511] == 0xaa }

// mbrEntry is the bytes of an entry: boot flag, start as cylinder, head and sector, type, end, first sector, sectors.
func mbrEntry(sector []byte, i int) []byte { return sector[mbrTable+16*i : mbrTable+16*i+16] }

func isExtended(kind byte) bool { return kind == 0x05 || kind == 0x0f || kind == 0x85 }

// readMBR reads a boot sector and what hangs on it. The first sector of a file system ends like a boot sector; what stands
// where the entries would be tells them apart.
func readMBR(b machine.Block) (*Table, error) {
	t := &Table{Label: MBR, Sector: b.Sector(), Size: b.Size() / b.Sector() * b.Sector()}
	sector, err := readAt(b, 0, t.Sector)
	if err != nil || !hasMBRSignature(sector) {
		return nil, ErrNoTable
	}
	used := 0
	for i := range 4 {
		if e := mbrEntry(sector, i); e[0]&0x7f != 0 {
			return nil, ErrNoTable
		} else if e[4] != 0 {
			used++
		}
	}
	if used == 0 && machine.Probe(b).Kind != "" {
		return nil, ErrNoTable
	}
	m := &mbr{table: t, records: []*mbrRecord{{was: sector, data: slices.Clone(sector)}}}
	t.form = m
	t.ID = fmt.Sprintf("%08x", le.Uint32(sector[mbrID:]))
	for i := range 4 {
		if err := m.primary(b, i); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// primary reads one of the four.
func (m *mbr) primary(b machine.Block, i int) error {
	e := mbrEntry(m.records[0].data, i)
	switch {
	case e[4] == 0 || le.Uint32(e[12:]) == 0:
		return nil
	case e[4] == mbrProtective:
		return errors.New("its first sector says that there is a GPT, and there is none")
	}
	p := m.partition(i+1, 0, e)
	m.table.Partitions = append(m.table.Partitions, p)
	if !isExtended(e[4]) {
		return nil
	}
	if len(m.records) > 1 {
		return errors.New("it has two extended partitions")
	}
	m.table.Partitions[len(m.table.Partitions)-1].Extended = true
	return m.chain(b, p)
}

// partition is what an entry says; base is the sector that it counts from.
func (m *mbr) partition(number int, base int64, e []byte) Partition {
	sector := m.table.Sector
	return Partition{Number: number, Start: (base + int64(le.Uint32(e[8:]))) * sector, Size: int64(le.Uint32(e[12:])) * sector,
		Type: fmt.Sprintf("%02x", e[4]), ID: fmt.Sprintf("%s-%02x", m.table.ID, number)}
}

// chain reads the logical partitions: each sector counts its partition from itself, and the next sector from the beginning of
// the extended partition.
func (m *mbr) chain(b machine.Block, extended Partition) error {
	base := extended.Start / m.table.Sector
	for lba := base; ; {
		if len(m.records) > maxLogical || slices.ContainsFunc(m.records, func(r *mbrRecord) bool { return r.lba == lba }) {
			return errors.New("the chain of its logical partitions has no end")
		}
		if at := lba * m.table.Sector; at < extended.Start || at >= min(extended.End(), m.table.Size) {
			return errors.New("the chain of its logical partitions leaves the extended one")
		}
		sector, err := readAt(b, lba*m.table.Sector, m.table.Sector)
		if err != nil {
			return err
		}
		if !hasMBRSignature(sector) {
			if lba == base { // an extended partition in which nothing was ever made
				return nil
			}
			return fmt.Errorf("the sector %d, in the chain of its logical partitions, is no record of one", lba)
		}
		r := &mbrRecord{lba: lba, was: sector, data: slices.Clone(sector), slot: -1, next: -1}
		m.records = append(m.records, r)
		if err := m.logical(r, extended); err != nil {
			return err
		}
		if r.next < 0 {
			return nil
		}
		lba = base + int64(le.Uint32(mbrEntry(r.data, r.next)[8:]))
	}
}

// logical reads one sector of the chain.
func (m *mbr) logical(r *mbrRecord, extended Partition) error {
	for i := range 4 {
		e := mbrEntry(r.data, i)
		switch {
		case e[4] == 0 || le.Uint32(e[12:]) == 0:
		case isExtended(e[4]) && r.next < 0:
			r.next = i
		case !isExtended(e[4]) && r.slot < 0:
			r.slot, r.number = i, m.nextLogical()
			p := m.partition(r.number, r.lba, e)
			p.Logical = true
			if p.Start <= r.lba*m.table.Sector || p.End() > extended.End() {
				return fmt.Errorf("the logical partition %d is not in the extended one", r.number)
			}
			m.table.Partitions = append(m.table.Partitions, p)
		default:
			return fmt.Errorf("the sector %d, in the chain of its logical partitions, holds more than one", r.lba)
		}
	}
	return nil
}

func (m *mbr) nextLogical() int {
	number := 5
	for _, r := range m.records {
		number = max(number, r.number+1)
	}
	return number
}

func (m *mbr) usable() (from, to int64) { return m.table.Sector, m.table.Size }

// mbrEnd is where a partition that grows may end.
func mbrEnd(t *Table) int64 { return t.Size - reservedEnd*t.Sector }

// recordOf is the sector of a logical partition.
func (m *mbr) recordOf(number int) *mbrRecord {
	at := slices.IndexFunc(m.records, func(r *mbrRecord) bool { return r.number == number && number > 0 })
	if at < 0 {
		return m.records[0]
	}
	return m.records[at]
}

// roomOfLogical is where the next sector of the chain is, or where the extended partition ends, or could end.
func (m *mbr) roomOfLogical(p Partition) (int64, error) {
	extended, _ := m.table.extended()
	end, err := m.table.Room(extended.Number)
	if err != nil {
		return 0, err
	}
	if end < extended.End()+worth {
		end = extended.End()
	}
	for _, r := range m.records[1:] {
		if at := r.lba * m.table.Sector; at >= p.End() {
			end = min(end, at)
		}
	}
	return end, nil
}

// resize writes the size, and for a logical partition the size that the sector before it gives the rest of the chain.
func (m *mbr) resize(p Partition) {
	if !p.Logical {
		m.setSize(mbrEntry(m.records[0].data, p.Number-1), p.End(), p.Size)
		return
	}
	r := m.recordOf(p.Number)
	m.setSize(mbrEntry(r.data, r.slot), p.End(), p.Size)
	if before := m.before(r); before != nil {
		m.setSize(mbrEntry(before.data, before.next), p.End(), p.End()-r.lba*m.table.Sector)
	}
}

// before is the sector that leads to another.
func (m *mbr) before(r *mbrRecord) *mbrRecord {
	at := slices.Index(m.records, r)
	if at < 2 {
		return nil
	}
	return m.records[at-1]
}

// setSize writes a size into an entry, and the end as cylinder, head and sector, which nobody reads.
func (m *mbr) setSize(e []byte, end, size int64) {
	le.PutUint32(e[12:], uint32(size/m.table.Sector))
	copy(e[5:8], chs(end/m.table.Sector-1))
}

// chs is a sector in the geometry of 255 heads and 63 sectors, which reaches 8 GiB.
func chs(lba int64) []byte {
	cylinder, head, sector := lba/(255*63), lba/63%255, lba%63+1
	if cylinder > 1023 {
		cylinder, head, sector = 1023, 254, 63
	}
	return []byte{byte(head), byte(cylinder>>8<<6) | byte(sector), byte(cylinder)}
}

func newMBR(t *Table) error {
	sector := make([]byte, t.Sector)
	rand.Read(sector[mbrID : mbrID+4])
	sector[510], sector[511] = 0x55, 0xaa
	t.ID = fmt.Sprintf("%08x", le.Uint32(sector[mbrID:]))
	t.form = &mbr{table: t, records: []*mbrRecord{{data: sector}}}
	return nil
}

func (m *mbr) add(p *Partition) error {
	kind, err := strconv.ParseUint(p.Type, 16, 8)
	if err != nil || kind == 0 {
		return fmt.Errorf("%q is no type of a partition in an MBR: two hexadecimal digits are", p.Type)
	}
	if p.End()/m.table.Sector > mbrSectors {
		return fmt.Errorf("a partition would end at %s, and an MBR reaches %s; use GPT", machine.Size(p.End()), machine.Size(mbrSectors*m.table.Sector))
	}
	p.Extended = p.Extended || isExtended(byte(kind))
	if p.Extended && !isExtended(byte(kind)) {
		kind, p.Type = 0x0f, "0f"
	}
	if p.Logical {
		err = m.addLogical(p, byte(kind))
	} else {
		err = m.addPrimary(p, byte(kind))
	}
	p.ID = fmt.Sprintf("%s-%02x", m.table.ID, p.Number)
	return err
}

func (m *mbr) addPrimary(p *Partition, kind byte) error {
	if _, there := m.table.extended(); there && p.Extended {
		return errors.New("the table has an extended partition already")
	}
	for i := 0; p.Number == 0 && i < 4; i++ {
		if mbrEntry(m.records[0].data, i)[4] == 0 {
			p.Number = i + 1
		}
	}
	if p.Number < 1 || p.Number > 4 || mbrEntry(m.records[0].data, p.Number-1)[4] != 0 {
		return errors.New("an MBR has four partitions, and none is free; use GPT or logical partitions")
	}
	m.setEntry(mbrEntry(m.records[0].data, p.Number-1), kind, p.Start, p.Size, 0)
	return nil
}

// setEntry writes a whole entry; base is the place that it counts from.
func (m *mbr) setEntry(e []byte, kind byte, start, size, base int64) {
	clear(e)
	e[4] = kind
	copy(e[1:4], chs(start/m.table.Sector))
	le.PutUint32(e[8:], uint32((start-base)/m.table.Sector))
	m.setSize(e, start+size, size)
}

// addLogical puts a new sector at the end of the chain. The first one of a chain has its place at the beginning of the
// extended partition.
func (m *mbr) addLogical(p *Partition, kind byte) error {
	extended, ok := m.table.extended()
	last := m.records[len(m.records)-1]
	switch {
	case !ok:
		return errors.New("there is no extended partition for a logical one")
	case p.Number != 0 && p.Number != m.nextLogical():
		return fmt.Errorf("the next logical partition has the number %d", m.nextLogical())
	case len(m.records) > 1 && p.Start < last.lba*m.table.Sector:
		return errors.New("a logical partition is added behind the others")
	}
	p.Number = m.nextLogical()
	r := &mbrRecord{lba: p.Start/m.table.Sector - 1, data: make([]byte, m.table.Sector), slot: 0, next: -1, number: p.Number, isNew: true}
	if p.Start%(1<<20) == 0 {
		r.lba = (p.Start - 1<<20) / m.table.Sector
	}
	switch {
	case len(m.records) == 1:
		r.lba = extended.Start / m.table.Sector
	case last.slot < 0: // the chain begins with a sector that has no partition
		r = last
		r.slot, r.number = 0, p.Number
	default:
		if r.lba*m.table.Sector < m.endOf(last) {
			r.lba = m.endOf(last) / m.table.Sector
		}
		if r.lba*m.table.Sector >= p.Start {
			return errors.New("there is no room for the sector that leads to a logical partition")
		}
		if last.next = 1; last.slot == 1 {
			last.next = 0
		}
		m.setEntry(mbrEntry(last.data, last.next), 0x05, r.lba*m.table.Sector, p.End()-r.lba*m.table.Sector, extended.Start)
	}
	if r != last {
		r.data[510], r.data[511] = 0x55, 0xaa
		m.records = append(m.records, r)
	}
	m.setEntry(mbrEntry(r.data, r.slot), kind, p.Start, p.Size, r.lba*m.table.Sector)
	return nil
}

// endOf is where the partition of a sector ends.
func (m *mbr) endOf(r *mbrRecord) int64 {
	p, _ := m.table.Find(r.number)
	return p.End()
}

// writes begin with new sectors, to which nothing leads yet; then comes the boot sector, which may make the extended partition
// larger, then what is in it. Each is one sector, so that at any cut the table can be read.
func (m *mbr) writes() (list []machine.Write) {
	for _, wantNew := range []bool{true, false} {
		for _, r := range m.records {
			if r.isNew == wantNew && !slices.Equal(r.was, r.data) {
				list = append(list, machine.Write{Offset: r.lba * m.table.Sector, Was: r.was, Data: slices.Clone(r.data)})
			}
		}
	}
	if m.table.made { // no GPT may be found beside it
		list = append(list, m.eraseGPT()...)
	}
	return list
}

// eraseGPT clears where the headers of a GPT would be.
func (m *mbr) eraseGPT() []machine.Write {
	zeros := make([]byte, m.table.Sector)
	return []machine.Write{{Offset: m.table.Sector, Data: zeros}, {Offset: m.table.Size - m.table.Sector, Data: zeros}}
}
