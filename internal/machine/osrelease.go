package machine

import (
	"slices"
	"strings"
)

// OSRelease is what the distribution says of itself; see os-release(5).
func (f *Facts) OSRelease() map[string]string {
	text, ok := f.text("/etc/os-release")
	if !ok {
		text, _ = f.text("/usr/lib/os-release")
	}
	return ParseOSRelease(text)
}

// ParseOSRelease reads lines of NAME=VALUE, quoted as a shell would. A quote that is left open ends with its line.
func ParseOSRelease(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && isVariable(name) {
			values[name] = shellWord(value)
		}
	}
	return values
}

func isVariable(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// shellWord is the first word of a line, without its quotes.
func shellWord(line string) string {
	var word strings.Builder
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote == 0 && (c == ' ' || c == '\t'):
			return word.String()
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote && quote != 0:
			quote = 0
		case c == '\\' && i+1 < len(line) && escapes(quote, line[i+1]):
			i++
			word.WriteByte(line[i])
		default:
			word.WriteByte(c)
		}
	}
	return word.String()
}

// escapes says whether a backslash before c is taken away inside a quote.
func escapes(quote, c byte) bool {
	return quote == 0 || quote == '"' && strings.IndexByte("\"$`\\", c) >= 0
}

// Distro is the distribution by the names that templates know it: v1.distro, v1.distro_version and v1.distro_release.
func (f *Facts) Distro() (id, version, codename string) {
	release := f.OSRelease()
	fromRedHat := len(release) == 0
	if fromRedHat {
		text, _ := f.text("/etc/redhat-release")
		release = parseRedHatRelease(text)
	} else if Exists(f.files, "/etc/rpi-issue") {
		release["ID"] = "raspberry-pi-os"
	}
	id, version = release["ID"], release["VERSION_ID"]
	switch {
	case strings.Contains(id, "sles") || strings.Contains(id, "suse"):
		codename = f.Architecture()
	case id == "alpine" || id == "photon" || id == "virtuozzo" && !fromRedHat:
		codename = release["PRETTY_NAME"]
	case release["VERSION_CODENAME"] != "":
		codename = release["VERSION_CODENAME"]
	default:
		codename = codenameIn(release["VERSION"])
	}
	if id == "rhel" {
		id = "redhat"
	}
	return id, version, codename
}

// codenameIn is the code name in a version such as "7 (wheezy)".
func codenameIn(version string) string {
	number, rest, _ := strings.Cut(version, " ")
	name, closed := strings.CutPrefix(rest, "(")
	name, _, ended := strings.Cut(name, ")")
	if number == "" || !closed || !ended {
		return ""
	}
	return name
}

// parseRedHatRelease reads "CentOS release 6.10 (Final)", from when there was no os-release.
func parseRedHatRelease(text string) map[string]string {
	name, version, codename := cutRelease(text)
	if strings.Contains(text, "Virtuozzo") {
		codename = name
	}
	if codename == "" {
		return nil
	}
	id, _, _ := strings.Cut(strings.ToLower(name), " linux")
	if id == "red hat enterprise" {
		id = "redhat"
	}
	return map[string]string{"ID": id, "VERSION_ID": version, "VERSION_CODENAME": codename}
}

// cutRelease takes "NAME release 1.2 (CODENAME)" apart. The code name may be missing; where there is no version, all is empty.
func cutRelease(text string) (name, version, codename string) {
	const word = " release "
	line, _, _ := strings.Cut(text, "\n")
	for at := strings.LastIndex(line, word); at > 0; at = strings.LastIndex(line[:at], word) {
		rest := line[at+len(word):]
		version = rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789."))]
		if version == "" {
			continue
		}
		if behind, opened := strings.CutPrefix(rest[len(version):], " ("); opened {
			if inside, _, closed := strings.Cut(behind, ")"); closed {
				codename = inside
			}
		}
		return line[:at], version, codename
	}
	return "", "", ""
}

// Variant is the family whose templates and defaults a distribution uses: system_info's "variant".
func (f *Facts) Variant() string {
	id, _, _ := f.Distro()
	id = strings.ToLower(id)
	same := []string{"almalinux", "alpine", "aosc", "arch", "azurelinux", "centos", "cloudlinux", "debian", "eurolinux", "fedora",
		"mariner", "miraclelinux", "openeuler", "opencloudos", "openmandriva", "photon", "raspberry-pi-os", "rhel", "rocky", "suse",
		"tencentos", "virtuozzo"}
	suse := []string{"opensuse", "opensuse-leap", "opensuse-microos", "opensuse-tumbleweed", "sle_hpc", "sle-micro", "sles"}
	switch {
	case slices.Contains(same, id):
		return id
	case id == "ubuntu" || id == "linuxmint" || id == "mint":
		return "ubuntu"
	case id == "redhat":
		return "rhel"
	case slices.Contains(suse, id):
		return "suse"
	}
	return "linux"
}
