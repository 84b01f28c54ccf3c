package network

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"openguest/internal/machine"
)

// A Record is what was written for a network, and why: by it we know our own files again.
type Record struct {
	Instance string            `json:"instance"` // for which it was written
	Source   string            `json:"source"`   // where the description came from: "ds", "fallback", …
	Renderer string            `json:"renderer"`
	Why      string            `json:"why"`   // the line that says why this renderer
	Files    map[string]string `json:"files"` // SHA-256 of what we wrote, by path
	MACs     []string          `json:"macs"`  // of the interfaces that it is for
}

// An Outcome is what became of a file.
type Outcome struct {
	Path    string
	Changed bool
	Left    string // why it was left alone; empty where it is as it should be
}

// Write makes files be as a renderer wants them, and removes those of before that it no longer wants. Only what is ours is
// changed: for an instance of before all, since they speak of another machine; for the same one what we wrote and nobody
// changed since, and what cloud-init wrote as we would. owner looks up a user.
func (r Record) Write(m machine.Machine, files []File, sameInstance bool, owner func(name string) (uid, gid int, err error)) (now Record, outcomes []Outcome, err error) {
	now = r
	now.Files = map[string]string{}
	w := writing{machine: m, before: r.Files, same: sameInstance, owner: owner}
	for _, f := range files {
		outcome, failed := w.file(f)
		err = errors.Join(err, failed)
		outcomes = append(outcomes, outcome)
		if failed == nil && outcome.Left == "" && !f.Gone {
			now.Files[f.Path] = hash(f.Text)
		} else if old, ok := r.Files[f.Path]; ok && !f.Gone {
			now.Files[f.Path] = old
		}
	}
	stale, failed := w.stale(files)
	return now, append(outcomes, stale...), errors.Join(err, failed)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// A writing is one Write on its way.
type writing struct {
	machine machine.Machine
	before  map[string]string
	same    bool
	owner   func(name string) (uid, gid int, err error)
}

func (w *writing) file(f File) (o Outcome, err error) {
	o.Path = f.Path
	node, err := w.machine.Files.Look(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if f.Gone {
			return o, nil
		}
	case err != nil:
		return o, err
	case node.Mode.Type() == fs.ModeSymlink:
		o.Left = "it is a link to a file that somebody else looks after"
		return o, nil
	default:
		text, err := w.machine.Files.Read(f.Path)
		if err != nil {
			return o, err
		}
		if o.Left = w.foreign(f, text); o.Left != "" {
			return o, nil
		}
	}
	if f.Gone {
		o.Changed, err = w.machine.Files.Remove(f.Path)
		return o, err
	}
	o.Changed, err = w.put(f, node, err == nil)
	return o, err
}

// foreign says why a file that is there is not ours; empty where it is.
func (w *writing) foreign(f File, text string) string {
	written, known := w.before[f.Path]
	switch {
	case text == f.Text, !w.same, known && hash(text) == written:
		return ""
	case known:
		return "it was changed since it was written; remove it to have it written again"
	}
	return "it is there already and not as it would be written; remove it to have it written"
}

// put writes a file. Rights that are stricter than needed stay.
func (w *writing) put(f File, before machine.Node, there bool) (changed bool, err error) {
	node := machine.File(f.Mode, f.Text)
	if f.Mode == 0 {
		node.Mode = 0o644
	}
	if there && before.Mode.Perm()&^node.Mode.Perm() == 0 {
		node.Mode = before.Mode.Perm()
	}
	if f.User != "" { // where there is no such user, root's has to do: all may read it
		if uid, gid, err := w.owner(f.User); err == nil {
			node = node.Owned(uid, gid)
		}
	}
	if err := machine.MakeFolders(w.machine.Files, f.Path[:strings.LastIndex(f.Path, "/")+1], machine.Folder(0o755)); err != nil {
		return false, err
	}
	return w.machine.Files.Put(f.Path, node)
}

// stale removes what we wrote once and the renderer no longer wants, as far as nobody changed it.
func (w *writing) stale(files []File) (outcomes []Outcome, err error) {
	for _, name := range slices.Sorted(maps.Keys(w.before)) {
		if slices.ContainsFunc(files, func(f File) bool { return f.Path == name }) {
			continue
		}
		text, failed := w.machine.Files.Read(name)
		if failed != nil || hash(text) != w.before[name] {
			continue
		}
		changed, failed := w.machine.Files.Remove(name)
		err = errors.Join(err, failed)
		outcomes = append(outcomes, Outcome{Path: name, Changed: changed})
	}
	return outcomes, err
}

// Foreign are the files that were written and that somebody changed since.
func (r Record) Foreign(files machine.Files) (paths []string) {
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		if text, err := files.Read(name); err == nil && hash(text) != r.Files[name] {
			paths = append(paths, name)
		}
	}
	return paths
}
