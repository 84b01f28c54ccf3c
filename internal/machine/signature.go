package machine

import (
	"bytes"
)

// A signature is the word by which a kind of content is known of which nothing else matters here: that something is there, so
// that nobody writes over it.
type signature struct {
	kind   string // as blkid names it
	offset int64
	word   string
}

// signatures are those of util-linux' libblkid/src/superblocks.
var signatures = []signature{
	{"ntfs", 3, "NTFS    "}, {"exfat", 3, "EXFAT   "}, {"BitLocker", 3, "-FVE-FS-"}, {"ReFS", 3, "ReFS\x00\x00\x00\x00"},
	{"f2fs", 1024, "\x10\x20\xf5\xf2"}, {"erofs", 1024, "\xe2\xe1\xf5\xe0"}, {"nilfs2", 1030, "\x34\x34"},
	{"hfsplus", 1024, "H+"}, {"hfsplus", 1024, "HX"}, {"hfs", 1024, "BD"}, {"apfs", 32, "NXSB"},
	{"reiserfs", 65588, "ReIsEr"}, {"reiserfs", 8244, "ReIsEr"}, {"jfs", 32768, "JFS1"}, {"udf", 32769, "BEA01"}, {"udf", 32769, "NSR0"},
	{"squashfs", 0, "hsqs"}, {"cramfs", 0, "\x45\x3d\xcd\x28"}, {"romfs", 0, "-rom1fs-"},
	{"gfs2", 65536, "\x01\x16\x19\x70"}, {"ocfs2", 1024, "OCFSV2"}, {"ocfs2", 2048, "OCFSV2"}, {"ocfs2", 4096, "OCFSV2"}, {"ocfs2", 8192, "OCFSV2"},
	{"ufs", 9564, "\x19\x01\x54\x19"}, {"ufs", 66908, "\x19\x01\x54\x19"},
	{"bcachefs", 4120, "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"},
	{"bcache", 4120, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"},
	{"linux_raid_member", 0, "\xfc\x4e\x2b\xa9"}, {"linux_raid_member", 4096, "\xfc\x4e\x2b\xa9"},
	{"stratis", 516, "!Stra0tis\x86\xff\x02^\x41rh"}, {"vdo", 0, "dmvdo001"}, {"DM_integrity", 0, "integrt\x00"}, {"DM_verity_hash", 0, "verity\x00\x00"},
	{"ceph_bluestore", 0, "bluestore block device"}, {"VMFS_volume_member", 1 << 20, "\x0d\xd0\x01\xc0"}, {"VMFS", 2 << 20, "\x5e\xf1\xab\x2f"},
	{"swsuspend", 4086, "S1SUSPEND"}, {"swsuspend", 4086, "ULSUSPEND"},
}

// signed looks for what has no more than a word.
func (d superblocks) signed() string {
	for _, s := range signatures {
		if string(d.at(s.offset, len(s.word))) == s.word {
			return s.kind
		}
	}
	switch {
	case string(d.at(1080, 2)) == "\x53\xef": // ext's, with a journal and no files
		return "jbd"
	case d.isZFS():
		return "zfs_member"
	case d.isOldRAID():
		return "linux_raid_member"
	}
	return ""
}

// isZFS looks for an uberblock in the first label: one of up to 128 slots has the number of the format at its beginning, in the
// order of the machine that wrote it.
func (d superblocks) isZFS() bool {
	const slot = 1024
	for slots := d.at(128<<10, 128*slot); len(slots) > 0; slots = slots[slot:] {
		if word := slots[:8]; bytes.Equal(word, []byte("\x0c\xb1\xba\x00\x00\x00\x00\x00")) || bytes.Equal(word, []byte("\x00\x00\x00\x00\x00\xba\xb1\x0c")) {
			return true
		}
	}
	return false
}

// isOldRAID looks where the versions 0.90 and 1.0 of Linux' RAID have their superblocks: at the end of a device.
func (d superblocks) isOldRAID() bool {
	sized, ok := d.r.(interface{ Size() int64 })
	if !ok || sized.Size() < 128<<10 {
		return false
	}
	size := sized.Size()
	for _, offset := range []int64{size&^(64<<10-1) - 64<<10, (size - 8<<10) &^ (4<<10 - 1)} {
		if word := string(d.at(offset, 4)); word == "\xfc\x4e\x2b\xa9" || word == "\xa9\x2b\x4e\xfc" {
			return true
		}
	}
	return false
}
