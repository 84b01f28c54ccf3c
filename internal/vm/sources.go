package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Releases are the Debian releases that an image can be made of, the usual one first.
func Releases() []string { return []string{"bookworm", "bullseye", "trixie"} }

// mirrors are where packages come from.
type mirrors struct{ main, security string }

// An aptSource is a place of packages that apt knows.
type aptSource struct {
	uri    string
	suites []string
}

// hostMirrors are the mirrors of the host's own apt: the host may reach no others. What it does not know is empty.
func hostMirrors() (m mirrors) {
	names, _ := filepath.Glob("/etc/apt/sources.list.d/*")
	for _, name := range append([]string{"/etc/apt/sources.list"}, names...) {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		sources := aptLines(string(data))
		if strings.HasSuffix(name, ".sources") {
			sources = aptStanzas(string(data))
		}
		m.take(sources)
	}
	return m
}

// take looks for Debian among sources.
func (m *mirrors) take(sources []aptSource) {
	for _, s := range sources {
		for _, suite := range s.suites {
			base, kind, _ := strings.Cut(strings.ReplaceAll(suite, "/", "-"), "-")
			switch {
			case !slices.Contains(Releases(), base):
			case kind == "":
				m.main = s.uri
			case kind == "security" || kind == "updates" && strings.Contains(s.uri, "security"):
				m.security = s.uri
			}
		}
	}
}

// optionsOf are a line's options, in brackets.
var optionsOf = regexp.MustCompile(`\s\[[^]]*]\s`)

// aptLines reads sources in the old format: deb [options] URI SUITE COMPONENTS. See sources.list(5).
func aptLines(text string) (all []aptSource) {
	for line := range strings.Lines(text) {
		words := strings.Fields(optionsOf.ReplaceAllString(line, " "))
		if len(words) >= 3 && words[0] == "deb" {
			all = append(all, aptSource{words[1], words[2:3]})
		}
	}
	return all
}

// aptStanzas reads sources in the newer format, where each is a paragraph.
func aptStanzas(text string) (all []aptSource) {
	for _, paragraph := range strings.Split(text, "\n\n") {
		fields := map[string][]string{}
		for line := range strings.Lines(paragraph) {
			if name, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, " ") {
				fields[name] = strings.Fields(value)
			}
		}
		if len(fields["URIs"]) > 0 && !slices.Contains(fields["Enabled"], "no") {
			all = append(all, aptSource{fields["URIs"][0], fields["Suites"]})
		}
	}
	return all
}

// lines are the sources of a release for mmdebstrap and for the image itself.
func (m mirrors) lines(release string) []string {
	all := []string{fmt.Sprintf("deb %s %s main", m.main, release), fmt.Sprintf("deb %s %s-updates main", m.main, release)}
	if m.security != "" {
		all = append(all, fmt.Sprintf("deb %s %s-security main", m.security, release))
	}
	return all
}
