package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// treeOf makes the files of a text, as Fake reads it, on the disk.
func treeOf(t *testing.T, text string) (Machine, string) {
	t.Helper()
	dir := t.TempDir()
	memory := Fake(text, time.Unix(0, 0)).Files.(walked).store.(*shared).below.nodes
	for _, name := range slices.Sorted(maps.Keys(memory)) {
		n := memory[name]
		real := filepath.Join(dir, name)
		var err error
		switch n.Mode.Type() {
		case fs.ModeDir:
			err = errors.Join(os.MkdirAll(real, 0o700), os.Chmod(real, n.Mode))
		case fs.ModeSymlink:
			err = os.Symlink(n.Data, real)
		default:
			err = errors.Join(os.WriteFile(real, []byte(n.Data), 0o600), os.Chmod(real, n.Mode))
		}
		if os.Geteuid() == 0 {
			err = errors.Join(err, os.Lchown(real, n.UID, n.GID))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	m, err := Tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m, dir
}

// dump is all that Files hold, a line each.
func dump(t *testing.T, f Files, name string) (lines []string) {
	t.Helper()
	n, err := Get(f, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && n.Mode.IsDir() {
		t.Fatal(err)
	}
	lines = []string{fmt.Sprintf("%s %v %d:%d %q", name, n.Mode, n.UID, n.GID, n.Data)}
	if n.Mode.IsDir() {
		names, err := f.List(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, child := range names {
			lines = append(lines, dump(t, f, path.Join(name, child))...)
		}
	}
	return lines
}

func put(name string, n Node) func(Files) error {
	return func(f Files) error { _, err := f.Put(name, n); return err }
}

func remove(name string) func(Files) error {
	return func(f Files) error { _, err := f.Remove(name); return err }
}

func appendTo(name, data string, n Node) func(Files) error {
	return func(f Files) error { return f.Append(name, data, n) }
}

func read(name string) func(Files) error {
	return func(f Files) error { _, err := f.Read(name); return err }
}

const (
	home       = "-- /home/u/ 755 1000:1000 --\n"
	notFollows = "is a link in a folder that others than root may write; it is not followed"
)

var attempts = []struct {
	name, files string
	do          func(Files) error
	err         string // a part of it
	there       string // a line of what is there then, or "" where nothing changes
}{
	{"a file", "-- /etc/ --\n", put("/etc/x", File(0o640, "a")), "", `/etc/x -rw-r----- 0:0 "a"`},
	{"a file again", "-- /etc/x 640 0:0 --\na\n", put("etc/x", File(0o640, "a\n")), "", ""},
	{"another mode", "-- /etc/x 640 0:0 --\na\n", put("/etc/x", File(0o600, "a\n")), "", `/etc/x -rw------- 0:0 "a\n"`},
	{"another owner", "-- /etc/x 640 0:0 --\na\n", put("/etc/x", File(0o640, "a\n").Owned(7, 8)), "", `/etc/x -rw-r----- 7:8 "a\n"`},
	{"a program", "-- /etc/x 755 0:0 --\na\n", put("/etc/x", File(0o755|fs.ModeSetuid, "a\n")), "", `/etc/x urwxr-xr-x 0:0 "a\n"`},
	{"dots in a name", "-- /etc/ --\n-- /run/ --\n", put("/etc/../../run/./x", File(0o644, "")), "", `/run/x -rw-r--r-- 0:0 ""`},
	{"no folder", "-- /etc/ --\n", put("/etc/no/x", File(0o644, "")), "file does not exist|no such file or directory", ""},
	{"a file in the way", "-- /etc/x --\n", put("/etc/x/y", File(0o644, "")), "/etc/x: not a folder", ""},
	{"a folder", "-- /etc/ --\n", put("/etc/x", Folder(0o777|fs.ModeSticky)), "", `/etc/x dtrwxrwxrwx 0:0 ""`},
	{"a folder's mode", "-- /etc/x/y --\n", put("/etc/x", Folder(0o700)), "", `/etc/x drwx------ 0:0 ""`},
	{"a folder for a file", "-- /etc/x --\n", put("/etc/x", Folder(0o700)), "/etc/x is a file and cannot become a folder", ""},
	{"a file for a folder", "-- /etc/x/ --\n", put("/etc/x", File(0o600, "")), "/etc/x is a folder and cannot become a file", ""},
	{"a link for a folder", "-- /etc/x/ --\n", put("/etc/x", Link("y")), "/etc/x is a folder and cannot become a link", ""},
	{"a link", "-- /etc/ --\n", put("/etc/x", Link("y")), "", `/etc/x Lrwxrwxrwx 0:0 "y"`},
	{"a link for a file", "-- /etc/x --\n", put("/etc/x", Link("y")), "", `/etc/x Lrwxrwxrwx 0:0 "y"`},
	{"a link for a link", "-- /etc/x -> a --\n", put("/etc/x", Link("y")), "", `/etc/x Lrwxrwxrwx 0:0 "y"`},
	{"a link's owner", "-- /etc/ --\n", put("/etc/x", Link("y").Owned(7, 8)), "", `/etc/x Lrwxrwxrwx 7:8 "y"`},
	{"remove nothing", "-- /etc/ --\n", remove("/etc/x"), "", ""},
	{"remove below nothing", "-- /etc/ --\n", remove("/etc/x/y"), "", ""},
	{"remove a full folder", "-- /etc/x/y --\n", remove("/etc/x"), "/etc/x is a folder and not empty", ""},
	{"remove a link", "-- /etc/x -> y --\n-- /etc/y --\n", remove("/etc/x"), "", "-/etc/x Lrwxrwxrwx 0:0 \"y\""},

	{"a root link", "-- /etc/x -> ../run/y --\n-- /run/y --\n", put("/etc/x", File(0o644, "a")), "", `/run/y -rw-r--r-- 0:0 "a"`},
	{"a root link to nothing", "-- /etc/x -> ../run/y --\n-- /run/ --\n", put("/etc/x", File(0o644, "a")), "", `/run/y -rw-r--r-- 0:0 "a"`},
	{"an absolute link", "-- /etc/x -> /run/y --\n-- /run/ --\n", put("/etc/x", File(0o644, "a")), "", `/run/y -rw-r--r-- 0:0 "a"`},
	{"a link above the root", "-- /etc/x -> ../../../../run/y --\n-- /run/ --\n", put("/etc/x", File(0o644, "a")), "", `/run/y -rw-r--r-- 0:0 "a"`},
	{"a link on the way", "-- /lib -> usr/lib --\n-- /usr/lib/ --\n", put("/lib/x", File(0o644, "a")), "", `/usr/lib/x -rw-r--r-- 0:0 "a"`},
	{"dots after a link", "-- /a -> b/c --\n-- /b/c/ --\n-- /x -> a/../y --\n", put("/x", File(0o644, "z")), "", `/b/y -rw-r--r-- 0:0 "z"`},
	{"links in a circle", "-- /etc/x -> y --\n-- /etc/y -> x --\n", read("/etc/x"), "too many links on the way", ""},

	{"a planted folder", home + "-- /home/u/.ssh -> /root --\n-- /root/ --\n", put("/home/u/.ssh/x", File(0o600, "a")), "/home/u/.ssh " + notFollows, ""},
	{"a planted file", home + "-- /home/u/x -> /etc/shadow --\n-- /etc/shadow 600 0:0 --\na\n", put("/home/u/x", File(0o600, "b")), "/home/u/x " + notFollows, ""},
	{"a planted link to nothing", home + "-- /home/u/x -> /etc/new --\n-- /etc/ --\n", put("/home/u/x", File(0o600, "b")), "/home/u/x " + notFollows, ""},
	{"add to a planted file", home + "-- /home/u/x -> /etc/shadow --\n-- /etc/shadow 600 0:0 --\na\n", appendTo("/home/u/x", "b", File(0o600, "")), "/home/u/x " + notFollows, ""},
	{"read a planted file", home + "-- /home/u/x -> /etc/shadow --\n-- /etc/shadow 600 0:0 --\na\n", read("/home/u/x"), "/home/u/x " + notFollows, ""},
	{"a folder over a planted one", home + "-- /home/u/.ssh -> /root --\n-- /root/ --\n", put("/home/u/.ssh", Folder(0o700).Owned(1000, 1000)), "/home/u/.ssh " + notFollows, ""},
	{"a link planted further down", home + "-- /home/u/a/b/ 755 0:0 --\n-- /home/u/a/b/x -> /etc/y --\n-- /etc/ --\n", read("/home/u/a/b/x"), "/home/u/a/b/x " + notFollows, ""},
	{"a link among a group", "-- /srv/ 775 0:50 --\n-- /srv/x -> /etc/y --\n-- /etc/y --\n", read("/srv/x"), "/srv/x " + notFollows, ""},
	{"a file in tmp", "-- /tmp/ 1777 0:0 --\n", put("/tmp/x", File(0o600, "a")), "", `/tmp/x -rw------- 0:0 "a"`},
	{"another's file in tmp", "-- /tmp/ 1777 0:0 --\n-- /tmp/x 666 1000:1000 --\na\n", put("/tmp/x", File(0o600, "b")), "", `/tmp/x -rw------- 0:0 "b"`},
	{"add to another's file in tmp", "-- /tmp/ 1777 0:0 --\n-- /tmp/x 666 1000:1000 --\na\n", appendTo("/tmp/x", "b", File(0o600, "")), "add to /tmp/x: it is uid 1000's", ""},
	{"add to root's file in tmp", "-- /tmp/ 1777 0:0 --\n-- /tmp/x 600 0:0 --\na\n", appendTo("/tmp/x", "b", File(0o600, "")), "", `/tmp/x -rw------- 0:0 "a\nb"`},
	{"tmp as it is", "-- /tmp/ 1777 0:0 --\n", put("/tmp", Folder(0o777|fs.ModeSticky)), "", ""},
	{"a link in tmp", "-- /tmp/ 1777 0:0 --\n-- /tmp/x -> /etc/y --\n-- /etc/y --\n", put("/tmp/x", File(0o600, "")), "/tmp/x " + notFollows, ""},
	{"remove a planted link", home + "-- /home/u/x -> /etc/y --\n-- /etc/y --\n", remove("/home/u/x"), "", "-/home/u/x Lrwxrwxrwx 0:0 \"/etc/y\""},
	{"remove all below a planted link", home + "-- /home/u/d/ 755 1000:1000 --\n-- /home/u/d/x -> /etc --\n-- /etc/y --\n", func(f Files) error { return RemoveAll(f, "/home/u/d/x") }, "",
		"-/home/u/d/x Lrwxrwxrwx 0:0 \"/etc\""},

	{"a user's file", home, put("/home/u/x", File(0o600, "a").Owned(1000, 1000)), "", `/home/u/x -rw------- 1000:1000 "a"`},
	{"root's file at a user's", home, put("/home/u/x", File(0o644, "a")), "", `/home/u/x -rw-r--r-- 0:0 "a"`},
	{"read root's secret at a user's", home + "-- /home/u/x 600 0:0 --\na\n", read("/home/u/x"), "read /home/u/x: permission denied", ""},
	{"add to root's file at a user's", home + "-- /home/u/x 644 0:0 --\na\n", appendTo("/home/u/x", "b", File(0o644, "")), "add to /home/u/x: uid 1000 may not write it", ""},
	{"a file of the user's group", home + "-- /home/u/x 660 0:1000 --\na\n", appendTo("/home/u/x", "b", File(0o644, "")), "", `/home/u/x -rw-rw---- 0:1000 "a\nb"`},
	{"a user's folder", home, put("/home/u/x", Folder(0o700).Owned(1000, 1000)), "", `/home/u/x drwx------ 1000:1000 ""`},
	{"folders at a user's", home, func(f Files) error { return MakeFolders(f, "/home/u/a/b", Folder(0o700).Owned(1000, 1000)) }, "", `/home/u/a/b drwx------ 1000:1000 ""`},
	{"root's folder at a user's", home + "-- /home/u/r/ 755 0:0 --\n", put("/home/u/r/x", File(0o644, "a")), "its folder belongs to uid 1000, who may not write there", ""},
	{"another's folder at a user's", home + "-- /home/u/o/ 755 1001:1001 --\n", put("/home/u/o/x", File(0o644, "a")), "who may not write there", ""},
	{"a user's locked folder", home + "-- /home/u/l/ 555 1000:1000 --\n", put("/home/u/l/x", File(0o644, "a")), "who may not write there", ""},
	{"a folder of the user's group", home + "-- /home/u/g/ 775 0:1000 --\n", put("/home/u/g/x", File(0o644, "a")), "", `/home/u/g/x -rw-r--r-- 0:0 "a"`},
	{"remove from root's folder at a user's", home + "-- /home/u/r/x --\n", remove("/home/u/r/x"), "who may not write there", ""},
	{"a link at a user's", home, put("/home/u/x", Link("y").Owned(1000, 1000)), "", `/home/u/x Lrwxrwxrwx 1000:1000 "y"`},

	{"a new log", "-- /var/log/ --\n", appendTo("/var/log/x", "a", File(0o640, "ignored").Owned(0, 4)), "", `/var/log/x -rw-r----- 0:4 "a"`},
	{"a log", "-- /var/log/x 644 0:4 --\na\n", appendTo("/var/log/x", "b", File(0o600, "")), "", `/var/log/x -rw-r--r-- 0:4 "a\nb"`},
	{"a log by a root link", "-- /var/log/x -> y --\n-- /var/log/y 600 0:0 --\na\n", appendTo("/var/log/x", "b", File(0o600, "")), "", `/var/log/y -rw------- 0:0 "a\nb"`},
	{"add below nothing", "-- /var/ --\n", appendTo("/var/log/x", "a", File(0o640, "")), "file does not exist|no such file or directory", ""},
	{"add to a folder", "-- /var/log/ --\n", appendTo("/var/log", "a", File(0o640, "")), "add to /var/log: it is a folder", ""},
	{"add in root's folder at a user's", home + "-- /home/u/r/ 755 0:0 --\n", appendTo("/home/u/r/x", "a", File(0o600, "")), "who may not write there", ""},
}

// A rule that a dry run does not keep makes its answer a lie; one that an image does not keep is a way for its users to
// become root. Each attempt must end the same way in a tree, in a plan over that tree and in a fake.
func TestEveryFillingKeepsTheRules(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make files of several owners")
	}
	for _, test := range attempts {
		t.Run(test.name, func(t *testing.T) {
			tree, _ := treeOf(t, test.files)
			plan, _ := Plan(tree)
			fake := Fake(test.files, time.Unix(0, 0))
			before := dump(t, tree.Files, "/")
			var results []string
			for _, m := range []Machine{plan, fake, tree} { // the tree last: what it does, the plan would see
				results = append(results, fmt.Sprint(test.do(m.Files)))
			}
			for i, name := range []string{"plan", "fake", "tree"} {
				if !mentions(results[i], test.err) {
					t.Errorf("the %s says %q, want %q", name, results[i], test.err)
				}
			}
			after := dump(t, tree.Files, "/")
			if got := difference(before, after); (test.there != "") != (got != nil) || test.there != "" && !slices.Contains(got, test.there) {
				t.Errorf("the tree differs by %q, want %q", got, test.there)
			}
			for name, m := range map[string]Machine{"plan": plan, "fake": fake} {
				if lies := difference(dump(t, m.Files, "/"), after); lies != nil {
					t.Errorf("the %s lies by %q", name, lies)
				}
			}
		})
	}
}

// mentions says whether an error says one of the texts; none means that there is no error.
func mentions(err, texts string) bool {
	if texts == "" {
		return err == "<nil>"
	}
	return err != "<nil>" && slices.ContainsFunc(strings.Split(texts, "|"), func(text string) bool { return strings.Contains(err, text) })
}

// difference is the lines that are new, and, with a minus, those that are gone for good. A changed line is there as it is now.
func difference(before, after []string) (lines []string) {
	for _, line := range after {
		if !slices.Contains(before, line) {
			lines = append(lines, line)
		}
	}
	names := func(lines []string) (names []string) {
		for _, line := range lines {
			name, _, _ := strings.Cut(line, " ")
			names = append(names, name)
		}
		return names
	}
	for i, name := range names(before) {
		if !slices.Contains(names(after), name) {
			lines = append(lines, "-"+before[i])
		}
	}
	return lines
}

// What is as it should be is not touched: no module runs again, no watcher wakes, no backup grows. Row S17.
func TestEqualIsUntouched(t *testing.T) {
	m, dir := treeOf(t, "-- /etc/ --\n")
	uid, gid := os.Geteuid(), os.Getegid()
	nodes := map[string]Node{"/etc/file": File(0o640, "text").Owned(uid, gid), "/etc/folder": Folder(0o750).Owned(uid, gid), "/etc/link": Link("file").Owned(uid, gid)}
	for name, n := range nodes {
		if changed, err := m.Files.Put(name, n); !changed || err != nil {
			t.Fatalf("%s: %v, %v", name, changed, err)
		}
		before, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		entries := m.Ledger.Len()
		if changed, err := m.Files.Put(name, n); changed || err != nil {
			t.Errorf("%s was put twice: %v, %v", name, changed, err)
		}
		after, err := os.Lstat(filepath.Join(dir, name))
		if err != nil || untouched(before) != untouched(after) || m.Ledger.Len() != entries {
			t.Errorf("%s was touched: %+v, then %+v", name, before.Sys(), after.Sys())
		}
	}
}

// untouched is what stays the same as long as nobody writes: the file and its times, but for when it was read.
func untouched(info fs.FileInfo) string {
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprint(st.Ino, st.Mtim, st.Ctim)
}

// What an address of a file stands for in a plan is what the plan would have written there.
func TestPlannedFileIsFetched(t *testing.T) {
	m, _ := treeOf(t, "-- /etc/x --\nold\n")
	p, _ := Plan(m)
	if _, err := p.Files.Put("/etc/x", File(0o644, "new")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		net  Net
		want string
	}{"the plan": {p.Net, "new"}, "the system": {m.Net, "old\n"}} {
		if got, err := c.net.Fetch(t.Context(), Request{URL: "file:///etc/x"}); err != nil || string(got.Body) != c.want {
			t.Errorf("%s has %q, %v", name, got.Body, err)
		}
	}
}
