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
	files, _ := knowing(t, "-- sys/class/net/one 0644 0:0 --\n1\n-- sys/class/net/two 0644 0:0 --\n2\n")
	looks := 0
	files.store = counted{files.store, &looks}
	for _, name := range []string{"/sys/class/net/one", "/sys/class/net/two", "/sys/class/net/none"} {
		looks = 0
		_, err := files.Look(name)
		if most := 2; name != "/sys/class/net/one" && looks > most {
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
	files, dir := knowing(t, "-- sys/class/b/file 0644 0:0 --\none\n-- sys/c/file 0644 0:0 --\ntwo\n")
	read := func(want string) {
		t.Helper()
		if text, err := files.Read("/sys/class/b/file"); text != want {
			t.Errorf("%q, %v; want %q", text, err, want)
		}
	}
	read("one\n")
	if err := errors.Join(os.Rename(filepath.Join(dir, "sys/class/b"), filepath.Join(dir, "sys/class/old")), os.Symlink("../c", filepath.Join(dir, "sys/class/b"))); err != nil {
		t.Fatal(err)
	}
	read("two\n")
	if err := os.Remove(filepath.Join(dir, "sys/class/b")); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Read("/sys/class/b/file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is gone: %v", err)
	}
}

// A folder on the way is given to somebody, what is below it is not: its owner may move that away and put a link in its place. Who came
// by before must not be led into root's folders.
func TestFolderOnTheWayGivenAway(t *testing.T) {
	files, dir := knowing(t, "-- etc/ssh/config 0644 0:0 --\nroot's\n-- srv/app/conf/ssh/config 0644 0:0 --\napp's\n")
	if _, err := files.Read("/srv/app/conf/ssh/config"); err != nil {
		t.Fatal(err)
	}
	app := filepath.Join(dir, "srv/app")
	err := errors.Join(os.Chown(app, 1000, 1000), os.Rename(app+"/conf", app+"/old"), os.Symlink("../../etc", app+"/conf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Append("/srv/app/conf/ssh/config", "more\n", File(0o644, "")); err == nil {
		t.Error("the owner's link was followed to write")
	}
	if text, err := files.Read("/srv/app/conf/ssh/config"); err == nil {
		t.Errorf("the owner's link was followed to read: %q", text)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "etc/ssh/config")); string(text) != "root's\n" {
		t.Errorf("root's file is %q now", text)
	}
}
