package module

import (
	"encoding/binary"
	"strings"
	"testing"

	"openguest/internal/disk"
	"openguest/internal/machine"
)

// addTables reads what stands on the disks of a scene: "NAME gpt" or "NAME mbr" is a disk with a table of its partitions, as the
// disk was when it ended behind the last of them; "PARTITION SIZE" is how much an ext4 on it has taken.
func addTables(t *testing.T, lines string, blocks machine.FakeBlocks) {
	t.Helper()
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) != 2 {
			t.Fatalf("the section tables has a line %q", line)
		}
		if b := blocks["/dev/"+words[0]]; b != nil {
			addTable(t, words[1], b)
			continue
		}
		size, err := parseSize(words[1])
		if err != nil {
			t.Fatal(err)
		}
		takeRoom(t, blocks, "/dev/"+words[0], size)
	}
}

func addTable(t *testing.T, label string, b *machine.FakeBlock) {
	t.Helper()
	size, end := b.Size(), int64(0)
	for _, e := range b.Partitions {
		end = max(end, e.Start+e.Size)
	}
	b.Enlarge(end + 1<<20)
	table, err := disk.New(label, b)
	for _, e := range b.Partitions {
		if err == nil {
			_, err = table.Add(disk.Partition{Number: e.Number, Start: e.Start, Size: e.Size})
		}
	}
	if err == nil {
		_, err = machine.FakeBlocks{"/dev/x": b}.Rewrite(table.Rewrite("/dev/x", ""))
	}
	if err != nil {
		t.Fatal(err)
	}
	b.Enlarge(size)
}

// takeRoom writes the number of blocks into the superblock of an ext4 on a partition.
func takeRoom(t *testing.T, blocks machine.FakeBlocks, device string, size int64) {
	t.Helper()
	for name, b := range blocks {
		for _, e := range b.Partitions {
			if machine.PartitionName(name, e.Number) != device {
				continue
			}
			var count [4]byte
			binary.LittleEndian.PutUint32(count[:], uint32(size/1024))
			b.WriteAt(count[:], e.Start+1024+4)
			return
		}
	}
	t.Fatalf("there is no partition %s", device)
}
