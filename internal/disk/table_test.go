package disk

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"openguest/internal/machine"
)

const mib = 1 << 20

// script makes a table with sfdisk on an image of size MiB, and makes the image larger then. What the partitions hold is not
// zero, so that a test sees what is overwritten.
func script(t *testing.T, text string, size, larger int64) string {
	t.Helper()
	need(t, "sfdisk")
	name := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, size*mib); err != nil {
		t.Fatal(err)
	}
	run(t, text, "sfdisk", "--quiet", name)
	if err := os.Truncate(name, larger*mib); err != nil {
		t.Fatal(err)
	}
	return name
}

func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed; scripts/tools says which packages tests need", tool)
		}
	}
}

func run(t *testing.T, input, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// live is the door to image files.
func live(t *testing.T) machine.Machine {
	t.Helper()
	m, err := machine.Live()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func readImage(t *testing.T, m machine.Machine, name string) *Table {
	t.Helper()
	b, err := m.Blocks.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	table, err := Read(b)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return table
}

// growImage grows a partition of an image, as a module does.
func growImage(t *testing.T, name string, number int) (before, after Partition, changed bool) {
	t.Helper()
	m := live(t)
	table := readImage(t, m, name)
	before, after, err := table.Grow(number)
	if err != nil {
		t.Fatal(err)
	}
	changed, err = m.Blocks.Rewrite(table.Rewrite(name, ""))
	if err != nil {
		t.Fatal(err)
	}
	return before, after, changed
}

// dump is what sfdisk says of the partitions, without the image's name.
func dump(t *testing.T, name string) string {
	return strings.ReplaceAll(run(t, "", "sfdisk", "--dump", name), name, "disk")
}

func verify(t *testing.T, name string) {
	t.Helper()
	if out := run(t, "", "sfdisk", "--verify", name); strings.Contains(strings.ToLower(out), "overlap") || strings.Contains(out, "PMBR") {
		t.Errorf("sfdisk --verify: %s", out)
	}
	if !strings.Contains(dump(t, name), "label: gpt") {
		return
	}
	need(t, "sgdisk")
	if out := run(t, "", "sgdisk", "-v", name); !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk -v: %s", out)
	}
}

var growTests = []struct {
	name, script string
	number       int
}{
	{"one partition of a GPT", "label: gpt\n,,\n", 1},
	{"the root of an image for clouds", "label: gpt\n14: start=2048, size=8192, type=21686148-6449-6E6F-744E-656564454649\n15: size=40M, type=U\n1: name=\"root\", attrs=\"RequiredPartition GUID:50\"\n", 1},
	{"a GPT whose table is not in order", "label: gpt\n2: start=2048, size=20M\n1: size=20M\n", 1},
	{"up to the next partition", "label: gpt\n1: start=2048, size=20M\n2: start=131072, size=20M\n", 1},
	{"nothing to gain", "label: gpt\n1: start=2048, size=20M\n2: size=20M\n", 1},
	{"one partition of an MBR", "label: dos\n,,83,*\n", 1},
	{"the second of two in an MBR", "label: dos\n,20M,c\n,,83\n", 2},
	{"up to a config drive at the end", "label: dos\n1: start=2048, size=20M\n2: start=180000, size=1M\n", 1},
	{"fifteen partitions", "label: gpt\n" + strings.Repeat(",4M\n", 15), 15},
}

// Rows M05 and M06, and row 56 of the GCE table. Debian's growpart is what people compare with: the same partition, the same
// IDs, flags and start must come out, and disks that fdisk and gdisk find nothing wrong with. A second run writes nothing.
func TestGrowAsGrowpart(t *testing.T) {
	for _, test := range growTests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			need(t, "sgdisk", "growpart")
			name := script(t, test.script, 100, 300)
			peer := name + ".peer"
			run(t, "", "cp", "--sparse=always", name, peer)
			exec.Command("growpart", peer, fmt.Sprint(test.number)).Run() // it ends with 1 where there is nothing to gain
			before, after, changed := growImage(t, name, test.number)
			if got, want := withoutLast(dump(t, name)), withoutLast(strings.ReplaceAll(dump(t, peer), peer, "disk")); got != want {
				t.Errorf("growpart gives\n%s\nand we\n%s", want, got)
			}
			if changed != (before != after) {
				t.Errorf("the disk was changed: %v; the partition: %v", changed, before != after)
			}
			if changed {
				verify(t, name)
			}
			if _, _, again := growImage(t, name, test.number); again {
				t.Error("a second run wrote to the disk")
			}
		})
	}
}

// withoutLast drops the end of what is usable, which sfdisk may not say.
func withoutLast(dump string) string {
	var lines []string
	for line := range strings.Lines(dump) {
		if !strings.HasPrefix(line, "last-lba") && !strings.HasPrefix(line, "device") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// Row M06. A logical partition grows with the extended one around it; growpart would run over the record of the next.
func TestGrowLogical(t *testing.T) {
	const layout = "label: dos\n,20M,83\n,,5\n,20M,83\n,20M,82\n,%s,83\n"
	tests := []struct {
		name   string
		last   string
		number int
		grows  bool
	}{
		{"the last one, and the extended with it", "20M", 7, true},
		{"one before the last", "20M", 6, false},
		{"the last one, which filled the extended", "", 7, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			name := script(t, fmt.Sprintf(layout, test.last), 100, 300)
			before, after, _ := growImage(t, name, test.number)
			if grew := after.Size > before.Size; grew != test.grows {
				t.Errorf("from %d to %d bytes", before.Size, after.Size)
			}
			if want := int64(300*mib - 33*512); test.grows && after.End() != want {
				t.Errorf("it ends at %d, want %d", after.End(), want)
			}
			verify(t, name)
			table := readImage(t, live(t), name)
			if extended, _ := table.extended(); extended.End() < after.End() {
				t.Errorf("the extended partition ends at %d, before the logical one at %d", extended.End(), after.End())
			}
			if _, _, again := growImage(t, name, test.number); again {
				t.Error("a second run wrote to the disk")
			}
		})
	}
}

// A boot loader's code, names and flags are none of our business: all but sizes and checksums stays as it is.
func TestGrowKeepsWhatItDoesNotKnow(t *testing.T) {
	name := script(t, growTests[1].script, 100, 300)
	code := bytes.Repeat([]byte("boot"), 110)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteAt(code, 0)
	inside := bytes.Repeat([]byte("file"), 1<<18)
	f.WriteAt(inside, 60*mib)
	growImage(t, name, 1)
	got := make([]byte, len(code))
	f.ReadAt(got, 0)
	if !bytes.Equal(got, code) {
		t.Error("the boot code is gone: the machine would not start again")
	}
	got = make([]byte, len(inside))
	f.ReadAt(got, 60*mib)
	if !bytes.Equal(got, inside) {
		t.Error("what was in the partition is gone")
	}
}

// A disk that is large enough for the people who grow it: beyond 2 TiB an MBR has no numbers.
func TestGrowRefuses(t *testing.T) {
	b := machine.NewFakeBlock(100*mib, 512)
	table, err := New(MBR, b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Add(Partition{}); err != nil {
		t.Fatal(err)
	}
	write(t, b, table)
	b.Enlarge(3 << 40)
	table, err = Read(b)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = table.Grow(1)
	if want := "the disk has 3 TiB, and an MBR reaches 2 TiB of it; convert the table to GPT"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, _, err := table.Grow(2); err == nil || err.Error() != "there is no partition 2" {
		t.Errorf("got %v", err)
	}
}

func write(t *testing.T, b *machine.FakeBlock, table *Table) bool {
	t.Helper()
	changed, err := machine.FakeBlocks{"/dev/sda": b}.Rewrite(table.Rewrite("/dev/sda", ""))
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// Tables are made as sfdisk and sgdisk would make them; both must find nothing wrong.
func TestNew(t *testing.T) {
	tests := []struct {
		label string
		add   []Partition
		want  string
	}{
		{GPT, []Partition{{}}, "1:1-199.9"},
		{GPT, []Partition{{Size: 50 * mib, Name: "first", Type: Type(GPT, "82")}, {Size: 20 * mib}, {}}, "1:1-51 2:51-71 3:71-199.9"},
		{GPT, []Partition{{Number: 9, Size: 10 * mib, Start: 100 * mib}, {}}, "9:100-110 1:1-100"},
		{MBR, []Partition{{Size: 50 * mib}, {Type: "82"}}, "1:1-51 2:51-199.9"},
		{MBR, []Partition{{Size: 50 * mib}, {Extended: true}, {Logical: true, Size: 20 * mib}, {Logical: true, Size: 20 * mib}, {Logical: true}},
			"1:1-51 2:51-199.9 5:52-72 6:73-93 7:94-199.9"},
	}
	for _, test := range tests {
		b := machine.NewFakeBlock(200*mib, 512)
		table, err := New(test.label, b)
		for _, p := range test.add {
			if err == nil {
				_, err = table.Add(p)
			}
		}
		if err != nil {
			t.Errorf("%s %v: %v", test.label, test.add, err)
			continue
		}
		write(t, b, table)
		read, err := Read(b)
		if err != nil {
			t.Errorf("%s %v: %v", test.label, test.add, err)
			continue
		}
		for i := range read.Partitions {
			if want, _ := table.Find(read.Partitions[i].Number); read.Partitions[i] != want {
				t.Errorf("%s: read %+v, made %+v", test.label, read.Partitions[i], want)
			}
		}
		if got := places(table); got != test.want {
			t.Errorf("%s %v: %s, want %s", test.label, test.add, got, test.want)
		}
		verifyFake(t, b)
	}
}

func places(table *Table) string {
	var words []string
	for _, p := range table.Partitions {
		end := fmt.Sprintf("%.1f", float64(p.End()/(mib/10))/10)
		words = append(words, fmt.Sprintf("%d:%d-%s", p.Number, p.Start/mib, strings.TrimSuffix(end, ".0")))
	}
	return strings.Join(words, " ")
}

// verifyFake has the tools look at a disk in memory.
func verifyFake(t *testing.T, b *machine.FakeBlock) {
	t.Helper()
	need(t, "sfdisk", "sgdisk")
	name := filepath.Join(t.TempDir(), "disk.img")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Truncate(b.Size())
	for at, piece := int64(0), make([]byte, mib); at < b.Size(); at += mib {
		if b.ReadAt(piece, at); !isZero(piece) {
			f.WriteAt(piece, at)
		}
	}
	verify(t, name)
}

// cut is a disk whose power goes after a number of sectors.
type cut struct {
	*machine.FakeBlock
	left int
}

// apply writes sector by sector until the power goes: a write is many sectors to a disk, and any of them may be the last.
func (c *cut) apply(writes []machine.Write) {
	for _, w := range writes {
		for at := int64(0); at < int64(len(w.Data)) && c.left > 0; at += c.Sector() {
			c.FakeBlock.WriteAt(w.Data[at:at+c.Sector()], w.Offset+at)
			c.left--
		}
	}
}

// Row M05. The power goes at each single sector of what is written: each time the table can be read, holds the same partitions
// but for the size, and a second run makes it what it would have been.
func TestPowerCut(t *testing.T) {
	for _, sector := range []int64{512, 4096} {
		for _, label := range []string{GPT, MBR, "mbr-logical"} {
			// A disk that grows by little puts the new copy of a GPT onto the old one.
			for _, larger := range []int64{150 * mib, 100*mib + 2*mib, 100 * mib} {
				for damaged := range 3 {
					t.Run(fmt.Sprintf("%s %d %d %d", label, sector, larger, damaged), func(t *testing.T) { cutEverywhere(t, label, sector, larger, damaged) })
				}
			}
		}
	}
}

// fresh is a disk with two partitions, the last of which may grow; damaged says which copy of a GPT is broken.
func fresh(t *testing.T, label string, sector, larger int64, damaged int) (b *machine.FakeBlock, number int) {
	t.Helper()
	b, number = machine.NewFakeBlock(100*mib, sector), 2
	table, err := New(label[:3], b)
	parts := []Partition{{Size: 10 * mib, ID: ""}, {Size: 20 * mib}}
	if label == "mbr-logical" {
		parts, number = []Partition{{Size: 10 * mib}, {Extended: true, Size: 40 * mib}, {Logical: true, Size: 5 * mib}, {Logical: true, Size: 10 * mib}}, 6
	}
	for _, p := range parts {
		if err == nil {
			_, err = table.Add(p)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	write(t, b, table)
	switch zeros := make([]byte, sector); {
	case label == GPT && damaged == 1 && larger == 100*mib: // a second copy that is not at the end of the disk is lost with the first
		b.WriteAt(zeros, sector)
	case label == GPT && damaged == 2:
		b.WriteAt(zeros, 100*mib-sector)
	}
	b.Enlarge(larger)
	return b, number
}

func cutEverywhere(t *testing.T, label string, sector, larger int64, damaged int) {
	for left := 0; ; left++ {
		b, number := fresh(t, label, sector, larger, damaged)
		table, err := Read(b)
		if err != nil {
			t.Fatal(err)
		}
		before, after, err := table.Grow(number)
		if err != nil || after.Size <= before.Size {
			t.Fatalf("%v to %v: %v", before, after, err)
		}
		c := &cut{b, left}
		c.apply(table.Rewrite("/dev/sda", "").Writes)
		again, err := Read(b)
		if err != nil {
			t.Fatalf("after %d sectors the table cannot be read: %v", left, err)
		}
		if p, _ := again.Find(number); p != before && p != after {
			t.Fatalf("after %d sectors the partition is %v", left, p)
		}
		if _, _, err := again.Grow(number); err != nil {
			t.Fatalf("after %d sectors: %v", left, err)
		}
		write(t, b, again)
		finished, err := Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if p, _ := finished.Find(number); p != after || len(finished.Partitions) != len(table.Partitions) {
			t.Fatalf("a second run after %d sectors ends with %v, want %v", left, p, after)
		}
		finished.Grow(number)
		if write(t, b, finished) {
			t.Fatalf("a third run after %d sectors wrote to the disk", left)
		}
		if c.left > 0 { // it was not cut
			if left < 3 && label == GPT {
				t.Fatalf("only %d sectors were written", left)
			}
			return
		}
	}
}

// Row M05. After a cut the firmware and the kernel read the table, not we: at each single sector, libblkid and libfdisk find the same
// partitions where they were, the one that grows with one of its two sizes.
func TestPowerCutForOthers(t *testing.T) {
	need(t, "partx", "sfdisk")
	for _, layout := range []string{"label: gpt\n,10M\n,50M\n", "label: dos\n,10M\n,50M\n", "label: dos\n,10M\n,,5\n,10M\n,40M\n"} {
		name := script(t, layout, 100, 150)
		places := func() string { return run(t, "", "partx", "--raw", "--noheadings", "--output", "NR,START", name) }
		before, m := places(), live(t)
		last := strings.Count(layout, "M") // partitions: one for each size
		if strings.Contains(layout, ",,5") {
			last = 6
		}
		table := readImage(t, m, name)
		if _, _, err := table.Grow(last); err != nil {
			t.Fatal(err)
		}
		sectors := inSectors(table.Rewrite(name, "").Writes)
		for i, w := range sectors {
			if !writeSector(t, name, w) {
				continue
			}
			if now := places(); now != before {
				t.Fatalf("after %d of %d sectors partx finds\n%s\nand before\n%s", i+1, len(sectors), now, before)
			}
			if n := strings.Count(dump(t, name), "start="); n != strings.Count(before, "\n") {
				t.Fatalf("after %d of %d sectors sfdisk finds %d partitions", i+1, len(sectors), n)
			}
		}
		verify(t, name)
	}
}

func inSectors(writes []machine.Write) (sectors []machine.Write) {
	for _, w := range writes {
		for at := 0; at < len(w.Data); at += 512 {
			sectors = append(sectors, machine.Write{Offset: w.Offset + int64(at), Data: w.Data[at : at+512]})
		}
	}
	return sectors
}

// writeSector writes into an image what is not there yet.
func writeSector(t *testing.T, name string, w machine.Write) (changed bool) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	now := make([]byte, len(w.Data))
	if _, err := f.ReadAt(now, w.Offset); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(now, w.Data) {
		return false
	}
	if _, err := f.WriteAt(w.Data, w.Offset); err != nil {
		t.Fatal(err)
	}
	return true
}

// A table that does not verify is never written.
func TestDamaged(t *testing.T) {
	edit := func(offset int64, data string) func(b *machine.FakeBlock) {
		return func(b *machine.FakeBlock) { b.WriteAt([]byte(data), offset) }
	}
	tests := []struct {
		name, label, want string
		damage            func(b *machine.FakeBlock)
	}{
		{"no table", GPT, "it has no partition table", edit(0, strings.Repeat("\x00", 512))},
		{"both headers gone", GPT, "both copies of its GPT are damaged: the sector 1 is no header", func(b *machine.FakeBlock) {
			edit(512, strings.Repeat("\x00", 512))(b)
			edit(b.Size()-512, strings.Repeat("\x00", 512))(b)
		}},
		{"one bit in the entries of both", GPT, "both copies of its GPT are damaged: the checksum of the entries is wrong", func(b *machine.FakeBlock) {
			edit(1024+60, "\xff")(b)
			edit(b.Size()-33*512+60, "\xff")(b)
		}},
		{"partitions overlap", MBR, "the partitions 1 and 2 overlap", edit(446+16+8, "\x00\x10\x00\x00")},
		{"beyond the disk", MBR, "partition 2 goes from", edit(446+16+12, "\xff\xff\xff\x0f")},
		{"a protective MBR alone", MBR, "both copies of its GPT are damaged", edit(446+4, "\xee")},
		{"a chain that leads to itself", "mbr-logical", "the chain of its logical partitions has no end", func(b *machine.FakeBlock) {
			edit(11*mib+446+16+8, "\x00\x00\x00\x00")(b)
		}},
		{"a chain that leads away", "mbr-logical", "the chain of its logical partitions leaves the extended one", edit(11*mib+446+16+8, "\xff\xff\xff\x00")},
	}
	for _, test := range tests {
		b, _ := fresh(t, test.label, 512, 100*mib, 0)
		test.damage(b)
		if _, err := Read(b); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}

func TestType(t *testing.T) {
	for _, test := range [][3]string{{GPT, "82", "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"}, {GPT, "ef02", "21686148-6449-6E6F-744E-656564454649"}, {MBR, "82", "82"},
		{MBR, "8300", "83"}, {MBR, "0xc", "0c"}, {MBR, "swap", "82"}, {GPT, "nonsense", ""}, {GPT, "", ""},
		{GPT, "4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"}} {
		if got := Type(test[0], test[1]); got != test[2] {
			t.Errorf("%s %q: %q, want %q", test[0], test[1], got, test[2])
		}
	}
}
