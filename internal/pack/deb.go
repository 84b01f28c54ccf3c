package pack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// DebName is the name of a Debian package's file.
func (p *Package) DebName() string { return fmt.Sprintf("%s_%s_%s.deb", p.Name, p.Version, p.Arch) }

// WriteDeb writes a Debian package: an ar archive of a version, the control files and the files, as deb(5) has it. The
// scripts' names are preinst, postinst, prerm and postrm.
func (p *Package) WriteDeb(w io.Writer) error {
	files, err := p.sorted()
	if err != nil {
		return err
	}
	control, err := p.debControl(files)
	if err != nil {
		return err
	}
	data, err := tarball(files, p.Built)
	if err != nil {
		return err
	}
	a := ar{w: w, time: p.Built}
	a.start()
	a.member("debian-binary", []byte("2.0\n"))
	a.member("control.tar.gz", control)
	a.member("data.tar.gz", data)
	if a.err != nil {
		return fmt.Errorf("write the Debian package %s: %w", p.DebName(), a.err)
	}
	return nil
}

// debControl is the archive of the control files.
func (p *Package) debControl(files []File) ([]byte, error) {
	members := []File{{Name: "/control", Data: []byte(p.debFields(files))}, {Name: "/md5sums", Data: md5sums(files)}}
	if list := conffiles(files); list != "" {
		members = append(members, File{Name: "/conffiles", Data: []byte(list)})
	}
	for name, text := range p.Scripts {
		members = append(members, File{Name: "/" + name, Mode: 0o755, Data: []byte(text)})
	}
	slices.SortFunc(members, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return tarball(members, p.Built)
}

// debFields is the control file.
func (p *Package) debFields(files []File) string {
	var text strings.Builder
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%s: %s\n", name, value)
		}
	}
	var provides []string
	for _, v := range p.Provides {
		provides = append(provides, fmt.Sprintf("%s (= %s)", v.Name, v.Version))
	}
	field("Package", p.Name)
	field("Version", p.Version)
	field("Architecture", p.Arch)
	field("Maintainer", p.Maintainer)
	field("Installed-Size", fmt.Sprint(size(files)))
	field("Depends", strings.Join(p.Depends, ", "))
	field("Conflicts", strings.Join(p.Conflicts, ", "))
	field("Replaces", strings.Join(p.Conflicts, ", "))
	field("Provides", strings.Join(provides, ", "))
	field("Section", "admin")
	field("Priority", "optional")
	field("Description", p.Summary)
	for line := range strings.SplitSeq(strings.TrimSpace(p.Description), "\n") {
		if line == "" {
			line = "."
		}
		text.WriteString(" " + line + "\n")
	}
	return text.String()
}

func md5sums(files []File) []byte {
	var text bytes.Buffer
	for _, f := range files {
		if f.Link == "" && !f.Config {
			fmt.Fprintf(&text, "%x  %s\n", md5.Sum(f.Data), strings.TrimPrefix(f.Name, "/"))
		}
	}
	return text.Bytes()
}

func conffiles(files []File) (list string) {
	for _, f := range files {
		if f.Config {
			list += f.Name + "\n"
		}
	}
	return list
}

// tarball is a compressed archive of files and the folders that they are in, all of root.
func tarball(files []File, built time.Time) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(z)
	for _, dir := range append([]string{""}, folders(files)...) {
		if err := t.WriteHeader(header("."+dir+"/", tar.TypeDir, 0o755, built)); err != nil {
			return nil, err
		}
	}
	for _, f := range files {
		h := header("."+f.Name, tar.TypeReg, int64(f.mode()), built)
		h.Size = int64(len(f.Data))
		if f.Link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.Link
		}
		if err := t.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("put %s into an archive: %w", f.Name, err)
		}
		if _, err := t.Write(f.Data); err != nil {
			return nil, fmt.Errorf("put %s into an archive: %w", f.Name, err)
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func header(name string, kind byte, mode int64, built time.Time) *tar.Header {
	return &tar.Header{Name: name, Typeflag: kind, Mode: mode, ModTime: built.Truncate(time.Second), Uname: "root", Gname: "root", Format: tar.FormatGNU}
}

// An ar writes an archive as ar(5) has it; the first error stays.
type ar struct {
	w    io.Writer
	time time.Time
	err  error
}

func (a *ar) write(data []byte) {
	if a.err == nil {
		_, a.err = a.w.Write(data)
	}
}

func (a *ar) start() { a.write([]byte("!<arch>\n")) }

func (a *ar) member(name string, data []byte) {
	a.write(fmt.Appendf(nil, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, a.time.Unix(), 0, 0, "100644", len(data)))
	a.write(data)
	if len(data)%2 == 1 {
		a.write([]byte("\n"))
	}
}
