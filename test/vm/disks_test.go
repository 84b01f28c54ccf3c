package vm

import (
	"strings"
	"testing"
)

// dataDisk is a machine's second disk, and how a person sets it up: by the link that udev makes for it.
const dataDisk = `#cloud-config
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
`

// Rows M11 to M14. A new machine has its data disk partitioned, formatted and mounted when the boot has ended, and its swap in use.
// After a restart the system does the same by itself, from fstab, and what was written is there.
func TestDataDisk(t *testing.T) {
	c := machine(t, "bookworm", "nocloud", dataDisk)
	c.Disks = []string{"1G"}
	m := start(t, c)
	booted(t, m)
	const look = "openguest status; findmnt -n -o SOURCE,FSTYPE /srv/data; swapon --noheadings --show=NAME,TYPE | sort; cat /etc/fstab | grep -c comment=cloudconfig"
	want := "status: done\n/dev/vdb2 ext4\n/dev/vdb1 partition\n/var/swap file\n2\n"
	if out := columns(ask(t, m, look)); out != want {
		t.Errorf("after the first boot there is\n%s\nwant\n%s\n%s", out, want, ask(t, m, "cat /etc/fstab; lsblk -f; openguest status --long; grep -v DEBUG /var/log/cloud-init.log | tail -n 30"))
	}
	fstab := ask(t, m, "echo kept > /srv/data/file; sfdisk --verify /dev/vdb >/dev/null && sync && cat /etc/fstab")
	if err := m.PowerOff(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := m.Boot(); err != nil {
		t.Fatal(err)
	}
	booted(t, m)
	if out := columns(ask(t, m, look)); out != want {
		t.Errorf("after the second boot there is\n%s", out)
	}
	if out := ask(t, m, "cat /srv/data/file /etc/fstab"); out != "kept\n"+fstab {
		t.Errorf("after the second boot the disk and fstab have\n%s", out)
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
