package disk

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"openguest/internal/machine"
)

// A volumeGroup is what LVM wrote about a group onto one of its physical volumes.
type volumeGroup struct {
	name     string
	extent   int64 // bytes
	physical []physicalVolume
	logical  []logicalVolume
}

// A physicalVolume is a device that a group has its room on.
type physicalVolume struct {
	id             string
	start, extents int64 // where its first extent is, in bytes, and how many it has
}

// A logicalVolume is a part of a group.
type logicalVolume struct {
	name    string
	extents int64
	plain   bool // it takes as many extents as it has, and can simply be given more
}

// What a physical volume may take of our memory.
const (
	maxGroupText = 4 << 20
	maxGroupNest = 8
)

// readGroup reads a physical volume: its label says where the areas with the group's description are (lvm2's
// format_text/layout.h). It answers the id of the volume, too.
func readGroup(r io.ReaderAt) (g volumeGroup, id string, _ error) {
	s := machine.Probe(r)
	if s.Kind != "LVM2_member" {
		return g, "", errors.New("it holds no LVM")
	}
	area, size, err := groupArea(r)
	if err != nil {
		return g, "", err
	}
	text, err := groupText(r, area, size)
	if err != nil {
		return g, "", err
	}
	g, err = parseGroup(text)
	return g, s.UUID, err
}

// groupArea finds the first area with a description.
func groupArea(r io.ReaderAt) (start, size int64, _ error) {
	for sector := range int64(4) {
		block := make([]byte, 512)
		if _, err := r.ReadAt(block, sector*512); err != nil {
			return 0, 0, err
		}
		at := int(le.Uint32(block[20:]))
		if string(block[:8]) != "LABELONE" || at < 32 || at > 512 {
			continue
		}
		lists := 0
		for at += 40; at+16 <= len(block); at += 16 {
			start, size = int64(le.Uint64(block[at:])), int64(le.Uint64(block[at+8:]))
			switch {
			case start == 0 && size == 0:
				lists++ // the end of the areas with data, then of those with descriptions
			case lists == 1:
				return start, size, nil
			}
			if lists == 2 {
				break
			}
		}
	}
	return 0, 0, errors.New("it has no description of its group")
}

// groupText is the newest description in an area: the area is a ring behind a header of 512 bytes.
func groupText(r io.ReaderAt, area, size int64) (string, error) {
	header := make([]byte, 512)
	if _, err := r.ReadAt(header, area); err != nil {
		return "", fmt.Errorf("read the description of its group: %w", err)
	}
	offset, length := int64(le.Uint64(header[40:])), int64(le.Uint64(header[48:]))
	if string(header[4:20]) != " LVM2 x[5A%r0N*>" || offset < 512 || length <= 0 || length > maxGroupText || offset >= size || length > size-512 {
		return "", errors.New("it belongs to no group, or the description of its group is damaged")
	}
	text := make([]byte, length)
	first := min(length, size-offset)
	_, err := r.ReadAt(text[:first], area+offset)
	if err == nil && first < length {
		_, err = r.ReadAt(text[first:], area+512)
	}
	if err != nil {
		return "", fmt.Errorf("read the description of its group: %w", err)
	}
	return string(text), nil
}

// A section is a part of a description: texts and numbers by key, and sections by name.
type section struct {
	values   map[string]string
	sections map[string]*section
	order    []string // of the sections
}

func (s *section) number(key string) int64 {
	n, _ := strconv.ParseInt(s.values[key], 10, 64)
	return min(max(n, 0), 1<<40) // no disk has more, and products of two such numbers do not run over
}

// below are the sections in a section of a name.
func (s *section) below(name string) (list []*section) {
	if in := s.sections[name]; in != nil {
		for _, key := range in.order {
			list = append(list, in.sections[key])
		}
	}
	return list
}

// parseGroup reads a description.
func parseGroup(text string) (g volumeGroup, _ error) {
	root, err := (&groupReader{text: text}).section(0)
	if err != nil {
		return g, err
	}
	if len(root.order) != 1 {
		return g, errors.New("its description names no group")
	}
	g.name = root.order[0]
	group := root.sections[g.name]
	if g.extent = group.number("extent_size") * 512; g.extent <= 0 {
		return g, errors.New("its group has no size of extents")
	}
	for _, p := range group.below("physical_volumes") {
		g.physical = append(g.physical, physicalVolume{p.values["id"], p.number("pe_start") * 512, p.number("pe_count")})
	}
	names := group.sections["logical_volumes"]
	for i, l := range group.below("logical_volumes") {
		v := logicalVolume{name: names.order[i], plain: true}
		for _, name := range l.order {
			v.extents += l.sections[name].number("extent_count")
			v.plain = v.plain && l.sections[name].values["type"] == "striped"
		}
		g.logical = append(g.logical, v)
	}
	return g, nil
}

// free is how many extents no volume has; ok says that it can be told.
func (g volumeGroup) free() (n int64, ok bool) {
	for _, p := range g.physical {
		n += p.extents
	}
	for _, l := range g.logical {
		if !l.plain {
			return 0, false
		}
		n -= l.extents
	}
	return n, true
}

// groupReader reads the text: NAME { … }, KEY = VALUE, # and a comment.
type groupReader struct{ text string }

// word is the next word; a text in quotes begins with a quote.
func (r *groupReader) word() string {
	for {
		r.text = strings.TrimLeft(r.text, " \t\r\n\x00,")
		if !strings.HasPrefix(r.text, "#") {
			break
		}
		_, r.text, _ = strings.Cut(r.text, "\n")
	}
	n := 1
	switch {
	case r.text == "":
		return ""
	case r.text[0] == '"':
		for n < len(r.text) && r.text[n] != '"' {
			if r.text[n] == '\\' {
				n++
			}
			n++
		}
		word := r.text[:min(n, len(r.text))]
		r.text = r.text[min(n+1, len(r.text)):]
		return word
	case !strings.ContainsRune("{}=[]", rune(r.text[0])):
		if n = strings.IndexAny(r.text, " \t\r\n\x00,{}=[]#"); n < 0 {
			n = len(r.text)
		}
	}
	word := r.text[:n]
	r.text = r.text[n:]
	return word
}

func (r *groupReader) section(depth int) (*section, error) {
	s := &section{values: map[string]string{}, sections: map[string]*section{}}
	for {
		name := r.word()
		if name == "" || name == "}" {
			return s, nil
		}
		switch r.word() {
		case "{":
			if depth == maxGroupNest || s.sections[name] != nil {
				return nil, errors.New("the description of its group is damaged")
			}
			in, err := r.section(depth + 1)
			if err != nil {
				return nil, err
			}
			s.sections[name] = in
			s.order = append(s.order, name)
		case "=":
			s.values[name] = r.value()
		default:
			return nil, errors.New("the description of its group is damaged")
		}
	}
}

// value is a word; of a list nothing is kept.
func (r *groupReader) value() string {
	word := r.word()
	if word == "[" {
		for word != "]" && word != "" {
			word = r.word()
		}
		return ""
	}
	return strings.TrimPrefix(word, `"`)
}
