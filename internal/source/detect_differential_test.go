package source

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"openguest/internal/machine"
)

// The expectations of our cases are ds-identify's own: DS_IDENTIFY names the script of cloud-init 24.1 or later. It runs on
// a folder in place of the root; what our facts say of the processor and of containers, it is told.
func TestDsIdentifyAgrees(t *testing.T) {
	script := os.Getenv("DS_IDENTIFY")
	if script == "" {
		t.Skip("DS_IDENTIFY does not name the script tools/ds-identify of cloud-init 24.1 or later")
	}
	for name, c := range detectCases() {
		t.Run(name, func(t *testing.T) {
			run, code := dsIdentify(t, script, identifyCase{files: c.files, config: c.config, disks: c.devices})
			if run != c.run || (code == 1) != c.disabled {
				t.Errorf("it ends with %d and writes\n%swant disabled %v and\n%s", code, run, c.disabled, c.run)
			}
		})
	}
	for _, c := range identifyCases() {
		t.Run(c.name, func(t *testing.T) {
			if strings.Contains(c.files, "/dev/lxd/sock") || strings.Contains(c.files, "-- /config-drive/") || strings.HasPrefix(c.name, "WSL, ") {
				t.Skip("it looks for this at the host's own root")
			}
			if c.ours {
				t.Skip("we differ here, on purpose")
			}
			run, code := dsIdentify(t, script, c)
			if found := c.want != ""; found != (code == 0) || found && run != c.run() {
				t.Errorf("it ends with %d and writes\n%swant %q", code, run, c.want)
			}
		})
	}
}

// dsIdentify runs the script on a case; it comes back with what that wrote, and its exit code.
func dsIdentify(t *testing.T, script string, c identifyCase) (run string, code int) {
	facts := c.world(t).machine.Facts
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
	put("run/systemd/x", "")
	put("sys/class/dmi/id/board_name", "\n")
	put("etc/cloud/cloud.cfg", c.config+"\n")
	for _, part := range strings.Split("\n"+c.files, "\n-- ")[1:] {
		name, body, _ := strings.Cut(part, " --\n")
		put(name, body+"\n")
	}
	put("bin/blkid", "#!/bin/sh\ncat <<END\n"+blkid(c.disks, put)+"END\n")
	version, _ := machine.Fake(c.files, time.Unix(0, 0)).Files.Read("/proc/sys/kernel/version")
	put("bin/uname", fmt.Sprintf("#!/bin/sh\necho Linux %s %s\n", strings.TrimSpace(version), facts.Architecture()))
	putTools(c, put)
	cmd := exec.Command("sh", script, "--force")
	cmd.Env = append(os.Environ(), "PATH_ROOT="+root, "PATH="+root+"/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DI_LOG="+root+"/log",
		"SYSTEMD_VIRTUALIZATION=vm:"+facts.Virtualization())
	for _, name := range []string{"VMX_GUESTINFO", "VMX_GUESTINFO_METADATA", "VMX_GUESTINFO_USERDATA", "VMX_GUESTINFO_VENDORDATA"} {
		cmd.Env = append(cmd.Env, name+"="+facts.Environment(name))
	}
	if out, err := cmd.CombinedOutput(); err != nil && cmd.ProcessState == nil {
		t.Fatalf("%v: %s", err, out)
	}
	written, _ := os.ReadFile(filepath.Join(root, "run/cloud-init/cloud.cfg"))
	return string(written), cmd.ProcessState.ExitCode()
}

// blkid is what blkid(8) prints of the disks. A disc's files are put where the script reads the drive.
func blkid(disks []fakeDevice, put func(name, text string)) string {
	text := "DEVNAME=/dev/vda\nTYPE=ext4\n"
	for _, d := range disks {
		text += "\nDEVNAME=" + d.Path + "\nTYPE=" + d.Type + "\nLABEL=" + d.Label + "\n"
		if d.UUID != "" {
			text += "UUID=" + d.UUID + "\n"
		}
		put(d.Path, d.files)
	}
	return text
}

// putTools puts the platform's programs where the script finds them.
func putTools(c identifyCase, put func(name, text string)) {
	for _, tool := range []string{"vmware-rpctool", "vmtoolsd"} {
		if !strings.Contains(c.files, "-- /usr/bin/"+tool+" ") {
			continue
		}
		text := "#!/bin/sh\ncase \"$*\" in\n"
		for _, line := range slices.Sorted(maps.Keys(c.says)) {
			if arguments, ok := strings.CutPrefix(line, "/usr/bin/"+tool+" "); ok {
				text += fmt.Sprintf("%q) cat <<'END'\n%s\nEND\n;;\n", arguments, c.says[line])
			}
		}
		put("bin/"+tool, text+"*) exit 1;;\nesac\n")
	}
}
