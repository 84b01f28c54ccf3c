package disk

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"unicode/utf16"

	"openguest/internal/machine"
)

var le = binary.LittleEndian

// maxEntries is how many bytes of entries a sane table has: 128 entries have 16 KiB.
const maxEntries = 1 << 20

// gpt is a table with a header and entries in two copies, one at each end of the disk.
type gpt struct {
	table      *Table
	protective []byte // the first sector of the disk
	header     []byte // a sector
	entries    []byte // whole sectors
	was        gptBytes
	isPrimary  bool // the copy that was read is the one at the beginning
	isWhole    bool // both copies were as they should be
	isChanged  bool
}

// gptBytes is what was on the disk.
type gptBytes struct{ protective, header, entries []byte }

// The fields of a header, by where they are (UEFI specification, table 5.5).
const (
	gptSignature  = "EFI PART"
	headerSize    = 12
	headerCRC     = 16
	headerLBA     = 24
	otherLBA      = 32
	firstUsable   = 40
	lastUsable    = 48
	diskGUID      = 56
	entriesLBA    = 72
	entryCount    = 80
	entrySize     = 84
	entriesCRC    = 88
	minHeaderSize = 92
)

// The fields of an entry.
const (
	entryType  = 0
	entryGUID  = 16
	entryFirst = 32
	entryLast  = 40
	entryName  = 56
)

// readGPT reads a table whose first sector protects it. Where the first copy is damaged, it takes the one at the end.
func readGPT(b machine.Block) (*Table, error) {
	t := &Table{Label: GPT, Sector: b.Sector(), Size: b.Size() / b.Sector() * b.Sector()}
	g := &gpt{table: t}
	t.form = g
	first, err := readAt(b, 0, t.Sector)
	if err != nil || !isProtective(first) {
		return nil, ErrNoTable
	}
	primary, primaryErr := g.read(b, 1)
	backup, backupErr := g.read(b, t.sectors()-1)
	if primaryErr == nil {
		backup, backupErr = g.read(b, int64(le.Uint64(primary.header[otherLBA:])))
	}
	switch {
	case primaryErr == nil:
		g.was, g.isPrimary = primary, true
		g.isWhole = backupErr == nil && bytes.Equal(primary.entries, backup.entries)
	case backupErr == nil:
		g.was = backup
	default:
		return nil, fmt.Errorf("both copies of its GPT are damaged: %w", primaryErr)
	}
	g.was.protective = first
	g.protective, g.header, g.entries = slices.Clone(first), slices.Clone(g.was.header), slices.Clone(g.was.entries)
	t.ID = formatGUID(g.header[diskGUID:])
	return t, g.list()
}

func readAt(b machine.Block, offset, size int64) ([]byte, error) {
	data := make([]byte, size)
	if n, err := b.ReadAt(data, offset); err != nil && n < len(data) {
		return nil, fmt.Errorf("read %d bytes at %d: %w", size, offset, err)
	}
	return data, nil
}

// isProtective says that a first sector has a partition that keeps others away from a GPT.
func isProtective(sector []byte) bool {
	return hasMBRSignature(sector) && slices.ContainsFunc([]int{0, 1, 2, 3}, func(i int) bool { return mbrEntry(sector, i)[4] == mbrProtective })
}

func (t *Table) sectors() int64 { return t.Size / t.Sector }

// read reads one copy and checks it.
func (g *gpt) read(b machine.Block, lba int64) (copied gptBytes, err error) {
	sector := g.table.Sector
	if lba < 1 || lba >= g.table.sectors() {
		return copied, fmt.Errorf("the disk has no sector %d", lba)
	}
	if copied.header, err = readAt(b, lba*sector, sector); err != nil {
		return copied, err
	}
	if err := g.checkHeader(copied.header, lba); err != nil {
		return copied, err
	}
	h := copied.header
	size := int64(le.Uint32(h[entryCount:])) * int64(le.Uint32(h[entrySize:]))
	at := int64(le.Uint64(h[entriesLBA:]))
	whole := (size + sector - 1) / sector
	if at < 2 || at+whole > g.table.sectors() {
		return copied, errors.New("the entries are not on the disk")
	}
	if copied.entries, err = readAt(b, at*sector, whole*sector); err != nil {
		return copied, err
	}
	if crc32.ChecksumIEEE(copied.entries[:size]) != le.Uint32(h[entriesCRC:]) {
		return copied, errors.New("the checksum of the entries is wrong")
	}
	return copied, nil
}

// checkHeader says what is wrong with a header.
func (g *gpt) checkHeader(h []byte, lba int64) error {
	size := le.Uint32(h[headerSize:])
	switch {
	case string(h[:8]) != gptSignature:
		return fmt.Errorf("the sector %d is no header", lba)
	case size < minHeaderSize || int64(size) > g.table.Sector:
		return errors.New("its header has an impossible size")
	case checksum(h) != le.Uint32(h[headerCRC:]):
		return errors.New("the checksum of the header is wrong")
	case le.Uint64(h[headerLBA:]) != uint64(lba):
		return errors.New("its header says that it is elsewhere")
	}
	count, each := int64(le.Uint32(h[entryCount:])), int64(le.Uint32(h[entrySize:]))
	if each < 128 || each&(each-1) != 0 || count < 1 || count > maxEntries/each {
		return errors.New("its entries have an impossible size")
	}
	first, last, end := le.Uint64(h[firstUsable:]), le.Uint64(h[lastUsable:]), uint64(g.table.sectors())
	if first < 2 || first > last || last >= end {
		return errors.New("what it calls usable is not on the disk")
	}
	return nil
}

// checksum is the header's, which is counted with zeros in its own place.
func checksum(header []byte) uint32 {
	h := slices.Clone(header[:le.Uint32(header[headerSize:])])
	le.PutUint32(h[headerCRC:], 0)
	return crc32.ChecksumIEEE(h)
}

// list turns entries into partitions.
func (g *gpt) list() error {
	sector := g.table.Sector
	for i := range g.count() {
		e := g.entry(i)
		if isZero(e[entryType : entryType+16]) {
			continue
		}
		first, last := le.Uint64(e[entryFirst:]), le.Uint64(e[entryLast:])
		if first > last || last >= uint64(g.table.sectors()) {
			return fmt.Errorf("partition %d goes from sector %d to %d, and the disk has %d", i+1, first, last, g.table.sectors())
		}
		g.table.Partitions = append(g.table.Partitions, Partition{Number: i + 1, Start: int64(first) * sector, Size: int64(last-first+1) * sector,
			Type: formatGUID(e[entryType:]), ID: formatGUID(e[entryGUID:]), Name: gptName(e[entryName:128])})
	}
	return nil
}

func (g *gpt) count() int { return int(le.Uint32(g.header[entryCount:])) }

// entry is the bytes of an entry.
func (g *gpt) entry(i int) []byte {
	size := int(le.Uint32(g.header[entrySize:]))
	return g.entries[i*size : (i+1)*size]
}

func isZero(b []byte) bool { return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) }

// gptName is a name of up to 36 units of UTF-16.
func gptName(raw []byte) string {
	units := make([]uint16, 0, len(raw)/2)
	for ; len(raw) >= 2 && le.Uint16(raw) != 0; raw = raw[2:] {
		units = append(units, le.Uint16(raw))
	}
	return string(utf16.Decode(units))
}

// usable reaches to where the second copy will begin once it is at the end of the disk.
func (g *gpt) usable() (from, to int64) {
	last := g.table.sectors() - 1 - int64(len(g.entries))/g.table.Sector
	return int64(le.Uint64(g.header[firstUsable:])) * g.table.Sector, last * g.table.Sector
}

// isMirrored says that the first sector has the partition too, for systems that know no GPT.
func (g *gpt) isMirrored(p Partition) bool {
	for i := range 4 {
		e := mbrEntry(g.protective, i)
		if e[4] != 0 && e[4] != mbrProtective && int64(le.Uint32(e[8:]))*g.table.Sector == p.Start {
			return true
		}
	}
	return false
}

func (g *gpt) resize(p Partition) {
	g.isChanged = true
	le.PutUint64(g.entry(p.Number - 1)[entryLast:], uint64(p.End()/g.table.Sector-1))
}

func (g *gpt) add(p *Partition) error {
	g.isChanged = true
	for i := 0; p.Number == 0 && i < g.count(); i++ {
		if isZero(g.entry(i)[:16]) {
			p.Number = i + 1
		}
	}
	if p.Number < 1 || p.Number > g.count() || !isZero(g.entry(p.Number - 1)[:16]) {
		return fmt.Errorf("there is no free partition number in the table of %d", g.count())
	}
	kind, err := parseGUID(p.Type)
	if err != nil {
		return fmt.Errorf("the type of a partition: %w", err)
	}
	id := newGUID()
	if p.ID != "" {
		if id, err = parseGUID(p.ID); err != nil {
			return fmt.Errorf("the ID of a partition: %w", err)
		}
	}
	p.ID = formatGUID(id[:])
	e := g.entry(p.Number - 1)
	copy(e[entryType:], kind[:])
	copy(e[entryGUID:], id[:])
	le.PutUint64(e[entryFirst:], uint64(p.Start/g.table.Sector))
	le.PutUint64(e[entryLast:], uint64(p.End()/g.table.Sector-1))
	units := utf16.Encode([]rune(p.Name))
	for i, unit := range units[:min(len(units), 36)] {
		le.PutUint16(e[entryName+2*i:], unit)
	}
	return nil
}

// newGUID is a random one (RFC 9562, 5.4), as tables hold it.
func newGUID() (raw [16]byte) {
	rand.Read(raw[:])
	raw[7], raw[8] = raw[7]&0x0f|0x40, raw[8]&0x3f|0x80
	return raw
}

// newGPT has room for 128 partitions.
func newGPT(t *Table) error {
	g := &gpt{table: t, protective: make([]byte, t.Sector), header: make([]byte, t.Sector), entries: make([]byte, max(128*128, t.Sector)),
		isPrimary: true, isChanged: true}
	t.form = g
	copy(g.header, gptSignature+"\x00\x00\x01\x00")
	le.PutUint32(g.header[headerSize:], minHeaderSize)
	id := newGUID()
	copy(g.header[diskGUID:], id[:])
	t.ID = formatGUID(id[:])
	le.PutUint64(g.header[entriesLBA:], 2)
	le.PutUint64(g.header[firstUsable:], uint64(2+int64(len(g.entries))/t.Sector))
	le.PutUint32(g.header[entryCount:], 128)
	le.PutUint32(g.header[entrySize:], 128)
	copy(g.protective[510:], "\x55\xaa")
	copy(mbrEntry(g.protective, 0), "\x00\x00\x02\x00\xee\xff\xff\xff\x01\x00\x00\x00")
	return nil
}

// writes are none where nothing has changed and both copies are whole. Otherwise the copy that was read is written last, and
// the entries of each copy before its header: at any cut one of the two is whole.
func (g *gpt) writes() []machine.Write {
	if !g.isChanged && g.isWhole {
		return nil
	}
	sector, end := g.table.Sector, g.table.sectors()-1
	wide := int64(len(g.entries)) / sector
	primaryEntries := int64(2)
	if g.isPrimary {
		primaryEntries = int64(le.Uint64(g.header[entriesLBA:]))
	} else if first := int64(le.Uint64(g.header[firstUsable:])); first < 2+wide {
		primaryEntries = first - wide
	}
	primary := g.copyAt(1, end, primaryEntries)
	backup := g.copyAt(end, 1, end-wide)
	if g.isPrimary && g.was.header != nil {
		primary[0].Was, primary[1].Was = g.was.entries, g.was.header
	}
	protect := []machine.Write{{Data: g.protect(), Was: g.was.protective}}
	switch {
	case g.table.made: // until it is whole, what was there before counts
		return slices.Concat(backup, primary, protect)
	case g.isPrimary:
		return slices.Concat(protect, backup, primary)
	}
	return slices.Concat(protect, primary, backup)
}

// copyAt is one copy of the table: where its header is, where the other's is, and where its entries are.
func (g *gpt) copyAt(lba, other, entries int64) []machine.Write {
	h := slices.Clone(g.header)
	size := g.count() * int(le.Uint32(h[entrySize:]))
	_, to := g.usable()
	le.PutUint64(h[headerLBA:], uint64(lba))
	le.PutUint64(h[otherLBA:], uint64(other))
	le.PutUint64(h[lastUsable:], uint64(to/g.table.Sector-1))
	le.PutUint64(h[entriesLBA:], uint64(entries))
	le.PutUint32(h[entriesCRC:], crc32.ChecksumIEEE(g.entries[:size]))
	le.PutUint32(h[headerCRC:], checksum(h))
	return []machine.Write{{Offset: entries * g.table.Sector, Data: slices.Clone(g.entries)}, {Offset: lba * g.table.Sector, Data: h}}
}

// protect is the first sector with a partition that covers the disk; its boot code stays.
func (g *gpt) protect() []byte {
	sector := slices.Clone(g.protective)
	for i := range 4 {
		if e := mbrEntry(sector, i); e[4] == mbrProtective && le.Uint32(e[8:]) == 1 {
			le.PutUint32(e[12:], uint32(min(g.table.sectors()-1, 0xffffffff)))
		}
	}
	return sector
}
