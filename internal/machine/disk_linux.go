package machine

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// disk is the store of real files below a folder. It opens the folder of each name without following any link, so that
// what the walk found out stays true until the write.
type disk struct {
	root int // a descriptor of the root folder
	uid  int // who runs the program
	// label says which SELinux label the policy gives a new file; nil where there is no SELinux.
	label func(name string, mode fs.FileMode) string
	late  unsettled
}

// openDisk opens the files below a folder.
func openDisk(dir string) (*disk, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the root folder %s: %w", dir, err)
	}
	return &disk{root: fd, uid: os.Geteuid()}, nil
}

func (d *disk) self() int { return d.uid }

// beneath is how the kernel may resolve a name that the walk has resolved already: not at all.
var beneath = unix.OpenHow{
	Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
	Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
}

// folder opens a folder by its link-free name.
func (d *disk) folder(name string) (int, error) {
	how := beneath
	fd, err := unix.Openat2(d.root, name, &how)
	switch {
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM), // before Linux 5.6, or a filter of system calls
		errors.Is(err, unix.EAGAIN): // something was moved or mounted meanwhile, and the kernel cannot be sure
		return d.descend(name)
	}
	return fd, err
}

// descend is folder for kernels without openat2: one component after the other, none of which may be a link.
func (d *disk) descend(name string) (int, error) {
	at, err := unix.Dup(d.root)
	for _, part := range strings.Split(name, "/") {
		if err != nil {
			return -1, err
		}
		var next int
		next, err = unix.Openat(at, part, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		unix.Close(at)
		at = next
	}
	return at, err
}

// in does something in the folder that a place is in, with the rights of the place.
func (d *disk) in(p place, do func(folder int, base string) error) error {
	err := d.as(p, func() error {
		dir := path.Dir(p.path)
		if dir == "." { // every walk begins here
			return do(d.root, path.Base(p.path))
		}
		fd, err := d.folder(dir)
		if err != nil {
			return &fs.PathError{Op: "open", Path: path.Dir(p.name()), Err: err}
		}
		defer unix.Close(fd)
		return do(fd, path.Base(p.path))
	})
	if d.uid != 0 && errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: it %w", err, ErrRoot)
	}
	return err
}

// near is in for what needs no folder of its own: a look, or opening a file. Where nobody but root may change the way to a place, the
// kernel may walk it at once: a boot takes thousands of looks, and so each is one system call and not three.
func (d *disk) near(p place, do func(folder int, base string) error) error {
	if p.alone && d.uid == 0 {
		return do(d.root, p.path)
	}
	return d.in(p, do)
}

func (d *disk) look(p place) (n Node, err error) {
	err = d.near(place{path: p.path, alone: p.alone}, func(folder int, base string) error {
		var st unix.Stat_t
		if err := unix.Fstatat(folder, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return &fs.PathError{Op: "look", Path: p.name(), Err: err}
		}
		n = Node{Mode: modeOf(st.Mode), UID: int(st.Uid), GID: int(st.Gid)}
		if n.Mode.Type() == fs.ModeSymlink {
			n.Data, err = readlink(folder, base)
		}
		return err
	})
	return n, err
}

func readlink(folder int, base string) (string, error) {
	for buffer := make([]byte, 256); ; buffer = make([]byte, 2*len(buffer)) {
		n, err := unix.Readlinkat(folder, base, buffer)
		if err != nil {
			return "", err
		}
		if n < len(buffer) {
			return string(buffer[:n]), nil
		}
	}
}

// read is the content of a file. It takes few system calls: a boot reads hundreds of small files.
func (d *disk) read(p place) (content string, err error) {
	err = d.near(p, func(folder int, base string) error {
		fd, err := unix.Openat(folder, base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if err != nil {
			return &fs.PathError{Op: "open", Path: p.name(), Err: err}
		}
		defer unix.Close(fd)
		if content, err = readAll(fd); err != nil {
			return &fs.PathError{Op: "read", Path: p.name(), Err: err}
		}
		return nil
	})
	return content, err
}

// readAll is what is in an open file. The kernel's own files do not say how long they are.
func readAll(fd int) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", err
	}
	if n := (Node{Mode: modeOf(st.Mode)}); !n.Mode.IsRegular() {
		return "", fmt.Errorf("it is %s", kindOf(n))
	}
	buffer := make([]byte, 0, min(max(st.Size, 0), 1<<20)+512)
	for {
		n, err := unix.Read(fd, buffer[len(buffer):cap(buffer)])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return "", err
		case n == 0:
			return string(buffer), nil
		}
		if buffer = buffer[:len(buffer)+n]; len(buffer) == cap(buffer) {
			buffer = slices.Grow(buffer, len(buffer))
		}
	}
}

// open opens a file, and never what a link leads to. With O_CREAT it makes it as n. It does not wait: a pipe that
// somebody planted has nobody at its other end, and a serial line may have no carrier.
func (d *disk) open(p place, flags int, n Node) (f *os.File, err error) {
	made := false
	err = d.near(p, func(folder int, base string) error {
		fd, err := unix.Openat(folder, base, flags&^unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if errors.Is(err, unix.ENOENT) && flags&unix.O_CREAT != 0 {
			made = true
			fd, err = unix.Openat(folder, base, flags|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		}
		if err != nil {
			return &fs.PathError{Op: "open", Path: p.name(), Err: err}
		}
		unix.SetNonblock(fd, false) // programs that get it as their output expect to wait
		f = os.NewFile(uintptr(fd), p.name())
		return nil
	})
	switch {
	case err == nil && made:
		err = d.dress(f, p, n, "")
	case err == nil && flags&unix.O_WRONLY != 0:
		err = d.stillOurs(f, p)
	}
	if err != nil && f != nil {
		f.Close()
	}
	return f, err
}

// stillOurs looks at what was opened to be written. Since the walk looked at the name, somebody may have planted another
// file there.
func (d *disk) stillOurs(f *os.File, p place) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return &fs.PathError{Op: "look", Path: p.name(), Err: err}
	}
	if n := (Node{Mode: modeOf(st.Mode), UID: int(st.Uid), GID: int(st.Gid)}); p.isPlanted(n, d.uid) {
		return planted(n)
	}
	return nil
}

// dress gives an open file its owner, its mode and its label.
func (d *disk) dress(f *os.File, p place, n Node, label string) error {
	fd := int(f.Fd())
	if err := chown(n, func() error { return unix.Fchown(fd, n.UID, n.GID) }); err != nil {
		return err
	}
	if label == "" && d.label != nil {
		label = d.label(p.name(), n.Mode)
	}
	if label != "" {
		if err := unix.Fsetxattr(fd, labelName, []byte(label), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("set the SELinux label %s: %w", label, err)
		}
	}
	return unix.Fchmod(fd, chmodNumber(n.Mode))
}

// chown gives away, where there is somebody to give to.
func chown(n Node, do func() error) error {
	if os.Geteuid() != 0 && n.UID == os.Geteuid() {
		return nil
	}
	return do()
}

const labelName = "security.selinux"

// labelAt is the label that a file has; empty where it has none.
func labelAt(folder int, base string) string {
	buffer := make([]byte, 256)
	n, err := unix.Lgetxattr(fmt.Sprintf("/proc/self/fd/%d/%s", folder, base), labelName, buffer)
	if err != nil {
		return ""
	}
	return string(buffer[:n])
}

func (d *disk) list(p place) (names []string, err error) {
	err = d.in(place{path: path.Join(p.path, "x")}, func(folder int, _ string) error {
		fd, err := unix.Openat(folder, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		dir := os.NewFile(uintptr(fd), p.name())
		defer dir.Close()
		names, err = dir.Readdirnames(-1)
		return err
	})
	return names, err
}

func (d *disk) append(p place, data string, n Node) error {
	f, err := d.open(p, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT, n)
	if err != nil {
		return err
	}
	_, err = f.WriteString(data)
	return errors.Join(err, f.Close())
}

func (d *disk) put(p place, n Node) (string, error) {
	switch {
	case n == gone:
		return "", d.remove(p)
	case n.Mode.IsDir():
		return "", d.mkdir(p, n)
	case n.Mode.Type() == fs.ModeSymlink:
		return "", d.symlink(p, n)
	case strings.HasPrefix(p.path, "proc/") || strings.HasPrefix(p.path, "sys/"):
		return "", d.append(p, n.Data, n)
	}
	return d.replace(p, n)
}

func (d *disk) remove(p place) error {
	return d.in(p, func(folder int, base string) error {
		err := unix.Unlinkat(folder, base, 0)
		if errors.Is(err, unix.EISDIR) {
			err = unix.Unlinkat(folder, base, unix.AT_REMOVEDIR)
		}
		return err
	})
}

func (d *disk) mkdir(p place, n Node) error {
	var f *os.File
	err := d.in(p, func(folder int, base string) error {
		if err := unix.Mkdirat(folder, base, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		fd, err := unix.Openat(folder, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		f = os.NewFile(uintptr(fd), p.name())
		return err
	})
	if err != nil {
		return err
	}
	return errors.Join(d.dress(f, p, n, ""), f.Close())
}

func (d *disk) symlink(p place, n Node) error {
	return d.in(p, func(folder int, base string) error {
		temp := tempName(base)
		if err := unix.Symlinkat(n.Data, folder, temp); err != nil {
			return err
		}
		if p.uid == 0 { // elsewhere it belongs to whose rights made it
			own := func() error { return unix.Fchownat(folder, temp, n.UID, n.GID, unix.AT_SYMLINK_NOFOLLOW) }
			if err := chown(n, own); err != nil {
				return errors.Join(err, unix.Unlinkat(folder, temp, 0))
			}
		}
		return d.rename(folder, temp, base)
	})
}

// replace writes a file beside the name and moves it there, or, where the name is a mount point, writes it in place.
func (d *disk) replace(p place, n Node) (string, error) {
	temp, label, isLate := tempName(path.Base(p.path)), "", false
	var f *os.File
	err := d.in(p, func(folder int, base string) error {
		label = labelAt(folder, base)
		isLate = !isAt(folder, base) && d.isLate(folder)
		fd, err := unix.Openat(folder, temp, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		f = os.NewFile(uintptr(fd), p.name())
		return err
	})
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(n.Data) // whoever owns the folder, this open file is ours to give away
	err = errors.Join(err, d.dress(f, p, n, label))
	if !isLate {
		err = errors.Join(err, f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.in(p, func(folder int, base string) error { return d.rename(folder, temp, base) })
	}
	if err == nil {
		return "", nil
	}
	d.in(p, func(folder int, _ string) error { return unix.Unlinkat(folder, temp, 0) })
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EXDEV) {
		return "in place: it is a mount point", d.overwrite(p, n, label)
	}
	return "", err
}

// overwrite writes a file where it is.
func (d *disk) overwrite(p place, n Node, label string) error {
	f, err := d.open(p, unix.O_WRONLY, n)
	if err != nil {
		return err
	}
	_, err = f.WriteString(n.Data)
	return errors.Join(err, f.Truncate(int64(len(n.Data))), d.dress(f, p, n, label), f.Sync(), f.Close())
}

// tempName is a name beside the real one that nobody can guess.
func tempName(base string) string {
	if len(base) > 100 {
		base = base[:100]
	}
	return "." + base + ".new-" + rand.Text()
}

// isAt says whether something is at a name.
func isAt(folder int, base string) bool {
	var st unix.Stat_t
	return unix.Fstatat(folder, base, &st, unix.AT_SYMLINK_NOFOLLOW) == nil
}

// rename moves a finished file to its name, for good.
func (d *disk) rename(folder int, from, to string) error {
	if err := unix.Renameat(folder, from, folder, to); err != nil {
		unix.Unlinkat(folder, from, 0)
		return err
	}
	if d.isLate(folder) {
		return nil
	}
	fd, err := unix.Openat(folder, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil // a folder that may be written and not read: the file is there all the same
	}
	defer unix.Close(fd)
	return unix.Fsync(fd)
}

// as runs f with the rights of the place's owner, on a thread that ends with it.
func (d *disk) as(p place, f func() error) error {
	if p.uid == 0 || d.uid != 0 {
		return f()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		if err := takeRights(p.uid, p.gid); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// takeRights gives this thread alone the file system rights of a user; see setfsuid(2).
func takeRights(uid, gid int) error {
	group := uint32(gid)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 1, uintptr(unsafe.Pointer(&group)), 0); errno != 0 {
		return fmt.Errorf("leave root's groups: %w", errno)
	}
	unix.RawSyscall(unix.SYS_SETFSGID, uintptr(gid), 0, 0)
	unix.RawSyscall(unix.SYS_SETFSUID, uintptr(uid), 0, 0)
	if now, _, _ := unix.RawSyscall(unix.SYS_SETFSUID, ^uintptr(0), 0, 0); int(now) != uid {
		return fmt.Errorf("the kernel did not give the rights of uid %d", uid)
	}
	return nil
}

// modeOf translates the kernel's mode.
func modeOf(mode uint32) fs.FileMode {
	kind := fs.FileMode(0)
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		kind = fs.ModeDir
	case unix.S_IFLNK:
		kind = fs.ModeSymlink
	case unix.S_IFIFO:
		kind = fs.ModeNamedPipe
	case unix.S_IFSOCK:
		kind = fs.ModeSocket
	case unix.S_IFBLK:
		kind = fs.ModeDevice
	case unix.S_IFCHR:
		kind = fs.ModeDevice | fs.ModeCharDevice
	}
	return kind | Permissions(mode)
}
