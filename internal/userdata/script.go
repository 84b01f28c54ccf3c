package userdata

import (
	"path"
	"strings"
	"unicode"
)

// maxName is what a file's name may have at most, in bytes; see NAME_MAX in limits.h.
const maxName = 255

// script adds a script to the result. One whose name an earlier script of its kind has takes that one's place, since they
// would be the same file; a boothook has run by then.
func (h *handler) script(p *part, kind ScriptKind, text string) {
	name := p.name
	if kind == PerBoot || kind == PerInstance || kind == PerOnce {
		name = path.Base(name)
	}
	name = safeName(name)
	if len(name) > maxName {
		h.reject(p, "give it a shorter file name", "the name of a part has more than %d letters", maxName)
		return
	}
	if name == "" {
		h.reject(p, "use letters, digits and _-.()", "the name of a part has nothing that a file's name may have")
		return
	}
	if !strings.HasPrefix(text, "#!") && !strings.HasPrefix(text, "\x7fELF") {
		h.warn(p, "#! must be its very first characters", "%s does not begin with #!, and cannot be run so", p.name)
	}
	s := Script{Kind: kind, Name: name, Text: text, Origin: h.origin(p)}
	for i, earlier := range h.result.Scripts {
		if earlier.Name == name && earlier.Kind == kind && kind != Boothook {
			h.warn(p, "give each part a file name of its own", "%s takes the place of an earlier script of the name %s", p.name, name)
			h.result.Scripts = append(h.result.Scripts[:i], h.result.Scripts[i+1:]...)
			break
		}
	}
	h.result.Scripts = append(h.result.Scripts, s)
}

// safeName is a name of a part as a file's name (cloudinit/util.py, clean_filename), or nothing where that leaves none.
func safeName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '/':
			return '_'
		case '0' <= r && r <= '9', 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', strings.ContainsRune("_-.()", r):
			return r
		}
		return -1
	}, name)
	if name == "." || name == ".." {
		return ""
	}
	return name
}

// unixLines is a text with the ends of lines that the kernel and the shell know, where the first line ends with CR LF.
func unixLines(text string) string {
	if first, _, found := strings.Cut(text, "\n"); found && strings.HasSuffix(first, "\r") {
		return strings.ReplaceAll(text, "\r\n", "\n")
	}
	return text
}

// boothook is the program behind a boothook's header.
func boothook(text string) string {
	const header = "#cloud-boothook"
	text = strings.TrimLeftFunc(unixLines(text), unicode.IsSpace)
	if strings.EqualFold(head(text, len(header)), header) {
		text = text[len(header):]
	}
	return strings.TrimLeftFunc(text, unicode.IsSpace)
}
