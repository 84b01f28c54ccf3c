package machine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// knowing are the files of a tree, whose ways are remembered as those of the running system are.
func knowing(t *testing.T, text string) (walked, string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("giving files away needs root")
	}
	m, dir := treeOf(t, text)
	files := m.Files.(walked)
	files.ways = &ways{}
	return files, dir
}

// counted is a store that counts how often something is looked at.
type counted struct {
	store
	looks *int
}

func (c counted) look(p place) (Node, error) {
	*c.looks++
	return c.store.look(p)
}

// A boot looks at hundreds of files in a few folders. What it does before the ssh server starts, the machine is later.
func TestKnownWayIsShort(t *testing.T) {
	files, _ := knowing(t, "-- a/b/c/one 0644 0:0 --\n1\n-- a/b/c/two 0644 0:0 --\n2\n")
	looks := 0
	files.store = counted{files.store, &looks}
	for _, name := range []string{"/a/b/c/one", "/a/b/c/two", "/a/b/c/none"} {
		looks = 0
		_, err := files.Look(name)
		if most := 2; name != "/a/b/c/one" && looks > most {
			t.Errorf("%s: %d looks, and not %d (%v)", name, looks, most, err)
		}
	}
}

// A folder that was root's and is somebody's now is no place to follow a link in. Who gets a folder meanwhile, such as
// a home, must not be able to send us to a file of root's.
func TestKnownFolderGivenAway(t *testing.T) {
	files, dir := knowing(t, "-- etc/passwd 0644 0:0 --\nroot\n-- srv/box/file 0644 0:0 --\nroot's\n")
	if _, err := files.Read("/srv/box/file"); err != nil {
		t.Fatal(err)
	}
	box := filepath.Join(dir, "srv/box")
	err := errors.Join(os.Remove(box+"/file"), os.Symlink("../../etc/passwd", box+"/file"), os.Chown(box, 1000, 1000))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := files.Read("/srv/box/file"); err == nil {
		t.Errorf("the owner's link was followed: %q", text)
	}
	if _, err := files.Put("/srv/box/new", File(0o644, "x")); err != nil {
		t.Fatal(err)
	}
	if n, err := files.Look("/srv/box/new"); err != nil || n.UID != 1000 && n.UID != 0 {
		t.Errorf("what was put there: %+v, %v", n, err)
	}
}

// A folder that is another one now, or gone, is not taken for the one that was there.
func TestKnownFolderReplaced(t *testing.T) {
	files, dir := knowing(t, "-- a/b/file 0644 0:0 --\none\n-- c/file 0644 0:0 --\ntwo\n")
	read := func(want string) {
		t.Helper()
		if text, err := files.Read("/a/b/file"); text != want {
			t.Errorf("%q, %v; want %q", text, err, want)
		}
	}
	read("one\n")
	if err := errors.Join(os.Rename(filepath.Join(dir, "a/b"), filepath.Join(dir, "a/old")), os.Symlink("../c", filepath.Join(dir, "a/b"))); err != nil {
		t.Fatal(err)
	}
	read("two\n")
	if err := os.Remove(filepath.Join(dir, "a/b")); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Read("/a/b/file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is gone: %v", err)
	}
}
