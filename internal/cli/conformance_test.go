package cli

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Row C07: the examples that cloud-init's people write their own after are valid. One that is not would turn people away
// from a check that they need.
func TestExamplesOfCloudInitAreValid(t *testing.T) {
	const folder = "../../../shared/conformance/cloud-config"
	if _, err := os.Stat(folder); err != nil {
		t.Skip("the examples of cloud-init are not beside the repository, in shared/conformance")
	}
	checked := 0
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		stdout, stderr, status := runIn(t, "schema", "--root", t.TempDir(), "-c", name)
		want := "Valid schema " + name
		switch first, _, _ := strings.Cut(string(text), "\n"); {
		case strings.HasSuffix(name, "kernel-command-line.txt") || strings.HasSuffix(name, "plain-ignored.txt"):
			want = "Invalid user-data " + name // they have no line that says what they are
		case !strings.HasPrefix(first, "#cloud-config") && !strings.HasPrefix(first, "## template: jinja"), strings.HasPrefix(first, "#cloud-config-archive"):
			want = "not currently evaluated by cloud-init schema"
		}
		if (status == 0) == strings.HasPrefix(want, "Invalid") || !strings.Contains(stdout, want) {
			t.Errorf("%s: status %d, printed %q and %q", name, status, stdout, stderr)
		}
		checked++
		return nil
	})
	if err != nil || checked < 100 {
		t.Errorf("%d examples were checked: %v", checked, err)
	}
}

// runIn runs a command in this process.
func runIn(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, problems bytes.Buffer
	p := &program{name: "cloud-init", stdout: &out, stderr: &problems}
	p.execute(t.Context(), p.root(), args)
	return out.String(), problems.String(), p.status
}
