package disk

import (
	"bytes"
	"hash/crc32"
	"slices"
	"testing"
	"time"

	"openguest/internal/machine"
)

// fuzzed is a disk whose first sectors a fuzzer made. The checksums of a GPT are put right: a fuzzer never would.
func fuzzed(data []byte) *machine.FakeBlock {
	b := machine.NewFakeBlock(8*mib, 512)
	data = append(slices.Clone(data[:min(len(data), 4096)]), make([]byte, 1024)...)
	if h := data[512:1024]; len(data) >= 2048 && string(h[:8]) == gptSignature && le.Uint32(h[headerSize:]) <= 512 && le.Uint32(h[headerSize:]) >= minHeaderSize {
		le.PutUint32(h[entriesCRC:], crc32.ChecksumIEEE(data[1024:1024+512]))
		le.PutUint32(h[headerCRC:], checksum(h))
	}
	b.WriteAt(data, 0)
	return b
}

// seedGPT has four entries.
func seedGPT() []byte {
	data := make([]byte, 2048)
	copy(mbrEntry(data, 0), "\x00\x00\x02\x00\xee\xff\xff\xff\x01\x00\x00\x00\xff\x3f\x00\x00")
	copy(data[510:], "\x55\xaa")
	h := data[512:]
	copy(h, gptSignature+"\x00\x00\x01\x00\x5c\x00\x00\x00")
	le.PutUint64(h[headerLBA:], 1)
	le.PutUint64(h[otherLBA:], 16383)
	le.PutUint64(h[firstUsable:], 3)
	le.PutUint64(h[lastUsable:], 16380)
	le.PutUint64(h[entriesLBA:], 2)
	le.PutUint32(h[entryCount:], 4)
	le.PutUint32(h[entrySize:], 128)
	for i := range 2 {
		e := data[1024+128*i:]
		e[0], e[16] = 1, byte(i)
		le.PutUint64(e[entryFirst:], uint64(2048*i+2048))
		le.PutUint64(e[entryLast:], uint64(2048*i+4095))
	}
	return data
}

// seedMBR has a primary partition and two logical ones.
func seedMBR() []byte {
	data := make([]byte, 2048)
	entry := func(sector, i int, kind byte, start, size uint32) {
		e := mbrEntry(data[512*sector:], i)
		e[4] = kind
		le.PutUint32(e[8:], start)
		le.PutUint32(e[12:], size)
		copy(data[512*sector+510:], "\x55\xaa")
	}
	entry(0, 0, 0x83, 2048, 2048)
	entry(0, 1, 0x05, 1, 1000)
	entry(1, 0, 0x83, 10, 20)
	entry(1, 1, 0x05, 1, 500)
	entry(2, 0, 0x83, 40, 100)
	return data
}

// FuzzTable: whatever is on a disk, reading its table ends, and what was read and grown can be read again. A table that could
// not be read back would be a machine that does not start.
func FuzzTable(f *testing.F) {
	f.Add(seedGPT())
	f.Add(seedMBR())
	for _, data := range [][]byte{seedGPT(), seedMBR()} {
		if _, err := Read(fuzzed(data)); err != nil {
			f.Fatal("a seed cannot be read:", err)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := fuzzed(data)
		if _, err := Read(b); err != nil {
			staysAsItIs(t, b)
			return
		}
		b.Enlarge(b.Size() + 16*mib)
		table, err := Read(b)
		if err != nil || len(table.Partitions) == 0 {
			return
		}
		number := table.Partitions[len(table.Partitions)-1].Number
		_, after, err := table.Grow(number)
		if err != nil {
			return
		}
		for _, w := range table.Rewrite("/dev/sda", "").Writes {
			if _, err := b.WriteAt(w.Data, w.Offset); err != nil {
				t.Fatal(err)
			}
		}
		again, err := Read(b)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if p, _ := again.Find(number); p != after {
			t.Fatalf("read %v, wrote %v", p, after)
		}
	})
}

// staysAsItIs tries to grow the partitions of a disk whose table does not verify.
func staysAsItIs(t *testing.T, b *machine.FakeBlock) {
	t.Helper()
	content := func() []byte { // where tables are
		ends := make([]byte, 128<<10)
		b.ReadAt(ends[:64<<10], 0)
		b.ReadAt(ends[64<<10:], b.Size()-64<<10)
		return ends
	}
	before := content()
	m := machine.Fake("", time.Time{})
	m.Blocks = machine.FakeBlocks{"/dev/sda": b}
	for _, number := range []int{1, 2, 5} {
		if r := (Grower{Machine: m}).Image("/dev/sda", number); r.Outcome != Failed {
			t.Errorf("partition %d: %v", number, r)
		}
	}
	if !bytes.Equal(content(), before) {
		t.Error("the disk was written to")
	}
}

// FuzzProbe: no first block of a disk ends the program.
func FuzzProbe(f *testing.F) {
	f.Add([]byte("XFSB"))
	f.Add(append(make([]byte, 512), "LABELONE\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00\x00LVM2 001"...))
	f.Add([]byte("LUKS\xba\xbe\x00\x02"))
	f.Fuzz(func(_ *testing.T, data []byte) { machine.Probe(bytes.NewReader(data)) })
}
