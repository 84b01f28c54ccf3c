package engine

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
	"openguest/internal/module"
	"openguest/internal/network"
)

// A networkText is a description of the network, and where it comes from.
type networkText struct {
	from     string // in cloud-init's words: "cmdline", "initramfs", "system_cfg", "ds", "ip=", "fallback"
	kind     string // as network.Read knows it
	document *conf.Value
	why      string // of a fallback: which fact chose the interface
}

// A Networking is what a machine knows of its network: the description that counts, and what was written for it.
type Networking struct {
	From     string      // where the description is: "cmdline", "initramfs", "system_cfg", "ds", "ip=", "fallback"; empty where there is none
	Kind     string      // as network.Read knows it
	Document *conf.Value // nil where there is none
	Why      string      // of a fallback: which fact chose the interface

	Record     network.Record // what was written last
	Target     network.Target
	Renderers  []string // the list to choose from; empty is that of network.Renderers
	Activators []string // the same for network.Activators
}

// NetworkOf is the networking of a machine as it is now. Nothing is written, and nobody is asked.
func NetworkOf(ctx context.Context, m machine.Machine) Networking {
	e := New(m.Quiet(), Options{})
	e.load()
	e.now = e.recall()
	n := Networking{Target: e.networkTarget(), Renderers: e.renderers(), Activators: e.activators()}
	n.Record, _ = e.networkRecord()
	if text, ok := e.networkText(ctx); ok {
		n.From, n.Kind, n.Document, n.Why = text.from, text.kind, text.document, text.why
	}
	return n
}

func (e *Engine) renderers() []string {
	return e.base.At("system_info", "network", "renderers").Strings()
}

func (e *Engine) activators() []string {
	return e.base.At("system_info", "network", "activators").Strings()
}

// networkText finds the description that counts. ok is false where somebody wants none, or there is none.
func (e *Engine) networkText(ctx context.Context) (text networkText, ok bool) {
	if by := e.paths.Data("upgraded-network"); machine.Exists(e.state.Files, by) {
		return text, e.noNetwork(by)
	}
	for _, from := range e.networkSources() {
		text := e.networkFrom(from)
		switch {
		case text.document.IsNull():
			continue
		case text.document.Get("config").Str("") == "disabled":
			return text, e.noNetwork(from)
		case !slices.Contains(network.Kinds(), text.kind):
			e.log.Log(module.Warning, "the network's description from %s is left out: descriptions of kind %s are not known here", from, text.kind)
			continue
		}
		return text, true
	}
	hasOwn := e.distro.ID == "photon" || e.distro.ID == "raspberry-pi-os" // the images of these come with a network
	if e.base.At("system_info", "disable_fallback_netcfg").Truth(e.base.Get("disable_fallback_netcfg").Truth(hasOwn)) {
		return text, e.noNetwork("disable_fallback_netcfg")
	}
	e.awaitLinks(ctx, nil)
	document, why := network.Fallback(e.networkHost().NICs)
	if document == nil {
		e.log.Log(module.Debug, "no network is assumed: %s", why)
		return text, e.noNetwork("fallback")
	}
	return networkText{from: "fallback", kind: "v2", document: document, why: why}, true
}

func (e *Engine) noNetwork(by string) bool {
	e.log.Log(module.Info, "network config is disabled by %s", by)
	return false
}

// networkSources are where a description may be, the first that has one counts. Some clouds know better than the
// initramfs, which had to guess. What the kernel alone was told counts where nobody else says anything: cloud-init does not look
// there, and images have ip=dhcp for the initramfs only.
func (e *Engine) networkSources() []string {
	if e.now != nil && (e.now.Source == "MAAS" || e.now.Source == "Oracle") {
		return []string{"cmdline", "system_cfg", "ds", "initramfs", "ip="}
	}
	return []string{"cmdline", "initramfs", "system_cfg", "ds", "ip="}
}

func (e *Engine) networkFrom(from string) networkText {
	switch {
	case from == "cmdline":
		if value, ok := e.machine.Facts.KernelArgument("network-config"); ok {
			return e.parseNetwork(from, "", "kernel command line: network-config", unpacked(value))
		}
	case from == "initramfs":
		return networkText{from: from, kind: "initramfs", document: e.initramfsText()}
	case from == "ip=":
		return networkText{from: from, kind: "ip", document: e.kernelIP()}
	case from == "system_cfg":
		return networkOf(from, "", e.base.Get("network"))
	case from == "ds" && e.now != nil && e.now.Network != nil:
		return e.parseNetwork(from, e.now.Network.Kind, "network-config", e.now.Network.Document)
	}
	return networkText{from: from}
}

// initramfsText is what the initramfs wrote down of the network that it set up (klibc's ipconfig does), a file for each
// interface, one behind the other; nil where nobody asked it to, or its files cannot be read here.
func (e *Engine) initramfsText() *conf.Value {
	_, asked := e.machine.Facts.KernelArgument("ip")
	_, asked6 := e.machine.Facts.KernelArgument("ip6")
	if !asked && !asked6 && !machine.Exists(e.state.Files, "/run/initramfs/open-iscsi.interface") || !slices.Contains(network.Kinds(), "initramfs") {
		return nil
	}
	var texts []string
	names, _ := e.state.Files.List("/run")
	for _, name := range names {
		if isKlibc(name) {
			text, err := e.state.Files.Read("/run/" + name)
			if err != nil {
				e.log.Log(module.Warning, "read what the initramfs says of the network: %v", err)
				continue
			}
			texts = append(texts, text)
		}
	}
	if texts == nil {
		return nil
	}
	return conf.Of(strings.Join(texts, "\n"), conf.Origin{Part: "/run/net-*.conf"})
}

// kernelIP is the kernel's command line, where it says how an interface gets an address; nil where it does not.
func (e *Engine) kernelIP() *conf.Value {
	if !strings.Contains(e.commandLine(), "ip=") {
		return nil
	}
	document := conf.Of(e.commandLine(), conf.Origin{Part: "kernel command line"})
	if _, _, err := network.Read("ip", document, e.networkHost()); err != nil {
		return nil
	}
	return document
}

func isKlibc(name string) bool {
	return strings.HasSuffix(name, ".conf") && (strings.HasPrefix(name, "net-") || strings.HasPrefix(name, "net6-"))
}

// unpacked is the text that the kernel's command line has as base64, perhaps packed by gzip.
func unpacked(value string) []byte {
	if value == "disabled" {
		return []byte("config: disabled")
	}
	data, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return []byte(value)
	}
	if conf.IsGzip(data) {
		if text, err := conf.Gunzip(string(data), maxNetwork); err == nil {
			return []byte(text)
		}
	}
	return data
}

// maxNetwork is how long a description may be, in bytes.
const maxNetwork = 1 << 20

// parseNetwork reads a text. One of a kind that is no YAML is itself the document.
func (e *Engine) parseNetwork(from, kind, part string, text []byte) networkText {
	if kind == "eni" {
		return networkText{from: from, kind: kind, document: conf.Of(string(text), conf.Origin{Part: part, Line: 1, Col: 1})}
	}
	v, problems, err := conf.Parse(part, text)
	if err != nil {
		e.problem(err)
		return networkText{from: from}
	}
	e.problems(problems)
	return networkOf(from, kind, v)
}

// networkOf takes the description out of the "network" around it. Where its kind is not known, its version says it.
func networkOf(from, kind string, v *conf.Value) networkText {
	if inner := v.Get("network"); inner != nil {
		v = inner
	}
	if v != nil && len(v.Pairs) == 0 && len(v.Items) == 0 { // some clouds give a list
		v = nil
	}
	if kind == "" {
		kind = "v1"
		if version := v.Get("version"); !version.IsNull() {
			kind = "v" + version.Text
		}
	}
	return networkText{from: from, kind: kind, document: v}
}
