package machine

import (
	"strings"
	"testing"
)

// Row M11. A disk whose content we do not know is taken for an empty one, and lost.
func TestSignatures(t *testing.T) {
	if got := Probe(NewFakeBlock(1<<30, 512)); got != (Superblock{}) {
		t.Errorf("an empty disk holds %+v", got)
	}
	for _, s := range signatures {
		disk := NewFakeBlock(1<<30, 512)
		if _, err := disk.WriteAt([]byte(s.word), s.offset); err != nil {
			t.Fatal(err)
		}
		if got := Probe(disk).Kind; got != s.kind {
			t.Errorf("a disk of %s is taken for %q", s.kind, got)
		}
	}
	const size = 1<<30 + 512*100 // the end of a disk need not be a round number
	for _, c := range []struct {
		kind, word string
		offset     int64
	}{
		{"jbd", "\x53\xef" + strings.Repeat("\x00", 38) + "\x08", 1080},
		{"zfs_member", "\x0c\xb1\xba\x00\x00\x00\x00\x00", 132 << 10},
		{"zfs_member", "\x00\x00\x00\x00\x00\xba\xb1\x0c", 255 << 10},
		{"linux_raid_member", "\xfc\x4e\x2b\xa9", 1<<30 - 64<<10},
		{"linux_raid_member", "\xa9\x2b\x4e\xfc", 1<<30 - 64<<10},
		{"linux_raid_member", "\xfc\x4e\x2b\xa9", (size - 8<<10) &^ 4095},
	} {
		disk := NewFakeBlock(size, 512)
		if _, err := disk.WriteAt([]byte(c.word), c.offset); err != nil {
			t.Fatal(err)
		}
		if got := Probe(disk).Kind; got != c.kind {
			t.Errorf("a disk of %s, with %q at %d, is taken for %q", c.kind, c.word, c.offset, got)
		}
	}
}
