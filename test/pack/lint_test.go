// Package pack tests the packages of the guest: that they lint, and what installing, upgrading, removing and booting them
// does to a Debian with cloud-init.
package pack

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const dist = "../../dist"

// tool is skipped where a program is not there.
func tool(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: apt-get install %s", name, name)
		}
	}
}

// run runs a program and returns all that it printed.
func run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	return string(out), err
}

// Row B02, and row 69 of gce-linux. A package that lints ill is refused by distributions.
func TestLintian(t *testing.T) {
	tool(t, "lintian")
	args := []string{"--allow-root", "--fail-on", "error,warning"}
	for _, arch := range architectures {
		args = append(args, pkg(t, "deb", arch))
	}
	if out, err := run(t, "lintian", args...); err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRPMLint(t *testing.T) {
	tool(t, "rpmlint", "rpm", "cpio")
	args := []string{"--config", "rpmlint.toml"}
	for _, arch := range architectures {
		rpm := pkg(t, "rpm", arch)
		args = append(args, rpm)
		if out, err := run(t, "rpm", "--checksig", rpm); err != nil {
			t.Errorf("rpm does not believe the package for %s: %v\n%s", arch, err, out)
		}
		installRPM(t, rpm)
		if out, _ := exec.Command("sh", "-c", "rpm2cpio '"+rpm+"' | cpio --list --quiet").Output(); strings.Contains("\n"+string(out), "\n/") {
			t.Error("a name in the archive is absolute: who unpacks it by hand as root overwrites the system")
		}
	}
	if out, err := run(t, "rpmlint", args...); err != nil || !strings.Contains(out, "0 errors, 0 warnings") {
		t.Errorf("%v\n%s", err, out)
	}
}

// installRPM has rpm install the package into a folder, and compare what is there then with what the package says.
func installRPM(t *testing.T, rpm string) {
	t.Helper()
	root := t.TempDir()
	if out, err := run(t, "rpm", "--root", root, "--install", "--nodeps", "--noscripts", "--ignorearch", rpm); err != nil {
		t.Fatalf("rpm cannot install it: %v\n%s", err, out)
	}
	if out, err := run(t, "rpm", "--root", root, "--verify", "--nodeps", "openguest"); err != nil {
		t.Errorf("what is installed is not what the package says: %v\n%s", err, out)
	}
}

// Row B23: the init scripts run under the smallest shells.
func TestScriptsLint(t *testing.T) {
	tool(t, "shellcheck", "dash")
	for _, pattern := range []string{"sysvinit/*", "openrc/*", "deb/p*", "rpm/p*", "hotplug/*"} {
		files, err := filepath.Glob(filepath.Join(dist, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %d files", pattern, err, len(files))
		}
		for _, name := range files {
			if out, err := run(t, "dash", "-n", name); err != nil {
				t.Errorf("%s: %s", name, out)
			}
			// SC1091: what a script reads of the system is not here. SC2034: OpenRC reads description.
			if out, err := run(t, "shellcheck", "-s", "sh", "-e", "SC1091,SC2034", name); err != nil {
				t.Errorf("%s: %s", name, out)
			}
		}
	}
}

// before are the Before= edges of the units of cloud-init, Debian's 22.4 and upstream's 26.2: who is ordered by them
// would start too early without one.
var before = map[string][]string{
	"cloud-init-local.service": {"network-pre.target", "shutdown.target", "sysinit.target", "NetworkManager.service", "firewalld.target"},
	"cloud-init-network.service": {"network-online.target", "sshd-keygen.service", "sshd.service", "systemd-user-sessions.service",
		"sysinit.target", "shutdown.target", "chronyd.service"},
	"cloud-final.service": {"apt-daily.service"},
}

// Row B02.
func TestOrderingEdges(t *testing.T) {
	for unit, wanted := range before {
		got := values(t, "systemd/"+unit, "Before")
		for _, other := range wanted {
			if !slices.Contains(got, other) {
				t.Errorf("%s is not before %s", unit, other)
			}
		}
	}
}

// Homes may be on a disk of their own: who is given one before it is mounted loses it.
func TestUsersAreMadeWhereHomesAre(t *testing.T) {
	for _, unit := range []string{"systemd/cloud-init-network.service", "rpm/cloud-init-network.service"} {
		if got := values(t, unit, "After"); !slices.Contains(got, "local-fs.target") {
			t.Errorf("%s is after %v, and not after local-fs.target", unit, got)
		}
	}
}

// A machine without a network would wait for it for two minutes, and who cannot log in cannot mend that.
func TestNoUnitWaitsForTheNetworkBeforeLogins(t *testing.T) {
	units, err := filepath.Glob(dist + "/*/*.service")
	if err != nil || len(units) < 5 {
		t.Fatal(err, units)
	}
	for _, name := range units {
		unit := strings.TrimPrefix(name, dist+"/")
		for _, key := range []string{"After", "Wants", "Requires"} {
			for _, other := range values(t, unit, key) {
				early := strings.Contains(unit, "cloud-init-")
				if strings.Contains(other, "wait-online") || early && (other == "network-online.target" || other == "networking.service") {
					t.Errorf("%s: %s=%s", unit, key, other)
				}
			}
		}
		limit := values(t, unit, "TimeoutSec")
		finite := len(limit) == 1 && limit[0] != "infinity" && limit[0] != "0"
		if finite != (strings.Contains(unit, "cloud-init-") || strings.Contains(unit, "hostkeys")) {
			t.Errorf("%s: TimeoutSec=%v; what logins wait for has an end, people's scripts have not", unit, limit)
		}
	}
}

// values are the words of a setting of a unit, from all its lines.
func values(t *testing.T, unit, key string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dist, unit))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			all = append(all, strings.Fields(value)...)
		}
	}
	return all
}
