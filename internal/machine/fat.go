package machine

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
)

// fatFormat is FAT12, FAT16 or FAT32 with long names (Microsoft's FAT specification; section numbers are its).
type fatFormat struct {
	superblocks
	bits        int64 // of a number in the table
	table, data int64 // where the first table and the first cluster begin
	cluster     int64 // bytes
	clusters    int64 // how many there are
}

// openFAT reads the boot sector (3.1). The table's width follows from the number of clusters, as Linux counts them.
func openFAT(disk *io.SectionReader) (*volume, error) {
	d := superblocks{disk}
	boot := d.at(0, 512)
	if !isFAT(boot) {
		return nil, errors.New("its first sector is none of a FAT file system")
	}
	sector, entries := int64(le.Uint16(boot[11:])), int64(le.Uint16(boot[17:]))
	sectors, size := int64(le.Uint16(boot[19:])), int64(le.Uint16(boot[22:]))
	if sectors == 0 {
		sectors = int64(le.Uint32(boot[32:]))
	}
	wide := size == 0
	if wide {
		size = int64(le.Uint32(boot[36:]))
	}
	table := int64(le.Uint16(boot[14:])) * sector
	root := extent{table + int64(boot[16])*size*sector, entries * 32}
	f := &fatFormat{superblocks: d, table: table, cluster: sector * int64(boot[13])}
	f.data = root.offset + (root.size+sector-1)/sector*sector
	f.clusters = (sectors*sector - f.data) / f.cluster
	f.bits = fatBits(wide, f.clusters)
	f.clusters = min(f.clusters, size*sector*8/f.bits-2)
	if wide {
		return newVolume(disk, f, record{first: le.Uint32(boot[44:])}, true)
	}
	return newVolume(disk, f, record{extents: []extent{root}}, true)
}

// fatBits is the width of a number in the table.
func fatBits(wide bool, clusters int64) int64 {
	switch {
	case wide:
		return 32
	case clusters > 4084:
		return 16
	}
	return 12
}

// next is the cluster that follows, and whether there is one (4).
func (f *fatFormat) next(cluster uint32) (uint32, bool) {
	bit := int64(cluster) * f.bits
	number := le.Uint32(f.at(f.table+bit/8, 4)) >> (bit % 8)
	mask := uint32(1)<<min(f.bits, 28) - 1
	number &= mask
	return number, number < mask&^7
}

// extents follows the chain of clusters: of a file, as far as its size goes; of a folder, to the end.
func (f *fatFormat) extents(r record) (found []extent, err error) {
	left, isFolder := r.size, r.node.Mode.IsDir()
	if isFolder {
		left = maxVolumeFolder + 1
	}
	if r.extents != nil || isFolder && r.first == 0 {
		return r.extents, nil
	}
	seen := map[uint32]bool{}
	for number, more := r.first, true; left > 0 && (more || !isFolder); number, more = f.next(number) {
		switch {
		case !more:
			return nil, errors.New("its chain of clusters ends before it does")
		case number < 2 || int64(number)-2 >= f.clusters:
			return nil, fmt.Errorf("its chain of clusters leads to %d, which is no cluster", number)
		case seen[number]:
			return nil, fmt.Errorf("its chain of clusters comes to %d twice", number)
		}
		seen[number] = true
		piece := extent{f.data + (int64(number)-2)*f.cluster, f.cluster}
		if !isFolder {
			piece.size = min(left, f.cluster)
		}
		found = addExtent(found, piece)
		left -= piece.size
	}
	return found, nil
}

// addExtent makes one extent of those that follow each other.
func addExtent(list []extent, e extent) []extent {
	if n := len(list); n > 0 && list[n-1].offset+list[n-1].size == e.offset {
		list[n-1].size += e.size
		return list
	}
	return append(list, e)
}

// records reads entries of 32 bytes (6). A long name stands in pieces before its entry.
func (f *fatFormat) records(folder []byte) (found []record, _ error) {
	var long fatLongName
	for ; len(folder) >= 32; folder = folder[32:] {
		e := fatEntry(folder[:32])
		switch {
		case e[0] == 0: // nothing follows
			return found, nil
		case e[0] != 0xe5 && e[11]&0x3f == 0x0f:
			long.add(e)
			continue
		case e[0] != 0xe5 && e[11]&0x08 == 0: // neither deleted nor the volume's label
			r := e.record(f.bits == 32)
			if name, ok := long.of(e); ok {
				r.name = name
			}
			if isFileName(r.name) {
				found = append(found, r)
			}
		}
		long = fatLongName{}
	}
	return found, nil
}

// fatEntry is an entry of a folder.
type fatEntry []byte

// record is the entry with its short name (6.1).
func (e fatEntry) record(wide bool) record {
	r := record{name: e.shortName(), node: File(0o644, ""), size: int64(le.Uint32(e[28:])), first: uint32(le.Uint16(e[26:]))}
	if wide {
		r.first |= uint32(le.Uint16(e[20:])) << 16
	}
	if e[11]&0x10 != 0 {
		r.node, r.size = Folder(0o755), 0
	}
	return r
}

// shortName is the name of eight letters and three. Windows NT marks at 12 which of the two is in lower case.
func (e fatEntry) shortName() string {
	base, extension := fatText(e[:8]), fatText(e[8:11])
	if e[0] == 0x05 { // stands for 0xe5
		base = fatText([]byte{0xe5}) + fatText(e[1:8])
	}
	if e[12]&0x08 != 0 {
		base = strings.ToLower(base)
	}
	if e[12]&0x10 != 0 {
		extension = strings.ToLower(extension)
	}
	if extension == "" {
		return base
	}
	return base + "." + extension
}

// codePage437 is the upper half of the letters of MS-DOS, which Linux takes short names to be in.
const codePage437 = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0"

// fatText is a padded text of a short name.
func fatText(letters []byte) string {
	upper := []rune(codePage437)
	text := make([]rune, len(letters))
	for i, letter := range letters {
		if text[i] = rune(letter); letter >= 0x80 {
			text[i] = upper[letter-0x80]
		}
	}
	return strings.TrimRight(string(text), " ")
}

// checksum ties a long name to its short one (7.2).
func (e fatEntry) checksum() (sum byte) {
	for _, letter := range e[:11] {
		sum = sum>>1 | sum<<7
		sum += letter
	}
	return sum
}

// fatLongName is a long name as it is put together: its pieces come last first (7).
type fatLongName struct {
	units []uint16
	next  byte // the number of the piece that should follow; 0 when there is none
	sum   byte
}

// add takes a piece. One that does not fit to those before it is what a program left that knows no long names.
func (l *fatLongName) add(e fatEntry) {
	number := e[0] & 0x3f
	if e[0]&0x40 != 0 {
		*l = fatLongName{next: number, sum: e[13]}
	}
	if number == 0 || number > 20 || number != l.next || e[13] != l.sum {
		*l = fatLongName{}
		return
	}
	var units []uint16
	for _, letters := range [][]byte{e[1:11], e[14:26], e[28:32]} {
		for ; len(letters) > 0; letters = letters[2:] {
			units = append(units, le.Uint16(letters))
		}
	}
	l.units = append(units, l.units...)
	l.next--
}

// of is the long name, if it is complete and belongs to an entry.
func (l *fatLongName) of(e fatEntry) (string, bool) {
	if len(l.units) == 0 || l.next != 0 || l.sum != e.checksum() {
		return "", false
	}
	name, _, _ := strings.Cut(string(utf16.Decode(l.units)), "\x00")
	return name, true
}
