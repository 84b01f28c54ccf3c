package disk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"openguest/internal/machine"
)

// manyMounts is a machine with a disk of which little is used, on whose partition stands what a test mounts.
const manyMounts = `
-- /sys/class/block/vda -> ../../devices/vda --
-- /sys/devices/vda/size --
409600
-- /sys/class/block/vda1 -> ../../devices/vda/vda1 --
-- /sys/devices/vda/vda1/size --
204800
-- /sys/devices/vda/vda1/start --
2048
-- /sys/devices/vda/vda1/partition --
1
-- /sys/devices/vda/vda1/dev --
254:1
-- /sys/class/block/dm-0 -> ../../devices/dm-0 --
-- /sys/devices/dm-0/size --
200000
-- /sys/devices/dm-0/dev --
252:0
-- /sys/devices/dm-0/dm/name --
root
-- /sys/devices/dm-0/dm/uuid --
CRYPT-LUKS2-1
-- /sys/devices/dm-0/slaves/vda1/ --
-- /proc/self/mountinfo --
`

// onlyTools are commands of which some are installed. What they are asked and told is written down.
type onlyTools struct {
	machine.Commands
	installed []string
	ran       []string
}

func (o *onlyTools) Can(c machine.Change) error {
	if !slices.Contains(o.installed, c.Argv[0]) {
		return fmt.Errorf("the command %s is not installed", c.Argv[0])
	}
	return nil
}

func (o *onlyTools) Do(_ context.Context, c machine.Change) error {
	o.ran = append(o.ran, strings.Join(c.Argv, " "))
	return o.Can(c)
}

func (o *onlyTools) Ask(_ context.Context, q machine.Question) (string, error) {
	o.ran = append(o.ran, strings.Join(q.Argv, " "))
	return "  pool: tank\n state: ONLINE\nconfig:\n\tNAME STATE\n\ttank ONLINE 0 0 0\n\t  vda1 ONLINE 0 0 0\n", nil
}

// Row M10, and row 57 of the GCE table. Whoever grows a mount point by hand gets one line that says what became of its file system, also
// where Linux, or nobody, can grow it; only what went wrong is a failure.
func TestVerdicts(t *testing.T) {
	tests := []struct {
		name, mount, installed, want, ran string
	}{
		{"ufs", "36 1 254:1 / / rw - ufs /dev/vda1 rw", "", "/: skipped, a file system of the type ufs is grown by growfs: the command growfs is not installed", ""},
		{"ufs with its tool", "36 1 254:1 / / rw - ufs /dev/vda1 rw", "growfs", "/: grown", "growfs -y /"},
		{"hammer2", "36 1 254:1 / / rw - hammer2 /dev/vda1 rw", "hammer2", "/: grown", "hammer2 growfs /"},
		{"nobody knows", "36 1 254:1 / / rw - f2fs /dev/vda1 rw", "", "/: skipped, nobody knows how to grow a file system of the type f2fs", ""},
		{"zfs without its driver", "36 1 0:40 / / rw - zfs tank/root rw", "", "/: skipped, it is a zfs, and there is no /dev/zfs", ""},
		{"zfs", "36 1 0:40 / / rw - zfs tank/root rw\n-- /dev/zfs --", "zpool", "/: grown", "zpool status tank, zpool online -e tank vda1"},
		{"no tool for ext4", "36 1 254:1 / / rw - ext4 /dev/vda1 rw", "", "/: failed, the command resize2fs is not installed", "resize2fs /dev/vda1"},
		{"LUKS", "36 1 252:0 / / rw - ext4 /dev/mapper/root rw", "", "/dev/dm-0: skipped, what is below it has grown; its key is needed now: cryptsetup resize root", ""},
	}
	for _, test := range tests {
		m := machine.Fake(manyMounts+test.mount+"\n", time.Time{})
		tools := &onlyTools{installed: []string{test.installed}}
		m.Commands, m.Blocks = tools, machine.FakeBlocks{"/dev/vda": halfUsed(t)}
		g := Grower{Machine: m}
		target, err := g.Target("/")
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		results := g.Grow(t.Context(), target)
		if got := results[len(results)-1].String(); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		if ran := strings.Join(tools.ran, ", "); ran != test.ran {
			t.Errorf("%s: %q ran, want %q", test.name, ran, test.ran)
		}
	}
}

// halfUsed is a disk of 200 MiB with a partition of 100, which the kernel knows.
func halfUsed(t *testing.T) *machine.FakeBlock {
	t.Helper()
	b := machine.NewFakeBlock(200*mib, 512)
	table, err := New(GPT, b)
	if err == nil {
		_, err = table.Add(Partition{Size: 100 * mib})
	}
	if err != nil {
		t.Fatal(err)
	}
	write(t, b, table)
	return b
}

// Row M10. What is mounted from no disk, and what is mounted nowhere, is said to be so, or somebody waits for it to grow.
func TestNoTarget(t *testing.T) {
	m := machine.Fake(manyMounts+"36 1 0:40 / / rw - tmpfs tmpfs rw\n", time.Time{})
	m.Blocks = machine.FakeBlocks{}
	for name, want := range map[string]string{"/": "/ is mounted from tmpfs, which is no disk of this machine", "/dev/vdz": "there is no device /dev/vdz",
		"/srv": "nothing is mounted at /srv; name a mount point, a device below /dev, or IMAGE:NUMBER"} {
		if _, err := (Grower{Machine: m}).Target(name); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}
