package network

import (
	"fmt"
	"strings"
)

// Outline is the model for people: a line for each interface, and below it one for each way in which it has addresses, each
// route, and its name servers.
func (m *Model) Outline() string {
	var o strings.Builder
	for _, l := range m.Links {
		fmt.Fprintf(&o, "%s%s%s%s%s%s%s%s\n", l.Name, said(" ", string(l.Kind)), said(" ", l.MAC), said(" mtu ", numeral(l.MTU)),
			said(" part of ", l.Master), said(" of ", strings.Join(l.Bridged, ", ")), said(" id ", l.VLANID), said(" on ", l.VLANParent))
		for i := range l.Subnets {
			l.Subnets[i].outline(&o)
		}
		for _, r := range l.TableRoutes {
			r.outline(&o, "  ")
		}
		if l.DNS != nil {
			l.DNS.outline(&o, "  ")
		}
	}
	for _, r := range m.Routes {
		r.outline(&o, "")
	}
	m.DNS.outline(&o, "")
	return o.String()
}

// said is a text behind a word; empty where the text is.
func said(word, text string) string {
	if text == "" {
		return ""
	}
	return word + text
}

func (s *Subnet) outline(o *strings.Builder) {
	address := ""
	if s.Address != "" {
		address = fmt.Sprintf(" %s/%d", s.Address, s.Prefix)
	}
	fmt.Fprintf(o, "  %s%s%s%s%s\n", s.Type, address, said(" gateway ", s.Gateway), said(" metric ", s.Metric), said(" ", s.Control))
	for _, r := range s.Routes {
		r.outline(o, "  ")
	}
	s.DNS.outline(o, "  ")
}

func (r Route) outline(o *strings.Builder, indent string) {
	metric := ""
	if r.Metric != nil {
		metric = fmt.Sprintf(" metric %d", *r.Metric)
	}
	fmt.Fprintf(o, "%sroute to %s/%d%s%s%s\n", indent, r.Network, r.Prefix, said(" by ", r.Gateway), metric, said(" table ", r.Table))
}

func (d DNS) outline(o *strings.Builder, indent string) {
	if !d.IsEmpty() {
		fmt.Fprintf(o, "%sname servers%s%s\n", indent, said(" ", strings.Join(d.Servers, " ")), said(" search ", strings.Join(d.Search, " ")))
	}
}
