package pack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"openguest/internal/hostcli"
)

// architectures are those that packages are made for.
var architectures = []string{"amd64", "arm64"}

// epoch is the time of all files in the packages.
const epoch = "1767225600"

// A workshop writes each package once for all tests, and fetches those of others once.
type workshop struct {
	mu     sync.Mutex
	folder string
	files  map[string]string // by kind and architecture, or by the name of somebody else's
}

// made are the packages of this program.
var made workshop

func TestMain(m *testing.M) {
	status := m.Run()
	os.RemoveAll(made.folder) // nobody looks for it
	os.Exit(status)
}

// pkg is the file of a package of this program, for reading only.
func pkg(t *testing.T, kind, arch string) string {
	t.Helper()
	made.mu.Lock()
	defer made.mu.Unlock()
	if err := made.open(); err != nil {
		t.Fatal(err)
	}
	if name, there := made.files[kind+arch]; there {
		return name
	}
	t.Setenv("SOURCE_DATE_EPOCH", epoch)
	name := writePackage(t, "../..", hostcli.Packaging{Kind: kind, Arch: arch, Out: made.folder})
	made.files[kind+arch] = name
	return name
}

// fetch gives a package of Debian, from this host's apt.
func (w *workshop) fetch(name string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.open(); err != nil {
		return nil, err
	}
	if file, there := w.files[name]; there {
		return os.ReadFile(file)
	}
	c := exec.Command("apt-get", "download", name)
	c.Dir = w.folder
	if out, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("apt-get download %s: %w: %s", name, err, strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", "; "))
	}
	found, err := filepath.Glob(filepath.Join(w.folder, name+"_*.deb"))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("apt-get download %s: it left %v %w", name, found, err)
	}
	w.files[name] = found[0]
	return os.ReadFile(found[0])
}

// open makes the folder the first time.
func (w *workshop) open() (err error) {
	if w.folder == "" {
		w.folder, err = os.MkdirTemp("", "openguest-packages-")
		w.files = map[string]string{}
	}
	return err
}

// writePackage writes a package of the sources in a folder.
func writePackage(t *testing.T, sources string, p hostcli.Packaging) string {
	t.Helper()
	back, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(sources)
	defer t.Chdir(back)
	name, err := p.Write(context.Background())
	if err != nil {
		t.Fatal(fmt.Errorf("%s for %s: %w", p.Kind, p.Arch, err))
	}
	return name
}

// packages is a folder with the packages for this machine, to which more may be added.
func packages(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, kind := range []string{"deb", "rpm"} {
		name := pkg(t, kind, "amd64")
		data, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, filepath.Base(name)), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return folder
}
