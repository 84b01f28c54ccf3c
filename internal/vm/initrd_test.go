package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The kernel unpacks what cpio unpacks. Files that are not in the machine as they were given make every test in it lie.
func TestFilesArriveAsTheyAre(t *testing.T) {
	if err := errorsOf(exec.LookPath("cpio")); err != nil {
		t.Skipf("cpio, by which the archive is checked, is missing: %v", err)
	}
	data, err := fileArchive([]File{
		{Name: "/usr/bin/program", Mode: 0o755, Data: []byte("program\n")}, {Name: "/etc/empty"}, {Name: "/usr/bin/link", Link: "program"},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, line := range []string{"cpio -i --quiet", "tar -xf files.tar"} {
		c := exec.Command("sh", "-c", line)
		c.Dir, c.Stdin = dir, strings.NewReader(string(data))
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", line, err, out)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "usr/bin/link")); err != nil || info.Mode().Perm() != 0o755 || info.Size() != 8 {
		t.Errorf("through the link: %v, %v", info, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "etc/empty")); err != nil || info.Mode().Perm() != 0o644 || info.Size() != 0 {
		t.Errorf("the empty file: %v, %v", info, err)
	}
}

func errorsOf(_ string, err error) error { return err }
