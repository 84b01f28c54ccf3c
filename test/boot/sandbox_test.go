// Package boot boots the program in sandboxes: own mounts, processes, network and names, over a copy of a root tree that
// is thrown away. A test looks at what a person would find on the machine afterwards.
package boot

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	_ "openguest/internal/cli" // so that a change of the program is one of its tests
)

// defaultTree is where scripts/peer keeps its root tree; PEER_TREE names another.
const defaultTree = "/var/tmp/peer-bookworm"

// stages are the commands of the four stages, as the units call them.
var stages = [][]string{{"init", "--local"}, {"init"}, {"modules", "--mode=config"}, {"modules", "--mode=final"}}

// A sandbox is a machine that has not booted yet. Its init process is a shell that waits for the test: when the test
// ends, in whatever way, the shell ends, and with it all that runs in the sandbox.
type sandbox struct {
	t     *testing.T
	pid   int // of the shell, as seen from outside
	env   []string
	close func() // ends it before the test does
}

// tree is the root tree to boot; the test is skipped where it cannot be.
func tree(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a sandbox needs root")
	}
	dir := os.Getenv("PEER_TREE")
	if dir == "" {
		dir = defaultTree
	}
	if _, err := os.Stat(dir + "/usr/bin/cloud-init"); err != nil {
		t.Skipf("there is no root tree in %s; scripts/peer makes it", dir)
	}
	return dir
}

// program is the program, built once for all tests.
var program = sync.OnceValues(func() (string, error) {
	for _, sources := range []string{"cmd", "internal", "dist"} { // so that go test knows what its result depends on
		if err := filepath.WalkDir("../../"+sources, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			return "", err
		}
	}
	dir, err := os.MkdirTemp("", "openguest")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "openguest")
	build := exec.Command("go", "build", "-trimpath", "-o", file, "openguest/cmd/openguest")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %v: %s", err, out)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if file, err := program(); err == nil && os.Geteuid() == 0 {
		os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(code)
}

// setUp makes the sandbox's root from inside its namespaces and becomes its first process.
const setUp = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$WORK"; mkdir "$WORK"/u "$WORK"/w "$WORK"/root; r=$WORK/root
mount -t overlay overlay -o lowerdir="$TREE",upperdir="$WORK/u",workdir="$WORK/w" "$r"
mkdir "$r/.upper"; mount --bind "$WORK/u" "$r/.upper"
install -m 755 "$PROGRAM" "$r/usr/bin/openguest"
mount -t proc proc "$r/proc"; mount -t sysfs sysfs "$r/sys"
mount -t tmpfs -o mode=755 tmpfs "$r/dev"
for n in null zero random urandom tty full; do cp -a /dev/$n "$r/dev/"; done
ln -s /proc/self/fd "$r/dev/fd"; : > "$r/dev/console"
mkdir -p "$r/etc/cloud/cloud.cfg.d" "$r/var/lib/cloud/seed/nocloud"
echo 'network: {config: disabled}' > "$r/etc/cloud/cloud.cfg.d/97-no-network.cfg"
echo 'ssh_genkeytypes: [ed25519]' > "$r/etc/cloud/cloud.cfg.d/98-one-host-key.cfg"
echo 'locale: C.UTF-8' > "$r/etc/cloud/cloud.cfg.d/99-locale.cfg"
hostname base
exec chroot "$r" /bin/sh -c 'echo ready; read line'
`

// open makes a sandbox whose cloud says what the seed says.
func open(t *testing.T, userData string) *sandbox {
	t.Helper()
	dir := tree(t)
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp("", "sandbox") // t.TempDir has the test's name in it: a comma there ends a mount's option
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(work) })
	c := exec.Command("bash", "-c", setUp)
	c.Env = append(os.Environ(), "WORK="+work, "TREE="+dir, "PROGRAM="+file)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC}
	s := &sandbox{t: t, env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root"}}
	s.start(c)
	s.powerOn()
	s.seed("i-one", userData)
	return s
}

// start starts the first process and waits until it has made the root.
func (s *sandbox) start(c *exec.Cmd) {
	s.t.Helper()
	stdin, err1 := c.StdinPipe()
	stdout, err2 := c.StdoutPipe()
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := errors.Join(err1, err2, c.Start()); err != nil {
		s.t.Skipf("namespaces cannot be made here: %v", err)
	}
	s.close = sync.OnceFunc(func() {
		stdin.Close()
		c.Process.Kill()
		c.Wait()
	})
	s.t.Cleanup(s.close)
	if line, _ := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		s.t.Fatalf("the sandbox was not made: %s", stderr.String())
	}
	s.pid = c.Process.Pid
}

// powerOn begins a boot: /run is empty, as it is after a restart.
func (s *sandbox) powerOn() {
	s.t.Helper()
	s.sh("umount /run 2>/dev/null; mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/systemd/system /run/lock /run/sshd")
}

// seed says what the cloud says from now on.
func (s *sandbox) seed(id, userData string) {
	s.t.Helper()
	s.write("/var/lib/cloud/seed/nocloud/meta-data", "instance-id: "+id+"\nlocal-hostname: harbour\n")
	s.write("/var/lib/cloud/seed/nocloud/user-data", userData)
}

// A result is what a command came to.
type result struct {
	code   int
	stdout string
	stderr string
}

// command is a command inside the sandbox.
func (s *sandbox) command(argv ...string) *exec.Cmd {
	pid := strconv.Itoa(s.pid)
	c := exec.Command("nsenter", append([]string{"-t", pid, "-m", "-p", "-n", "-u", "-i", "-r", "-w", "--"}, argv...)...)
	c.Env = s.env
	return c
}

// run runs a command inside the sandbox.
func (s *sandbox) run(argv ...string) result {
	s.t.Helper()
	return s.finish(s.command(argv...))
}

func (s *sandbox) finish(c *exec.Cmd) result {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return result{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// sh runs a shell line that must succeed.
func (s *sandbox) sh(line string) string {
	s.t.Helper()
	r := s.run("/bin/sh", "-c", line)
	if r.code != 0 {
		s.t.Fatalf("%s ended with %d: %s%s", line, r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// us runs the program.
func (s *sandbox) us(args ...string) result {
	s.t.Helper()
	return s.run(append([]string{"/usr/bin/openguest"}, args...)...)
}

// boot runs the four stages and returns their exit statuses.
func (s *sandbox) boot() (codes [4]int) {
	s.t.Helper()
	for i, stage := range stages {
		r := s.us(stage...)
		codes[i] = r.code
		if strings.Contains(r.stdout+r.stderr, "goroutine ") {
			s.t.Fatalf("%v panicked:\n%s%s", stage, r.stdout, r.stderr)
		}
	}
	return codes
}

// mustBoot boots, and all stages must be well.
func (s *sandbox) mustBoot() {
	s.t.Helper()
	if codes := s.boot(); codes != [4]int{} {
		s.t.Fatalf("the stages ended with %v\n%s", codes, s.read("/var/log/cloud-init.log"))
	}
}

// reboot boots again.
func (s *sandbox) reboot() [4]int {
	s.t.Helper()
	s.powerOn()
	return s.boot()
}

// openFile opens a path as it is seen inside, whatever links are on the way.
func (s *sandbox) openFile(name string, flags int, mode uint64) (*os.File, error) {
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", s.pid), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Mode: mode, Resolve: unix.RESOLVE_IN_ROOT}
	fd, err := unix.Openat2(root, name, &how)
	for tries := 0; errors.Is(err, unix.EAGAIN) && tries < 1000; tries++ { // something on this host was moved or mounted meanwhile
		fd, err = unix.Openat2(root, name, &how)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// look reads a file; false where there is none.
func (s *sandbox) look(name string) (string, bool) {
	s.t.Helper()
	f, err := s.openFile(name, unix.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data), true
}

// read reads a file that must be there.
func (s *sandbox) read(name string) string {
	s.t.Helper()
	text, ok := s.look(name)
	if !ok {
		s.t.Fatalf("%s is not there", name)
	}
	return text
}

func (s *sandbox) exists(name string) bool {
	_, ok := s.look(name)
	return ok
}

// write writes a file that only root may read.
func (s *sandbox) write(name, text string) {
	s.t.Helper()
	f, err := s.openFile(name, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// config adds a file to the image's configuration.
func (s *sandbox) config(name, text string) {
	s.t.Helper()
	s.write("/etc/cloud/cloud.cfg.d/"+name+".cfg", text)
}

// A file is what can be seen of a file without reading it all.
type file struct {
	mode     fs.FileMode
	uid, gid uint32
	content  string // a digest, or where a link goes
	changed  int64  // nanoseconds
}

// files are all files below folders that differ from the tree: what was written since the sandbox was opened.
func (s *sandbox) files(also ...string) map[string]file {
	s.t.Helper()
	found := map[string]file{}
	root := fmt.Sprintf("/proc/%d/root", s.pid)
	for _, top := range append([]string{"/.upper"}, also...) {
		err := filepath.WalkDir(root+top, func(full string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(strings.TrimPrefix(full, root), "/.upper")
			if name == "/.upper" || name == "/run" && top == "/.upper" {
				return filepath.SkipDir
			}
			found[name], err = describe(full, d)
			return err
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return found
}

func describe(full string, d fs.DirEntry) (file, error) {
	info, err := d.Info()
	if err != nil {
		return file{}, err
	}
	stat := info.Sys().(*syscall.Stat_t)
	f := file{mode: info.Mode(), uid: stat.Uid, gid: stat.Gid, changed: info.ModTime().UnixNano()}
	switch {
	case info.Mode().Type() == fs.ModeSymlink:
		f.content, err = os.Readlink(full)
	case info.Mode().IsRegular():
		var data []byte
		data, err = os.ReadFile(full)
		f.content = fmt.Sprintf("%x", sha256.Sum256(data))
	}
	return f, err
}

// differences names the paths in which two looks at the files differ; when counts the times too.
func differences(a, b map[string]file, when bool) (paths []string) {
	all := maps.Clone(a)
	maps.Copy(all, b)
	for name := range all {
		x, inA := a[name]
		y, inB := b[name]
		if !when || x.mode.IsDir() {
			x.changed, y.changed = 0, 0
		}
		if inA != inB || x != y {
			paths = append(paths, fmt.Sprintf("%s: %+v, %+v", name, x, y))
		}
	}
	return paths
}

// tells fails the test where a text does not fit a pattern.
func tells(t *testing.T, what, text, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(text) {
		t.Errorf("%s does not say %q:\n%s", what, pattern, text)
	}
}
