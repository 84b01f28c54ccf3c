package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// isoSector is what descriptors take, and what no record of a folder crosses (ECMA-119, 6.1).
const isoSector = 2048

// isoFormat is ISO 9660 (ECMA-119; section numbers are its) with the names of Rock Ridge or of Joliet where there are
// any. Numbers are there in both orders of bytes; the little-endian one counts, as with Linux.
type isoFormat struct {
	superblocks
	block  int64 // bytes of what the places of files are counted in
	rock   bool  // IEEE P1282 (Rock Ridge): names, kinds, permissions and links
	skip   int   // bytes before what Rock Ridge says in a record
	joliet bool  // names in UTF-16
}

// openISO9660 reads the descriptors. Rock Ridge comes before Joliet, and Joliet before the plain names, as with Linux.
// Linux tells the case of Joliet's names no more than Windows does.
func openISO9660(disk *io.SectionReader) (*volume, error) {
	d := superblocks{disk}
	primary, joliet := isoDescriptors(d)
	if primary == nil {
		return nil, errors.New("it has no primary volume descriptor")
	}
	f := &isoFormat{superblocks: d, block: int64(le.Uint16(primary[128:]))}
	root, err := f.root(primary)
	if err != nil {
		return nil, err
	}
	f.detectRockRidge(root)
	if joliet == nil || f.rock {
		return newVolume(disk, f, root, false)
	}
	f.block, f.joliet = int64(le.Uint16(joliet[128:])), true
	if root, err = f.root(joliet); err != nil {
		return nil, err
	}
	return newVolume(disk, f, root, true)
}

// isoDescriptors finds the primary descriptor, of type 1, and Joliet's, of type 2; nil where there is none (8).
func isoDescriptors(d superblocks) (primary, joliet []byte) {
	for i := range int64(16) {
		block := d.at(32768+i*isoSector, isoSector)
		if string(block[1:6]) != "CD001" || block[0] == 255 {
			break
		}
		switch {
		case block[0] == 1 && primary == nil:
			primary = block
		case block[0] == 2 && joliet == nil && isJoliet(block[88:91]):
			joliet = block
		}
	}
	return primary, joliet
}

// isJoliet knows the escape sequences of the three levels of UCS-2.
func isJoliet(escape []byte) bool {
	return string(escape[:2]) == "%/" && strings.IndexByte("@CE", escape[2]) >= 0
}

// root is the record of the root folder that a descriptor holds (8.4.18).
func (f *isoFormat) root(descriptor []byte) (record, error) {
	if f.block != 512 && f.block != 1024 && f.block != isoSector {
		return record{}, fmt.Errorf("its blocks have %d bytes, which is no size of blocks", f.block)
	}
	return record{extents: []extent{f.extent(isoRecord(descriptor[156:190]))}}, nil
}

func (f *isoFormat) extents(r record) ([]extent, error) { return r.extents, nil }

// extent is where the content of a record is, behind its extended attributes (9.1).
func (f *isoFormat) extent(r isoRecord) extent {
	return extent{(int64(le.Uint32(r[2:])) + int64(r[1])) * f.block, int64(le.Uint32(r[10:]))}
}

// isoRecord is a record of a folder (9.1).
type isoRecord []byte

// Flags of a record.
const (
	isoFolder     = 0x02
	isoAssociated = 0x04 // more about the file of the same name
	isoUnfinished = 0x80 // the file goes on in the next record
)

// cutRecord takes the record at the front of a folder. One of no length fills the sector up.
func cutRecord(folder []byte, at int) (r isoRecord, next int, err error) {
	n := int(folder[at])
	switch {
	case n == 0:
		return nil, (at/isoSector + 1) * isoSector, nil
	case n < 34 || n > len(folder)-at || 33+int(folder[at+32]) > n:
		return nil, 0, fmt.Errorf("the folder is damaged at its byte %d", at)
	}
	return isoRecord(folder[at : at+n]), at + n, nil
}

func (r isoRecord) flags() byte { return r[25] }

// id is the plain name. That of the folder itself is 0, that of the one above 1.
func (r isoRecord) id() []byte { return r[33 : 33+int(r[32])] }

func (r isoRecord) isDots() bool { return len(r.id()) == 1 && r.id()[0] <= 1 }

// systemUse is what follows the name, which is padded to even.
func (r isoRecord) systemUse() []byte { return r[min(len(r), (34+int(r[32]))&^1):] }

func (f *isoFormat) records(folder []byte) (found []record, _ error) {
	var last isoRecord // of what was found last, if that goes on
	for at, count := 0, 0; at < len(folder); {
		r, next, err := cutRecord(folder, at)
		if err != nil {
			return nil, err
		}
		if at = next; r == nil || r.isDots() || r.flags()&isoAssociated != 0 {
			continue
		}
		if count++; count > maxVolumeNames {
			return nil, errTooManyNames
		}
		if last != nil && bytes.Equal(last.id(), r.id()) {
			found[len(found)-1].extend(f.extent(r))
		} else if one, ok := f.record(r); ok {
			found = append(found, one)
		} else {
			continue
		}
		if last = r; r.flags()&isoUnfinished == 0 {
			last = nil
		}
	}
	return found, nil
}

func (r *record) extend(e extent) {
	r.extents = append(r.extents, e)
	r.size += e.size
}

// record is a record with the name and the kind that it is known by; ok is false where it is to be hidden.
func (f *isoFormat) record(raw isoRecord) (r record, ok bool) {
	r = record{name: f.name(raw.id()), node: File(0o644, "")}
	if raw.flags()&isoFolder != 0 {
		r.node = Folder(0o755)
	}
	r.extend(f.extent(raw))
	hidden := false
	if f.rock {
		said := f.rockRidge(raw)
		said.dress(&r)
		hidden = said.hidden
	}
	if raw[26] != 0 { // its parts lie between those of other files
		r.node = specialNode
	}
	return r, !hidden && isFileName(r.name)
}

// specialNode is what is there and cannot be read.
var specialNode = Node{Mode: fs.ModeIrregular | 0o444}

// name is a name without Rock Ridge, as Linux shows it.
func (f *isoFormat) name(id []byte) string {
	if f.joliet {
		return strings.TrimRight(strings.TrimSuffix(utf16BE(id), ";1"), ".")
	}
	lower := bytes.Clone(id)
	for i, letter := range id {
		if letter >= 'A' && letter <= 'Z' {
			lower[i] += 'a' - 'A'
		}
	}
	name := strings.TrimSuffix(strings.TrimSuffix(string(lower), ";1"), ".")
	return strings.NewReplacer(";", ".", "/", ".").Replace(name)
}
