package pack

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

// A Guest is what a package of the guest is made from.
type Guest struct {
	Program []byte // the static executable for Arch
	Arch    string // as Go spells it
	Version string
	Stands  string // the version of cloud-init that it can stand for
	Built   time.Time
	// Maintainer is whom the package names: "NAME <ADDRESS>". Maintainer of this package where it is empty.
	Maintainer string
	Files      fs.FS             // units, init scripts and maintainer scripts, as they lie in dist
	Manuals    map[string][]byte // manual pages of section 1 by command
	// Completions are the bash completions by command.
	Completions map[string][]byte
}

// Maintainer is whom a package names that was made without saying who makes it. Nobody reads that address: invalid is the domain that
// RFC 2606 keeps for such.
const Maintainer = "The openguest authors <packages@openguest.invalid>"

// Stages are the units of the four stages, in the order of a boot.
func Stages() []string {
	return []string{"cloud-init-local.service", "cloud-init-network.service", "cloud-config.service", "cloud-final.service"}
}

const units = "/usr/lib/systemd/system/"

// Deb is the guest as a package for Debian and what descends from it.
func (g *Guest) Deb() (*Package, error) {
	p := g.describe()
	b := builder{from: g.Files, p: p}
	g.common(&b, "/usr/lib/cloud-init")
	b.file(units+"cloud-init-network.service", "systemd/cloud-init-network.service")
	b.file("/usr/share/lintian/overrides/openguest", "deb/lintian-overrides")
	b.data("/usr/share/doc/openguest/changelog.gz", compressed(g.debChangelog(p)))
	p.Scripts = b.scripts("deb", "preinst", "postinst", "postrm")
	return p, b.err
}

// RPM is the guest as a package for Fedora, the Enterprise Linuxes and SUSE.
func (g *Guest) RPM() (*Package, error) {
	p := g.describe()
	b := builder{from: g.Files, p: p}
	g.common(&b, "/usr/libexec/cloud-init")
	b.file(units+"cloud-init-network.service", "rpm/cloud-init-network.service")
	p.Scripts = b.scripts("rpm", "postin", "preun", "postun")
	return p, b.err
}

func (g *Guest) describe() *Package {
	return &Package{
		Name: "openguest", Version: g.Version, Arch: g.Arch, Built: g.Built, Licence: "Apache-2.0",
		Summary:    "initial configuration of cloud instances",
		Maintainer: cmp.Or(g.Maintainer, Maintainer),
		Description: "Makes a virtual machine at boot what its cloud and its owner say: users and\n" +
			"keys, names, files, packages and scripts.\n\n" +
			"It takes the place of cloud-init: it reads the same user-data and cloud.cfg,\n" +
			"keeps the same state and answers to the same commands. It is one static\n" +
			"program and needs no interpreter.",
		Conflicts: []string{"cloud-init"},
		Provides:  []Provision{{"cloud-init", g.Stands}},
	}
}

// common adds what all kinds of packages hold. Libexec is where cloud-init has its inner programs there. Nothing is in
// /etc/cloud: the default configuration is in the program, and purging cloud-init takes only what is cloud-init's.
func (g *Guest) common(b *builder, libexec string) {
	b.add(File{Name: "/usr/bin/openguest", Mode: 0o755, Data: g.Program})
	b.link("/usr/bin/cloud-init", "openguest")
	b.link("/usr/bin/cloud-id", "openguest")
	b.add(File{Name: "/usr/bin/cloud-init-per", Mode: 0o755, Data: b.read("per/cloud-init-per")})
	b.add(File{Name: "/usr/share/man/man1/cloud-init-per.1.gz", Data: compressed(b.read("per/cloud-init-per.1")), Doc: true})
	b.link(libexec+"/ds-identify", strings.Repeat("../", strings.Count(libexec, "/")-1)+"bin/openguest")
	b.add(File{Name: libexec + "/hook-hotplug", Mode: 0o755, Data: b.read("hotplug/hook-hotplug")})
	b.link("/usr/lib/systemd/system-generators/openguest-generator", "../../../bin/openguest")
	for _, name := range []string{"cloud-init-local.service", "cloud-config.service", "cloud-final.service", "cloud-config.target", "cloud-init.target", "openguest.target",
		"cloud-init-hotplugd.service", "cloud-init-hotplugd.socket", "openguest-watch.service", "openguest-hostkeys.service"} {
		b.file(units+name, "systemd/"+name)
	}
	b.link(units+"cloud-init.service", "cloud-init-network.service")
	const dropIn = "disable-sshd-keygen-if-cloud-init-active.conf"
	b.file(units+"sshd-keygen@.service.d/"+dropIn, "systemd/"+dropIn)
	b.file("/usr/lib/systemd/system-preset/90-openguest.preset", "systemd/90-openguest.preset")
	b.folder("/usr/share/openguest/openrc", "openrc", 0o755)
	b.folder("/usr/share/openguest/sysvinit", "sysvinit", 0o755)
	b.config("/etc/logrotate.d/openguest", "logrotate")
	b.file("/usr/share/doc/openguest/copyright", "deb/copyright")
	for name, page := range g.Manuals {
		b.add(File{Name: "/usr/share/man/man1/" + name + ".1.gz", Data: compressed(page), Doc: true})
	}
	for name, script := range g.Completions {
		b.data("/usr/share/bash-completion/completions/"+name, script)
	}
}

// debChangelog is the changelog as Debian wants it.
func (g *Guest) debChangelog(p *Package) []byte {
	return fmt.Appendf(nil, "%s (%s) unstable; urgency=medium\n\n  * Release %s: see docs/ and CHANGELOG.md of the sources.\n\n -- %s  %s\n",
		p.Name, p.Version, p.Version, p.Maintainer, g.Built.UTC().Format(time.RFC1123Z))
}

// compressed is data as gzip writes it, without a name or a time.
func compressed(data []byte) []byte {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err == nil {
		z.Write(data) // neither fails: the level is one, and a buffer takes everything
		z.Close()
	}
	return out.Bytes()
}

// A builder puts files into a package; the first error stays.
type builder struct {
	from fs.FS
	p    *Package
	err  error
}

func (b *builder) add(f File) { b.p.Files = append(b.p.Files, f) }

func (b *builder) link(name, target string) { b.add(File{Name: name, Link: target}) }

func (b *builder) data(name string, data []byte) { b.add(File{Name: name, Data: data}) }

func (b *builder) read(name string) []byte {
	data, err := fs.ReadFile(b.from, name)
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("make the package %s: %w", b.p.Name, err)
	}
	return data
}

func (b *builder) file(name, from string) {
	b.add(File{Name: name, Data: b.read(from), Doc: strings.HasPrefix(name, "/usr/share/doc/")})
}

func (b *builder) config(name, from string) {
	b.add(File{Name: name, Data: b.read(from), Config: true})
}

// folder adds all files of a folder.
func (b *builder) folder(name, from string, mode uint32) {
	entries, err := fs.ReadDir(b.from, from)
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("make the package %s: %w", b.p.Name, err)
	}
	for _, e := range entries {
		b.add(File{Name: path.Join(name, e.Name()), Mode: mode, Data: b.read(path.Join(from, e.Name()))})
	}
}

// scripts are the maintainer scripts of a folder.
func (b *builder) scripts(folder string, names ...string) map[string]string {
	all := map[string]string{}
	for _, name := range names {
		all[name] = string(b.read(path.Join(folder, name)))
	}
	return all
}
