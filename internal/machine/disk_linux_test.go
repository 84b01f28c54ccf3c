package machine

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func diskOf(m Machine) *disk { return m.Files.(walked).store.(*disk) }

// Old kernels, and containers that filter system calls, have no openat2. They must get the same answers.
func TestDescendIsOpenat2(t *testing.T) {
	m, dir := treeOf(t, "-- /a/b/c/ --\n-- /a/link -> b --\n-- /a/up -> .. --\n-- /a/file --\n")
	d := diskOf(m)
	for _, name := range []string{".", "a", "a/b/c", "a/link", "a/link/c", "a/up", "a/file", "a/file/x", "a/none", "none/x"} {
		one, errOne := d.folder(name)
		two, errTwo := d.descend(name)
		if (errOne == nil) != (errTwo == nil) {
			t.Errorf("%s: openat2 says %v, descend says %v", name, errOne, errTwo)
			continue
		}
		if errOne != nil {
			continue
		}
		var a, b unix.Stat_t
		if err := errors.Join(unix.Fstat(one, &a), unix.Fstat(two, &b)); err != nil || a.Ino != b.Ino || a.Dev != b.Dev {
			t.Errorf("%s below %s: openat2 found inode %d, descend %d, %v", name, dir, a.Ino, b.Ino, err)
		}
		unix.Close(one)
		unix.Close(two)
	}
}

// swapping is a disk whose user replaces a folder by a link just before it is written to.
type swapping struct {
	*disk
	swap func()
}

func (s swapping) put(p place, n Node) (string, error) {
	s.swap()
	return s.disk.put(p, n)
}

func (s swapping) append(p place, data string, n Node) error {
	s.swap()
	return s.disk.append(p, data, n)
}

// Between the look and the write a user may swap what is theirs: root must not write where the new link leads.
func TestSwappedFolder(t *testing.T) {
	tests := map[string]func(Files) error{
		"put":    put("/home/u/.ssh/authorized_keys", File(0o600, "key")),
		"link":   put("/home/u/.ssh/authorized_keys", Link("/dev/null")),
		"folder": put("/home/u/.ssh/sub", Folder(0o700)),
		"remove": remove("/home/u/.ssh/old"),
		"append": appendTo("/home/u/.ssh/authorized_keys", "key", File(0o600, "")),
		"add":    appendTo("/home/u/.ssh/old", "key", File(0o600, "")),
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) {
			m, dir := treeOf(t, "-- /home/u/.ssh/old --\nmine\n-- /root/.ssh/old --\nroot's\n")
			before := dump(t, m.Files, "/root")
			files := walked{store: swapping{diskOf(m), func() {
				if err := errors.Join(os.Rename(dir+"/home/u/.ssh", dir+"/home/u/away"), os.Symlink("/root/.ssh", dir+"/home/u/.ssh")); err != nil {
					t.Fatal(err)
				}
			}}}
			if err := do(files); err == nil {
				t.Error("what was swapped was written to all the same")
			}
			if got := difference(before, dump(t, m.Files, "/root")); got != nil {
				t.Errorf("the write went to where the link leads: %q", got)
			}
		})
	}
}

// The same for the file itself.
func TestSwappedFile(t *testing.T) {
	for name, do := range map[string]func(Files) error{"put": put("/home/x", File(0o644, "new")), "append": appendTo("/home/x", "new", File(0o644, ""))} {
		m, dir := treeOf(t, "-- /home/x --\nold\n-- /etc/passwd --\nroot\n")
		files := walked{store: swapping{diskOf(m), func() {
			if err := errors.Join(os.Remove(dir+"/home/x"), os.Symlink("/etc/passwd", dir+"/home/x")); err != nil {
				t.Fatal(err)
			}
		}}}
		err := do(files)
		if text, _ := m.Files.Read("/etc/passwd"); text != "root\n" {
			t.Errorf("%s: the file behind the link is now %q, %v", name, text, err)
		}
		if name == "append" && !errors.Is(err, unix.ELOOP) {
			t.Errorf("adding to a link ends with %v", err)
		}
	}
}

// While a secret is written, others must not be able to open its file; when it is there, it is there as a whole.
func TestReplace(t *testing.T) {
	m, dir := treeOf(t, "-- /etc/shadow 640 0:0 --\nold\n")
	reader, err := os.Open(filepath.Join(dir, "etc/shadow"))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var seen []string
	diskOf(m).label = func(string, fs.FileMode) string { // is asked when the content is written and the mode is not yet set
		found, _ := filepath.Glob(dir + "/etc/.shadow.new-*")
		for _, name := range found {
			info, err := os.Stat(name)
			text, _ := os.ReadFile(name)
			if err != nil || info.Mode() != 0o600 {
				t.Errorf("the unfinished file is %v, %v", info.Mode(), err)
			}
			seen = append(seen, string(text))
		}
		return ""
	}
	if _, err := m.Files.Put("/etc/shadow", File(0o644, "new").Owned(os.Geteuid(), os.Getegid())); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || seen[0] != "new" {
		t.Errorf("the unfinished files were %q", seen)
	}
	if old, _ := io.ReadAll(reader); string(old) != "old\n" {
		t.Errorf("who was reading the old file reads %q", old)
	}
	if names, err := m.Files.List("/etc"); err != nil || strings.Join(names, " ") != "shadow" {
		t.Errorf("in the folder there is %q, %v", names, err)
	}
}

// A name may be as long as the file system allows; the one beside it must fit too.
func TestLongName(t *testing.T) {
	m, _ := treeOf(t, "-- /etc/ --\n")
	name := "/etc/" + strings.Repeat("x", 255)
	if _, err := m.Files.Put(name, File(0o644, "a").Owned(os.Geteuid(), os.Getegid())); err != nil {
		t.Error(err)
	}
	if _, err := m.Files.Put(name+"x", File(0o644, "a")); !errors.Is(err, unix.ENAMETOOLONG) {
		t.Errorf("a name that is too long gives %v", err)
	}
}

func labelOf(t *testing.T, name string) string {
	t.Helper()
	buffer := make([]byte, 256)
	n, err := unix.Lgetxattr(name, labelName, buffer)
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(buffer[:n]), "\x00")
}

// A file that keeps its name keeps its label, whatever the policy says of new ones. Row M34.
func TestLabels(t *testing.T) {
	m, dir := treeOf(t, policyFake()+"-- /etc/hostname --\nold\n-- /root/.ssh/ --\n")
	if err := unix.Lsetxattr(filepath.Join(dir, "etc/hostname"), labelName, []byte("u:r:own_t:s0"), 0); err != nil {
		t.Skip("this file system, or this user, cannot set SELinux labels: ", err)
	}
	m, err := Tree(dir) // anew: the policy is looked for when a tree is opened
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]Node{"/etc/hostname": File(0o644, "new"), "/root/.ssh/authorized_keys": File(0o600, "key"), "/etc/mine": Folder(0o755)} {
		if _, err := m.Files.Put(name, n.Owned(os.Geteuid(), os.Getegid())); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Files.Append("/root/.ssh/log", "x", File(0o600, "").Owned(os.Geteuid(), os.Getegid())); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"etc/hostname": "u:r:own_t:s0", "root/.ssh/authorized_keys": "system_u:object_r:ssh_home_t:s0",
		"root/.ssh/log": "system_u:object_r:ssh_home_t:s0", "etc/mine": "system_u:object_r:local_t:s0"} {
		if got := labelOf(t, filepath.Join(dir, name)); got != want {
			t.Errorf("%s has the label %q, want %q", name, got, want)
		}
	}
}

// In a container /etc/hosts is a mount point: it cannot be replaced, only written to.
func TestMountPoint(t *testing.T) {
	m, dir := treeOf(t, "-- /etc/hosts --\na longer text\n-- /outside --\na longer text\n")
	target := filepath.Join(dir, "etc/hosts")
	if err := unix.Mount(filepath.Join(dir, "outside"), target, "", unix.MS_BIND, ""); err != nil {
		t.Skip("needs root, and a system that lets it mount: ", err)
	}
	defer unix.Unmount(target, unix.MNT_DETACH)
	if changed, err := m.Files.Put("/etc/hosts", File(0o640, "short\n")); !changed || err != nil {
		t.Fatalf("changed: %v, %v", changed, err)
	}
	if got := dump(t, m.Files, "/outside")[0]; got != `/outside -rw-r----- 0:0 "short\n"` {
		t.Errorf("behind the mount point there is %s", got)
	}
	entries := m.Ledger.Entries()
	if last := entries[len(entries)-1]; !strings.Contains(last.Detail, "mount point") {
		t.Errorf("the ledger does not say how it was written: %v", last)
	}
	if names, err := m.Files.List("/etc"); err != nil || len(names) != 1 {
		t.Errorf("in the folder there is %q, %v", names, err)
	}
}

// A user may plant a pipe where we read or write. Nobody is at its other end, so waiting would be forever.
func TestPlantedPipe(t *testing.T) {
	m, dir := treeOf(t, "-- /home/ --\n")
	if err := unix.Mkfifo(filepath.Join(dir, "home/pipe"), 0o666); err != nil {
		t.Fatal(err)
	}
	if text, err := m.Files.Read("/home/pipe"); err == nil {
		t.Errorf("a pipe reads %q", text)
	}
	if err := m.Files.Append("/home/pipe", "x", File(0o644, "")); err == nil {
		t.Error("a pipe without a reader was written to")
	}
	if _, err := m.Files.Put("/home/pipe", File(0o644, "x")); err == nil {
		t.Error("a pipe without a reader was written to")
	}
}

// CVE-2015-5191 and CVE-2025-22247 were files in /tmp that somebody had made before root came: a secret that is written to a
// name there must not go to whoever waits at the other end of a pipe.
func TestCVE_2015_5191_CVE_2025_22247_PipeInTmp(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a pipe to another user")
	}
	m, dir := treeOf(t, "-- /tmp/ 1777 0:0 --\n")
	pipe := filepath.Join(dir, "tmp/pipe")
	if err := errors.Join(unix.Mkfifo(pipe, 0o666), os.Chown(pipe, 1000, 1000)); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := m.Files.Put("/tmp/pipe", File(0o600, "secret")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("the secret was written to another's pipe: %v", err)
	}
}

// Between the look at a name in /tmp and its opening somebody may put a file of their own there: what is written would be theirs.
func TestFilePlantedAfterTheLook(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a file to another user")
	}
	m, dir := treeOf(t, "-- /tmp/ 1777 0:0 --\n-- /tmp/mine --\nmine\n-- /tmp/theirs --\n")
	if err := os.Chown(filepath.Join(dir, "tmp/theirs"), 1000, 1000); err != nil {
		t.Fatal(err)
	}
	store := diskOf(m) // below the walk: it has looked, and saw nothing wrong
	if err := store.append(place{path: "tmp/theirs", writable: true, shared: true}, "secret", File(0o600, "")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("it was added to another's file: %v", err)
	}
	if text, _ := m.Files.Read("/tmp/theirs"); text != "" {
		t.Errorf("another's file holds %q", text)
	}
	for _, name := range []string{"tmp/mine", "tmp/new"} {
		if err := store.append(place{path: name, writable: true, shared: true}, "x", File(0o600, "").Owned(1000, 1000)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// CVE-2022-29527 was a file of sudo's rules that everybody could write for a moment, and row X09 one that could be read: until
// it has its owner and its mode, a new file is root's alone, whatever the umask is.
func TestCVE_2022_29527_NewFileIsPrivate(t *testing.T) {
	defer unix.Umask(unix.Umask(0))
	m, dir := treeOf(t, "-- /etc/ --\n")
	seen := 0
	diskOf(m).label = func(string, fs.FileMode) string { // is asked for after the content is there, and before the mode is
		entries, _ := os.ReadDir(filepath.Join(dir, "etc"))
		for _, entry := range entries {
			if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
				seen++
				if info.Mode().Perm() != 0o600 {
					t.Errorf("on its way %s is %v", entry.Name(), info.Mode())
				}
			}
		}
		return ""
	}
	for name, do := range map[string]func(Files) error{"put": put("/etc/a", File(0o666, "x")), "append": appendTo("/etc/b", "x", File(0o666, ""))} {
		if err := do(m.Files); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, name := range []string{"etc/a", "etc/b"} { // the next one is looked at alone
			os.Remove(filepath.Join(dir, name))
		}
	}
	if seen != 2 {
		t.Errorf("looked at %d files, want 2", seen)
	}
}

// What is written at a user's is written with that user's rights: root's would reach further than theirs.
func TestRightsOfTheOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to write as others")
	}
	m, dir := treeOf(t, home+"-- /home/u/.ssh/ 700 1000:1000 --\n")
	p := place{path: "home/u/.ssh/keys", uid: 1000, gid: 1000}
	if _, err := diskOf(m).put(p, File(0o600, "a").Owned(1000, 1000)); err != nil {
		t.Errorf("the owner may not write into their own folder: %v", err)
	}
	p.uid, p.gid = 1001, 1001
	if _, err := diskOf(m).put(p, File(0o600, "b")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("another user may: %v", err)
	}
	if err := diskOf(m).append(p, "b", File(0o600, "")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("another user may add: %v", err)
	}
	if _, err := diskOf(m).read(p); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("another user may read: %v", err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "home/u/.ssh/keys")); err != nil || string(text) != "a" {
		t.Errorf("the file is %q, %v", text, err)
	}
	if _, err := m.Files.Put("/root-file", File(0o600, "a")); err != nil {
		t.Errorf("after that root has not its own rights: %v", err)
	}
}

// What Stat calls a mode, chmod calls a number.
func TestPermissions(t *testing.T) {
	for number, want := range map[uint32]fs.FileMode{0o644: 0o644, 0o4755: fs.ModeSetuid | 0o755, 0o2775: fs.ModeSetgid | 0o775, 0o1777: fs.ModeSticky | 0o777} {
		if got := Permissions(number); got != want || chmodNumber(got) != number {
			t.Errorf("%o is %v, and back %o", number, got, chmodNumber(got))
		}
	}
}
