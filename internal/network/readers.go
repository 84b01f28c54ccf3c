package network

import (
	"fmt"
	"maps"
	"slices"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// Host is what readers and renderers must know of the machine: which interface has which address.
type Host struct {
	NICs []machine.NIC
}

// named is the name of the interface with a MAC in lower case; empty where there is none.
func (h Host) named(mac string) string {
	for _, n := range h.NICs {
		if n.MAC == mac {
			return n.Name
		}
	}
	return ""
}

// A reader makes a model of one kind of document. What is wrong costs its own part: it is left out, and said.
type reader func(document *conf.Value, host Host) (*Model, []conf.Problem)

// readers are by the kind of document, as instance.Network has it. The document of a kind that is no YAML or JSON is one
// text.
func readers() map[string]reader {
	return map[string]reader{
		"v1":           readV1,
		"v2":           readV2,
		"network_data": readNetworkData,
		"ec2":          readEC2,
		"eni":          readENI,
		"initramfs":    readInitramfs,
		"ip":           readKernelIP,
		"aliyun":       readAliYun,
		"digitalocean": readDigitalOcean,
		"oracle":       readOracle,
		"upcloud":      readUpCloud,
		"vultr":        readVultr,
	}
}

// Kinds are the kinds of documents that can be read.
func Kinds() []string { return slices.Sorted(maps.Keys(readers())) }

// IsText says that documents of a kind are a text, and no YAML or JSON.
func IsText(kind string) bool { return kind == "eni" || kind == "initramfs" || kind == "ip" }

// Read makes a model of a document. The problems are what was left out of it and why; the error says that nothing could
// be made of it at all.
func Read(kind string, document *conf.Value, host Host) (*Model, []conf.Problem, error) {
	read, ok := readers()[kind]
	if !ok {
		return nil, nil, fmt.Errorf("read the network's description: there is no kind %q", kind)
	}
	m, problems := read(document, host)
	if m == nil {
		return nil, problems, fmt.Errorf("read the network's description of kind %s: nothing in it can be used", kind)
	}
	return m, problems, nil
}
