package module

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"openguest/internal/machine"
)

// sceneDisks are the disks of a scene: in memory, and in the files of /sys and /dev that speak of them.
type sceneDisks struct {
	t      *testing.T
	files  *strings.Builder
	blocks machine.FakeBlocks
	whole  string // the last disk
	number int    // of the last device
}

// addDisks reads a line for each disk, "NAME SIZE [KIND [LABEL]]", and for each partition of the disk above it, "NAME START
// SIZE [KIND [LABEL]]". On each is no more than the word that tells its kind.
func addDisks(t *testing.T, lines string, files *strings.Builder) machine.FakeBlocks {
	t.Helper()
	s := &sceneDisks{t: t, files: files, blocks: machine.FakeBlocks{}}
	for line := range strings.Lines(lines) {
		words := append(strings.Fields(line), "", "", "")
		number, err := strconv.Atoi(strings.TrimPrefix(strings.TrimPrefix(words[0], s.whole), "p"))
		if s.whole != "" && strings.HasPrefix(words[0], s.whole) && err == nil {
			e := machine.Extent{Number: number, Start: s.bytes(words[1]), Size: s.bytes(words[2])}
			s.partition(words[0], e, words[3], words[4])
		} else {
			s.disk(words[0], s.bytes(words[1]), words[2], words[3])
		}
	}
	return s.blocks
}

// bytes reads a size.
func (s *sceneDisks) bytes(text string) int64 {
	n, err := parseSize(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *sceneDisks) disk(name string, size int64, kind, label string) {
	s.whole = name
	disk := machine.NewFakeBlock(size, 512)
	s.blocks["/dev/"+name] = disk
	mark(disk, 0, kind, label)
	s.device(name, name, size)
}

func (s *sceneDisks) partition(name string, e machine.Extent, kind, label string) {
	disk := s.blocks["/dev/"+s.whole]
	disk.Partitions = append(disk.Partitions, e)
	mark(disk, e.Start, kind, label)
	folder := s.whole + "/" + name
	s.device(name, folder, e.Size)
	fmt.Fprintf(s.files, "-- /sys/devices/%s/start --\n%d\n-- /sys/devices/%[1]s/partition --\n%[3]d\n", folder, e.Start/512, e.Number)
}

// device writes what both have.
func (s *sceneDisks) device(name, folder string, size int64) {
	s.number++
	fmt.Fprintf(s.files, "-- /dev/%s --\n-- /sys/class/block/%[1]s -> ../../devices/%[2]s --\n", name, folder)
	fmt.Fprintf(s.files, "-- /sys/devices/%s/size --\n%d\n-- /sys/devices/%[1]s/dev --\n8:%[3]d\n", folder, size/512, s.number)
}

// mark writes what tells the kind of a file system, and its label.
func mark(disk io.WriterAt, start int64, kind, label string) {
	type text struct {
		at   int64
		text string
	}
	for _, m := range map[string][]text{
		"ext4": {{1024 + 56, "\x53\xef"}, {1024 + 96, "\x40"}, {1024 + 120, label}},
		"xfs":  {{0, "XFSB"}, {108, label}},
		"swap": {{4086, "SWAPSPACE2"}, {1052, label}},
		"ntfs": {{3, "NTFS    "}},
		"zfs":  {{132 << 10, "\x0c\xb1\xba\x00\x00\x00\x00\x00"}},
	}[kind] {
		disk.WriteAt([]byte(m.text), start+m.at)
	}
}
