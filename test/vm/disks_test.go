package vm

import (
	"fmt"
	"strings"
	"testing"

	"openguest/internal/vm"
)

// dataDisk is a machine's second disk, and how a person sets it up: by the link that udev makes for it. The root grows without
// growpart and resize2fs.
const dataDisk = `#cloud-config
ssh_genkeytypes: [ed25519]
bootcmd: [rm -f /usr/bin/growpart /sbin/resize2fs]
device_aliases: {data: /dev/disk/by-id/virtio-disk1}
disk_setup:
  data: {table_type: gpt, layout: [[25, 82], 75]}
fs_setup:
  - {device: data.1, filesystem: swap}
  - {device: data.2, filesystem: ext4, label: data}
mounts:
  - [data.1, none, swap, sw]
  - [data.2, /srv/data]
swap: {filename: /var/swap, size: 64M}
users: [default, {name: ada}]
`

// homesDisk has the image's homes on a third disk, which is formatted when it is mounted for the first time.
const homesDisk = "LABEL=root / ext4 rw,discard,errors=remount-ro 0 1\n/dev/vdc /home ext4 x-systemd.makefs 0 2\n"

// A new machine has its disks as its owner wants them when its first boot has ended, and as they were after a restart.
func TestDisks(t *testing.T) {
	t.Parallel()
	c := machine(t, "bookworm", "nocloud", dataDisk)
	c.Disks, c.RootSize = []string{"1G", "256M"}, "10G"
	c.Files = append(c.Files, vm.File{Name: "/etc/fstab", Data: []byte(homesDisk)})
	m := start(t, c)
	booted(t, m)
	t.Run("homes", func(t *testing.T) { homeIsOnItsDisk(t, m) })
	t.Run("the root grows", func(t *testing.T) { rootGrows(t, m) })
	t.Run("data disk", func(t *testing.T) { dataDiskIsUsed(t, m) })
	const kept = "cat /srv/data/file /etc/fstab; sfdisk --dump /dev/vda; grep -c \"'/' resized: changed\" /var/log/cloud-init.log; dmesg | grep -ci 'ext4-fs error' || true"
	before := ask(t, m, "echo kept > /srv/data/file; sync; "+kept)
	if err := m.PowerOff(within(t)); err != nil {
		t.Fatal(err)
	}
	again(t, m)
	t.Run("data disk after a restart", func(t *testing.T) { dataDiskIsUsed(t, m) })
	if after := ask(t, m, kept); after != before || !strings.HasPrefix(after, "kept\n") || !strings.HasSuffix(after, "\n1\n0\n") {
		t.Errorf("file, fstab, table of the root, how often it grew and faults of ext4 before the restart:\n%s\nand after it:\n%s", before, after)
	}
}

// Rows M11 to M14. The data disk is partitioned, formatted and mounted, and its swap in use; after a restart the system does it by
// itself, from fstab.
func dataDiskIsUsed(t *testing.T, m *vm.Machine) {
	const look = "openguest status; findmnt -n -o SOURCE,FSTYPE /srv/data; swapon --noheadings --show=NAME,TYPE | sort; cat /etc/fstab | grep -c comment=cloudconfig"
	want := "status: done\n/dev/vdb2 ext4\n/dev/vdb1 partition\n/var/swap file\n2\n"
	if out := columns(ask(t, m, look)); out != want {
		t.Errorf("there is\n%s\nwant\n%s\n%s", out, want, ask(t, m, "cat /etc/fstab; lsblk -f; openguest status --long; grep -v DEBUG /var/log/cloud-init.log | tail -n 30"))
	}
	ask(t, m, "sfdisk --verify /dev/vdb")
}

// Who is given a home before the disk for homes is mounted has an empty one that belongs to root afterwards, and ssh takes no key there.
func homeIsOnItsDisk(t *testing.T, m *vm.Machine) {
	if out := ask(t, m, "stat -c '%U %m' /home/ada /home/ada/.profile"); out != "ada /home\nada /home\n" {
		t.Errorf("ada's home and a file of its are whose, and mounted where:\n%s\n%s", out, ask(t, m, "ls -la /home /home/ada; systemctl status home.mount cloud-init-network --no-pager"))
	}
}

// Rows M05 and M09, and row 56 of the GCE table. The image has 2 GiB and the disk 10: after the boot the mounted ext4 has them, with no
// growpart and no resize2fs there; the table and the file system have no faults, and there is nothing left to grow.
func rootGrows(t *testing.T, m *vm.Machine) {
	var size int64
	out := ask(t, m, "df --output=size -B1 / | tail -n 1")
	if _, err := fmt.Sscan(out, &size); err != nil || size < 9<<30 {
		t.Errorf("the root has %s bytes\n%s", out, ask(t, m, "lsblk -b; grep -E 'resized|grow|resize' /var/log/cloud-init.log; openguest status --long"))
	}
	out = ask(t, m, "grep -c \"'/' resized: changed\" /var/log/cloud-init.log; sfdisk --verify /dev/vda 2>&1; openguest disk grow")
	if !strings.HasPrefix(out, "1\n") || !strings.Contains(out, "No errors detected") || strings.Count(out, "unchanged") != 2 {
		t.Errorf("after the first boot:\n%s", out)
	}
}

// columns has one blank between words.
func columns(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	return out.String()
}
