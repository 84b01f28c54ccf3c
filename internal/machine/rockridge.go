package machine

import "io/fs"

// What Rock Ridge may say of one record.
const (
	maxRockAreas = 4 // besides the record itself
	maxRockName  = 255
	maxRockLink  = 1023
)

// rockRidge is what is said of a record beside ISO 9660 (IEEE P1282, 4.1). Owners are not among it: a disk cannot
// prove who somebody is here.
type rockRidge struct {
	known  bool   // the folder says that Rock Ridge is used
	skip   int    // bytes before what is said in each record
	name   string // empty: the plain one counts
	mode   uint32 // as stat has it; 0: the plain one counts
	link   linkTarget
	moved  *extent // where a folder is that lies too deep for ISO 9660
	hidden bool    // a folder that is listed only because such ones are in it
}

// detectRockRidge looks for it where the root folder lists itself.
func (f *isoFormat) detectRockRidge(root record) {
	r, _, err := cutRecord(f.at(root.extents[0].offset, isoSector), 0)
	if err == nil && r != nil {
		said := f.rockRidge(r)
		f.rock, f.skip = said.known, said.skip
	}
}

// rockRidge gathers what is said of a record.
func (f *isoFormat) rockRidge(r isoRecord) (said rockRidge) {
	use := r.systemUse()
	f.eachField(use[min(len(use), f.skip):], func(kind string, data []byte) {
		switch {
		case kind == "SP" && len(data) >= 3:
			said.skip = int(data[2])
		case kind == "ER":
			said.known = true
		case kind == "NM" && len(data) > 1 && data[0]&^1 == 0 && len(said.name)+len(data)-1 <= maxRockName:
			said.name += string(data[1:])
		case kind == "PX" && len(data) >= 4:
			said.mode = le.Uint32(data)
		case kind == "SL" && len(data) > 1:
			said.link.add(data[1:])
		case kind == "CL" && len(data) >= 4:
			said.moved = f.moved(int64(le.Uint32(data)) * f.block)
		case kind == "RE":
			said.hidden = true
		}
	})
	return said
}

// eachField walks through the fields of a record (IEEE P1281, 4): two letters, a length, a version and data. A field CE
// says where they go on.
func (f *isoFormat) eachField(use []byte, do func(kind string, data []byte)) {
	for range 1 + maxRockAreas {
		var more []byte
		for len(use) >= 4 && use[2] >= 4 && int(use[2]) <= len(use) {
			kind, data := string(use[:2]), use[4:use[2]]
			use = use[use[2]:]
			switch {
			case kind == "ST":
				use = nil
			case kind == "CE" && len(data) >= 24:
				more = data
			default:
				do(kind, data)
			}
		}
		if more == nil {
			return
		}
		use = f.at(int64(le.Uint32(more))*f.block+int64(le.Uint32(more[8:])), int(min(le.Uint32(more[16:]), isoSector)))
	}
}

// moved is where a folder is, whose first record is that of the folder itself.
func (f *isoFormat) moved(offset int64) *extent {
	return &extent{offset, int64(le.Uint32(f.at(offset, 34)[10:]))}
}

// dress gives a record what is said of it.
func (s *rockRidge) dress(r *record) {
	if s.name != "" {
		r.name = s.name
	}
	kind := r.node.Mode.Type()
	switch s.mode & 0o170000 {
	case 0:
	case 0o040000:
		kind = fs.ModeDir
	case 0o100000:
		kind = 0
	case 0o120000:
		kind = fs.ModeSymlink
	default:
		kind = fs.ModeIrregular
	}
	if s.moved != nil {
		kind, r.extents, r.size = fs.ModeDir, []extent{*s.moved}, s.moved.size
	}
	switch {
	case kind == fs.ModeSymlink && s.link.leads():
		r.node = Link(string(s.link.text))
	case kind != 0 && kind != fs.ModeDir:
		r.node = specialNode
	case s.mode != 0:
		r.node = Node{Mode: kind | fs.FileMode(s.mode&0o777)}
	default:
		r.node.Mode = kind | r.node.Mode.Perm()
	}
}

// linkTarget is where a link leads, as it is put together of components (IEEE P1282, 4.1.3.1).
type linkTarget struct {
	text   []byte
	joined bool // what comes next belongs to the same part of the path
}

// add takes the components of one field: flags, a length and a text.
func (t *linkTarget) add(components []byte) {
	for len(components) >= 2 && int(components[1]) <= len(components)-2 {
		flags, end := components[0], 2+int(components[1])
		word := string(components[2:end])
		switch {
		case flags&2 != 0:
			word = "."
		case flags&4 != 0:
			word = ".."
		case flags&8 != 0:
			word = "/"
		}
		if !t.joined && len(t.text) > 0 && t.text[len(t.text)-1] != '/' {
			t.text = append(t.text, '/')
		}
		t.text = append(t.text, word...)
		t.joined = flags&1 != 0
		components = components[end:]
	}
}

// leads says whether it leads anywhere.
func (t *linkTarget) leads() bool { return len(t.text) > 0 && len(t.text) <= maxRockLink }
