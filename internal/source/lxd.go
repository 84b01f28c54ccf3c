package source

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// lxd is the source of containers and machines of LXD.
func lxd() *Source {
	return &Source{
		Name: "LXD",
		Doc: "What LXD says of an instance on the socket /dev/lxd/sock inside of it: meta-data, and the configuration's cloud-init.user-data, " +
			"vendor-data and network-config, or user.user-data and so on where these are not set.",
		Match: anyOf(file(lxdSocket), lxdPort()),
		Fetch: fetchLXD,
		Check: checkLXD,
	}
}

// lxdSocket is where LXD answers.
const lxdSocket = "/dev/lxd/sock"

// lxdPort is the serial port that LXD gives its virtual machines: in these the socket appears with its agent, later in the
// boot.
func lxdPort() sign {
	const ports = "/sys/class/virtio-ports"
	return sign{"port of LXD in " + ports, func(f *machine.Facts, e *Env) string {
		if !slices.Contains([]string{"kvm", "qemu"}, f.Virtualization()) {
			return ""
		}
		names, _ := e.Machine.Files.List(ports)
		for _, name := range names {
			if port := firstLine(e, ports+"/"+name+"/name"); port == "com.canonical.lxd" || port == "org.linuxcontainers.lxd" {
				return ports + "/" + name + " is " + port
			}
		}
		return ""
	}}
}

// overSocket asks a server on this machine, whatever the host in the address is.
type overSocket struct {
	machine.Net
	socket string
}

// Fetch asks over the socket.
func (n overSocket) Fetch(ctx context.Context, r machine.Request) (machine.Response, error) {
	r.Socket = n.socket
	return n.Net.Fetch(ctx, r)
}

// lxdClient asks LXD, whose API is described at https://documentation.ubuntu.com/lxd/en/latest/dev-lxd/. An answer 500 may
// be none a moment later.
func lxdClient(e *Env) *client {
	asking := *e
	asking.Machine.Net = overSocket{e.Machine.Net, lxdSocket}
	return &client{e: &asking, base: "http://lxd/1.0", limits: e.limits("LXD", limits{timeout: 3 * time.Second, pause: 100 * time.Millisecond, tries: 30})}
}

// lxdConfig is where the values of the instance's configuration are.
const lxdConfig = "/1.0/config/"

// fetchLXD asks for everything that there is, and for its parts at the same time.
func fetchLXD(ctx context.Context, e *Env) (*instance.Instance, error) {
	if !machine.Exists(e.Machine.Files, lxdSocket) {
		return nil, fmt.Errorf("%w: there is no %s; LXD's agent may make it later", cmp.Or(map[Stage]error{Local: ErrNotYet}[e.Stage], ErrSilent), lxdSocket)
	}
	c := lxdClient(e)
	ctx, cancel := context.WithTimeout(ctx, 2*c.limits.all())
	defer cancel()
	found, err := c.all(ctx, "meta-data", "config", "devices")
	if err != nil {
		return nil, err
	}
	names := lxdNames(e, found["config"])
	values, err := c.all(ctx, names...)
	if err != nil {
		return nil, err
	}
	config := map[string]any{}
	for name, value := range values {
		config[strings.TrimPrefix(name, "config/")] = string(value)
	}
	in, err := lxdInstance(e, found["meta-data"], config)
	if err != nil {
		return nil, err
	}
	if devices, err := conf.ReadJSON(found["devices"]); err == nil && devices != nil {
		in.Tree["devices"] = devices
	}
	return in, nil
}

// maxLXDValues is how many values are asked for: no instance comes near it.
const maxLXDValues = 500

// lxdNames are the names of the values that LXD lists.
func lxdNames(e *Env, body []byte) (names []string) {
	list, _ := conf.ReadJSON(body)
	items, _ := list.([]any)
	for _, item := range items {
		path, _ := item.(string)
		name, ok := strings.CutPrefix(path, lxdConfig)
		if !ok || name == "" || strings.ContainsAny(name, "/?#") || len(names) == maxLXDValues {
			e.warn("LXD lists %.100q among the instance's configuration; it is left out", item)
			continue
		}
		names = append(names, "config/"+name)
	}
	return names
}

// lxdInstance is what meta-data and configuration mean.
func lxdInstance(e *Env, metaData []byte, config map[string]any) (*instance.Instance, error) {
	meta, err := lxdMeta(e, metaData, textAt(config, "user.meta-data"))
	if err != nil {
		return nil, err
	}
	in := standard(e, meta)
	in.Source, in.Detail, in.Mode = "LXD", "DataSourceLXD", modeNet
	in.Cloud, in.Platform, in.Subplatform = cmp.Or(in.Cloud, "lxd"), "lxd", "LXD socket API v. 1.0 ("+lxdSocket+")"
	if in.ID = scalar(meta.Get("instance-id")); !isIdentity(in.ID) {
		return nil, fmt.Errorf("%w: LXD's meta-data says no instance-id", ErrSilent)
	}
	in.UserData, in.VendorData = lxdValue(e, config, "user-data"), lxdValue(e, config, "vendor-data")
	if text := lxdValue(e, config, "network-config"); text != nil {
		in.Network = parseNetwork(e, "network-config", text)
	}
	in.Tree, in.IsWhole = map[string]any{"_metadata_api_version": "1.0", "config": config, "meta-data": string(metaData)}, true
	for _, key := range []string{"user.meta-data", "user.vendor-data", "user.user-data", "cloud-init.user-data", "cloud-init.vendor-data"} {
		if _, there := config[key]; there {
			in.Sensitive = append(in.Sensitive, "ds/config/"+key)
		}
	}
	return in, nil
}

// lxdMeta is the meta-data that LXD makes, with what a person wrote over it.
func lxdMeta(e *Env, metaData []byte, own string) (*conf.Value, error) {
	meta, err := parseMeta(e, "meta-data", metaData)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	over, err := parseMeta(e, "user.meta-data", []byte(own))
	if err != nil {
		e.warn("user.meta-data is left out: %v", err)
		return meta, nil
	}
	for _, p := range over.Pairs {
		meta = with(meta, p.Key.Text, p.Value)
	}
	return meta, nil
}

// lxdValue is a value of the configuration; nil where it is not set. The keys that begin with user are the old ones.
func lxdValue(e *Env, config map[string]any, name string) []byte {
	text, there := config["cloud-init."+name].(string)
	old, alsoOld := config["user."+name].(string)
	switch {
	case there && alsoOld:
		e.warn("Ignoring LXD config user.%s in favor of cloud-init.%s value.", name, name)
	case alsoOld:
		text = old
	case !there:
		return nil
	}
	return []byte(text)
}

// checkLXD asks for the id alone. The agent's socket is there before anybody asks in a container.
func checkLXD(ctx context.Context, e *Env, last *instance.Instance) bool {
	if !machine.Exists(e.Machine.Files, lxdSocket) {
		return false
	}
	c := lxdClient(e)
	ctx, cancel := context.WithTimeout(ctx, c.limits.timeout)
	defer cancel()
	body, err := c.get(ctx, "meta-data")
	if err != nil {
		return false
	}
	meta, err := parseMeta(e, "meta-data", body)
	return err == nil && last.ID != "" && scalar(meta.Get("instance-id")) == last.ID
}
