package vm

import (
	"fmt"
	"os"
	"testing"

	"openguest/internal/vm"
)

// mappedPackages make and check what device mapper and other file systems than ext4 need.
var mappedPackages = []string{"lvm2", "cryptsetup-bin", "xfsprogs", "btrfs-progs"}

// Sizes of a further disk, before and after the cloud gave it more room.
const (
	smallDisk = 512 << 20
	largeDisk = 1 << 30
)

// beforeInit is the first program of a machine. It makes disks and a root of device mapper, waits until the last disk is larger, and
// lets systemd begin on that root. /usr stays where it was, so that there is little to copy.
const beforeInit = `#!/bin/sh
set -eu
export PATH=/usr/sbin:/usr/bin
trap 'echo "before init: it cannot be done"; sync; echo o >/proc/sysrq-trigger; sleep 60' EXIT
exec </dev/console >/dev/console 2>&1
mount -o remount,rw /
modprobe dm_mod
echo 'activation { udev_sync=0 udev_rules=0 }' >/etc/lvm/lvmlocal.conf
makefs() { mkfs.ext4 -q "$1"; mkdir -p "$2"; mount "$1" "$2"; }
mkdir /new
%s
rm /etc/lvm/lvmlocal.conf
for d in bin sbin lib lib64 etc var root home opt; do cp -a /$d /new/; done
(cd /new; mkdir -p proc sys dev run tmp usr old srv)
chmod 1777 /new/tmp
: >/new/etc/fstab
echo "before init: the disks are made"
while [ "$(cat /sys/class/block/%s/size)" -lt %d ]; do sleep 0.1; done
for d in dev proc sys; do mount --move /$d /new/$d; done
mount --bind /usr /new/usr
cd /new
pivot_root . old
exec chroot . sh -c 'umount -l /old; exec /lib/systemd/systemd'
`

// mapped boots a machine with further disks, on which a script has made the root and all else, and which became larger before systemd
// began.
func mapped(t *testing.T, disks int, script, userData string) *vm.Machine {
	t.Helper()
	thorough(t)
	t.Parallel()
	c := machine(t, "bookworm", "nocloud", userData)
	image, err := vm.Builder{Cache: os.Getenv("OPENGUEST_IMAGES"), Packages: mappedPackages, Progress: func(text string) { t.Log(text) }}.Build(t.Context())
	if err != nil {
		t.Skipf("there is no image with LVM and LUKS to boot: %v", err)
	}
	c.Image = image
	for range disks {
		c.Disks = append(c.Disks, fmt.Sprint(smallDisk))
	}
	last := fmt.Sprintf("vd%c", 'a'+disks)
	c.Files = append(c.Files, vm.File{Name: "/usr/sbin/init", Mode: 0o755, Data: fmt.Appendf(nil, beforeInit, script, last, largeDisk/512)})
	m := start(t, c)
	if err := m.WaitConsole(within(t), "before init: the disks are made"); err != nil {
		t.Fatal(err)
	}
	for i := range disks {
		if _, err := m.QMP(within(t), "block_resize", map[string]any{"device": fmt.Sprintf("disk%d", i+1), "size": largeDisk}); err != nil {
			t.Fatal(err)
		}
	}
	booted(t, m)
	return m
}

// A check is what a command in a machine should print.
type check struct{ what, command, want string }

func checkAll(t *testing.T, m *vm.Machine, checks []check) {
	t.Helper()
	for _, c := range checks {
		if out := columns(ask(t, m, c.command)); out != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, out, c.want)
		}
	}
}
