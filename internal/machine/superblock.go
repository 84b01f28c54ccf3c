package machine

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/bits"
	"strings"
	"unicode/utf16"
)

// probeLabels looks for a file system and returns its labels, the one that it is known by first, and its type. Most
// have one label; vfat has one in the root folder and one in the boot sector, and iso9660 may have a second one with
// other letters. It reads a few blocks.
func probeLabels(r io.ReaderAt) (labels []string, kind string) {
	d := superblocks{r}
	for _, probe := range []func() ([]string, string){d.vfat, d.xfs, d.ext, d.iso9660, d.btrfs, d.swap} {
		if labels, kind := probe(); kind != "" {
			return named(labels), kind
		}
	}
	return nil, ""
}

// named drops empty labels and those that are there twice.
func named(labels []string) (names []string) {
	for _, label := range labels {
		label, _, _ = strings.Cut(label, "\x00")
		label = strings.TrimRight(label, " ")
		if label != "" && (len(names) == 0 || names[0] != label) {
			names = append(names, label)
		}
	}
	return names
}

// head is a device of which the beginning is read at once, with all places that file systems keep their labels in: a disk
// answers one question sooner than ten.
type head struct {
	io.ReaderAt
	bytes []byte
}

// headSize goes as far as the superblock of btrfs, which is the last.
const headSize = 68 << 10

func readHead(r io.ReaderAt) head {
	bytes := make([]byte, headSize)
	n, _ := r.ReadAt(bytes, 0)
	return head{r, bytes[:n]}
}

// ReadAt reads from what is there already, or from the device.
func (h head) ReadAt(block []byte, offset int64) (int, error) {
	if offset >= 0 && offset+int64(len(block)) <= int64(len(h.bytes)) {
		return copy(block, h.bytes[offset:]), nil
	}
	return h.ReaderAt.ReadAt(block, offset)
}

// superblocks reads the places where file systems say what they are.
type superblocks struct{ r io.ReaderAt }

// at reads n bytes; what is beyond the end is zero.
func (d superblocks) at(offset int64, n int) []byte {
	block := make([]byte, n)
	if read, err := d.r.ReadAt(block, offset); err != nil {
		clear(block[read:])
	}
	return block
}

var le = binary.LittleEndian

// xfs: the superblock is the first sector; the label has 12 bytes at 108.
func (d superblocks) xfs() ([]string, string) {
	block := d.at(0, 512)
	if string(block[:4]) != "XFSB" {
		return nil, ""
	}
	return []string{string(block[108:120])}, "xfs"
}

// ext: the superblock is at 1024; its magic number is at 56, the features are at 92, the label has 16 bytes at 120.
func (d superblocks) ext() ([]string, string) {
	block := d.at(1024, 512)
	if le.Uint16(block[56:]) != 0xef53 {
		return nil, ""
	}
	compatible, incompatible, readOnly := le.Uint32(block[92:]), le.Uint32(block[96:]), le.Uint32(block[100:])
	kind := "ext2"
	switch {
	case incompatible&0x8 != 0: // a journal on a device of its own
		return nil, ""
	case incompatible&^0x16 != 0 || readOnly&^0x7 != 0:
		kind = "ext4"
	case compatible&0x4 != 0:
		kind = "ext3"
	}
	return []string{string(block[120:136])}, kind
}

// iso9660: descriptors of 2048 bytes begin at 32768 (ECMA-119, 8). One of type 1 has the label, at 40; one of type 2
// may have it in UTF-16 (Joliet).
func (d superblocks) iso9660() (labels []string, kind string) {
	for i := range int64(16) {
		block := d.at(32768+i*2048, 128)
		if string(block[1:6]) != "CD001" || block[0] == 255 {
			break
		}
		switch text := block[40:72]; {
		case block[0] == 1:
			labels, kind = append(labels, string(text)), "iso9660"
		case block[0] == 2 && string(block[88:90]) == "%/":
			labels = append(labels, utf16BE(text))
		}
	}
	return labels, kind
}

func utf16BE(text []byte) string {
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = binary.BigEndian.Uint16(text[2*i:])
	}
	return string(utf16.Decode(units))
}

// btrfs: the superblock is at 65536; its magic word is at 64, the label has 256 bytes at 299.
func (d superblocks) btrfs() ([]string, string) {
	block := d.at(65536, 1024)
	if string(block[64:72]) != "_BHRfS_M" {
		return nil, ""
	}
	return []string{string(block[299:555])}, "btrfs"
}

// swap: its word ends the first page, whatever the size of a page was; the label has 16 bytes at 1052.
func (d superblocks) swap() ([]string, string) {
	for page := int64(4096); page <= 65536; page *= 2 {
		if word := string(d.at(page-10, 10)); word == "SWAPSPACE2" || word == "SWAP-SPACE" {
			return []string{string(d.at(1052, 16))}, "swap"
		}
	}
	return nil, ""
}

// vfat: the boot sector (Microsoft's FAT specification, 3) has a label at 43, or at 71 where the volume is FAT32. The
// label that people see is an entry of the root folder.
func (d superblocks) vfat() ([]string, string) {
	boot := d.at(0, 512)
	sector, cluster := int64(le.Uint16(boot[11:])), int64(boot[13])
	reserved, tables, entries := int64(le.Uint16(boot[14:])), int64(boot[16]), int64(le.Uint16(boot[17:]))
	if !isFAT(boot) {
		return nil, ""
	}
	size, inBoot := int64(le.Uint16(boot[22:])), string(boot[43:54])
	wide := size == 0
	if wide {
		size, inBoot = int64(le.Uint32(boot[36:])), string(boot[71:82])
	}
	if strings.HasPrefix(inBoot, "NO NAME") {
		inBoot = ""
	}
	root := (reserved + tables*size) * sector
	if !wide {
		label, _ := d.fatLabel(root, entries*32)
		return []string{label, inBoot}, "vfat"
	}
	chain := fat32{d, reserved * sector, root, cluster * sector}
	return []string{chain.label(le.Uint32(boot[44:])), inBoot}, "vfat"
}

// isFAT says whether a sector is the first of a FAT volume: there is no one word that they all have.
func isFAT(boot []byte) bool {
	sector, media := le.Uint16(boot[11:]), boot[21]
	known := bytes.Equal(boot[510:512], []byte{0x55, 0xaa}) || string(boot[54:57]) == "FAT" || string(boot[82:87]) == "FAT32"
	size := uint32(le.Uint16(boot[22:]))
	if size == 0 {
		size = le.Uint32(boot[36:])
	}
	return known && sector >= 512 && sector <= 4096 && bits.OnesCount16(sector) == 1 && bits.OnesCount8(boot[13]) == 1 &&
		(media == 0xf0 || media >= 0xf8) && le.Uint16(boot[14:]) != 0 && boot[16] != 0 && boot[16] <= 4 && size != 0
}

// fatLabel looks through a part of a folder for the entry that is a label; end says that nothing follows.
func (d superblocks) fatLabel(offset, size int64) (label string, end bool) {
	const piece = 4096
	for from := int64(0); from < size; from += piece {
		block := d.at(offset+from, int(min(piece, size-from)))
		for ; len(block) >= 32; block = block[32:] {
			name, attributes, first := block[:11], block[11]&0x3f, le.Uint16(block[26:])|le.Uint16(block[20:])
			switch {
			case name[0] == 0:
				return "", true
			case name[0] == 0xe5 || attributes == 0x0f || attributes&0x18 != 0x08 || first != 0: // free, or a long name, or no label
				continue
			case name[0] == 0x05: // stands for 0xe5
				return "\xe5" + string(name[1:]), true
			}
			return string(name), true
		}
	}
	return "", false
}

// fat32 is a volume whose root folder is a chain of clusters.
type fat32 struct {
	superblocks
	table, data int64 // where the first table and the first cluster begin
	cluster     int64 // bytes
}

// label follows the chain no further than any sensible folder goes.
func (v fat32) label(number uint32) string {
	for range 100 {
		if number < 2 || number >= 0x0ffffff0 {
			return ""
		}
		if label, end := v.fatLabel(v.data+int64(number-2)*v.cluster, v.cluster); end {
			return label
		}
		number = le.Uint32(v.at(v.table+int64(number)*4, 4)) & 0x0fffffff
	}
	return ""
}
