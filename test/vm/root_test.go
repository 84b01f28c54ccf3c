package vm

import (
	"fmt"
	"strings"
	"testing"
)

// Rows M05 and M09, and row 56 of the GCE table. The image has 2 GiB and the disk 10: after the boot the mounted ext4 has them, with no
// growpart and no resize2fs there; the table and the file system have no faults; a second boot changes nothing.
func TestRootGrows(t *testing.T) {
	c := machine(t, "bookworm", "nocloud", "#cloud-config\nbootcmd: [rm -f /usr/bin/growpart /sbin/resize2fs]\n")
	c.RootSize = "10G"
	m := start(t, c)
	booted(t, m)
	var size int64
	const room = "df --output=size -B1 / | tail -n 1"
	if out := ask(t, m, room); rootSize(out, &size) != nil || size < 9<<30 {
		t.Errorf("the root has %s bytes\n%s", out, ask(t, m, "lsblk -b; grep -E 'resized|grow|resize' /var/log/cloud-init.log; openguest status --long"))
	}
	if out := ask(t, m, "grep -c \"'/' resized: changed\" /var/log/cloud-init.log; sfdisk --verify /dev/vda 2>&1; openguest disk grow"); !strings.HasPrefix(out, "1\n") ||
		!strings.Contains(out, "No errors detected") || strings.Count(out, "unchanged") != 2 {
		t.Errorf("after the first boot:\n%s", out)
	}
	table := ask(t, m, "sync; sfdisk --dump /dev/vda")
	if err := m.PowerOff(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := m.Boot(); err != nil {
		t.Fatal(err)
	}
	booted(t, m)
	if out := ask(t, m, "sfdisk --dump /dev/vda"); out != table {
		t.Errorf("the second boot changed the table from\n%s\nto\n%s", table, out)
	}
	if out := ask(t, m, "grep -c \"'/' resized: changed\" /var/log/cloud-init.log; dmesg | grep -ci 'ext4-fs error' || true"); out != "1\n0\n" {
		t.Errorf("after the second boot:\n%s", out)
	}
}

func rootSize(text string, size *int64) error {
	_, err := fmt.Sscan(text, size)
	return err
}
