package pack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"openguest/internal/command"
)

func small() *Package {
	return &Package{Name: "small", Version: "1.2", Arch: "amd64", Summary: "a small thing", Description: "It is small.\n\nVery.",
		Licence: "Apache-2.0", Maintainer: "Ada <ada@example.org>", Built: time.Unix(1767225600, 0), Conflicts: []string{"large"},
		Provides: []Provision{{"large", "9"}}, Scripts: map[string]string{"postinst": "#!/bin/sh\n", "postin": "true\n"},
		Files: []File{
			{Name: "/usr/share/small/data", Data: []byte("data")},
			{Name: "/usr/bin/small", Mode: 0o755, Data: []byte("#!/bin/sh\n")},
			{Name: "/usr/bin/tiny", Link: "small"},
			{Name: "/etc/small.conf", Data: []byte("a=b\n"), Config: true},
		}}
}

// members reads an ar archive.
func members(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	rest, ok := bytes.CutPrefix(data, []byte("!<arch>\n"))
	if !ok {
		t.Fatal("it is no ar archive")
	}
	all := map[string][]byte{}
	for len(rest) > 0 {
		name, size := strings.TrimSpace(string(rest[:16])), 0
		for _, digit := range strings.TrimSpace(string(rest[48:58])) {
			size = size*10 + int(digit-'0')
		}
		all[name] = rest[60 : 60+size]
		rest = rest[60+size+size%2:]
	}
	return all
}

// listing reads a compressed tar archive: a line for each member.
func listing(t *testing.T, data []byte) (lines []string, content map[string]string) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	content = map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines, content
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		content[h.Name] = string(body)
		lines = append(lines, h.FileInfo().Mode().String()+" "+h.Name+" "+h.Linkname+" "+h.Uname)
	}
}

// A wrong mode or owner is a program that does not run, or one that anybody may change.
func TestDeb(t *testing.T) {
	var out bytes.Buffer
	if err := small().WriteDeb(&out); err != nil {
		t.Fatal(err)
	}
	parts := members(t, out.Bytes())
	if string(parts["debian-binary"]) != "2.0\n" {
		t.Errorf("debian-binary holds %q", parts["debian-binary"])
	}
	lines, _ := listing(t, parts["data.tar.gz"])
	want := `drwxr-xr-x ./  root
drwxr-xr-x ./etc/  root
drwxr-xr-x ./usr/  root
drwxr-xr-x ./usr/bin/  root
drwxr-xr-x ./usr/share/  root
drwxr-xr-x ./usr/share/small/  root
-rw-r--r-- ./etc/small.conf  root
-rwxr-xr-x ./usr/bin/small  root
Lrwxrwxrwx ./usr/bin/tiny small root
-rw-r--r-- ./usr/share/small/data  root`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("the files are\n%s\nwant\n%s", got, want)
	}
	_, control := listing(t, parts["control.tar.gz"])
	wantControl := "Package: small\nVersion: 1.2\nArchitecture: amd64\nMaintainer: Ada <ada@example.org>\nInstalled-Size: 3\nConflicts: large\n" +
		"Replaces: large\nProvides: large (= 9)\nSection: admin\nPriority: optional\nDescription: a small thing\n It is small.\n .\n Very.\n"
	if control["./control"] != wantControl {
		t.Errorf("control holds\n%s\nwant\n%s", control["./control"], wantControl)
	}
	if control["./conffiles"] != "/etc/small.conf\n" {
		t.Errorf("conffiles holds %q: a person's changes would be lost at an upgrade", control["./conffiles"])
	}
}

// The same content in another order is the same package.
func TestOrderDoesNotMatter(t *testing.T) {
	turned := small()
	turned.Files[0], turned.Files[3] = turned.Files[3], turned.Files[0]
	for name, write := range map[string]func(*Package, io.Writer) error{"deb": (*Package).WriteDeb, "rpm": (*Package).WriteRPM} {
		var a, b bytes.Buffer
		if err := errors.Join(write(small(), &a), write(turned, &b)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: the packages differ", name)
		}
	}
}

func TestRefusedPackages(t *testing.T) {
	twice, relative, strange := small(), small(), small()
	twice.Files = append(twice.Files, File{Name: "/usr/bin/small"})
	relative.Files = append(relative.Files, File{Name: "usr/bin/other"})
	strange.Arch = "vax"
	for want, p := range map[string]*Package{"there already": twice, "not absolute": relative, `"vax"`: strange} {
		if err := p.WriteRPM(io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

// A package without one of its units would be half a boot.
func TestGuestNeedsAllFiles(t *testing.T) {
	g := Guest{Arch: "amd64", Version: "1", Stands: "26.2", Files: fstest.MapFS{}}
	if _, err := g.Deb(); err == nil || !strings.Contains(err.Error(), "openguest") {
		t.Errorf("made from nothing: %v", err)
	}
}

func TestManPage(t *testing.T) {
	nothing := func(context.Context, []string) error { return nil }
	from := "/"
	root := &command.Command{Use: "thing", Short: "Do things", Long: ".dots first\n\nand a \\ sign", Commands: []*command.Command{
		{Use: "run FILE", Short: "Run a file", Run: nothing, Flags: []command.Flag{command.Text(&from, "root", "r", "the root of it")}},
		{Use: "secret", Hidden: true, Run: nothing},
	}}
	page := string(ManPage(root, "1.2", time.Unix(1767225600, 0)))
	for _, want := range []string{`.TH "THING" "1" "2026\-01\-01" "thing 1.2" "User commands"`, `thing \- do things`, `\&.dots first`, `and a \e sign`,
		".SS \"run FILE [flags]\"\nRun a file.", "\\fB\\-r, \\-\\-root TEXT\\fR\nthe root of it (default /)"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in\n%s", want, page)
		}
	}
	if strings.Contains(page, "secret") {
		t.Error("a hidden command is shown")
	}
}
