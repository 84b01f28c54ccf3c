package source

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The expectations of detectCases are ds-identify's own: DS_IDENTIFY names the script of cloud-init 24.1 or later. It
// runs on a folder in place of the root. Containers are left out: it asks systemd about them.
func TestDsIdentifyAgrees(t *testing.T) {
	script := os.Getenv("DS_IDENTIFY")
	if script == "" {
		t.Skip("DS_IDENTIFY does not name the script tools/ds-identify of cloud-init 24.1 or later")
	}
	for name, c := range detectCases() {
		if strings.Contains(c.files, "/run/systemd/container") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			run, code := dsIdentify(t, script, c)
			if run != c.run || (code == 1) != c.disabled {
				t.Errorf("it ends with %d and writes\n%swant disabled %v and\n%s", code, run, c.disabled, c.run)
			}
		})
	}
}

// dsIdentify runs the script on a case; it comes back with what that wrote, and its exit code.
func dsIdentify(t *testing.T, script string, c detectCase) (run string, code int) {
	root := t.TempDir()
	put := func(name, text string) {
		full := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put("proc/cmdline", "ro\n")
	put("sys/class/dmi/id/board_name", "\n")
	put("etc/cloud/cloud.cfg", c.config+"\n")
	for _, part := range strings.Split("\n"+c.files, "\n-- ")[1:] {
		name, body, _ := strings.Cut(part, " --\n")
		put(name, body+"\n")
	}
	devices := "DEVNAME=/dev/vda\nTYPE=ext4\n"
	for _, d := range c.devices {
		devices += "\nDEVNAME=" + d.Path + "\nTYPE=" + d.Type + "\nLABEL=" + d.Label + "\n"
	}
	put("bin/blkid", "#!/bin/sh\ncat <<END\n"+devices+"END\n")
	cmd := exec.Command("sh", script, "--force")
	cmd.Env = append(os.Environ(), "PATH_ROOT="+root, "PATH="+root+"/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DI_LOG="+root+"/log")
	if out, err := cmd.CombinedOutput(); err != nil && cmd.ProcessState == nil {
		t.Fatalf("%v: %s", err, out)
	}
	written, _ := os.ReadFile(filepath.Join(root, "run/cloud-init/cloud.cfg"))
	return string(written), cmd.ProcessState.ExitCode()
}
