package machine

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// A Superblock is what the first blocks of a device say it holds.
type Superblock struct {
	Kind  string // as blkid names it: "ext4", "xfs", "swap", "crypto_LUKS", "LVM2_member"; empty where nothing is known
	Label string
	UUID  string // as blkid writes it: a volume of vfat has "ABCD-1234", one of LVM has groups of letters
	Size  int64  // bytes that a file system or swap has taken; 0 where it does not say
}

// Probe looks for a file system, swap, LUKS or LVM. It reads a few blocks, and what cannot be read holds nothing.
func Probe(r io.ReaderAt) Superblock {
	d := superblocks{r}
	for _, probe := range []func() Superblock{d.luks, d.lvm} {
		if s := probe(); s.Kind != "" {
			return s
		}
	}
	labels, kind := probeLabels(r)
	if kind == "" {
		kind = d.signed()
	}
	s := Superblock{Kind: kind}
	if len(labels) > 0 {
		s.Label = labels[0]
	}
	if measure, ok := measures[strings.TrimRight(kind, "234")]; ok {
		s.UUID, s.Size = measure(d)
	}
	return s
}

// measures read the UUID and the size of each kind.
var measures = map[string]func(superblocks) (id string, size int64){
	"ext": superblocks.extSize, "xfs": superblocks.xfsSize, "btrfs": superblocks.btrfsSize, "swap": superblocks.swapSize,
	"vfat": superblocks.fatSize, "iso9660": superblocks.isoSize,
}

// luks: the header is at 0, of version 1 or 2; the UUID is a text at 168, the label of version 2 is at 24.
func (d superblocks) luks() Superblock {
	block := d.at(0, 512)
	version := binary.BigEndian.Uint16(block[6:])
	if string(block[:6]) != "LUKS\xba\xbe" || version < 1 || version > 2 {
		return Superblock{}
	}
	s := Superblock{Kind: "crypto_LUKS", UUID: zeroEnded(block[168:208])}
	if version == 2 {
		s.Label = zeroEnded(block[24:72])
	}
	return s
}

// lvm: one of the first four sectors is the label of a physical volume; where its header begins is at 20. The header has a
// UUID of 32 letters, and the size of the device.
func (d superblocks) lvm() Superblock {
	for sector := range int64(4) {
		block := d.at(sector*512, 512)
		start := le.Uint32(block[20:])
		if string(block[:8]) != "LABELONE" || string(block[24:32]) != "LVM2 001" || start < 32 || start > 512-40 {
			continue
		}
		id := string(block[start : start+32])
		groups := []string{id[:6], id[6:10], id[10:14], id[14:18], id[18:22], id[22:26], id[26:]}
		return Superblock{Kind: "LVM2_member", UUID: strings.Join(groups, "-"), Size: int64(le.Uint64(block[start+32:]))}
	}
	return Superblock{}
}

// zeroEnded is a text that a zero byte ends.
func zeroEnded(text []byte) string {
	s, _, _ := strings.Cut(string(text), "\x00")
	return strings.ToValidUTF8(s, "?")
}

// dashed writes a UUID; one of zeros is none.
func dashed(id []byte) string {
	if strings.Trim(string(id), "\x00") == "" {
		return ""
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16])
}

// times multiplies what a disk says; a product that no disk has is 0.
func times(count, size uint64) int64 {
	if size == 0 || size > 1<<26 || count > 1<<62/size {
		return 0
	}
	return int64(count * size)
}

// extSize: blocks are counted at 4, and above 2^32 at 336 if the features say so; a block has 1024 << (the number at 24) bytes.
func (d superblocks) extSize() (string, int64) {
	block := d.at(1024, 512)
	blocks, shift := uint64(le.Uint32(block[4:])), le.Uint32(block[24:])
	if le.Uint32(block[96:])&0x80 != 0 {
		blocks |= uint64(le.Uint32(block[336:])) << 32
	}
	return dashed(block[104:120]), times(blocks, 1024<<min(shift, 16))
}

// xfsSize: numbers have their high byte first.
func (d superblocks) xfsSize() (string, int64) {
	block := d.at(0, 64)
	return dashed(block[32:48]), times(binary.BigEndian.Uint64(block[8:]), uint64(binary.BigEndian.Uint32(block[4:])))
}

// btrfsSize is what the file system has on this device; it may have others.
func (d superblocks) btrfsSize() (string, int64) {
	block := d.at(65536, 512)
	return dashed(block[32:48]), times(le.Uint64(block[209:]), 1)
}

// swapSize: the word that ends the first page says how large a page was.
func (d superblocks) swapSize() (string, int64) {
	for page := int64(4096); page <= 65536; page *= 2 {
		if string(d.at(page-10, 10)) == "SWAPSPACE2" {
			block := d.at(1024, 64)
			return dashed(block[12:28]), times(uint64(le.Uint32(block[4:]))+1, uint64(page))
		}
	}
	return "", 0
}

func (d superblocks) fatSize() (string, int64) {
	boot := d.at(0, 512)
	sectors, serial := uint64(le.Uint16(boot[19:])), boot[39:43]
	if sectors == 0 {
		sectors = uint64(le.Uint32(boot[32:]))
	}
	if le.Uint16(boot[22:]) == 0 { // FAT32
		serial = boot[67:71]
	}
	n := le.Uint32(serial)
	return fmt.Sprintf("%04X-%04X", n>>16, n&0xffff), times(sectors, uint64(le.Uint16(boot[11:])))
}

// isoSize: a volume is known by the date on which it was made, or last changed where it was not.
func (d superblocks) isoSize() (string, int64) {
	block := d.at(32768, 1024)
	date := string(block[830:846])
	if strings.Trim(date, "0\x00") == "" {
		date = string(block[813:829])
	}
	for _, c := range date {
		if c < '0' || c > '9' {
			date = ""
			break
		}
	}
	if date != "" {
		date = strings.Join([]string{date[:4], date[4:6], date[6:8], date[8:10], date[10:12], date[12:14], date[14:]}, "-")
	}
	return date, times(uint64(le.Uint32(block[80:])), uint64(le.Uint16(block[128:])))
}
