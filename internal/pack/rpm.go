package pack

import (
	"fmt"
	"io"
	"strings"

	"github.com/google/rpmpack"
)

// rpmArch is how rpm spells an architecture.
var rpmArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// RPMName is the name of an RPM package's file.
func (p *Package) RPMName() string {
	return fmt.Sprintf("%s-%s-1.%s.rpm", p.Name, p.Version, rpmArch[p.Arch])
}

// WriteRPM writes an RPM package. The scripts' names are prein, postin, preun and postun.
func (p *Package) WriteRPM(w io.Writer) error {
	files, err := p.sorted()
	if err != nil {
		return err
	}
	r, err := p.rpm()
	if err != nil {
		return fmt.Errorf("write the RPM package %s: %w", p.RPMName(), err)
	}
	for name, add := range map[string]func(string){"prein": r.AddPrein, "postin": r.AddPostin, "preun": r.AddPreun, "postun": r.AddPostun} {
		if text := p.Scripts[name]; text != "" {
			add(text)
		}
	}
	for _, f := range files {
		r.AddFile(p.rpmFile(f))
	}
	p.addChangelog(r)
	if err := r.Write(w); err != nil {
		return fmt.Errorf("write the RPM package %s: %w", p.RPMName(), err)
	}
	return nil
}

// rpm is an RPM package without files.
func (p *Package) rpm() (*rpmpack.RPM, error) {
	meta := rpmpack.RPMMetaData{Name: p.Name, Version: p.Version, Release: "1", Arch: rpmArch[p.Arch], OS: "linux", Summary: strings.ToUpper(p.Summary[:1]) + p.Summary[1:],
		Description: p.Description, Licence: p.Licence, Packager: p.Maintainer, Group: "System Environment/Base",
		BuildHost: "localhost", BuildTime: p.Built, Compressor: "gzip"}
	if meta.Arch == "" {
		return nil, fmt.Errorf("there is no RPM name for the architecture %q", p.Arch)
	}
	for _, name := range p.Depends {
		if err := meta.Requires.Set(name); err != nil {
			return nil, err
		}
	}
	for _, name := range p.Conflicts {
		if err := meta.Conflicts.Set(name); err != nil {
			return nil, err
		}
	}
	for _, v := range p.Provides {
		if err := meta.Provides.Set(v.Name + "=" + v.Version); err != nil {
			return nil, err
		}
	}
	return rpmpack.NewRPM(meta)
}

// addChangelog says who made this version, and when: rpm keeps that in three lists.
func (p *Package) addChangelog(r *rpmpack.RPM) {
	const times, names, texts = 1080, 1081, 1082
	r.AddCustomTag(times, rpmpack.EntryUint32([]uint32{uint32(p.Built.Unix())}))
	r.AddCustomTag(names, rpmpack.EntryStringSlice([]string{p.Maintainer + " - 0:" + p.Version + "-1"}))
	r.AddCustomTag(texts, rpmpack.EntryStringSlice([]string{"- Release " + p.Version}))
}

func (p *Package) rpmFile(f File) rpmpack.RPMFile {
	const regular, link = 0o100000, 0o120000
	out := rpmpack.RPMFile{Name: f.Name, Body: f.Data, Mode: regular | uint(f.mode()), Owner: "root", Group: "root", MTime: uint32(p.Built.Unix())}
	if f.Link != "" {
		out.Mode, out.Body = link|0o777, []byte(f.Link)
	}
	switch {
	case f.Config:
		out.Type = rpmpack.ConfigFile | rpmpack.NoReplaceFile
	case f.Doc:
		out.Type = rpmpack.DocFile
	}
	return out
}
