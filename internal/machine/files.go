package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Files are the files of one root. Names start there, with or without a slash. The way to a name decides whose rights
// count: from the first folder on that is not root's, its owner's, and no link is followed from there on. Nobody has
// to ask for that, and nobody can forget it.
type Files interface {
	Look(name string) (Node, error)                  // what is there, without a file's content; a link is not followed
	Read(name string) (string, error)                // a file's content
	List(name string) ([]string, error)              // the names in a folder, sorted
	Put(name string, n Node) (changed bool, _ error) // makes name be n; where it is so already, touches nothing
	Remove(name string) (changed bool, _ error)      // a file, a link or an empty folder; nothing there is fine
	Append(name, data string, n Node) error          // adds to a file, made as n where there is none, or writes into a device
}

// A Node is what a name stands for: a file, a folder or a link. Equal nodes are the same.
type Node struct {
	Mode     fs.FileMode
	UID, GID int
	Data     string // a file's content, or where a link leads
}

// File, Folder and Link make nodes of root's.
func File(mode fs.FileMode, data string) Node { return Node{Mode: mode, Data: data} }

// Folder is a folder of root's.
func Folder(mode fs.FileMode) Node { return Node{Mode: fs.ModeDir | mode} }

// Link is a symbolic link.
func Link(target string) Node { return Node{Mode: fs.ModeSymlink | 0o777, Data: target} }

// Owned is the node with another owner.
func (n Node) Owned(uid, gid int) Node {
	n.UID, n.GID = uid, gid
	return n
}

// specialBits are the permissions that Go and chmod write differently.
var specialBits = [...]struct {
	bit  uint32
	flag fs.FileMode
}{{0o4000, fs.ModeSetuid}, {0o2000, fs.ModeSetgid}, {0o1000, fs.ModeSticky}}

// Permissions makes a mode of a number as chmod takes it: 04755 sets the user id on execution.
func Permissions(number uint32) fs.FileMode {
	mode := fs.FileMode(number & 0o777)
	for _, s := range specialBits {
		if number&s.bit != 0 {
			mode |= s.flag
		}
	}
	return mode
}

// chmodNumber is the permission part of a mode as chmod takes it.
func chmodNumber(m fs.FileMode) uint32 {
	number := uint32(m.Perm())
	for _, s := range specialBits {
		if m&s.flag != 0 {
			number |= s.bit
		}
	}
	return number
}

// IsPrivate says that not everyone may read the file: what is in it is not to be shown.
func (n Node) IsPrivate() bool { return n.Mode.IsRegular() && n.Mode&0o004 == 0 }

var gone = Node{Mode: fs.ModeIrregular}

// Get returns what is at name, with its content.
func Get(f Files, name string) (Node, error) {
	n, err := f.Look(name)
	if err == nil && n.Mode.IsRegular() {
		n.Data, err = f.Read(name)
	}
	return n, err
}

// Exists says whether something is at a name. What cannot be looked at is not there.
func Exists(f Files, name string) bool {
	_, err := f.Look(name)
	return err == nil
}

// MakeFolders makes a folder, and those on the way to it that are missing, all as n. Those that are there stay as they are.
func MakeFolders(f Files, name string, n Node) error {
	name = path.Clean("/" + name)
	if name == "/" {
		return nil
	}
	switch found, err := lookThrough(f, name); {
	case err == nil && found.Mode.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("%s should be a folder, but is %v", name, found.Mode)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := MakeFolders(f, path.Dir(name), n); err != nil {
		return err
	}
	_, err := f.Put(name, n)
	return err
}

// lookThrough is Look at what a name leads to.
func lookThrough(f Files, name string) (Node, error) {
	n, err := f.Look(name)
	if err == nil && n.Mode.Type() == fs.ModeSymlink {
		return f.Look(name + "/")
	}
	return n, err
}

// RemoveAll removes a name and all below it. A link is removed, not followed.
func RemoveAll(f Files, name string) error {
	n, err := f.Look(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if n.Mode.IsDir() {
		names, err := f.List(name)
		if err != nil {
			return err
		}
		for _, child := range names {
			if err := RemoveAll(f, path.Join(name, child)); err != nil {
				return err
			}
		}
	}
	_, err = f.Remove(name)
	return err
}

// A place is where a name leads, and whose rights count there.
type place struct {
	path     string // below the root, without a link on the way; the root itself is "."
	uid, gid int
	writable bool
	shared   bool // everybody may make files beside it
	alone    bool // nobody but root may change the way to it

	node   Node  // what the walk found there, without a file's content
	absent error // why it found nothing
}

// name is the place as people write it.
func (p place) name() string { return path.Clean("/" + p.path) }

// may says whether whose rights count has a right to what is there: 4 to read it, 2 to write it.
func (p place) may(right fs.FileMode, n Node) bool {
	switch {
	case p.uid == 0:
		return true
	case p.uid == n.UID:
		right <<= 6
	case p.gid == n.GID:
		right <<= 3
	}
	return n.Mode&right != 0
}

// isPlanted says that what is there was made by somebody whose rights do not count: what we write into it would be theirs.
// A file that takes its place is ours.
func (p place) isPlanted(n Node, self int) bool {
	return p.shared && n.UID != p.uid && n.UID != self && n.UID != 0
}

// planted says why nothing is written into a file.
func planted(n Node) error {
	return fmt.Errorf("it is uid %d's, in a folder where everybody may plant files: %w", n.UID, fs.ErrPermission)
}

// refusal says that nothing is made or taken away in a folder.
func (p place) refusal() error {
	return fmt.Errorf("%s: its folder belongs to uid %d, who may not write there: %w", p.name(), p.uid, fs.ErrPermission)
}

// A store keeps nodes by places; put of gone removes. What is kept at a name is found by look without its content.
type store interface {
	look(p place) (Node, error)
	read(p place) (string, error)
	list(p place) ([]string, error)
	put(p place, n Node) (detail string, _ error) // what is worth saying about how it was done
	append(p place, data string, n Node) error
	self() int // the user that writes: root, or whoever runs the program
}

// walked makes Files of a store, with one set of rules about links and rights for all of them.
type walked struct {
	store
	ledger *Ledger
	ways   *ways // of the running system; nil elsewhere, where a link of root's could lead out of the root
}

// quiet is the same files without a ledger.
func (w walked) quiet() walked { return walked{store: w.store, ways: w.ways} }

// Look follows the last part only where the name ends in a slash: that asks for the folder that a link leads to.
func (w walked) Look(name string) (Node, error) {
	return visit(w, name, strings.HasSuffix(name, "/"), func(p place) (Node, error) { return p.node, p.absent })
}

func (w walked) Read(name string) (string, error) { return visit(w, name, true, w.content) }

func (w walked) List(name string) ([]string, error) {
	return visit(w, name, true, func(p place) ([]string, error) {
		names, err := w.list(p)
		slices.Sort(names)
		return names, err
	})
}

// Remove takes a name away.
func (w walked) Remove(name string) (bool, error) {
	changed, err := w.Put(name, gone)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return changed, err
}

// Put compares, and writes where there is a difference.
func (w walked) Put(name string, n Node) (bool, error) {
	return visit(w, name, n.Mode.IsRegular() || n.Mode.IsDir(), func(p place) (bool, error) {
		old, err := w.complete(p)
		switch {
		case err == nil && old == n || n == gone && errors.Is(err, fs.ErrNotExist):
			return false, nil
		case err == nil && n.Mode.IsDir() != old.Mode.IsDir() && n != gone:
			return false, fmt.Errorf("%s is %s and cannot become %s; move it away first", p.name(), kindOf(old), kindOf(n))
		case err == nil && n == gone && old.Mode.IsDir() && !w.isEmpty(p):
			return false, fmt.Errorf("%s is a folder and not empty; it is not removed", p.name())
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission):
			return false, err
		case !p.writable:
			return false, p.refusal()
		}
		if err == nil && isDevice(old) && n.Mode.IsRegular() {
			return true, w.Append(name, n.Data, n)
		}
		detail, failure := w.put(p, n)
		if failure != nil {
			return false, fmt.Errorf("write %s: %w", p.name(), bare(failure))
		}
		w.ledger.file(p.name(), err == nil, n, detail)
		return true, nil
	})
}

// Append adds to a file, or writes into a device.
func (w walked) Append(name, data string, n Node) error {
	_, err := visit(w, name, true, func(p place) (bool, error) {
		old, err := p.node, p.absent
		switch {
		case errors.Is(err, fs.ErrNotExist) && !p.writable:
			return false, p.refusal()
		case err == nil && old.Mode.IsDir():
			return false, fmt.Errorf("add to %s: it is a folder", p.name())
		case err == nil && p.isPlanted(old, w.self()):
			return false, fmt.Errorf("add to %s: %w", p.name(), planted(old))
		case err == nil && !p.may(0o2, old):
			return false, fmt.Errorf("add to %s: uid %d may not write it: %w", p.name(), p.uid, fs.ErrPermission)
		}
		if err := w.append(p, data, n); err != nil {
			return false, fmt.Errorf("add to %s: %w", p.name(), bare(err))
		}
		w.ledger.appended(p.name(), n)
		return true, nil
	})
	return err
}

// get is the node at a place with its content, or where it leads.
func (w walked) get(p place) (Node, error) {
	p.node, p.absent = w.look(p)
	return w.complete(p)
}

// complete is what the walk found at a place, with its content.
func (w walked) complete(p place) (n Node, err error) {
	if n = p.node; p.absent == nil && n.Mode.IsRegular() {
		n.Data, err = w.content(p)
		return n, err
	}
	return n, p.absent
}

// content is what is in the file at a place, if whose rights count there may read it.
func (w walked) content(p place) (string, error) {
	switch {
	case p.absent != nil:
		return "", p.absent
	case p.uid != 0 && !p.may(0o4, p.node):
		return "", &fs.PathError{Op: "read", Path: p.name(), Err: fs.ErrPermission}
	}
	return w.read(p)
}

func (w walked) isEmpty(p place) bool {
	names, err := w.list(p)
	return err == nil && len(names) == 0
}

// visit does something where name leads.
func visit[T any](w walked, name string, follow bool, do func(place) (T, error)) (none T, err error) {
	p, err := w.walk(name, follow)
	if err != nil {
		return none, err
	}
	return do(p)
}

// walk is the place where name leads. A link is followed only while every folder so far is root's alone. Each name on the way is
// looked at once: a boot takes thousands of these steps.
func (w walked) walk(name string, follow bool) (place, error) {
	at, todo, err := w.start(name)
	if err != nil {
		return at, err
	}
	for links := 0; len(todo) > 0; {
		if !at.node.Mode.IsDir() {
			return at, &fs.PathError{Op: "look", Path: at.name(), Err: errNotFolder}
		}
		at.enter(w.self())
		folder, last := at, len(todo) == 1
		if last && links == 0 {
			w.ways.keep(at)
		}
		at.path = within(folder.path, todo[0])
		at.node, at.absent = w.look(at)
		if at.absent != nil && !(last && errors.Is(at.absent, fs.ErrNotExist)) {
			return at, at.absent
		}
		if todo = todo[1:]; at.node.Mode.Type() != fs.ModeSymlink || last && !follow {
			continue
		}
		if links++; links > 40 {
			return at, fmt.Errorf("%s: too many links on the way", at.name())
		}
		if !at.alone {
			return at, fmt.Errorf("%s is a link in a folder that others than root may write; it is not followed", at.name())
		}
		todo = append(targetParts(at.node.Data), todo...)
		if path.IsAbs(at.node.Data) {
			folder.path = "."
			if folder.node, err = w.look(folder); err != nil {
				return folder, err
			}
		}
		at = folder
	}
	return at, nil
}

// start is where the walk to a name begins, and what is left of the way: its last part, where the way to its folder is known, and
// else all of it.
func (w walked) start(name string) (at place, todo []string, err error) {
	way := wayTo(name)
	at.path, at.alone = path.Dir(way), true
	if w.ways.has(at.path) {
		if at.node, err = w.look(at); err == nil && at.node.Mode.IsDir() {
			return at, []string{path.Base(way)}, nil
		}
	}
	at.path = "."
	at.node, err = w.look(at)
	return at, strings.Split(way, "/"), err
}

// enter takes account of whose the folder is that the walk has come to.
func (p *place) enter(self int) {
	trusted := p.node.UID == 0 || p.node.UID == self
	if p.uid == 0 && !trusted {
		p.uid, p.gid = p.node.UID, p.node.GID
	}
	p.alone = p.alone && trusted && p.node.Mode&0o022 == 0
	p.writable, p.shared = p.may(0o2, p.node), p.node.Mode&0o002 != 0
}

// within is the place of a part in a folder; ".." is the folder that it is in, and nothing is above the root.
func within(folder, part string) string {
	switch {
	case part == "." || part == "..":
		return path.Join(split(folder + "/" + part)...)
	case folder == ".":
		return part
	}
	return folder + "/" + part
}

var errNotFolder = errors.New("not a folder")

// targetParts cuts the target of a link into parts. Unlike split it keeps "..": what it means depends on where it is met.
func targetParts(target string) (parts []string) {
	for part := range strings.SplitSeq(target, "/") {
		if part != "" && part != "." {
			parts = append(parts, part)
		}
	}
	return parts
}

// split cuts a name below the root into its parts; the root itself is ".".
func split(name string) []string { return strings.Split(wayTo(name), "/") }

// wayTo is a name as it is below the root, without a slash at its beginning; the root itself is ".".
func wayTo(name string) string {
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	if name = path.Clean(name)[1:]; name == "" {
		return "."
	}
	return name
}

// isDevice says that what is there is written into, and never replaced.
func isDevice(n Node) bool {
	return n.Mode&(fs.ModeDevice|fs.ModeCharDevice|fs.ModeNamedPipe|fs.ModeSocket) != 0
}

// kindOf names what a node is.
func kindOf(n Node) string {
	switch n.Mode.Type() {
	case fs.ModeDir:
		return "a folder"
	case fs.ModeSymlink:
		return "a link"
	case 0:
		return "a file"
	}
	return "a special file"
}

// bare takes the path off an error that will be said with a better one.
func bare(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
