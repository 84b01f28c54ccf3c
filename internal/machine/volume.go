package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// What a volume may hold. Whoever made it may have filled it to take our memory or our time.
const (
	maxVolumeFile   = 64 << 20 // bytes of a file
	maxVolumeFolder = 4 << 20  // bytes of a folder, with all that a format writes around its names
	maxVolumeNames  = 10_000   // of a folder
	maxVolumeDepth  = 32       // folders in folders
)

// A volume is a store that reads a file system itself, without the kernel: a small kernel may not know its format, and
// one that does would be handed what a stranger wrote. It is read-only, and all in it is root's.
type volume struct {
	disk *io.SectionReader
	volumeFormat
	root    record
	fold    bool                // names that differ only in case are the same
	folders map[string][]record // what was read lately, by path
	kept    int                 // records in folders
}

// A volumeFormat knows how one kind of file system writes its folders down.
type volumeFormat interface {
	extents(r record) ([]extent, error) // where the content is; of a folder, maxVolumeFolder and a bit at most
	records(folder []byte) ([]record, error)
}

// A record is what a folder says of one of its names.
type record struct {
	name    string
	node    Node
	size    int64
	first   uint32   // FAT: the first of a chain of clusters
	extents []extent // ISO 9660, and the root of FAT12 and FAT16
}

// An extent is bytes in a row on a disk.
type extent struct{ offset, size int64 }

// newVolume is the volume on a disk; an error says that not even its root folder can be read.
func newVolume(disk *io.SectionReader, format volumeFormat, root record, fold bool) (*volume, error) {
	root.node = Folder(0o755)
	v := &volume{disk: disk, volumeFormat: format, root: root, fold: fold, folders: map[string][]record{}}
	if _, err := v.folder(".", v.root); err != nil {
		return nil, fmt.Errorf("its root folder cannot be read: %w", err)
	}
	return v, nil
}

var errReadOnly = fmt.Errorf("the disk is read only: %w", fs.ErrPermission)

func (v *volume) self() int { return 0 }

func (v *volume) put(place, Node) (string, error) { return "", errReadOnly }

func (v *volume) append(place, string, Node) error { return errReadOnly }

func (v *volume) look(p place) (Node, error) {
	r, err := v.find(p.path)
	if err != nil {
		return Node{}, &fs.PathError{Op: "look", Path: p.name(), Err: err}
	}
	return r.node, nil
}

func (v *volume) read(p place) (string, error) {
	r, err := v.find(p.path)
	if err == nil && !r.node.Mode.IsRegular() {
		err = fmt.Errorf("it is %s", kindOf(r.node))
	}
	var text strings.Builder
	if err == nil {
		err = v.copy(&text, r, maxVolumeFile)
	}
	if err != nil {
		return "", &fs.PathError{Op: "read", Path: p.name(), Err: err}
	}
	return text.String(), nil
}

func (v *volume) list(p place) (names []string, err error) {
	r, err := v.find(p.path)
	var records []record
	if err == nil {
		records, err = v.folder(p.path, r)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "list", Path: p.name(), Err: err}
	}
	for _, r := range records {
		names = append(names, r.name)
	}
	return names, nil
}

// find goes from the root to the record of a path.
func (v *volume) find(path string) (record, error) {
	at := v.root
	if path == "." {
		return at, nil
	}
	parts := strings.Split(path, "/")
	if len(parts) > maxVolumeDepth {
		return record{}, fmt.Errorf("it is more than %d folders deep", maxVolumeDepth)
	}
	for i, part := range parts {
		records, err := v.folder(strings.Join(parts[:i], "/"), at)
		if err != nil {
			return record{}, err
		}
		found, ok := v.choose(records, part)
		if !ok {
			return record{}, fs.ErrNotExist
		}
		at = found
	}
	return at, nil
}

// choose finds a name among records, letter for letter first.
func (v *volume) choose(records []record, name string) (record, bool) {
	for _, r := range records {
		if r.name == name {
			return r, true
		}
	}
	for _, r := range records {
		if v.fold && strings.EqualFold(r.name, name) {
			return r, true
		}
	}
	return record{}, false
}

var errTooManyNames = fmt.Errorf("the folder has more than %d names", maxVolumeNames)

// folder reads what a folder lists, or remembers it.
func (v *volume) folder(path string, r record) ([]record, error) {
	if path == "." {
		path = ""
	}
	if records, ok := v.folders[path]; ok {
		return records, nil
	}
	if !r.node.Mode.IsDir() {
		return nil, errNotFolder
	}
	var content bytes.Buffer
	if err := v.copy(&content, r, maxVolumeFolder); err != nil {
		return nil, err
	}
	records, err := v.records(content.Bytes())
	if err != nil {
		return nil, err
	}
	if len(records) > maxVolumeNames {
		return nil, errTooManyNames
	}
	if v.kept += len(records); v.kept > maxVolumeNames {
		clear(v.folders)
		v.kept = len(records)
	}
	v.folders[path] = records
	return records, nil
}

// A growing text is one that can be told how long it will be.
type growing interface {
	io.Writer
	Grow(n int)
}

// copy writes the content of a file or a folder, if it has no more bytes than the limit.
func (v *volume) copy(w growing, r record, limit int64) error {
	if r.size > limit {
		return tooLarge(limit)
	}
	extents, err := v.extents(r)
	if err != nil {
		return err
	}
	size, err := v.measure(extents, limit)
	if err != nil {
		return err
	}
	w.Grow(int(size))
	buffer := make([]byte, min(size, 32<<10))
	for _, e := range extents {
		if e.size == 0 {
			continue
		}
		n, err := io.CopyBuffer(w, io.NewSectionReader(v.disk, e.offset, e.size), buffer)
		if err == nil && n < e.size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("its content cannot be read: %w", bare(err))
		}
	}
	return nil
}

// measure adds extents up, and sees to it that they are on the disk before memory is taken for them.
func (v *volume) measure(extents []extent, limit int64) (size int64, _ error) {
	for _, e := range extents {
		if e.offset < 0 || e.offset > v.disk.Size()-e.size {
			return 0, errors.New("the disk ends before it does")
		}
		if size += e.size; size > limit {
			return 0, tooLarge(limit)
		}
	}
	return size, nil
}

func tooLarge(limit int64) error { return fmt.Errorf("it is larger than %d MiB", limit>>20) }

// isFileName says whether a name can stand in a path.
func isFileName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}
