package engine

import (
	"slices"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/module"
)

// concludeUnlisted says of the keys whose modules are in none of cloud.cfg's lists that nobody reads them here.
func (e *Engine) concludeUnlisted(config *conf.Value) {
	listed := e.listedModules()
	for _, pair := range config.Pairs {
		readers := readersOf(pair.Key.Text)
		if len(readers) == 0 || slices.ContainsFunc(readers, func(name string) bool { return slices.Contains(listed, name) }) {
			continue
		}
		reason := "cloud.cfg's lists do not name " + strings.Join(readers, " or ")
		e.log.Log(module.Info, "%s: %s: skipped: %s", pair.Key.Origin, pair.Key.Text, reason)
		e.log.Verdict(module.Verdict{Origin: pair.Key.Origin.String(), Key: pair.Key.Text, Verdict: module.Skipped, Reason: reason, Module: readers[0]})
	}
}

// readersOf are the modules that read a key.
func readersOf(key string) (names []string) {
	for _, m := range module.All() {
		if slices.Contains(m.Keys(), key) {
			names = append(names, m.Name)
		}
	}
	return names
}

// listedModules are the modules in all of cloud.cfg's lists.
func (e *Engine) listedModules() (names []string) {
	for _, stage := range []module.Stage{module.Init, module.Config, module.Final} {
		list := e.config.Get("cloud_" + string(stage) + "_modules")
		if list.IsNull() {
			continue
		}
		for _, item := range list.Items {
			entry, _, _ := readListed(item)
			names = append(names, module.ID(entry.name))
		}
	}
	return names
}
