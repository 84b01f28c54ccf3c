package pack

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
)

// A kind is how the values of an entry of an RPM header are stored.
type kind uint32

const (
	int16Kind   kind = 3
	int32Kind   kind = 4
	stringKind  kind = 6
	bytesKind   kind = 7
	stringsKind kind = 8
	i18nKind    kind = 9 // one string for each locale of the header; here there is one, C
)

// An entry is one value of an RPM header, or a list of them.
type entry struct {
	kind  kind
	count int
	data  []byte
}

// A rpmHeader is an RPM header: entries by tag. The numbers of the tags are rpm's own, from rpmtag.h.
type rpmHeader map[uint32]entry

func (h rpmHeader) string(tag uint32, value string) {
	h[tag] = entry{stringKind, 1, append([]byte(value), 0)}
}

func (h rpmHeader) translated(tag uint32, value string) {
	h[tag] = entry{i18nKind, 1, append([]byte(value), 0)}
}

func (h rpmHeader) bytes(tag uint32, value []byte) { h[tag] = entry{bytesKind, len(value), value} }

// strings, like int32s and int16s, leaves an empty list out: rpm refuses one.
func (h rpmHeader) strings(tag uint32, values ...string) {
	var data []byte
	for _, value := range values {
		data = append(append(data, value...), 0)
	}
	if len(values) > 0 {
		h[tag] = entry{stringsKind, len(values), data}
	}
}

func (h rpmHeader) int32s(tag uint32, values ...uint32) {
	var data []byte
	for _, value := range values {
		data = binary.BigEndian.AppendUint32(data, value)
	}
	if len(values) > 0 {
		h[tag] = entry{int32Kind, len(values), data}
	}
}

func (h rpmHeader) int16s(tag uint32, values ...uint16) {
	var data []byte
	for _, value := range values {
		data = binary.BigEndian.AppendUint16(data, value)
	}
	if len(values) > 0 {
		h[tag] = entry{int16Kind, len(values), data}
	}
}

// encoded is the header as a file has it: an index, and the store that the index points into. The entry region comes
// first and says how much of the header may not be changed: all of it.
func (h rpmHeader) encoded(region uint32) []byte {
	var index, store bytes.Buffer
	for _, tag := range slices.Sorted(maps.Keys(h)) {
		e := h[tag]
		width := map[kind]int{int16Kind: 2, int32Kind: 4}[e.kind]
		for width > 0 && store.Len()%width != 0 {
			store.WriteByte(0)
		}
		index.Write(indexEntry(tag, e.kind, uint32(store.Len()), uint32(e.count)))
		store.Write(e.data)
	}
	const entrySize = 16
	first := indexEntry(region, bytesKind, uint32(store.Len()), entrySize)
	size := uint32(index.Len() + entrySize)
	store.Write(indexEntry(region, bytesKind, -size, entrySize))

	out := []byte{0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0}
	out = binary.BigEndian.AppendUint32(out, size/entrySize)
	out = binary.BigEndian.AppendUint32(out, uint32(store.Len()))
	return slices.Concat(out, first, index.Bytes(), store.Bytes())
}

func indexEntry(tag uint32, k kind, offset, count uint32) (out []byte) {
	for _, n := range []uint32{tag, uint32(k), offset, count} {
		out = binary.BigEndian.AppendUint32(out, n)
	}
	return out
}
