package pack

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"openguest/internal/cli"
	"openguest/internal/hostcli"
)

// contents are the files that each package has, whatever its kind; a link is shown with where it leads.
var contents = strings.Fields(`
	usr/bin/openguest usr/bin/cloud-init->openguest usr/bin/cloud-id->openguest usr/bin/cloud-init-per
	usr/lib/systemd/system/cloud-init-local.service usr/lib/systemd/system/cloud-init-network.service
	usr/lib/systemd/system/cloud-config.service usr/lib/systemd/system/cloud-final.service
	usr/lib/systemd/system/cloud-init.service->cloud-init-network.service
	usr/lib/systemd/system/cloud-config.target usr/lib/systemd/system/cloud-init.target usr/lib/systemd/system/openguest.target
	usr/lib/systemd/system/openguest-watch.service usr/lib/systemd/system/openguest-hostkeys.service
	usr/lib/systemd/system/cloud-init-hotplugd.service usr/lib/systemd/system/cloud-init-hotplugd.socket
	usr/lib/systemd/system-generators/openguest-generator->../../../bin/openguest
	usr/lib/systemd/system-preset/90-openguest.preset
	usr/lib/systemd/system/sshd-keygen@.service.d/disable-sshd-keygen-if-cloud-init-active.conf
	usr/share/bash-completion/completions/openguest usr/share/bash-completion/completions/cloud-init
	usr/share/man/man1/openguest.1.gz usr/share/man/man1/cloud-init.1.gz usr/share/man/man1/cloud-id.1.gz usr/share/man/man1/cloud-init-per.1.gz
	usr/share/openguest/openrc/cloud-init-local usr/share/openguest/openrc/cloud-init usr/share/openguest/openrc/cloud-config usr/share/openguest/openrc/cloud-final
	usr/share/openguest/sysvinit/cloud-init-local usr/share/openguest/sysvinit/cloud-init usr/share/openguest/sysvinit/cloud-config usr/share/openguest/sysvinit/cloud-final
	etc/logrotate.d/openguest`)

// A package without one of its units, or with a file in a folder that is cloud-init's, breaks the machine at the next boot or at the
// purge of cloud-init.
func TestContents(t *testing.T) {
	tool(t, "dpkg-deb", "rpm2cpio", "cpio")
	for _, arch := range architectures {
		for kind, unpack := range map[string]string{
			"deb": "dpkg-deb --fsys-tarfile '%s' | tar --extract --directory '%s'", "rpm": "rpm2cpio '%s' | (cd '%s' && cpio --extract --make-directories --quiet)",
		} {
			t.Run(kind+" "+arch, func(t *testing.T) {
				root := t.TempDir()
				if out, err := run(t, "sh", "-c", fmt.Sprintf(unpack, pkg(t, kind, arch), root)); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				checkContents(t, root)
				checkMachine(t, filepath.Join(root, "usr/bin/openguest"), arch)
			})
		}
	}
}

func checkContents(t *testing.T, root string) {
	t.Helper()
	var got []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if target, err := os.Readlink(filepath.Join(root, name)); err == nil {
			name += "->" + target
		}
		got = append(got, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range contents {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, name := range got {
		if strings.HasPrefix(name, "etc/cloud") || strings.HasPrefix(name, "var/") || strings.HasPrefix(name, "lib/") {
			t.Errorf("%s is not ours to bring", name)
		}
	}
}

// checkMachine says whether the program runs on the architecture, without any library.
func checkMachine(t *testing.T, name, arch string) {
	t.Helper()
	e, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
	if libraries, err := e.ImportedLibraries(); e.Machine != want || err == nil && len(libraries) > 0 {
		t.Errorf("it is a program for %v with the libraries %v", e.Machine, libraries)
	}
}

// What stands for cloud-init must push it out, and keep those packages that need it.
func TestFields(t *testing.T) {
	tool(t, "dpkg-deb", "rpm")
	for _, arch := range architectures {
		want := "Architecture: " + arch + "\nConflicts: cloud-init\nReplaces: cloud-init\nProvides: cloud-init (= " + cli.Compatible + ")\n"
		if out, err := run(t, "dpkg-deb", "--field", pkg(t, "deb", arch), "Architecture", "Conflicts", "Replaces", "Provides"); err != nil || out != want {
			t.Errorf("%v\n%swant\n%s", err, out, want)
		}
		query := "%{ARCH} [%{CONFLICTS} ][%{OBSOLETES} ][%{PROVIDENAME}%{PROVIDEFLAGS:depflags}%{PROVIDEVERSION} ]"
		out, err := run(t, "rpm", "--query", "--package", "--queryformat", query, pkg(t, "rpm", arch))
		if machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]; err != nil || !strings.HasPrefix(out, machine+" cloud-init ") || !strings.Contains(out, "cloud-init="+cli.Compatible) {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// Completion that is not bash makes every shell of the machine complain.
func TestCompletion(t *testing.T) {
	tool(t, "bash", "dpkg-deb")
	root := t.TempDir()
	if out, err := run(t, "sh", "-c", "dpkg-deb --fsys-tarfile '"+pkg(t, "deb", "amd64")+"' | tar --extract --directory '"+root+"'"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// What bash does when somebody types a name, a blank and a part of a command.
	const complete = `. "$1"; function=$(complete -p "$2" | sed 's/.*-F \([^ ]*\).*/\1/')
COMP_WORDS=("$2" "$3"); COMP_CWORD=1; COMP_LINE="$2 $3"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; "$function" "$2" "$3" "$2"; printf '%s\n' "${COMPREPLY[@]}"`
	for name, part := range map[string]string{"openguest": "stat", "cloud-init": "stat"} {
		c := exec.Command("bash", "-c", complete, "bash", filepath.Join(root, "usr/share/bash-completion/completions", name), name, part)
		c.Env = append(os.Environ(), "PATH="+filepath.Join(root, "usr/bin")+":"+os.Getenv("PATH"))
		if out, err := c.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "status" {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}

// Who builds the same commit in another folder, at another time, in another time zone and with other rights for new files must get
// the same bytes: otherwise nobody can check what somebody else published.
func TestReproducibleAnywhere(t *testing.T) {
	tool(t, "git", "touch")
	first, second := t.TempDir(), filepath.Join(t.TempDir(), "another folder", "much deeper", "openguest")
	copySources(t, first, second)
	for _, arch := range architectures {
		t.Run(arch, func(t *testing.T) {
			one := writePackage(t, first, hostcli.Packaging{Kind: "deb", Arch: arch, Out: t.TempDir()})
			t.Setenv("TZ", "Pacific/Kiritimati")
			t.Setenv("LC_ALL", "tr_TR.UTF-8")
			other := writePackage(t, second, hostcli.Packaging{Kind: "deb", Arch: arch, Out: t.TempDir()})
			same(t, one, other)
		})
	}
}

// copySources makes a repository of the sources with one commit, and a copy of it that is older: the program says from which commit
// it is.
func copySources(t *testing.T, first, second string) {
	t.Helper()
	const copies = `set -eu; cd ../..
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' f; do [ ! -f "$f" ] || printf '%s\0' "$f"; done | xargs -0 cp --parents -t "$1"
cd "$1"; git init --quiet; git add --all
export GIT_AUTHOR_DATE=2026-01-01T00:00:00Z GIT_COMMITTER_DATE=2026-01-01T00:00:00Z
git -c user.name=Ada -c user.email=ada@example.org -c commit.gpgSign=false commit --quiet --message sources
mkdir -p "$2"; cp -r . "$2"; cd "$2"; find . -name .git -prune -o -type f -exec touch --date 2001-02-03 {} +; git status --short`
	if out, err := run(t, "bash", "-c", copies, "bash", first, second); err != nil || out != "" {
		t.Fatalf("%v\n%s", err, out)
	}
}

func same(t *testing.T, one, other string) {
	t.Helper()
	a, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) || filepath.Base(one) != filepath.Base(other) {
		t.Errorf("%s has %d bytes and %s %d, and they differ", one, len(a), other, len(b))
	}
}
