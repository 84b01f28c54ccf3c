package module

import (
	"strings"
	"testing"
	"time"

	"openguest/internal/machine"
)

// Row M14. Too much swap fills the disk, and too little loses programs. The sizes are those of the Ubuntu project's advice,
// which cloud-init follows.
func TestSuggestSwap(t *testing.T) {
	const mebibyte = 1 << 20
	for _, c := range []struct{ memory, free, limit, want int64 }{
		{256 * mebibyte, 1 << 50, -1, 256 * mebibyte},
		{1 * gibibyte, 1 << 50, -1, 1 * gibibyte},
		{4 * gibibyte, 1 << 50, -1, 4 * gibibyte},
		{8 * gibibyte, 1 << 50, -1, 4 * gibibyte},
		{16 * gibibyte, 1 << 50, -1, 4 * gibibyte},
		{32 * gibibyte, 1 << 50, -1, 6 * gibibyte},
		{64 * gibibyte, 1 << 50, -1, 8 * gibibyte},
		{128 * gibibyte, 1 << 50, -1, 11 * gibibyte},
		{256 * gibibyte, 1 << 50, -1, 16 * gibibyte},
		{512 * gibibyte, 1 << 50, -1, 23 * gibibyte},
		{2 * gibibyte, 4 * gibibyte, -1, 1 * gibibyte},               // a quarter of the free room
		{2 * gibibyte, 1 * gibibyte, 10 * gibibyte, 966367641},       // nine tenths of it
		{2 * gibibyte, 100 * gibibyte, 10 * mebibyte, 10 * mebibyte}, // what a person allows
		{2 * gibibyte, 100 * gibibyte, 10 * gibibyte, 2 * gibibyte},  // no more than is good
		{2 * gibibyte, 0, -1, 0},                                     // a full disk
		{2 * gibibyte, 100 * gibibyte, 0, 0},                         // none is allowed
	} {
		if got := suggestSwap(c.memory, c.free, c.limit); got != c.want {
			t.Errorf("%d bytes of memory, %d free, at most %d: %d; want %d", c.memory, c.free, c.limit, got, c.want)
		}
	}
}

// Row M14. Sizes as people write them.
func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"10485760": 10 << 20, "2G": 2 << 30, "2GB": 2 << 30, "2GiB": 2 << 30, "512M": 512 << 20, ".5T": 1 << 39, "200K": 200 << 10, "1.5G": 3 << 29,
		"10485760B": 10 << 20, "0": 0, " 2G ": 2 << 30, "1e3": 1000,
		"": -1, "2g": -1, "two": -1, "-1G": -1, "1.5MT": -1, "G": -1, "nan": -1, "inf": -1, "9E": -1, "99999999T": -1,
	} {
		got, err := parseSize(text)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q is %d (%v), want %d", text, got, err, want)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"2G", "1.5GiB", "-1", "1e99", "B", "iB"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if size, err := parseSize(text); err == nil && size < 0 {
			t.Errorf("%q is %d", text, size)
		}
	})
}

// Row M13. Whatever an fstab holds, people's lines stay as they are, our own stay in place where nothing changed, and what is
// written is read again as the same lines.
func FuzzFstab(f *testing.F) {
	f.Add("# c\nLABEL=root / ext4 defaults 0 1\n", "/dev/sdb", "/srv/a b")
	f.Add("/dev/sdb\t/srv\tauto\tdefaults,comment=cloudconfig\t0\t2", "/dev/sdb", "/srv")
	f.Add("\r\n\x00\n", "a\\040b", "\n\t")
	f.Fuzz(func(t *testing.T, text, device, point string) {
		files := machine.Fake("-- /etc/ --\n", time.Time{}).Files
		if err := files.Append(fstabFile, text, machine.File(0o644, "")); err != nil {
			t.Fatal(err)
		}
		before, err := readFstab(files)
		if err != nil {
			t.Fatal(err)
		}
		if got := before.with(before.ours, nil); got != before.node {
			t.Errorf("the same lines make %q of %q", got.Data, text)
		}
		row := fstabRow{device, point, "auto", "defaults", "0", "2"}.marked()
		if words := strings.Split(row.String(), "\t"); len(words) != fstabSize || fstabUnescapes.Replace(words[0]) != device || fstabUnescapes.Replace(words[1]) != point {
			t.Errorf("the row is %q", row.String())
		}
		if _, err := files.Put(fstabFile, before.with([]string{row.String()}, []string{"/swap.img none swap sw 0 0"})); err != nil {
			t.Fatal(err)
		}
		after, err := readFstab(files)
		if err != nil {
			t.Fatal(err)
		}
		if len(after.ours) != 1 || after.ours[0] != row.String() || !after.has("/swap.img") {
			t.Errorf("after %q the lines are %q and %q", text, after.people, after.ours)
		}
		if got, want := strings.Join(after.people, "\n"), strings.Join(append(before.people, "/swap.img none swap sw 0 0"), "\n"); got != want {
			t.Errorf("people's lines were %q and are %q", want, got)
		}
	})
}
