package module

import (
	"slices"
	"sort"
	"strings"

	"openguest/internal/conf"
)

// A person is one user after all the ways in which cloud-config writes users have come together.
type person struct {
	name      string
	config    *conf.Value // what is wanted of the user, a mapping
	origin    conf.Origin
	key       string // "users[1]"
	isDefault bool   // who the image is made for: the cloud's keys are this user's
}

// people are the users that the configuration names, in the order in which they are made: the default user comes last,
// wherever it is named.
func (e *Env) people() []person {
	own := e.ownUser()
	var r roster
	r.read(e.Config.Get("users"))
	if own != nil && r.find("default") < 0 && !r.refused["default"] {
		r.add("default", mapping(nil), own.Origin, "user")
	}
	for i := range r.all {
		r.all[i].config = underscored(r.all[i].config)
	}
	r.nameDefault(conf.DefaultMerger().Merge(orEmpty(own), orEmpty(e.Config.At("system_info", "default_user"))))
	return r.all
}

// defaultUser is the name of the default user; empty where nobody asked for one.
func (e *Env) defaultUser() string {
	for _, p := range e.people() {
		if p.isDefault {
			return p.name
		}
	}
	return ""
}

// ownUser is the key user as a mapping, or nil: it says of the default user what the image says otherwise.
func (e *Env) ownUser() *conf.Value {
	v := e.Config.Get("user")
	switch {
	case v == nil || v.Kind == conf.Map && len(v.Pairs) == 0 || v.Kind == conf.String && v.Text == "":
		return nil
	case v.Kind == conf.Map:
		return v
	case v.Kind == conf.String:
		return mapping(v, conf.Pair{Key: stringAt("name", v.Origin), Value: v})
	}
	return nil
}

// roster collects people by name.
type roster struct {
	all     []person
	refused map[string]bool // names that a mapping gives as false
}

// read takes in the key users: names with commas between them, a list, or a mapping from names.
func (r *roster) read(v *conf.Value) {
	r.refused = map[string]bool{}
	switch {
	case v.IsNull():
	case v.Kind == conf.Map:
		for _, pair := range byName(v) {
			r.readPair(pair)
		}
	case v.Kind == conf.List:
		for i, item := range v.Items {
			r.readItem(item, itemPath("users", i))
		}
	default:
		for _, name := range slices.Sorted(slices.Values(splitNames(v.Text))) {
			r.add(name, mapping(v), v.Origin, "users."+name)
		}
	}
}

// byName are the pairs of a mapping in the order of their keys. cloud-init makes users and groups in that order, and so
// numbers them.
func byName(v *conf.Value) []conf.Pair {
	pairs := slices.Clone(v.Pairs)
	sort.SliceStable(pairs, func(i, j int) bool { return pairs[i].Key.Text < pairs[j].Key.Text })
	return pairs
}

func (r *roster) readPair(pair conf.Pair) {
	name, v := pair.Key.Text, pair.Value
	switch {
	case v.Kind == conf.Map:
		r.merge(name, v, "users."+name)
	case v.Truth(false):
		r.add(name, mapping(pair.Key), pair.Key.Origin, "users."+name)
	default:
		r.refused[name] = true
	}
}

func (r *roster) readItem(item *conf.Value, key string) {
	switch item.Kind {
	case conf.Map:
		name := "default"
		if v := item.Get("name"); !v.IsNull() {
			name = v.Text
		}
		r.merge(name, item, key)
	case conf.List:
		for _, name := range item.Strings() {
			r.add(strings.TrimSpace(name), mapping(item), item.Origin, key)
		}
	case conf.Null:
	default:
		for _, name := range splitNames(item.Text) {
			r.add(name, mapping(item), item.Origin, key)
		}
	}
}

func (r *roster) find(name string) int {
	return slices.IndexFunc(r.all, func(p person) bool { return p.name == name })
}

// add takes in a name, where it is not there yet.
func (r *roster) add(name string, config *conf.Value, origin conf.Origin, key string) {
	if name != "" && r.find(name) < 0 {
		r.all = append(r.all, person{name: name, config: config, origin: origin, key: key})
	}
}

// merge takes in what is wanted of a user. What was said first counts.
func (r *roster) merge(name string, config *conf.Value, key string) {
	config = without(config, "name")
	if i := r.find(name); i >= 0 {
		r.all[i].config = conf.DefaultMerger().Merge(r.all[i].config, config)
		return
	}
	r.add(name, config, config.Origin, key)
}

// nameDefault puts the default user, as the image and the key user describe it, in place of the name "default". What is
// said about the user under its own name comes first, then what is said about "default".
func (r *roster) nameDefault(described *conf.Value) {
	at := r.find("default")
	if at < 0 || len(described.Pairs) == 0 || described.Get("name") == nil {
		if at >= 0 {
			r.all = slices.Delete(r.all, at, at+1)
		}
		return
	}
	p := r.all[at]
	r.all = slices.Delete(r.all, at, at+1)
	p.name, p.isDefault = described.Get("name").Text, true
	said := mapping(nil)
	if i := r.find(p.name); i >= 0 {
		said = r.all[i].config
		r.all = slices.Delete(r.all, i, i+1)
	}
	groups := slices.Concat(groupNames(said.Get("groups")), groupNames(described.Get("groups")))
	slices.Sort(groups)
	together := stringAt(strings.Join(slices.Compact(groups), ","), p.origin)
	said = mapping(said, append(without(said, "groups").Pairs, conf.Pair{Key: stringAt("groups", p.origin), Value: together})...)
	merger := conf.DefaultMerger()
	p.config = merger.Merge(merger.Merge(said, p.config), without(described, "name"))
	r.all = append(r.all, p)
}

// groupNames are the groups of a user, or the members of a group: a list, names with commas between them, or a mapping from names.
func groupNames(v *conf.Value) (names []string) {
	switch {
	case v.IsNull():
	case v.Kind == conf.Map:
		for _, pair := range v.Pairs {
			names = append(names, pair.Key.Text)
		}
	case v.Kind == conf.List:
		for _, name := range v.Strings() {
			names = append(names, strings.TrimSpace(name))
		}
	default:
		names = splitNames(v.Text)
	}
	return names
}

// splitNames are names with commas between them, each once.
func splitNames(text string) (names []string) {
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// underscored is a mapping with underscores in place of dashes in its keys.
func underscored(v *conf.Value) *conf.Value {
	pairs := make([]conf.Pair, 0, len(v.Pairs))
	for _, pair := range v.Pairs {
		key := *pair.Key
		key.Text = strings.TrimSpace(strings.ReplaceAll(key.Text, "-", "_"))
		pairs = append(slices.DeleteFunc(pairs, func(p conf.Pair) bool { return p.Key.Text == key.Text }), conf.Pair{Key: &key, Value: pair.Value})
	}
	return mapping(v, pairs...)
}

// mapping is a mapping that stands where another value does.
func mapping(at *conf.Value, pairs ...conf.Pair) *conf.Value {
	v := &conf.Value{Kind: conf.Map, Pairs: pairs}
	if at != nil {
		v.Origin = at.Origin
	}
	return v
}

func stringAt(s string, at conf.Origin) *conf.Value {
	return &conf.Value{Kind: conf.String, Text: s, Origin: at}
}

// without is a mapping without a key.
func without(v *conf.Value, key string) *conf.Value {
	return mapping(v, slices.DeleteFunc(slices.Clone(v.Pairs), func(p conf.Pair) bool { return p.Key.Text == key })...)
}

func orEmpty(v *conf.Value) *conf.Value {
	if v == nil || v.Kind != conf.Map {
		return mapping(v)
	}
	return v
}
