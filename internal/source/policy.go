package source

import (
	"strings"

	"openguest/internal/machine"
)

// settings are what a person told detection, in a file or on the kernel command line.
type settings struct {
	policy policy
	named  string // the one source to use, as it was spelled; empty where none is named
	by     string // where it was named
}

// A policy is what detection does with what it finds.
type policy struct {
	mode     string // search, report, enabled, disabled
	found    string // all, first
	maybe    string // all, none
	notFound string // enabled, disabled
}

// defaultPolicy is cloud-init's on every architecture.
func defaultPolicy() policy {
	return policy{mode: "search", found: "all", maybe: "none", notFound: "disabled"}
}

// detectConfig is the file that a person or an image sets detection's behaviour in.
const detectConfig = "/etc/cloud/ds-identify.cfg"

// readSettings reads the file, and over it the kernel command line.
func readSettings(f *machine.Facts, e *Env) settings {
	s := settings{by: detectConfig}
	s.named = detectSetting(e, "datasource")
	words := detectSetting(e, "policy")
	if name, key := commandLineName(f); key != "" {
		s.named, s.by = name, "the kernel command line"
	}
	if value, ok := f.KernelArgument("ci.di.policy"); ok {
		words, _, _ = strings.Cut(value, ";")
	}
	s.policy = parsePolicy(words, e)
	return s
}

// detectSetting is the value of a key of that file, of the last line where there are several; empty where there is none.
func detectSetting(e *Env, key string) (value string) {
	text, _ := e.Machine.Files.Read(detectConfig)
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if k, v, _ := strings.Cut(line, ":"); strings.TrimSpace(k) == key {
			value = unquoted(strings.TrimSpace(v))
		}
	}
	return value
}

// commandLineName is the source that the kernel command line names with ds=, ci.ds= or ci.datasource=, and by which of
// them; the last one counts, as far as the first semicolon.
func commandLineName(f *machine.Facts) (name, key string) {
	for _, word := range machine.ParseCommandLine(f.CommandLine()) {
		k, value, ok := strings.Cut(word, "=")
		if ok && (k == "ds" || k == "ci.ds" || k == "ci.datasource") {
			name, _, _ = strings.Cut(value, ";")
			key = k
		}
	}
	return name, key
}

// parsePolicy reads "search,found=all,maybe=none,notfound=disabled". What is not said stays as by default, and so does
// what makes no sense.
func parsePolicy(text string, e *Env) policy {
	p := defaultPolicy()
	for word := range strings.SplitSeq(text, ",") {
		switch word = strings.TrimSpace(word); word {
		case "":
		case "search", "report", "enabled", "disabled":
			p.mode = word
		case "found=all", "found=first":
			p.found = strings.TrimPrefix(word, "found=")
		case "maybe=all", "maybe=none":
			p.maybe = strings.TrimPrefix(word, "maybe=")
		case "notfound=enabled", "notfound=disabled":
			p.notFound = strings.TrimPrefix(word, "notfound=")
		default:
			e.warn("the policy of detection says %q, which means nothing; it is left out", word)
		}
	}
	return p
}

// unquoted takes off a pair of quotes.
func unquoted(text string) string {
	if n := len(text); n >= 2 && text[0] == text[n-1] && (text[0] == '"' || text[0] == '\'') {
		return text[1 : n-1]
	}
	return text
}
