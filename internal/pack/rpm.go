package pack

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// rpmArch is how rpm spells an architecture, and its number in the lead.
var rpmArch = map[string]struct {
	name   string
	number uint16
}{"amd64": {"x86_64", 1}, "arm64": {"aarch64", 19}}

// RPMName is the name of an RPM package's file.
func (p *Package) RPMName() string {
	return fmt.Sprintf("%s-%s-1.%s.rpm", p.Name, p.Version, rpmArch[p.Arch].name)
}

// WriteRPM writes an RPM package of version 4: a lead, the signatures, the header and a cpio archive. It is not signed;
// rpmsign does that. The scripts' names are prein, postin, preun and postun.
func (p *Package) WriteRPM(w io.Writer) error {
	files, err := p.sorted()
	if err != nil {
		return err
	}
	if rpmArch[p.Arch].name == "" {
		return fmt.Errorf("write the RPM package %s: there is no RPM name for the architecture %q", p.Name, p.Arch)
	}
	archive := p.cpio(files)
	payload := compressed(archive)
	const immutable, signatures = 63, 62
	header := p.rpmHeader(files, payload).encoded(immutable)
	signature := digests(header, payload, len(archive)).encoded(signatures)
	for len(signature)%8 != 0 {
		signature = append(signature, 0)
	}
	for _, part := range [][]byte{p.lead(), signature, header, payload} {
		if _, err := w.Write(part); err != nil {
			return fmt.Errorf("write the RPM package %s: %w", p.RPMName(), err)
		}
	}
	return nil
}

// lead is what file(1) knows an RPM package by; rpm itself reads no more of it than the magic number.
func (p *Package) lead() []byte {
	lead := make([]byte, 96)
	copy(lead, []byte{0xed, 0xab, 0xee, 0xdb, 3, 0})
	binary.BigEndian.PutUint16(lead[8:], rpmArch[p.Arch].number)
	copy(lead[10:75], p.Name+"-"+p.Version+"-1")
	binary.BigEndian.PutUint16(lead[76:], 1) // Linux
	binary.BigEndian.PutUint16(lead[78:], 5) // signatures are a header
	return lead
}

// digests are what rpm checks a package with before it believes it.
func digests(header, payload []byte, unpacked int) rpmHeader {
	h := rpmHeader{}
	whole := slices.Concat(header, payload)
	sum := md5.Sum(whole)
	h.string(273, sha256Hex(header))
	h.int32s(1000, uint32(len(whole)))
	h.bytes(1004, sum[:])
	h.int32s(1007, uint32(unpacked))
	return h
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// rpmHeader is the header of the package.
func (p *Package) rpmHeader(files []File, payload []byte) rpmHeader {
	h := rpmHeader{}
	h.strings(100, "C")
	h.string(1000, p.Name)
	h.string(1001, p.Version)
	h.string(1002, "1")
	h.translated(1004, strings.ToUpper(p.Summary[:1])+p.Summary[1:])
	h.translated(1005, strings.TrimSpace(p.Description))
	h.int32s(1006, uint32(p.Built.Unix()))
	h.string(1007, "localhost")
	h.string(1014, p.Licence)
	h.string(1015, p.Maintainer)
	h.translated(1016, "System Environment/Base")
	h.string(1021, "linux")
	h.string(1022, rpmArch[p.Arch].name)
	h.string(1044, p.Name+"-"+p.Version+"-1.src.rpm")
	h.int32s(1080, uint32(p.Built.Unix()))
	h.strings(1081, p.Maintainer+" - "+p.Version+"-1")
	h.strings(1082, "- Release "+p.Version)
	h.string(1124, "cpio")
	h.string(1125, "gzip")
	h.string(1126, "9")
	h.strings(5092, sha256Hex(payload))
	h.int32s(5093, sha256Algorithm)
	p.addScripts(h)
	p.addRelations(h)
	p.addFiles(h, files)
	return h
}

// sha256Algorithm is the number that OpenPGP has for SHA-256.
const sha256Algorithm = 8

// addScripts adds the maintainer scripts, and the shell that runs them.
func (p *Package) addScripts(h rpmHeader) {
	for i, name := range []string{"prein", "postin", "preun", "postun"} {
		if script := p.Scripts[name]; script != "" {
			h.string(uint32(1023+i), script)
			h.string(uint32(1085+i), "/bin/sh")
		}
	}
}

// addRelations adds what the package needs, stands for and takes the place of.
func (p *Package) addRelations(h rpmHeader) {
	const less, equal, interpreter, rpmlib = 2, 8, 1 << 8, 1 << 24
	needs, provides, conflicts := relations{}, relations{}, relations{}
	needs.add("rpmlib(CompressedFileNames)", "3.0.4-1", rpmlib|less|equal)
	needs.add("rpmlib(FileDigests)", "4.6.0-1", rpmlib|less|equal)
	needs.add("rpmlib(PayloadFilesHavePrefix)", "4.0-1", rpmlib|less|equal)
	if len(p.Scripts) > 0 {
		needs.add("/bin/sh", "", interpreter)
	}
	for _, name := range p.Depends {
		needs.add(name, "", 0)
	}
	provides.add(p.Name, p.Version+"-1", equal)
	for _, v := range p.Provides {
		provides.add(v.Name, v.Version, equal)
	}
	for _, name := range p.Conflicts {
		conflicts.add(name, "", 0)
	}
	needs.put(h, 1049, 1048, 1050)
	provides.put(h, 1047, 1112, 1113)
	conflicts.put(h, 1054, 1053, 1055)
}

// relations are packages by name, version and how that is compared.
type relations struct {
	names, versions []string
	flags           []uint32
}

func (r *relations) add(name, version string, flags uint32) {
	r.names, r.versions, r.flags = append(r.names, name), append(r.versions, version), append(r.flags, flags)
}

func (r *relations) put(h rpmHeader, names, flags, versions uint32) {
	h.strings(names, r.names...)
	h.int32s(flags, r.flags...)
	h.strings(versions, r.versions...)
}

// addFiles adds what the header says of each file, in lists of the same length.
func (p *Package) addFiles(h rpmHeader, files []File) {
	dirs := folders(files)
	var total uint32
	var sizes, times, flags, verify, devices, inodes, dirOf []uint32
	var modes, rdevs []uint16
	var sums, links, root, langs, names []string
	for i, f := range files {
		total += uint32(len(f.Data))
		sum := ""
		if f.Link == "" {
			sum = sha256Hex(f.Data)
		}
		sizes, times, flags = append(sizes, uint32(f.length())), append(times, uint32(p.Built.Unix())), append(flags, f.rpmFlags())
		verify, devices, inodes = append(verify, ^uint32(0)), append(devices, 1), append(inodes, uint32(i+1))
		dirOf = append(dirOf, uint32(slices.Index(dirs, path.Dir(f.Name))))
		modes, rdevs = append(modes, f.unixMode()), append(rdevs, 0)
		sums, links, root, langs = append(sums, sum), append(links, f.Link), append(root, "root"), append(langs, "")
		names = append(names, path.Base(f.Name))
	}
	for i := range dirs {
		dirs[i] += "/"
	}
	h.int32s(1009, total)
	h.int32s(1028, sizes...)
	h.int16s(1030, modes...)
	h.int16s(1033, rdevs...)
	h.int32s(1034, times...)
	h.strings(1035, sums...)
	h.strings(1036, links...)
	h.int32s(1037, flags...)
	h.strings(1039, root...)
	h.strings(1040, root...)
	h.int32s(1045, verify...)
	h.int32s(1095, devices...)
	h.int32s(1096, inodes...)
	h.strings(1097, langs...)
	h.int32s(1116, dirOf...)
	h.strings(1117, names...)
	h.strings(1118, dirs...)
	h.int32s(5011, sha256Algorithm)
}

// rpmFlags say what rpm is to take a file for.
func (f File) rpmFlags() uint32 {
	const config, doc, noReplace = 1, 2, 1 << 4
	switch {
	case f.Config:
		return config | noReplace
	case f.Doc:
		return doc
	}
	return 0
}

func (f File) unixMode() uint16 {
	const regular, link = 0o100000, 0o120000
	if f.Link != "" {
		return link | 0o777
	}
	return regular | uint16(f.mode())
}

// length is how long a file is; that of a link is that of its target.
func (f File) length() int { return max(len(f.Data), len(f.Link)) }

// cpio is an archive of the files in the format newc, each name relative, so that who unpacks it by hand unpacks it where
// they are.
func (p *Package) cpio(files []File) []byte {
	var out bytes.Buffer
	member := func(name string, inode int, mode uint16, links int, data []byte) {
		fmt.Fprintf(&out, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
			inode, mode, 0, 0, links, p.Built.Unix(), len(data), 0, 0, 0, 0, len(name)+1, 0, name)
		pad(&out)
		out.Write(data)
		pad(&out)
	}
	for i, f := range files {
		data := f.Data
		if f.Link != "" {
			data = []byte(f.Link)
		}
		member("."+f.Name, i+1, f.unixMode(), 1, data)
	}
	member("TRAILER!!!", 0, 0, 1, nil)
	return out.Bytes()
}

func pad(out *bytes.Buffer) {
	for out.Len()%4 != 0 {
		out.WriteByte(0)
	}
}
