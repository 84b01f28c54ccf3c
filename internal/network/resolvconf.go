package network

import (
	"slices"
	"strings"
)

const resolvConf = "/etc/resolv.conf"

// allServers are the name servers of all interfaces and those for all of them, each once.
func allServers(m *Model) (all DNS) {
	for _, l := range m.Links {
		for i := range l.Subnets {
			all.add(l.Subnets[i].DNS)
		}
		if l.DNS != nil {
			all.add(*l.DNS)
		}
	}
	all.add(m.DNS)
	return all
}

// add adds what is not there yet.
func (d *DNS) add(more DNS) {
	d.Servers = union(d.Servers, more.Servers)
	d.Search = union(d.Search, more.Search)
}

func union(all, more []string) []string {
	for _, one := range more {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// resolvers is resolv.conf(5) with name servers and search domains after those that are there. The resolver takes six
// search domains of 256 letters in all, so that more are left out.
func (s *sysconfig) resolvers(t Target, more DNS) string {
	text, _ := t.Files.Read(resolvConf) // where there is none, nothing has to stay
	kept, before := takeServers(text)
	servers, search := union(before.Servers, more.Servers), before.Search
	for _, domain := range more.Search {
		longer := union(search, []string{domain})
		if len(longer) > len(search) && (len(search) >= 6 || len(strings.Join(longer, " ")) > 256) {
			s.warn("the search domain %s is left out: %s has no room for it", domain, resolvConf)
			continue
		}
		search = longer
	}
	for _, server := range servers {
		kept += "nameserver " + server + "\n"
	}
	if len(search) > 0 {
		kept += "search " + strings.Join(search, " ") + "\n"
	}
	return resolvHeader + strings.TrimPrefix(kept, resolvHeader)
}

// takeServers takes the name servers and search domains out of a resolv.conf(5).
func takeServers(text string) (rest string, dns DNS) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		words := strings.Fields(line)
		if at := strings.IndexAny(line, ";#"); at >= 0 {
			words = strings.Fields(line[:at])
		}
		switch {
		case len(words) > 1 && words[0] == "nameserver":
			dns.Servers = union(dns.Servers, words[1:2])
		case len(words) > 1 && words[0] == "search":
			dns.Search = union(dns.Search, words[1:])
		default:
			rest += line + "\n"
		}
	}
	return rest, dns
}
