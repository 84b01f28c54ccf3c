package source

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
	"openguest/internal/spelling"
)

// A Choice is what detection came to.
type Choice struct {
	Name     string   // the source that was named, or that was found first; empty where there is none
	List     []string // the sources to try, in order, as they were spelled
	Lines    []Reason // one for each source that was looked at
	Disabled bool     // nothing is to run at this boot; who runs it all the same tries List
	Why      string   // what decided, in a line
	Run      string   // what /run/cloud-init/cloud.cfg is to hold; empty: it is not to be written
}

// Detect says which sources to try, from facts and files alone, as cloud-init's ds-identify does: what a person named
// is not looked for; a list of one is used as it is; of a longer one those stay that the machine's facts speak for. It
// asks no network and starts no program, so that a systemd generator may call it. Config must not hold what an earlier
// detection wrote, where this one is to be free of it.
func Detect(f *machine.Facts, e *Env) Choice { return table(All()).detect(f, e) }

func (t table) detect(f *machine.Facts, e *Env) Choice {
	s := readSettings(f, e)
	configured, where := configuredList(e)
	c := Choice{List: configured}
	if len(configured) == 0 {
		c.List, where = t.names(), "the built-in list"
	}
	switch {
	case s.policy.mode == "disabled":
		c.Disabled, c.Why = true, "the policy is disabled"
	case s.policy.mode == "enabled":
		c.Why = "the policy is enabled: what is found changes nothing"
		t.lookAt(f, e, &c)
	case s.named != "":
		c.Name, c.Why = s.named, s.by+" names "+s.named
		c.Lines = []Reason{t.taken(s.named, s.by)}
		c.choose(s.policy, withNone(s.named), nil)
	case machine.Exists(e.Machine.Files, path.Join(path.Dir(e.Seed), "instance/manual-clean")):
		c.Why, c.Run = "the instance is kept until somebody cleans it", "# manual_cache_clean.\n"
		t.lookAt(f, e, &c)
	case isSingle(c.List):
		c.Name, c.Why = c.List[0], where+" holds one source"
		c.Lines = []Reason{t.taken(c.List[0], where)}
		c.choose(s.policy, c.List, nil)
	default:
		t.search(f, e, s.policy, &c)
	}
	return c
}

// isSingle says that a list leaves no choice: one name, or one and None.
func isSingle(list []string) bool {
	return len(list) == 1 || len(list) == 2 && list[1] == "None"
}

// withNone ends a list with None, unless that is in it.
func withNone(names ...string) []string {
	if slices.Contains(names, "None") {
		return names
	}
	return append(slices.Clip(names), "None")
}

// taken is the reason of a source that is used without a look.
func (t table) taken(name, by string) Reason {
	if r, ok := t.cannot(name); ok {
		return r
	}
	return Reason{name, Found, "named by " + by}
}

// cannot is the reason why a name cannot be asked at all.
func (t table) cannot(name string) (Reason, bool) {
	switch s := t.named(name); {
	case s == nil:
		why := "there is no such source"
		if near := spelling.Nearest(name, t.names()); near != "" {
			why += "; is " + near + " meant?"
		}
		return Reason{name, Unknown, why}, true
	case s.Fetch == nil:
		return Reason{name, Unbuilt, "cloud-init knows this source, this program cannot ask it yet"}, true
	}
	return Reason{}, false
}

// matches are names with the lines of configuration that go with them.
type matches struct{ names, extra []string }

func (m *matches) add(name, extra string) {
	m.names, m.extra = append(m.names, name), append(m.extra, extra)
}

// search looks for each source of the list, and settles on those that are found.
func (t table) search(f *machine.Facts, e *Env, p policy, c *Choice) {
	found, maybe := t.lookAt(f, e, c)
	switch {
	case len(found.names) > 0 && p.found == "first":
		c.Why = "found first: " + found.names[0]
		c.choose(p, withNone(found.names[0]), found.extra[:1])
	case len(found.names) > 0:
		c.Why = "found: " + strings.Join(found.names, ", ")
		c.choose(p, withNone(found.names...), found.extra)
	case len(maybe.names) > 0 && p.maybe == "all":
		c.Name, c.Why = maybe.names[0], "nothing is found for certain; perhaps: "+strings.Join(maybe.names, ", ")
		c.choose(p, withNone(maybe.names...), maybe.extra)
	default:
		c.nothing(p)
	}
}

// lookAt looks for each source of the list.
func (t table) lookAt(f *machine.Facts, e *Env, c *Choice) (found, maybe matches) {
	looking := *e
	looking.List = c.List
	looking.Machine.Disks = &oneLook{Disks: e.Machine.Disks}
	for _, name := range c.List {
		s := t.named(name)
		if s != nil && s.Fallback {
			continue
		}
		reason, match := t.look(f, &looking, name)
		c.Lines = append(c.Lines, reason)
		switch {
		case match.Found:
			found.add(s.Name, match.Extra)
		case match.Maybe:
			maybe.add(s.Name, match.Extra)
		}
	}
	if len(found.names) > 0 {
		c.Name = found.names[0]
	}
	return found, maybe
}

// look is what the facts say about one name. A cloud that this program cannot ask yet is found all the same: left out, its
// machine would count as one without a cloud, and nothing would run and nobody be told. In the list it is tried, the boot
// goes on as with a cloud that is silent, and its status says why.
func (t table) look(f *machine.Facts, e *Env, name string) (Reason, Match) {
	s := t.named(name)
	if s == nil || s.Match == nil {
		if r, ok := t.cannot(name); ok {
			return r, Match{}
		}
		return Reason{s.Name, NotFound, "it has no signs to look for"}, Match{}
	}
	m := s.Match(f, e)
	if s.Fetch == nil && (m.Found || m.Maybe) {
		m.Why += "; this program cannot ask it yet"
	}
	switch {
	case m.Found:
		return Reason{s.Name, Found, m.Why}, m
	case m.Maybe:
		return Reason{s.Name, Maybe, m.Why}, m
	}
	return Reason{s.Name, NotFound, m.Why}, m
}

// choose settles on a list. Where detection is only to report, what is tried stays as it was configured.
func (c *Choice) choose(p policy, list, extra []string) {
	c.Run = runConfig(p.mode == "report", list, extra)
	if p.mode == "search" {
		c.List = list
	}
}

// nothing is the choice where no source is found.
func (c *Choice) nothing(p policy) {
	c.Why = fmt.Sprintf("No ds found [mode=%s, notfound=%s].", p.mode, p.notFound)
	c.Disabled = p.mode == "search" && p.notFound == "disabled"
	var note []string
	if p.mode == "search" {
		note = []string{fmt.Sprintf("# reporting not found result. notfound=%s.", p.notFound)}
	}
	c.Run = runConfig(true, nil, note)
}

// runConfig is the text of /run/cloud-init/cloud.cfg. What only reports stands below a key that nobody reads.
func runConfig(report bool, list, extra []string) string {
	var text strings.Builder
	indent := ""
	if report {
		text.WriteString("di_report:\n")
		indent = "  "
	}
	fmt.Fprintf(&text, "%sdatasource_list: [ %s ]\n", indent, strings.Join(list, ", "))
	for _, line := range extra {
		if line != "" {
			text.WriteString(indent + line + "\n")
		}
	}
	return text.String()
}

// configuredList is datasource_list, and where it stands. Like ds-identify it takes what stands in the line of its key
// only: on systems where the list was written over several lines, detection has looked for everything ever since.
func configuredList(e *Env) (names []string, where string) {
	key, list := entry(e.Config, "datasource_list")
	if list.IsNull() {
		return listInText(e)
	}
	where = "datasource_list in " + list.Origin.String()
	if list.Kind == conf.String {
		return splitList(list.Text), where
	}
	for _, item := range list.Items {
		if item.Origin.Part == key.Origin.Part && item.Origin.Line != key.Origin.Line {
			e.info("%s is written over several lines; detection reads it in one line only, and looks for every source", where)
			return nil, ""
		}
		if name := strings.TrimSpace(item.Text); name != "" && !item.IsNull() {
			names = append(names, name)
		}
	}
	return names, where
}

// listInText looks for a list in what is no YAML: ds-identify takes tabs for spaces, and images are in use that rely on it.
func listInText(e *Env) (names []string, where string) {
	const main = "/etc/cloud/cloud.cfg"
	files := []string{main}
	dropIns, _ := e.Machine.Files.List(main + ".d")
	for _, name := range dropIns {
		if strings.HasSuffix(name, ".cfg") {
			files = append(files, path.Join(main+".d", name))
		}
	}
	for _, name := range files {
		text, _ := e.Machine.Files.Read(name)
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(line, ":")
			value, _, _ = strings.Cut(value, "#")
			if strings.Contains(line, "\t") && unquoted(strings.TrimRight(key, " \t")) == "datasource_list" {
				names, where = splitList(strings.TrimSpace(value)), "datasource_list in "+name
			}
		}
	}
	return names, where
}

// splitList reads a list that was written without brackets.
func splitList(text string) (names []string) {
	for name := range strings.SplitSeq(strings.Trim(text, "[]"), ",") {
		if name = unquoted(strings.TrimSpace(name)); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// entry is the key of a mapping, and the value at it; nil where there is none.
func entry(m *conf.Value, key string) (k, v *conf.Value) {
	if m == nil {
		return nil, nil
	}
	for _, p := range m.Pairs {
		if p.Key.Kind == conf.String && p.Key.Text == key {
			return p.Key, p.Value
		}
	}
	return nil, nil
}
