package hostcli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Packages that differ from build to build cannot be checked by anybody else.
func TestPackagesAreReproducible(t *testing.T) {
	t.Chdir("../..")
	t.Setenv("SOURCE_DATE_EPOCH", "1767225600")
	for _, arch := range []string{"amd64", "arm64"} {
		for _, kind := range []string{"deb", "rpm"} {
			t.Run(kind+" "+arch, func(t *testing.T) {
				first, second := packed(t, kind, arch), packed(t, kind, arch)
				if !bytes.Equal(first, second) {
					t.Error("two builds of the same sources differ")
				}
				if len(first) > 8<<20 {
					t.Errorf("the package has %d bytes", len(first))
				}
			})
		}
	}
}

func packed(t *testing.T, kind, arch string) []byte {
	t.Helper()
	p := Packaging{Kind: kind, Arch: arch, Out: t.TempDir()}
	name, err := p.Write(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What cannot run must not be installed on a thousand machines; the error says what to do.
func TestRefusals(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	cases := []struct {
		p    Packaging
		want string
	}{
		{Packaging{Kind: "deb", Arch: "s390x"}, "amd64 or arm64"},
		{Packaging{Kind: "deb", Arch: "amd64", Maintainer: "nobody"}, "NAME <ADDRESS>"},
		{Packaging{Kind: "deb", Arch: "amd64", Program: text}, "no program for Linux"},
		{Packaging{Kind: "deb", Arch: other, Program: self}, "--arch"},
		{Packaging{Kind: "rpm", Arch: "amd64", Program: "/nowhere/openguest"}, "no such file"},
	}
	for _, c := range cases {
		c.p.Out = t.TempDir()
		if _, err := c.p.Write(context.Background()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want an error with %q", c.p, err, c.want)
		}
		if left, _ := os.ReadDir(c.p.Out); len(left) > 0 {
			t.Errorf("%+v: it left %s behind", c.p, left[0].Name())
		}
	}
}
