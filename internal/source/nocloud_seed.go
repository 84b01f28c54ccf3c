package source

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// gathering is what came together so far from the places that may hold a seed.
type gathering struct {
	e       *Env
	places  []string // where something was found, as the source describes itself
	meta    *conf.Value
	user    []byte
	vendor  []byte
	network *instance.Network
	broken  []error // seeds that are there and cannot be used
}

// A seed is what one place holds. A document that is nil is not there.
type seed struct {
	meta         *conf.Value
	user, vendor []byte
	network      *instance.Network
}

// add joins a seed to what is there.
func (g *gathering) add(place string, s seed) {
	g.places = append(g.places, place)
	g.e.debug("Using seeded data from %s", place)
	if s.meta != nil {
		g.meta = conf.DefaultMerger().Merge(g.meta, s.meta)
	}
	if s.user != nil {
		g.user = s.user
	}
	if s.vendor != nil {
		g.vendor = s.vendor
	}
	if s.network != nil {
		g.network = s.network
	}
}

// fail says that a seed cannot be used, and goes on without it.
func (g *gathering) fail(err error) {
	g.broken = append(g.broken, err)
	g.e.warn("%v", err)
}

// addArguments takes what a line of words says behind ds=nocloud.
func (g *gathering) addArguments(place, line, part string) {
	if meta := seedArguments(line, part); meta != nil {
		g.add(place, seed{meta: meta})
	}
}

// addFolder takes the first seed folder that holds a seed.
func (g *gathering) addFolder() {
	for _, dir := range seedFolders(g.e) {
		s, err := readFolder(g.e, g.e.Machine.Files, dir, dir)
		if err == nil {
			g.add(dir, s)
			return
		}
		if !errors.Is(err, errNoSeed) {
			g.fail(fmt.Errorf("the seed folder %s cannot be used: %w", dir, err))
		}
	}
}

// addConfiguration takes what the image's configuration says: the address of a seed, or the documents themselves.
func (g *gathering) addConfiguration() {
	config := g.e.config("NoCloud")
	if from := config.Get("seedfrom"); scalar(from) != "" {
		g.places = append(g.places, "ds_config_seedfrom")
		g.meta = with(g.meta, "seedfrom", from)
	}
	if config.Get("user-data") == nil || config.Get("meta-data") == nil {
		return
	}
	s, err := configured(g.e, config)
	if err != nil {
		g.fail(err)
		return
	}
	g.add("ds_config", s)
}

// configured reads the documents that stand in the configuration. meta-data and network-config may be mappings there.
func configured(e *Env, config *conf.Value) (seed, error) {
	const name = "datasource.NoCloud."
	s := seed{meta: config.Get("meta-data")}
	if s.meta.Kind != conf.Map {
		var err error
		if s.meta, err = parseMeta(e, s.meta.Origin.Part+" "+name+"meta-data", []byte(scalar(s.meta))); err != nil {
			return s, err
		}
	}
	s.user = []byte(textOf(e, config.Get("user-data"), name+"user-data"))
	if v := config.Get("vendor-data"); v != nil {
		s.vendor = []byte(textOf(e, v, name+"vendor-data"))
	}
	switch v := config.Get("network-config"); {
	case v.IsNull():
	case v.Kind == conf.Map:
		s.network = networkOf(v, []byte(conf.Dump(v)))
	default:
		s.network = parseNetwork(e, v.Origin.Part+" "+name+"network-config", []byte(scalar(v)))
	}
	return s, nil
}

// addDevice takes the first of the labelled devices that holds a seed.
func (g *gathering) addDevice() {
	for _, d := range seedDevices(g.e) {
		g.e.debug("Attempting to use data from %s", d.Path)
		s, err := readDevice(g.e, d)
		if err == nil {
			g.add(d.Path, s)
			return
		}
		g.fail(fmt.Errorf("device %s with label=%s not a valid seed. %w", d.Path, d.Label, err))
	}
}

func readDevice(e *Env, d machine.Device) (seed, error) {
	files, unmount, err := e.Machine.Disks.Mount(d)
	if err != nil {
		return seed{}, fmt.Errorf("its file system cannot be opened: %w", err)
	}
	s, err := readFolder(e, files, "", d.Path)
	if failure := unmount(); failure != nil {
		e.debug("close the file system of %s: %v", d.Path, failure)
	}
	return s, err
}

// errNoSeed: neither of the documents that a seed must have is there.
var errNoSeed = errors.New("it holds neither meta-data nor user-data")

// readFolder reads a seed out of a folder. In texts its files are below place.
func readFolder(e *Env, files machine.Files, dir, place string) (seed, error) {
	r := reader{e, func(name string) string { return place + "/" + name }, func(name string) ([]byte, error) {
		text, err := files.Read(dir + "/" + name)
		return []byte(text), err
	}}
	if !machine.Exists(files, dir+"/meta-data") && !machine.Exists(files, dir+"/user-data") {
		return seed{}, errNoSeed
	}
	return r.seed()
}

// A reader reads the documents of a seed by name, wherever it is.
type reader struct {
	e    *Env
	part func(name string) string // what a document is called in texts
	read func(name string) ([]byte, error)
}

// seed reads the four documents. meta-data comes first: whoever cannot give it need not be asked for more.
func (r reader) seed() (s seed, err error) {
	text, err := r.required("meta-data")
	if err != nil {
		return s, err
	}
	if s.meta, err = parseMeta(r.e, r.part("meta-data"), text); err != nil {
		return s, err
	}
	if s.user, err = r.required("user-data"); err != nil {
		return s, err
	}
	if text := r.optional("network-config"); len(text) > 0 {
		s.network = parseNetwork(r.e, r.part("network-config"), text)
	}
	s.vendor = r.optional("vendor-data")
	return s, nil
}

func (r reader) required(name string) ([]byte, error) {
	text, err := r.read(name)
	if isMissing(err) {
		return nil, fmt.Errorf("%s is missing; a seed needs meta-data and user-data, which may be empty", r.part(name))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.part(name), err)
	}
	return text, nil
}

// optional is a document that need not be there. One that cannot be read is said, and left out. Some servers refuse what
// they do not have.
func (r reader) optional(name string) []byte {
	text, err := r.read(name)
	var answer *machine.StatusError
	switch {
	case err == nil:
		return text
	case isMissing(err):
		r.e.debug("there is no %s", r.part(name))
	case errors.As(err, &answer) && answer.Status < 500:
		r.e.info("there is no %s: %v", name, err)
	default:
		r.e.warn("read %s: %v; it is left out", r.part(name), err)
	}
	return nil
}

func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, machine.ErrNone)
}

// parseMeta reads meta-data, which is YAML or JSON and a mapping; nothing at all is an empty one. A page of a web site may
// happen to be a mapping too.
func parseMeta(e *Env, part string, text []byte) (*conf.Value, error) {
	if start := bytes.TrimSpace(text); bytes.HasPrefix(start, []byte("<")) && !bytes.HasPrefix(start, []byte("<<")) {
		return nil, fmt.Errorf("%s:1:1: meta-data should be YAML, but is a web page; does another server answer in place of the seed's?", part)
	}
	v, problems, err := conf.Parse(part, text)
	if err != nil {
		return nil, fmt.Errorf("the meta-data cannot be read: %w", err)
	}
	for _, p := range problems {
		e.info("%v", p)
	}
	switch {
	case v.IsNull():
		return &conf.Value{Kind: conf.Map, Origin: conf.Origin{Part: part}}, nil
	case v.Kind != conf.Map:
		return nil, fmt.Errorf("%s: meta-data should be a mapping, but is %v", v.Origin, v.Kind)
	}
	return v, nil
}

// parseNetwork reads a description of the network. One that makes no sense is said, and left out.
func parseNetwork(e *Env, part string, text []byte) *instance.Network {
	v, problems, err := conf.Parse(part, text)
	for _, p := range problems {
		e.info("%v", p)
	}
	switch {
	case err != nil:
		e.warn("the network's description is left out: %v", err)
		return nil
	case v.IsNull():
		return nil
	case v.Kind != conf.Map:
		e.warn("%s: the network's description should be a mapping, but is %v; it is left out", v.Origin, v.Kind)
		return nil
	}
	return networkOf(v, text)
}

// networkOf tells version 1 from 2. What has no version can only be {config: disabled}, which came with 1.
func networkOf(v *conf.Value, text []byte) *instance.Network {
	if inner := v.Get("network"); inner != nil {
		v = inner
	}
	version := scalar(v.Get("version"))
	if version == "" {
		version = "1"
	}
	return &instance.Network{Kind: "v" + version, Document: text}
}
