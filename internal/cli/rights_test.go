package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is a user without rights, on each system.
const nobody = 65534

// asNobody runs the program as a user without rights, and returns what it printed and its exit status. A test that is not
// root's is run by such a user.
func asNobody(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.Command(copyForAll(t))
	cmd.Args = args
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	var out, problems strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), problems.String(), cmd.ProcessState.ExitCode()
}

// copyForAll copies the program to where everybody may run it.
func copyForAll(t *testing.T) string {
	t.Helper()
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	dir := openDir(t)
	if err := os.WriteFile(filepath.Join(dir, "program"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "program")
}

// openDir is a folder that everybody may enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Row C21: who forgets sudo reads one line that says so, and no trace.
func TestOthersThanRoot(t *testing.T) {
	for _, args := range [][]string{
		{"cloud-init", "init"}, {"cloud-init", "init", "--local"}, {"cloud-init", "modules"}, {"cloud-init", "single", "-n", "runcmd"},
		{"cloud-init", "clean"}, {"cloud-init", "collect-logs"}, {"openguest", "boot"}, {"openguest", "why"}, {"cloud-init", "schema", "--system"},
	} {
		stdout, stderr, status := asNobody(t, args...)
		if status != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "root") {
			t.Errorf("%v: status %d, printed %q and %q", args, status, stdout, stderr)
		}
	}
}

// Row C05: others than root may ask, and find in place of each secret a word that says why it is not there.
func TestQueryByOthersThanRoot(t *testing.T) {
	root := openDir(t)
	run := root + "/run/cloud-init"
	if err := os.MkdirAll(run, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"instance-data.json": 0o644, "instance-data-sensitive.json": 0} {
		text := `{"v1": {"region": "eu"}, "from": "` + name + `"}`
		if err := os.WriteFile(filepath.Join(run, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"region": "eu\n", "from": "instance-data.json\n",
		"userdata":              "<redacted for non-root user> file:/var/lib/cloud/instance/user-data.txt\n",
		"vendordata":            "<redacted for non-root user> file:/var/lib/cloud/instance/vendor-data.txt\n",
		"combined_cloud_config": "<redacted for non-root user> file:/run/cloud-init/combined-cloud-config.json\n",
	} {
		if stdout, stderr, status := asNobody(t, "cloud-init", "query", "--root", root, name); stdout != want || status != 0 {
			t.Errorf("%s: status %d, printed %q and %q", name, status, stdout, stderr)
		}
	}
}
