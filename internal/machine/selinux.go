package machine

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// policyLabels returns what tells the SELinux label of a new file, "" where the policy has none; it is nil where there
// is no SELinux. A running system (one with a /proc) has it where its kernel has; a tree where it is configured, so
// that it need not be labelled again at its first boot. The policy is read when the first label is asked for.
func policyLabels(files Files) func(name string, mode fs.FileMode) string {
	running, enabled := Exists(files, "/proc/self"), Exists(files, "/sys/fs/selinux/enforce")
	folder := policyFolder(files)
	if !enabled && (running || folder == "" || !Exists(files, folder+"/file_contexts")) {
		return nil
	}
	policy := sync.OnceValue(func() *labelPolicy { return readPolicy(files, folder) })
	var mutex sync.Mutex // patterns are compiled as names are looked up
	return func(name string, mode fs.FileMode) string {
		mutex.Lock()
		defer mutex.Unlock()
		return policy().label(name, mode)
	}
}

// policyFolder is where the configured policy keeps its file contexts; empty where SELinux is off.
func policyFolder(files Files) string {
	text, err := files.Read("/etc/selinux/config")
	if err != nil {
		return ""
	}
	settings := ParseOSRelease(text) // the same lines of NAME=VALUE
	kind := settings["SELINUXTYPE"]
	if kind == "" {
		kind = "targeted"
	}
	if settings["SELINUX"] == "disabled" || strings.Contains(kind, "/") {
		return ""
	}
	return path.Join("/etc/selinux", kind, "contexts/files")
}

// labelPolicy is what selabel_file(5) describes: of the rules that match a name the last one counts, but a rule
// without a pattern before all others.
type labelPolicy struct {
	exact    map[string][]*labelRule
	patterns []*labelRule
	aliases  [][]labelAlias // .subs, then .subs_dist
}

// A labelRule is one line of a file_contexts file.
type labelRule struct {
	prefix  string // what each name that matches begins with
	pattern string
	kind    fs.FileMode
	anyKind bool
	label   string

	match *regexp.Regexp // made of the pattern when first needed
	bad   bool           // the pattern is none that Go understands
}

// A labelAlias says that a folder is labelled as if it were another.
type labelAlias struct{ from, to string }

func readPolicy(files Files, folder string) *labelPolicy {
	p := &labelPolicy{exact: map[string][]*labelRule{}}
	if folder == "" {
		return p
	}
	for _, suffix := range []string{"", ".homedirs", ".local"} {
		text, _ := files.Read(folder + "/file_contexts" + suffix)
		for line := range strings.Lines(text) {
			p.addRule(strings.Fields(line))
		}
	}
	for _, suffix := range []string{".subs", ".subs_dist"} {
		text, _ := files.Read(folder + "/file_contexts" + suffix)
		p.aliases = append(p.aliases, parseAliases(text))
	}
	return p
}

var labelKinds = map[string]fs.FileMode{"--": 0, "-d": fs.ModeDir, "-l": fs.ModeSymlink, "-p": fs.ModeNamedPipe, "-s": fs.ModeSocket,
	"-b": fs.ModeDevice, "-c": fs.ModeDevice | fs.ModeCharDevice}

// addRule adds a line of "PATTERN [KIND] LABEL".
func (p *labelPolicy) addRule(words []string) {
	if len(words) < 2 || len(words) > 3 || strings.HasPrefix(words[0], "#") {
		return
	}
	r := &labelRule{pattern: words[0], label: words[len(words)-1], anyKind: len(words) == 2}
	if len(words) == 3 {
		kind, ok := labelKinds[words[1]]
		if !ok {
			return
		}
		r.kind = kind
	}
	if r.label == "<<none>>" {
		r.label = ""
	}
	literal, whole := literalPrefix(r.pattern)
	r.prefix = literal
	if whole {
		p.exact[literal] = append(p.exact[literal], r)
	} else {
		p.patterns = append(p.patterns, r)
	}
}

// literalPrefix is what every name that matches a pattern begins with, and whether that is all of the pattern.
func literalPrefix(pattern string) (prefix string, whole bool) {
	var literal []byte
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern) && !isLetterOrDigit(pattern[i+1]):
			i++
			literal = append(literal, pattern[i])
		case strings.IndexByte(`.^$?*+|[({)\`, c) < 0:
			literal = append(literal, c)
		case strings.IndexByte("?*{", c) >= 0 && len(literal) > 0: // what stands before it may be missing
			_, size := utf8.DecodeLastRune(literal)
			return choices(pattern, string(literal[:len(literal)-size]))
		default:
			return choices(pattern, string(literal))
		}
	}
	return string(literal), true
}

func isLetterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// choices takes the prefix back where the pattern may be a choice from its beginning: a bar outside of parentheses.
func choices(pattern, prefix string) (string, bool) {
	depth := 0
	for _, c := range pattern {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case '|':
			if depth <= 0 {
				return "", false
			}
		}
	}
	return prefix, false
}

// parseAliases reads lines of "/FROM /TO". A later line counts before an earlier one.
func parseAliases(text string) (aliases []labelAlias) {
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) == 2 && !strings.HasPrefix(words[0], "#") {
			aliases = append(aliases, labelAlias{words[0], words[1]})
		}
	}
	slices.Reverse(aliases)
	return aliases
}

func (p *labelPolicy) label(name string, mode fs.FileMode) string {
	for _, aliases := range p.aliases {
		name = renamed(name, aliases)
	}
	for _, r := range slices.Backward(p.exact[name]) {
		if r.isFor(mode) {
			return r.label
		}
	}
	for _, r := range slices.Backward(p.patterns) {
		if r.isFor(mode) && strings.HasPrefix(name, r.prefix) && r.matches(name) {
			return r.label
		}
	}
	return ""
}

func renamed(name string, aliases []labelAlias) string {
	for _, a := range aliases {
		if rest, ok := strings.CutPrefix(name, a.from); ok && (rest == "" || rest[0] == '/') {
			return path.Clean(a.to + rest)
		}
	}
	return name
}

func (r *labelRule) isFor(mode fs.FileMode) bool { return r.anyKind || r.kind == mode.Type() }

// matches compiles the pattern at its first use: of the thousands that a policy has, a boot needs a few dozen.
func (r *labelRule) matches(name string) bool {
	if r.match == nil && !r.bad {
		var err error
		r.match, err = regexp.Compile(`(?s)\A(?:` + r.pattern + `)\z`)
		r.bad = err != nil
	}
	return !r.bad && r.match.MatchString(name)
}
