package machine

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// image is a disk of zeros with texts and numbers at offsets.
type image []byte

func newImage(size int) image { return make(image, size) }

func (m image) text(offset int, text string) image {
	copy(m[offset:], text)
	return m
}

func (m image) word(offset int, values ...uint16) image {
	for i, value := range values {
		binary.LittleEndian.PutUint16(m[offset+2*i:], value)
	}
	return m
}

// fat is a boot sector: 512 bytes a sector, one sector a cluster, two tables.
func fat(reserved, entries, size uint16) image {
	m := newImage(64<<10).word(11, 512).word(14, reserved).word(17, entries).word(22, size).word(510, 0xaa55)
	m[13], m[16], m[21] = 1, 2, 0xf8
	return m
}

// entry is an entry of a FAT folder.
func entry(name string, attributes byte) string {
	return name + string(attributes) + strings.Repeat("\x00", 20)
}

func fat16(root string, label string) image { return fat(1, 512, 2).text(43, label).text(5*512, root) }

// fat32Image has its root folder in the clusters 2 and 4.
func fat32Image(first, second, label string) image {
	m := fat(1, 0, 0).word(36, 2).word(44, 2).text(71, label)
	m.word(512+4*2, 4, 0).word(512+4*4, 0xffff, 0x0fff)
	return m.text(5*512, first).text(7*512, second)
}

func isoImage(primary, joliet string) image {
	m := newImage(48<<10).text(32768, "\x01CD001").text(32768+40, primary+strings.Repeat(" ", 32-len(primary)))
	end := 32768 + 2048
	if joliet != "" {
		m.text(end, "\x02CD001").text(end+88, "%/E")
		for i := range 16 {
			m.text(end+40+2*i, "\x00"+(joliet + strings.Repeat(" ", 16))[i:i+1])
		}
		end += 2048
	}
	return m.text(end, "\xffCD001")
}

func ext(features ...uint16) image {
	m := newImage(4096).word(1024+56, 0xef53).text(1024+120, "cidata")
	for i, feature := range features {
		m.word(1024+92+4*i, feature)
	}
	return m
}

// A seed that is not found is a machine that nobody can log in to. Row D14.
func TestProbeLabels(t *testing.T) {
	full := strings.Repeat(entry("FILE    TXT", 0x20), 16) // a cluster of files
	tests := []struct {
		name string
		disk image
		want string
	}{
		{"nothing", newImage(128 << 10), ""},
		{"shorter than a sector", newImage(10), ""},
		{"fat16 by its boot sector", fat16("", "CIDATA     "), "vfat CIDATA"},
		{"fat16 by its root folder", fat16(entry("cidata     ", 0x08), "NO NAME    "), "vfat cidata"},
		{"fat16 by both", fat16(entry("NEW        ", 0x08), "OLD        "), "vfat NEW OLD"},
		{"fat16 twice the same", fat16(entry("CIDATA     ", 0x08), "CIDATA     "), "vfat CIDATA"},
		{"fat16 after other entries", fat16(entry("\xe5ELETED    ", 0x08)+entry("AL\x00O\x00N\x00G\x00  ", 0x0f)+entry("FOLDER     ", 0x10)+entry("CONFIG-2   ", 0x28), ""), "vfat CONFIG-2"},
		{"fat16 behind the end", fat16(entry("\x00          ", 0)+entry("CIDATA     ", 0x08), ""), "vfat "},
		{"fat32", fat32Image(entry("CIDATA     ", 0x08), "", "NO NAME    "), "vfat CIDATA"},
		{"fat32 in its second cluster", fat32Image(full, entry("CIDATA     ", 0x08), "OLD        "), "vfat CIDATA OLD"},
		{"fat32 in a circle", fat32Image(full, full, "OLD        ").word(512+4*4, 2, 0), "vfat OLD"},
		{"a partition table", newImage(1024).word(510, 0xaa55), ""},
		{"ntfs", newImage(1024).text(3, "NTFS    ").word(11, 512).word(510, 0xaa55), ""},
		{"iso9660", isoImage("cidata", ""), "iso9660 cidata"},
		{"iso9660 with Joliet", isoImage("CIDATA", "cidata"), "iso9660 CIDATA cidata"},
		{"ext2", ext(0, 2, 3), "ext2 cidata"},
		{"ext3", ext(4, 2, 3), "ext3 cidata"},
		{"ext4", ext(4, 0x42, 3), "ext4 cidata"},
		{"a journal", ext(4, 8), ""},
		{"xfs", newImage(4096).text(0, "XFSB").text(108, "config-2"), "xfs config-2"},
		{"btrfs", newImage(68<<10).text(65536+64, "_BHRfS_M").text(65536+299, "root"), "btrfs root"},
		{"swap", newImage(64<<10).text(65536-10, "SWAPSPACE2").text(1052, "swap0"), "swap swap0"},
	}
	for _, test := range tests {
		labels, kind := probeLabels(bytes.NewReader(test.disk))
		if got := strings.TrimSuffix(strings.Join(append([]string{kind}, labels...), " "), " "); got != strings.TrimSuffix(test.want, " ") {
			t.Errorf("%s is %q, want %q", test.name, got, test.want)
		}
	}
}

// makers make a file system with a label in a file.
var makers = map[string]struct {
	argv []string
	size int64
}{
	"fat12":     {[]string{"mkfs.vfat", "-F", "12", "-n", "cidata", "DISK"}, 1 << 20},
	"fat16":     {[]string{"mkfs.vfat", "-F", "16", "-n", "CIDATA", "DISK"}, 16 << 20},
	"fat32":     {[]string{"mkfs.vfat", "-F", "32", "-n", "CONFIG-2", "DISK"}, 64 << 20},
	"fat4096":   {[]string{"mkfs.vfat", "-S", "4096", "-n", "CONFIG-2", "DISK"}, 64 << 20},
	"ext2":      {[]string{"mkfs.ext4", "-q", "-t", "ext2", "-L", "cidata", "DISK"}, 4 << 20},
	"ext3":      {[]string{"mkfs.ext4", "-q", "-t", "ext3", "-L", "cidata", "DISK"}, 8 << 20},
	"ext4":      {[]string{"mkfs.ext4", "-q", "-t", "ext4", "-L", "a label of 16", "DISK"}, 8 << 20},
	"xfs":       {[]string{"mkfs.xfs", "-q", "-L", "config-2", "DISK"}, 320 << 20},
	"btrfs":     {[]string{"mkfs.btrfs", "-q", "-L", "config-2", "DISK"}, 128 << 20},
	"swap":      {[]string{"mkswap", "-q", "-L", "swap0", "DISK"}, 1 << 20},
	"iso":       {[]string{"genisoimage", "-quiet", "-volid", "cidata", "-joliet", "-rock", "-o", "DISK", "."}, 0},
	"iso plain": {[]string{"genisoimage", "-quiet", "-volid", "CIDATA", "-o", "DISK", "."}, 0},
}

// make fills a new file; it skips the test where the program is missing.
func makeDisk(t *testing.T, name string) (file string) {
	t.Helper()
	maker := makers[name]
	program, err := exec.LookPath(maker.argv[0])
	if err != nil {
		t.Skipf("%s is not installed", maker.argv[0])
	}
	seed := filepath.Join(t.TempDir(), "seed")
	file = filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(seed, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(seed, "user-data"), []byte("#cloud-config\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, maker.size); err != nil {
		t.Fatal(err)
	}
	argv := slices.Clone(maker.argv)
	argv[slices.Index(argv, "DISK")] = file
	cmd := exec.Command(program, argv[1:]...)
	cmd.Dir = seed
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(argv, " "), err, out)
	}
	return file
}

// cloud-init finds its disks by what blkid says of them. Row D14.
func TestProbeAsBlkid(t *testing.T) {
	for name := range makers {
		t.Run(name, func(t *testing.T) {
			file := makeDisk(t, name)
			out, err := exec.Command("blkid", "-p", "-o", "export", file).Output()
			if err != nil {
				t.Skip("blkid is not installed, or does not know the file system")
			}
			said := ParseOSRelease(string(out))
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			labels, kind := probeLabels(f)
			if kind != said["TYPE"] || !slices.Contains(labels, said["LABEL"]) {
				t.Errorf("it is %s labelled %q, blkid says %s labelled %q", kind, labels, said["TYPE"], said["LABEL"])
			}
			if inBoot := said["LABEL_FATBOOT"]; inBoot != "" && !slices.Contains(labels, inBoot) {
				t.Errorf("its labels are %q, blkid says %q is in the boot sector", labels, inBoot)
			}
		})
	}
}

// counting remembers how much was read.
type counting struct {
	r     io.ReaderAt
	bytes int
}

func (c *counting) ReadAt(p []byte, offset int64) (int, error) {
	c.bytes += len(p)
	return c.r.ReadAt(p, offset)
}

func FuzzProbeLabels(f *testing.F) {
	f.Add(32768, []byte(isoImage("cidata", "cidata"))[32768:32768+4096])
	f.Add(0, []byte(fat32Image(entry("CIDATA     ", 0x08), "", ""))[:4096])
	f.Add(65536, []byte("_BHRfS_M"))
	f.Add(1024, []byte(ext(4, 0x42))[1024:])
	f.Fuzz(func(t *testing.T, offset int, data []byte) {
		if offset < 0 || offset > 1<<20 || len(data) > 1<<16 {
			t.Skip("beyond where superblocks are")
		}
		disk := &counting{r: bytes.NewReader(newImage(offset+len(data)).text(offset, string(data)))}
		labels, kind := probeLabels(disk)
		if kind == "" && labels != nil || disk.bytes > 64<<20 {
			t.Errorf("%q labelled %q after %d bytes", kind, labels, disk.bytes)
		}
	})
}
