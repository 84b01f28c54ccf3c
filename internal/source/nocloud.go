package source

import (
	"context"
	"fmt"
	"path"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// noCloud is the source of machines without a cloud: whoever made the machine left files beside it.
func noCloud() *Source {
	return &Source{
		Name: "NoCloud",
		Doc: "Files that stand for a cloud: meta-data and user-data, and where wanted vendor-data and network-config. They are in " +
			"seed/nocloud or seed/nocloud-net below /var/lib/cloud, on a vfat or iso9660 file system labelled cidata, at the address " +
			"that seedfrom names, or in the image's configuration. The kernel command line and the serial number in DMI may " +
			"say ds=nocloud;s=ADDRESS;i=INSTANCE-ID;h=HOSTNAME, and any other key of meta-data.",
		Match: matchNoCloud,
		Fetch: fetchNoCloud,
		Check: checkNoCloud,
	}
}

// matchNoCloud looks for any of the signs.
func matchNoCloud(f *machine.Facts, e *Env) Match {
	if seedArguments(f.DMI("product_serial"), "") != nil {
		return Match{Found: true, Why: "the serial number in DMI says ds=nocloud"}
	}
	if seedArguments(f.CommandLine(), "") != nil {
		return Match{Found: true, Why: "the kernel command line says ds=nocloud"}
	}
	for _, dir := range append(seedFolders(e), writableFolders(e)...) {
		if machine.Exists(e.Machine.Files, dir+"/meta-data") && machine.Exists(e.Machine.Files, dir+"/user-data") {
			return Match{Found: true, Why: "the seed folder " + dir}
		}
	}
	switch config := e.config("NoCloud"); {
	case config.Get("user-data") != nil && config.Get("meta-data") != nil:
		return Match{Found: true, Why: "the configuration has user-data and meta-data for it"}
	case scalar(config.Get("seedfrom")) != "":
		return Match{Found: true, Why: "the configuration has a seedfrom for it"}
	}
	if f.IsContainer() {
		return Match{Why: "no seed folder, no configuration, nothing on the command line; the disks are not the container's"}
	}
	for _, d := range seedDevices(e) {
		return Match{Found: true, Why: d.Path + " is labelled " + d.Label}
	}
	return Match{Why: "no seed folder, no labelled device, no configuration, nothing on the kernel command line or in DMI"}
}

// seedFolders are where a seed may lie, the first that holds one counts.
func seedFolders(e *Env) []string {
	return []string{path.Join(e.Seed, "nocloud"), path.Join(e.Seed, "nocloud-net")}
}

// writableFolders are the same folders where Ubuntu Core keeps them: it mounts them over /var/lib/cloud, perhaps later.
func writableFolders(e *Env) []string {
	const writable = "/writable/system-data"
	return []string{path.Join(writable, e.Seed, "nocloud"), path.Join(writable, e.Seed, "nocloud-net")}
}

// seedDevices are the devices with the label of seeds, the one to try first first.
func seedDevices(e *Env) (devices []machine.Device) {
	label := "cidata"
	if _, v := entry(e.config("NoCloud"), "fs_label"); v != nil {
		if label = scalar(v); label == "" {
			return nil
		}
	}
	all, err := e.Machine.Disks.Labelled(strings.ToUpper(label), strings.ToLower(label), label)
	if err != nil {
		e.warn("look for devices with the label %s: %v", label, err)
	}
	for _, d := range all {
		if d.Type == "vfat" || d.Type == "iso9660" {
			devices = append(devices, d)
		}
	}
	return devices
}

// checkNoCloud compares the recorded id with what the kernel command line or a seed folder says. Other seeds are read
// again at each boot.
func checkNoCloud(_ context.Context, e *Env, last *instance.Instance) bool {
	line := seedArguments(e.Machine.Facts.CommandLine(), "kernel command line")
	if id := scalar(line.Get("instance-id")); id != "" {
		return id == last.ID
	}
	for _, dir := range seedFolders(e) {
		name := dir + "/meta-data"
		text, err := e.Machine.Files.Read(name)
		if err != nil {
			continue
		}
		if meta, _, err := conf.Parse(name, []byte(text)); err == nil {
			if id := scalar(meta.Get("instance-id")); id != "" {
				return id == last.ID
			}
		}
	}
	return false
}

// fetchNoCloud asks every place that may hold a seed. Of meta-data the earlier place wins, key by key; of the other
// three documents the later.
func fetchNoCloud(ctx context.Context, e *Env) (*instance.Instance, error) {
	g := &gathering{e: e, meta: &conf.Value{Kind: conf.Map}}
	g.addArguments("dmi", e.Machine.Facts.DMI("product_serial"), "serial number in DMI")
	g.addArguments("cmdline", e.Machine.Facts.CommandLine(), "kernel command line")
	g.addFolder()
	g.addConfiguration()
	g.addDevice()
	if len(g.places) == 0 {
		return nil, g.nothing()
	}
	if err := g.follow(ctx); err != nil {
		return nil, err
	}
	return g.instance()
}

// nothing is the error where no place holds a seed.
func (g *gathering) nothing() error {
	if len(g.broken) == 0 {
		return ErrAbsent
	}
	return fmt.Errorf("%w: %w", ErrSilent, g.broken[0])
}

// instance is what came together.
func (g *gathering) instance() (*instance.Instance, error) {
	id, err := g.id()
	if err != nil {
		return nil, err
	}
	g.meta = withDefault(withDefault(g.meta, "instance-id", "nocloud"), "dsmode", modeNet)
	in := standard(g.e, g.meta)
	if in.Mode = g.mode(); in.Mode == modeDisabled {
		return nil, fmt.Errorf("%w: its dsmode is disabled", ErrAbsent)
	}
	seed := strings.Join(g.places, ",")
	in.ID = id
	in.UserData, in.VendorData, in.Network = g.user, g.vendor, g.networkConfig()
	in.Source = g.class()
	in.Detail = "DataSource" + in.Source + " [seed=" + seed + "]"
	if in.Mode != modeNet {
		in.Detail += "[dsmode=" + in.Mode + "]"
	}
	in.Platform, in.Subplatform = "nocloud", "seed-dir ("+seed+")"
	if strings.HasPrefix(seed, "/dev") {
		in.Subplatform = "config-disk (" + seed + ")"
	}
	if machine.Exists(g.e.Machine.Files, "/dev/lxd/sock") {
		in.Platform = "lxd"
	}
	if in.Cloud == "" {
		in.Cloud = "unknown"
	}
	if from := scalar(g.meta.Get("seedfrom")); from != "" && machine.PublicURL(from) != from {
		in.Sensitive = []string{"ds/meta_data/seedfrom"}
	}
	return in, nil
}

// class is what cloud-init calls itself here: it has a second class for what is found when the network is up.
func (g *gathering) class() string {
	if g.e.Stage == Network {
		return "NoCloudNet"
	}
	return "NoCloud"
}

// id is the instance-id as Python's str() gives it. Without one the machine is "nocloud", unless it was somebody already
// or a seed that may have held an id is broken: then this is no proof of who it is.
func (g *gathering) id() (string, error) {
	v := g.meta.Get("instance-id")
	last := g.e.Last
	switch {
	case v != nil && (v.Kind == conf.List || v.Kind == conf.Map):
		return "", fmt.Errorf("%w: %s: instance-id should be a text, but is %v", ErrSilent, v.Origin, v.Kind)
	case v != nil:
		return v.Text, nil
	case len(g.broken) > 0:
		return "", g.nothing()
	case last != nil && last.ID != "nocloud" && Named(last.Source) != nil && Named(last.Source).Name == "NoCloud":
		return "", fmt.Errorf("%w: none of %s says an instance-id, and this machine was %s", ErrSilent, strings.Join(g.places, ", "), last.ID)
	}
	return "nocloud", nil
}

// mode is in which stage the data is used.
func (g *gathering) mode() string {
	v := g.meta.Get("dsmode")
	switch mode := scalar(v); {
	case v.IsNull():
		return modeNet
	case mode == modeLocal || mode == modeNet || mode == modeDisabled:
		return mode
	default:
		g.e.warn("invalid dsmode '%s', using default=%s", mode, modeNet)
		return modeNet
	}
}

// networkConfig is the network's description, in meta-data as a last resort: there it is text of /etc/network/interfaces.
func (g *gathering) networkConfig() *instance.Network {
	v := g.meta.Get("network-interfaces")
	if g.network != nil || v.IsNull() {
		return g.network
	}
	g.e.deprecated("Eni network configuration in NoCloud", "24.3", "29.3", "You can use network v1 or network v2 instead")
	text := textOf(g.e, v, "network-interfaces")
	if text == "" {
		return nil
	}
	return &instance.Network{Kind: "eni", Document: []byte(text)}
}

// withDefault is a mapping with one more entry, where it has none of that key.
func withDefault(m *conf.Value, key, value string) *conf.Value {
	if m.Get(key) != nil {
		return m
	}
	return with(m, key, &conf.Value{Kind: conf.String, Text: value})
}

// with is a mapping with an entry changed or added.
func with(m *conf.Value, key string, value *conf.Value) *conf.Value {
	out := &conf.Value{Kind: conf.Map, Origin: m.Origin}
	for _, p := range m.Pairs {
		if p.Key.Kind != conf.String || p.Key.Text != key {
			out.Pairs = append(out.Pairs, p)
		}
	}
	name := &conf.Value{Kind: conf.String, Text: key, Origin: value.Origin}
	out.Pairs = append(out.Pairs, conf.Pair{Key: name, Value: value})
	return out
}
