package network

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"openguest/internal/conf"
)

// readENI reads the text of /etc/network/interfaces, see interfaces(5), as far as cloud-init does: addresses, gateways and
// name servers. Files that it includes are left out.
func readENI(document *conf.Value, host Host) (*Model, []conf.Problem) {
	r := newReading(1, document, host)
	root := r.root(document)
	if document == nil || document.Kind != conf.String {
		root.reject("should be the text of /etc/network/interfaces")
		return nil, r.problems
	}
	stanzas := map[string]map[string]string{} // options by interface
	for number, line := range lines(document.Text) {
		at := root
		at.origin.Line += number
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case words[0] == "source" || words[0] == "source-directory":
			at.reject("%s is left out: only what the cloud says counts, and no file of the machine", words[0])
		case words[0] == "auto":
			for _, name := range words[1:] {
				stanza(stanzas, name)["auto"] = "yes"
			}
		default:
			at.optionENI(stanzas, words)
		}
	}
	return r.as(mapping{"version": 1, "config": interfacesENI(stanzas)}, readV1)
}

// lines are those of a text without white space around, by number.
func lines(text string) (all []string) {
	for line := range strings.Lines(text) {
		all = append(all, strings.TrimSpace(line))
	}
	return all
}

func stanza(stanzas map[string]map[string]string, name string) map[string]string {
	if stanzas[name] == nil {
		stanzas[name] = map[string]string{}
	}
	return stanzas[name]
}

// optionENI adds an option to the stanza that is open, or opens one. Which one is open is noted at the empty name.
func (n node) optionENI(stanzas map[string]map[string]string, words []string) {
	open := stanza(stanzas, "")
	switch {
	case words[0] == "iface" && len(words) < 4:
		n.reject("an iface should have a name, a family and a method")
		open["iface"] = ""
	case words[0] == "iface":
		name := words[1]
		if stanza(stanzas, name)["method"] != "" { // a second stanza is as one of an alias
			auto := stanzas[name]["auto"]
			name += ":" + words[2]
			stanza(stanzas, name)["auto"] = auto
		}
		if open["iface"] = name; stanzas[name]["method"] != "" {
			n.reject("%s has a stanza for %s already; what follows is left out", words[1], words[2])
			open["iface"] = ""
			return
		}
		stanzas[name]["method"] = methodENI(words[2], words[3])
	case open["iface"] != "" && len(words) > 1:
		if words[0] == "hwaddress" && words[1] == "ether" && len(words) > 2 {
			words = words[1:]
			words[0] = "hwaddress"
		}
		value := words[1]
		if strings.HasPrefix(words[0], "dns-") {
			value = strings.Join(words[1:], " ")
		}
		stanzas[open["iface"]][words[0]] = value
	}
}

// methodENI is the type of subnet that version 1 has for a method of a family.
func methodENI(family, method string) string {
	types := map[string]string{"inet6 dhcp": "dhcp6", "inet6 auto": "ipv6_slaac"}
	return cmp.Or(types[family+" "+method], method)
}

// interfacesENI are the items of version 1. What is behind a colon is an alias: further addresses of the same interface.
func interfacesENI(stanzas map[string]map[string]string) (config []any) {
	links := map[string]mapping{}
	for _, name := range slices.Sorted(maps.Keys(stanzas)) {
		options := stanzas[name]
		if options["method"] == "" {
			continue
		}
		name, _, _ = strings.Cut(name, ":")
		l := links[name]
		if l == nil {
			l = mapping{"type": "physical", "name": name, "subnets": []any{}}
			if name == "lo" {
				l["type"] = "loopback"
			}
			if mac := options["hwaddress"]; mac != "" {
				l["mac_address"] = mac
			}
			links[name], config = l, append(config, l)
		}
		l["subnets"] = append(l["subnets"].([]any), subnetOfENI(options))
	}
	return config
}

func subnetOfENI(options map[string]string) mapping {
	s := mapping{"type": options["method"], "control": "manual"}
	if options["auto"] != "" {
		s["control"] = "auto"
	}
	keys := []string{"netmask", "gateway", "broadcast"}
	if options["method"] == "static" {
		keys = append(keys, "address")
	}
	for _, key := range keys {
		if value := options[key]; value != "" {
			s[key] = value
		}
	}
	for _, key := range []string{"nameservers", "search"} {
		if value := options["dns-"+key]; value != "" {
			s["dns_"+key] = strings.Fields(value)
		}
	}
	return s
}
