package network

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"openguest/internal/machine"
)

// A peer is one of cloud-init's renderers, and ours that writes the same.
type peer struct {
	name     string // what testdata/peer.py calls it
	renderer string
	machine  string
	variant  string
	ip       bool // for cloud-init: there is an ip command
	// known are the documents for which ours writes something else, each with the reason.
	known map[string]string
}

func peers() []peer {
	const ports = "cloud-init leaves out what a port of a bridge costs, where the document is of version 2"
	eni := map[string]string{
		"artifacts/photon_net_config_v2.yaml": ports, "large_v2/input.yaml": ports,
	}
	const servers = "cloud-init leaves out the name servers of an interface"
	netplan := map[string]string{
		"v1-dns/input.yaml": servers, "v1-examples/network-config-v1-nameserver.yaml": servers,
		"bond before its parts": servers + ", and makes a second bond of what is only part of one; netplan does not know bonds by number",
	}
	const spelled = "cloud-init leaves out settings of bonds that are spelled with underscores, or writes modes as numbers, which networkd does not know"
	const matched = "cloud-init has networkd match the document's own word for an interface as if that were its name"
	networkd := map[string]string{
		"bond_v1/input.yaml": spelled, "v1-examples/network-config-v1-bonded-vlan.yaml": spelled, "bond before its parts": spelled,
		"v2-bridges-set-name/input.yaml":         "cloud-init does not make an interface with set-name part of its bridge",
		"version 2":                              "cloud-init leaves out the addresses that a bond asks for by ARP",
		"bond_v2/input.yaml":                     "cloud-init leaves out which part of a bond is the primary one; " + lostMAC,
		"artifacts/openstack_net_config_v1.yaml": lostMAC, "artifacts/photon_net_config_v2.yaml": lostMAC, "large_v2/input.yaml": lostMAC,
		"v1-examples/network-config-v1-bonded-pair.yaml": lostMAC,
		"artifacts/no_matching_mac_v2.yaml":              matched, "v2-dev-name-via-mac-lookup/input.yaml": matched,
	}
	const parts = "cloud-init makes a second bond of what is only part of one, which the kernel refuses"
	const lists = "cloud-init puts spaces or Python's brackets into a list of addresses that a bond asks for by ARP; the kernel wants commas"
	sysconfig := map[string]string{"bond before its parts": parts, "version 2": lists}
	suse := map[string]string{"bond before its parts": parts, "version 2": lists + ", and it takes a VLAN's interface from its name"}
	return []peer{
		{name: "eni", renderer: "eni", machine: "-- usr/sbin/ip 755 --\n", ip: true, known: eni},
		{name: "eni", renderer: "eni", known: eni},
		{name: "netplan", renderer: "netplan", known: netplan},
		{name: "sysconfig-rhel", renderer: "sysconfig", variant: "rhel", known: sysconfig},
		{name: "sysconfig-suse", renderer: "sysconfig", variant: "opensuse-leap", known: suse},
		{name: "network-manager", renderer: "network-manager", known: map[string]string{"version 2": lists}},
		{name: "networkd", renderer: "networkd", known: networkd},
	}
}

// TestFilesAreThePeers renders all documents with cloud-init and with ours, and compares every byte. What it guards: a file
// that cloud-init wrote counts as ours, and is not written again, only where it is the same.
// Rows N04, N05, N06, N07, N08, N15, N20.
func TestFilesAreThePeers(t *testing.T) {
	all := append(samples(t), ownSamples()...)
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			i := slices.IndexFunc(Renderers(), func(r Manager) bool { return r.Name == p.renderer })
			if i < 0 {
				t.Skip("this renderer is not built")
			}
			var questions []question
			for _, s := range all {
				questions = append(questions, question{Document: s.text, Renderer: p.name, IP: p.ip})
			}
			for k, a := range askPeer(t, questions) {
				p.compare(t, Renderers()[i], all[k], a)
			}
		})
	}
}

func (p peer) compare(t *testing.T, r Manager, s sample, a answer) {
	kind, v := parse(t, s.text)
	m, _, err := Read(kind, v, Host{})
	if err != nil {
		t.Errorf("%s: %v", s.name, err)
		return
	}
	fake := machine.Fake(p.machine, time.Unix(0, 0))
	files, problems := r.Render(m, Target{Files: fake.Files, Facts: fake.Facts, Variant: p.variant})
	got := map[string]string{}
	for _, f := range files {
		if !f.Gone && !isMore(f.Path) {
			got[f.Path] = f.Text
		}
	}
	if strings.HasPrefix(a.Error, "ModuleNotFoundError") {
		t.Skip("cloud-init needs the Python module configobj for this: ", a.Error)
	}
	if a.Error != "" {
		t.Logf("%s: cloud-init ends with %s; ours says %v", s.name, a.Error, problems)
		return
	}
	d := cmp.Diff(a.Files, got)
	switch reason := p.known[s.name]; {
	case reason != "" && d == "":
		t.Errorf("%s is the same, and no exception any more", s.name)
	case reason != "":
		t.Logf("%s is not the same: %s", s.name, reason)
	case d != "":
		t.Errorf("%s: (- cloud-init, + ours)\n%s", s.name, d)
	}
}
