package hostcli

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"openguest/dist"
	"openguest/internal/cli"
	"openguest/internal/command"
	"openguest/internal/pack"
)

// Packaging says which package of the guest is to be written.
type Packaging struct {
	Kind    string // "deb" or "rpm"
	Arch    string // "amd64" or "arm64"
	Out     string // the folder that it is written to
	Program string // the guest's program; empty: the sources in the working folder are built
	// Maintainer is whom the package names, "NAME <ADDRESS>"; empty: pack.Maintainer.
	Maintainer string
}

// packageCommand writes packages of the guest.
func (p *program) packageCommand() *command.Command {
	g := Packaging{Arch: "amd64", Out: ".", Maintainer: pack.Maintainer}
	return &command.Command{
		Use: "package deb|rpm", Short: "Write a package of the guest",
		Long: "Write a package of the guest: the program, units for systemd, scripts for OpenRC and sysvinit, manual pages\n" +
			"and completion. The same program makes the same bytes. The time of the files is SOURCE_DATE_EPOCH, or else\n" +
			"that of the commit that the program was built from.",
		Example: "  openguest-host package deb --out dist-packages --arch arm64",
		Args:    command.Args{Least: 1, Most: 1, What: "the kind of package, deb or rpm", Words: []string{"deb", "rpm"}},
		Flags: []command.Flag{
			command.Text(&g.Out, "out", "", "the folder that the package is written to"),
			command.Text(&g.Arch, "arch", "", "amd64 or arm64").Of("amd64", "arm64"),
			command.Text(&g.Maintainer, "maintainer", "", "whom the package names: NAME <ADDRESS>"),
			command.Text(&g.Program, "program", "", "the guest's program; without it the sources in this folder are built"),
		},
		Run: func(ctx context.Context, args []string) error {
			g.Kind = args[0]
			name, err := g.Write(ctx)
			if err == nil {
				fmt.Fprintln(p.stdout, name)
			}
			return err
		},
	}
}

// Write writes the package and returns the name of its file.
func (p *Packaging) Write(ctx context.Context) (string, error) {
	if p.Arch != "amd64" && p.Arch != "arm64" {
		return "", fmt.Errorf("--arch is amd64 or arm64, not %q", p.Arch)
	}
	if _, err := mail.ParseAddress(p.Maintainer); p.Maintainer != "" && err != nil {
		return "", fmt.Errorf("--maintainer is NAME <ADDRESS>, not %q", p.Maintainer)
	}
	guest, err := p.guest(ctx)
	if err != nil {
		return "", err
	}
	describe, write, name := guest.Deb, (*pack.Package).WriteDeb, (*pack.Package).DebName
	if p.Kind == "rpm" {
		describe, write, name = guest.RPM, (*pack.Package).WriteRPM, (*pack.Package).RPMName
	}
	content, err := describe()
	if err != nil {
		return "", err
	}
	file := filepath.Join(p.Out, name(content))
	return file, writeWhole(file, func(w io.Writer) error { return write(content, w) })
}

// guest gathers what the package is made from.
func (p *Packaging) guest(ctx context.Context) (*pack.Guest, error) {
	program, err := p.binary(ctx)
	if err != nil {
		return nil, err
	}
	built, err := builtAt(program)
	if err != nil {
		return nil, err
	}
	g := &pack.Guest{Program: program, Arch: p.Arch, Version: cli.Version, Stands: cli.Compatible, Built: built, Maintainer: p.Maintainer, Files: dist.Package,
		Manuals: map[string][]byte{}, Completions: map[string][]byte{}}
	for _, name := range []string{"openguest", "cloud-init", "cloud-id"} {
		g.Manuals[name] = pack.ManPage(cli.Commands(name), cli.Version, built)
		if name == "cloud-id" {
			continue // it has no commands to complete
		}
		g.Completions[name] = []byte(command.BashCompletion(name))
	}
	return g, nil
}

// binary is the guest's program for the architecture.
func (p *Packaging) binary(ctx context.Context) ([]byte, error) {
	file := p.Program
	if file == "" {
		dir, err := os.MkdirTemp("", "openguest-package-")
		if err != nil {
			return nil, fmt.Errorf("make a folder to build the guest in: %w", err)
		}
		defer os.RemoveAll(dir)
		file = filepath.Join(dir, "openguest")
		if err := build(ctx, file, p.Arch); err != nil {
			return nil, err
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the guest's program: %w", err)
	}
	return data, checkProgram(file, data, p.Arch)
}

// build builds the guest from the sources in this folder.
func build(ctx context.Context, file, arch string) error {
	args := append([]string{"build", "-buildvcs=auto", "-o", file}, pack.BuildFlags()...)
	c := exec.CommandContext(ctx, "go", append(args, "openguest/cmd/openguest")...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build the guest for %s: %w\n%s\nname a program that is built already with --program, or run this in the folder of openguest's sources", arch, err, bytes.TrimSpace(out))
	}
	return nil
}

// checkProgram refuses what would be installed and then not run.
func checkProgram(file string, data []byte, arch string) error {
	e, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("use %s as the guest: it is no program for Linux: %w", file, err)
	}
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
	if e.Machine != want {
		return fmt.Errorf("use %s as the guest for %s: it is a program for %s; give --arch or another --program", file, arch, e.Machine)
	}
	if libraries, err := e.ImportedLibraries(); err == nil && len(libraries) > 0 {
		return fmt.Errorf("use %s as the guest: it needs %s; build it with CGO_ENABLED=0", file, libraries[0])
	}
	return nil
}

// builtAt is the time that the package's files are to have.
func builtAt(program []byte) (time.Time, error) {
	if text := os.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH should be seconds since 1970, but is %q", text)
		}
		return time.Unix(seconds, 0).UTC(), nil
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return time.Time{}, fmt.Errorf("read when the guest was built: %w; give SOURCE_DATE_EPOCH", err)
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.time" {
			return time.Parse(time.RFC3339, setting.Value)
		}
	}
	return time.Time{}, errors.New("the guest does not say from which commit it was built; give SOURCE_DATE_EPOCH")
}

// writeWhole writes a file that is there whole or not at all.
func writeWhole(name string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("make the folder for %s: %w", name, err)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".package-")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer os.Remove(f.Name())
	if err := errors.Join(write(f), f.Chmod(0o644), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
