package machine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What blkid says of a device is what people write into /etc/fstab: the same kind, label and UUID must come out.
func TestProbeTellsWhatBlkidTells(t *testing.T) {
	if _, err := exec.LookPath("blkid"); err != nil {
		t.Skip("blkid is not installed; scripts/tools says which packages tests need")
	}
	for name, test := range map[string]struct {
		make string // its device is the last word
		size int64  // that it takes of its 320 MiB; 0 where it does not say
	}{
		"ext4":      {"mkfs.ext4 -q -L data", 320 << 20},
		"ext2":      {"mkfs.ext2 -q -b 1024 -L old", 320 << 20},
		"xfs":       {"mkfs.xfs -q -L roots", 320 << 20},
		"btrfs":     {"mkfs.btrfs -q -L pool", 320 << 20},
		"vfat":      {"mkfs.vfat -n CIDATA", 320 << 20},
		"swap":      {"mkswap -q -L memory", 320 << 20},
		"luks1":     {"cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 --key-file /proc/version", 0},
		"luks2":     {"cryptsetup -q luksFormat --type luks2 --label secret --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file /proc/version", 0},
		"unwritten": {"true", 0},
	} {
		t.Run(name, func(t *testing.T) {
			argv := strings.Fields(test.make)
			if _, err := exec.LookPath(argv[0]); err != nil {
				t.Skipf("%s is not installed; scripts/tools says which packages tests need", argv[0])
			}
			file := filepath.Join(t.TempDir(), "disk.img")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(file, 320<<20); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(argv[0], append(argv[1:], file)...).CombinedOutput(); err != nil {
				t.Skipf("%s does not work here: %s", argv[0], out)
			}
			b, err := liveBlocks{}.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			got := Probe(b)
			for tag, value := range map[string]string{"TYPE": got.Kind, "LABEL": got.Label, "UUID": got.UUID} {
				out, _ := exec.Command("blkid", "--probe", "--output", "value", "--match-tag", tag, file).Output()
				if want := strings.TrimSpace(string(out)); want != value {
					t.Errorf("%s is %q, and blkid says %q", tag, value, want)
				}
			}
			if got.Size > test.size || got.Size < test.size-1<<20 { // some leave a rest that makes no track
				t.Errorf("it takes %d bytes, want %d", got.Size, test.size)
			}
		})
	}
}
