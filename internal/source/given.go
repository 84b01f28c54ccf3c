package source

import (
	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// Given is the instance that a person describes in place of a cloud: the documents of a NoCloud seed by name, as far as
// they are there. place is where they are from, for people to read.
func Given(m machine.Machine, place string, documents map[string][]byte) (*instance.Instance, error) {
	e := &Env{Machine: m, Config: &conf.Value{Kind: conf.Map}, Stage: Local}
	g := &gathering{e: e, meta: &conf.Value{Kind: conf.Map}}
	s := seed{user: documents["user-data"], vendor: documents["vendor-data"], network: parseNetwork(e, "network-config", documents["network-config"])}
	if text := documents["meta-data"]; text != nil {
		meta, err := parseMeta(e, "meta-data", text)
		if err != nil {
			return nil, err
		}
		s.meta = meta
	}
	g.add(place, s)
	return g.instance()
}
