package network

import (
	"cmp"
	"strings"

	"openguest/internal/conf"
)

// readInitramfs reads what the initramfs wrote down of the network that it set up: the files /run/net-*.conf of klibc's
// ipconfig, lines of KEY='value', one file behind the other. It becomes version 1.
func readInitramfs(document *conf.Value, host Host) (*Model, []conf.Problem) {
	r := newReading(1, document, host)
	root := r.root(document)
	if document == nil || document.Kind != conf.String {
		root.reject("should be the text of the files /run/net-*.conf")
		return nil, r.problems
	}
	links, config := map[string]mapping{}, []any{}
	for _, file := range klibcFiles(document.Text) {
		name := cmp.Or(file["DEVICE"], file["DEVICE6"])
		l := links[name]
		if l == nil {
			l = mapping{"type": "physical", "name": name, "subnets": []any{}, "mac_address": host.mac(name)}
			links[name], config = l, append(config, l)
		}
		l["subnets"] = append(l["subnets"].([]any), root.klibcSubnets(file)...)
	}
	return r.as(mapping{"version": 1, "config": config}, readV1)
}

// mac is the address of the interface of a name; empty where there is none.
func (h Host) mac(name string) string {
	for _, n := range h.NICs {
		if n.Name == name {
			return n.MAC
		}
	}
	return ""
}

// klibcFiles are the values by key of each file. Each begins with the interface that it is for.
func klibcFiles(text string) (files []map[string]string) {
	for _, line := range lines(text) {
		key, value, ok := strings.Cut(line, "=")
		if ok && (key == "DEVICE" || key == "DEVICE6") {
			files = append(files, map[string]string{})
		}
		if ok && len(files) > 0 {
			files[len(files)-1][key] = strings.Trim(value, `'"`)
		}
	}
	return files
}

// klibcSubnets are those of a file: one for each family that has an address.
func (n node) klibcSubnets(file map[string]string) (subnets []any) {
	otherwise := cmp.Or(file["PROTO"], file["IPV6PROTO"])
	if otherwise == "" && file["filename"] != "" {
		otherwise = "dhcp"
	}
	for _, family := range []string{"IPV4", "IPV6"} {
		address := file[family+"ADDR"]
		if address == "" {
			continue
		}
		proto := cmp.Or(file[family+"PROTO"], otherwise)
		s := mapping{"type": proto, "control": "manual"}
		switch proto {
		case "dhcp", "dhcp6":
		case "", "none", "off", "static":
			s["type"], s["address"] = "static", address
		default:
			n.reject("the subnet with the address %s is left out: there is no protocol %q", address, proto)
			continue
		}
		for key, name := range map[string]string{"NETMASK": "netmask", "BROADCAST": "broadcast", "GATEWAY": "gateway"} {
			if value := file[family+key]; value != "" {
				s[name] = value
			}
		}
		if servers := klibcServers(file, family); len(servers) > 0 {
			s["dns_nameservers"], s["dns_search"] = servers, klibcSearch(file)
		}
		subnets = append(subnets, s)
	}
	return subnets
}

// klibcServers are the name servers of a family. What consists of zeros is none.
func klibcServers(file map[string]string, family string) (servers []string) {
	for _, key := range []string{"DNS0", "DNS1"} {
		if server := file[family+key]; strings.Trim(server, ":.0") != "" {
			servers = append(servers, server)
		}
	}
	return servers
}

// klibcSearch are the search domains, with commas or blanks between them.
func klibcSearch(file map[string]string) []string {
	return strings.FieldsFunc(file["DOMAINSEARCH"], func(c rune) bool { return c == ',' || c == ' ' })
}
