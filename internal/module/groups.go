package module

import (
	"slices"
	"strings"

	"openguest/internal/conf"
)

// A membership is a group and who shall be in it.
type membership struct {
	name    string
	members []string
	origin  conf.Origin
	key     string
}

// groups are the groups that the configuration names, each once, with their members sorted.
func (e *Env) groups() []membership {
	var r groupRoster
	switch v := e.Config.Get("groups"); {
	case v.IsNull():
	case v.Kind == conf.Map:
		r.addPairs(v, "groups")
	case v.Kind == conf.List:
		for i, item := range v.Items {
			switch item.Kind {
			case conf.Map:
				r.addPairs(item, itemPath("groups", i))
			case conf.List, conf.Null:
			default:
				r.add(item.Text, nil, item.Origin, itemPath("groups", i))
			}
		}
	default:
		for _, name := range splitNames(v.Text) {
			r.add(name, nil, v.Origin, "groups."+name)
		}
	}
	return r
}

// groupRoster collects groups by name.
type groupRoster []membership

// addPairs takes in a mapping from groups to their members.
func (r *groupRoster) addPairs(v *conf.Value, key string) {
	for _, pair := range byName(v) {
		r.add(pair.Key.Text, groupNames(pair.Value), pair.Key.Origin, key+"."+pair.Key.Text)
	}
}

func (r *groupRoster) add(name string, members []string, at conf.Origin, key string) {
	if name = strings.TrimSpace(name); name == "" {
		return
	}
	i := slices.IndexFunc(*r, func(g membership) bool { return g.name == name })
	if i < 0 {
		i = len(*r)
		*r = append(*r, membership{name: name, origin: at, key: key})
	}
	g := &(*r)[i]
	g.members = slices.Compact(slices.Sorted(slices.Values(append(g.members, members...))))
}
