package vm

import "testing"

// volumesOnDisks makes a root on a group at the end of its disk, as Debian's installer does with LVM, and three more disks: one whose
// group has a config drive behind it, one whose group is in a logical partition with another one behind it, and one whose group has
// a second volume with data.
const volumesOnDisks = `
sfdisk --quiet /dev/vdb <<. >/dev/null
label: gpt
1: size=8M
2: type=V
.
sfdisk --quiet /dev/vdc <<. >/dev/null
label: gpt
1: start=2048, size=400M, type=V
2: start=1015808, size=8M
.
sfdisk --quiet /dev/vdd <<. >/dev/null
label: dos
,8M,c
,8M,83
,8M,83
,460M,5
,300M,8e
,8M,83
.
printf 'label: gpt\n,,V\n' | sfdisk --quiet /dev/vde >/dev/null
lvm <<. >/dev/null
vgcreate debian-vg /dev/vdb2
lvcreate -y -L 64M -n swap debian-vg
lvcreate -y -l 100%FREE -n root debian-vg
vgcreate behind /dev/vdc1
lvcreate -y -L 64M -n swap behind
lvcreate -y -l 100%FREE -n root behind
vgcreate logical /dev/vdd5
lvcreate -y -l 100%FREE -n root logical
vgcreate shared /dev/vde1
lvcreate -y -L 64M -n data shared
lvcreate -y -l 100%FREE -n root shared
.
mkswap -q /dev/debian-vg/swap
mkswap -q /dev/behind/swap
makefs /dev/debian-vg/root /new
for g in behind logical shared; do makefs /dev/$g/root /new/srv/$g; done
head -c 20M /dev/urandom | tee /new/srv/behind/content /new/srv/logical/content /new/srv/shared/content /dev/shared/data | sha256sum >/new/data-sum
for g in behind logical shared; do echo "$(cut -d ' ' -f 1 /new/data-sum)  /srv/$g/content"; done >/new/sums
`

const volumesUserData = `#cloud-config
ssh_genkeytypes: [ed25519]
growpart: {devices: [/, /srv/behind, /srv/logical, /srv/shared]}
`

// Row M08, and row 57 of the GCE table. A root on LVM has the whole disk after the boot: its partition grows and the physical volume with
// it; where another partition is in the way, a new one joins the group. Other volumes are not touched, and a group with more than root
// and swap is left to its owner, until they grow it by hand. Data that was there before is there afterwards.
func TestVolumes(t *testing.T) {
	m := mapped(t, 4, volumesOnDisks, volumesUserData)
	const grow = "for g in behind logical shared; do openguest disk grow /srv/$g; done\n"
	checkAll(t, m, []check{
		{"the root", "findmnt -no SOURCE /; [ $(df --output=size -BM / | tail -n 1 | tr -d M) -gt 850 ] && echo large", "/dev/mapper/debian--vg-root\nlarge\n"},
		{"the volumes", "lvs --noheadings -o lv_full_name,lv_size,devices --units m --nosuffix; vgs --noheadings -o vg_name,vg_free_count",
			`behind/root 944.00 /dev/vdc1(16)
behind/root 944.00 /dev/vdc3(0)
behind/swap 64.00 /dev/vdc1(0)
debian-vg/root 948.00 /dev/vdb2(16)
debian-vg/swap 64.00 /dev/vdb2(0)
logical/root 980.00 /dev/vdd5(0)
logical/root 980.00 /dev/vdd7(0)
shared/data 64.00 /dev/vde1(0)
shared/root 444.00 /dev/vde1(16)
behind 0
debian-vg 0
logical 0
shared 0
`},
		{"the log", `grep -o "'/srv/shared' SKIPPED: the group shared has the volume data beside it" /var/log/cloud-init.log`,
			"'/srv/shared' SKIPPED: the group shared has the volume data beside it\n"},
		{"a plan", "openguest disk plan /srv/shared | tail -n 3", `/dev/vde1: would grow from 510 MiB to 1023 MiB
/dev/dm-6: would grow from 444 MiB to 956 MiB
/srv/shared: would grow with its device
`},
		{"by hand, while somebody writes", "for g in behind logical shared; do dd if=/dev/zero of=/srv/$g/load bs=1M count=32 conv=fsync status=none & openguest disk grow /srv/$g | tail -n 1; wait $! || echo the writer failed; done",
			"/srv/behind: grown from 332 MiB to 944 MiB\n/srv/logical: grown from 296 MiB to 980 MiB\n/srv/shared: grown from 444 MiB to 956 MiB\n"},
		{"a second run", "n=$(grep -c changed: /var/log/cloud-init.log); openguest single --name growpart --frequency always; [ $n = $(grep -c changed: /var/log/cloud-init.log) ] && " + grow,
			`/dev/vdc3: unchanged, it fills the disk
/dev/vdc1: unchanged, partition 2 begins behind it
/dev/dm-3: unchanged, the volume group behind has no new room
/srv/behind: unchanged, the ext4 fills its device
/dev/vdd7: unchanged, it fills the disk
/dev/vdd5: unchanged, partition 6 begins behind it
/dev/dm-4: unchanged, the volume group logical has no new room
/srv/logical: unchanged, the ext4 fills its device
/dev/vde1: unchanged, it fills the disk
/dev/dm-6: unchanged, the volume group shared has no new room
/srv/shared: unchanged, the ext4 fills its device
`},
		{"the content", "sha256sum --check --quiet /sums; blkid -o value -s TYPE /dev/debian-vg/swap /dev/behind/swap; head -c 20M /dev/shared/data | sha256sum | cmp - /data-sum", "swap\nswap\n"},
		{"the tools", `umount /srv/*; for g in behind logical shared; do e2fsck -fn /dev/$g/root >/dev/null 2>&1 || echo "e2fsck of $g: $?"; done
for d in vdb vdc vdd vde; do sfdisk --verify /dev/$d >/dev/null || echo "the table of $d"; done
for d in vdb vdc vde; do sgdisk -v /dev/$d | grep -q 'No problems found' || echo "the GPT of $d"; done
dmesg | grep -i 'ext4-fs error' || true`, ""},
	})
}
