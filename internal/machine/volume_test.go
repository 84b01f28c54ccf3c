package machine

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// seedTree is a folder with all that people put into a seed, and more.
func seedTree(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	noise := make([]byte, 300_000)
	rand.NewChaCha8([32]byte{}).Read(noise)
	files := map[string]string{
		"user-data":                       "#cloud-config\n",
		"meta-data":                       "instance-id: i-1\n",
		"openstack/latest/meta_data.json": `{"uuid": "1"}`,
		"openstack/latest/user_data":      string(noise[:4096]),
		"noise":                           string(noise),
		"noise.1":                         string(noise[:4097]),
		"UPPER.TXT":                       "upper",
		"lower.txt":                       "lower",
		"Mixed.Case":                      "mixed",
		"nothing":                         "",
		"a name that is much longer than eight letters and three, with spaces.and.points": "long",
		"thirteen-long":        "its long name has no end mark",
		"żółć-日本.txt":          "letters of the world",
		"one/two/three/four/f": "deep",
	}
	for i := range 200 {
		files["many/file-with-number-"+strconv.Itoa(i)+".text"] = strconv.Itoa(i)
	}
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), text)
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// runTool runs a program, or skips the test where the program is missing.
func runTool(t *testing.T, dir string, argv ...string) {
	t.Helper()
	program, err := exec.LookPath(argv[0])
	if err != nil {
		t.Skipf("%s is not installed", argv[0])
	}
	cmd := exec.Command(program, argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C.UTF-8", "MTOOLS_SKIP_CHECK=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(argv, " "), err, out)
	}
}

// openImage opens a disk that is a file.
func openImage(t *testing.T, file string, open func(*io.SectionReader) (*volume, error)) Files {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	v, err := open(io.NewSectionReader(f, 0, info.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return walked{store: v}
}

// compareTree says where files differ from the folder that they were made of. renamed is what a name becomes on the disk.
func compareTree(t *testing.T, files Files, dir string, renamed func(name string) string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, _ := filepath.Rel(dir, name)
		at := renamed(relative)
		if entry.IsDir() {
			compareFolder(t, files, name, at, func(base string) string { return path.Base(renamed(path.Join(relative, base))) })
			return nil
		}
		want, err := os.ReadFile(name)
		if got, readErr := files.Read(at); err == nil && (readErr != nil || got != string(want)) {
			t.Errorf("%s has %d bytes, %v; want the %d of %s", at, len(got), readErr, len(want), relative)
		}
		if n, err := files.Look(at); err != nil || n != File(0o644, "") {
			t.Errorf("%s is %v, %v", at, n, err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func compareFolder(t *testing.T, files Files, name, at string, renamed func(base string) string) {
	t.Helper()
	entries, err := os.ReadDir(name)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, entry := range entries {
		want = append(want, renamed(entry.Name()))
	}
	slices.Sort(want)
	if got, err := files.List(at); err != nil || !slices.Equal(got, want) {
		t.Errorf("in %s there are %q, %v; want %q", at, got, err, want)
	}
	if n, err := files.Look(at); err != nil || n != Folder(0o755) {
		t.Errorf("%s is %v, %v", at, n, err)
	}
}

func sameName(name string) string { return name }

// openBytes opens a disk in memory.
func openBytes(disk []byte, open func(*io.SectionReader) (*volume, error)) (Files, error) {
	v, err := open(io.NewSectionReader(bytes.NewReader(disk), 0, int64(len(disk))))
	return walked{store: v}, err
}

// checkBounds walks through a disk that anybody may have written, as far as nobody loses patience.
func checkBounds(t *testing.T, disk []byte, open func(*io.SectionReader) (*volume, error)) {
	files, err := openBytes(disk, open)
	if err != nil {
		return
	}
	nodes, bytes := 0, 0
	var visit func(name string)
	visit = func(name string) {
		if nodes++; nodes > 200 || bytes > maxVolumeFile {
			return
		}
		text, _ := files.Read(name)
		if bytes += len(text); len(text) > maxVolumeFile {
			t.Errorf("%s has %d bytes", name, len(text))
		}
		if n, err := files.Look(name); err != nil || !n.Mode.IsDir() {
			return
		}
		names, _ := files.List(name)
		if len(names) > maxVolumeNames || len(names) > 0 && strings.Count(name, "/") > maxVolumeDepth {
			t.Errorf("%s, which is %d deep, has %d names", name, strings.Count(name, "/"), len(names))
		}
		for _, base := range names {
			if base == "" || base == "." || base == ".." || strings.ContainsAny(base, "/\x00") {
				t.Fatalf("%q is the name of a file in %q", base, name)
			}
			visit(path.Join(name, base))
		}
	}
	visit("/")
}

// Nothing may be written to a seed, and a program that tries must hear so.
func TestVolumeIsReadOnly(t *testing.T) {
	files, err := openBytes(fatDisk(12), openFAT)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.Put("/new", File(0o644, "x")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a new file: %v", err)
	}
	if _, err := files.Remove("/hello.txt"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("removed: %v", err)
	}
	if err := files.Append("/hello.txt", "x", File(0o644, "")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("added to: %v", err)
	}
	if _, err := files.Read("/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := files.Read("/hello.txt/below"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file below a file: %v", err)
	}
	if _, err := files.Read("/" + strings.Repeat("sub/", maxVolumeDepth+1)); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deeper than allowed: %v", err)
	}
}
