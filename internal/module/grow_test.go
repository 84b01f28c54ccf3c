package module

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"openguest/internal/disk"
	"openguest/internal/machine"
)

// addTables reads what stands on the disks of a scene: "NAME gpt" or "NAME mbr" is a disk with a table of its partitions, as the
// disk was when it ended behind the last of them; "PARTITION SIZE" is how much an ext4 on it has taken; "PARTITION,... lvm
// VOLUME=EXTENTS..." are the physical volumes of the group "my-vg", with extents of 4 MiB.
func addTables(t *testing.T, lines string, blocks machine.FakeBlocks) {
	t.Helper()
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) > 2 && words[1] == "lvm" {
			addGroup(t, blocks, strings.Split(words[0], ","), words[2:])
			continue
		}
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
	b, e := findPartition(t, blocks, device)
	var count [4]byte
	binary.LittleEndian.PutUint32(count[:], uint32(size/1024))
	b.WriteAt(count[:], e.Start+1024+4)
}

func findPartition(t *testing.T, blocks machine.FakeBlocks, device string) (*machine.FakeBlock, machine.Extent) {
	t.Helper()
	for name, b := range blocks {
		for _, e := range b.Partitions {
			if machine.PartitionName(name, e.Number) == device {
				return b, e
			}
		}
	}
	t.Fatalf("there is no partition %s", device)
	return nil, machine.Extent{}
}

// addGroup writes what LVM writes onto physical volumes that fill their partitions.
func addGroup(t *testing.T, blocks machine.FakeBlocks, names, volumes []string) {
	t.Helper()
	var text strings.Builder
	text.WriteString("my-vg {\nid = \"x\"\nflags = []\nextent_size = 8192 # 4 MiB\nphysical_volumes {\n")
	for i, name := range names {
		_, e := findPartition(t, blocks, "/dev/"+name)
		id := volumeID(i)
		fmt.Fprintf(&text, "pv%d {\nid = \"%s-%s-%s-%s-%s-%s-%s\"\npe_start = 2048\npe_count = %d\n}\n",
			i, id[:6], id[6:10], id[10:14], id[14:18], id[18:22], id[22:26], id[26:], (e.Size-1<<20)/(4<<20))
	}
	text.WriteString("}\nlogical_volumes {\n")
	for _, v := range volumes {
		name, extents, _ := strings.Cut(v, "=")
		fmt.Fprintf(&text, "%s {\nsegment_count = 1\nsegment1 {\nstart_extent = 0\nextent_count = %s\ntype = \"striped\"\nstripes = [\n\"pv0\", 0\n]\n}\n}\n", name, extents)
	}
	text.WriteString("}\n}\nversion = 1\n\x00")
	for i, name := range names {
		b, e := findPartition(t, blocks, "/dev/"+name)
		label := append([]byte("LABELONE\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00\x00LVM2 001"), volumeID(i)...)
		b.WriteAt(append(label, numbers(uint64(e.Size), 1<<20, 0, 0, 0, 4096, 1<<20-4096, 0, 0)...), e.Start+512)
		b.WriteAt(append([]byte("\x00\x00\x00\x00 LVM2 x[5A%r0N*>\x01\x00\x00\x00"), numbers(4096, 1<<20-4096, 512, uint64(text.Len()))...), e.Start+4096)
		b.WriteAt([]byte(text.String()), e.Start+4096+512)
	}
}

// volumeID is that of a physical volume.
func volumeID(i int) string { return fmt.Sprintf("abcdefghijklmnopqrstuvwxyz01234%d", i) }

func numbers(list ...uint64) (raw []byte) {
	for _, n := range list {
		raw = binary.LittleEndian.AppendUint64(raw, n)
	}
	return raw
}

// spoken is a report of which a test reads the log.
type spoken struct {
	*scene
	lines []string
}

func (s *spoken) Log(level Level, format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf("%s %s", level, fmt.Sprintf(format, args...)))
}

// Row M05. People and monitors look for growpart's words in the log: what grew, that there was nothing to grow, and why a partition was
// left out.
func TestGrowpartLogWords(t *testing.T) {
	for file, want := range map[string]string{
		"growpart.txtar":       "INFO '/' resized: changed (/dev/vda1) from 2147483648 to 10736352768",
		"growpart-same.txtar":  "DEBUG '/' NOCHANGE: it fills the disk",
		"growpart-mbr2t.txtar": "DEBUG '/' SKIPPED: the disk has 3 TiB, and an MBR reaches 2 TiB of it; convert the table to GPT",
	} {
		text, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		s := newScene(t, string(text))
		report := &spoken{scene: s}
		s.env.Report = report
		if said := s.play(t, []string{"growpart"}); !slices.Contains(report.lines, want) {
			t.Errorf("%s: the log has %q, want %q\n%s", file, report.lines, want, said)
		}
	}
}
