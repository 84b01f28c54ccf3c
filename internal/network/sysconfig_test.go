package network

import (
	"strings"
	"testing"

	"openguest/internal/machine"
)

// TestSysconfigIsAvailable asks for network-scripts, wicked, or NetworkManager's plugin for their files. Where this is wrong,
// a machine has files that nobody reads, and no network.
// Row N12.
func TestSysconfigIsAvailable(t *testing.T) {
	const ups = "-- usr/sbin/ifup --\n-- usr/sbin/ifdown --\n"
	const neither = "neither network-scripts nor NetworkManager's plugin for ifcfg files is installed"
	for text, want := range map[string]string{
		"":                                      "linux has no /etc/sysconfig for networks",
		"-- etc/os-release --\nID=debian\n":     "debian has no /etc/sysconfig for networks",
		"-- etc/os-release --\nID=rhel\n":       neither,
		"-- etc/os-release --\nID=rhel\n" + ups: neither,
		"-- etc/os-release --\nID=fedora\n-- usr/lib64/NetworkManager/1.52.0/libnm-settings-plugin-ifcfg-rh.so --\n": "NetworkManager reads ifcfg files",
		"-- etc/os-release --\nID=rocky\n-- etc/sysconfig/network-scripts/network-functions --\n" + ups:              "ifup, ifdown and their files in /etc/sysconfig are there",
		"-- etc/os-release --\nID=opensuse-leap\n-- etc/sysconfig/network/config --\n" + ups:                         "ifup, ifdown and their files in /etc/sysconfig are there",
	} {
		isGood := !strings.Contains(want, "no /etc") && want != neither
		if ok, why := hasSysconfig(fakeTarget(text, "")); why != want || ok != isGood {
			t.Errorf("%v, because %q; should be %q, for\n%s", ok, why, want, text)
		}
	}
}

// TestSysconfigKeepsWhatIsThere writes next to what an administrator has in /etc/sysconfig/network and /etc/resolv.conf, and
// writes the same once more. A name server that is lost could cost the machine all names.
// Row N20.
func TestSysconfigKeepsWhatIsThere(t *testing.T) {
	const document = "version: 1\nconfig:\n- {type: physical, name: e, subnets: [{type: static, address: '2001:db8::2/64', dns_nameservers: ['::1', 9.9.9.9], dns_search: a.example}]}\n"
	const control = sysconfigHeader + "NETWORKING=yes\nNETWORKING_IPV6=yes\nIPV6_AUTOCONF=no\n# mine\n\nNOZEROCONF=yes\n"
	const resolv = resolvHeader + "# theirs\noptions rotate ; often\nnameserver 1.1.1.1\nnameserver 9.9.9.9\nnameserver ::1\nsearch z.example a.example\n"
	before := "-- etc/sysconfig/network --\n# mine\n\nNETWORKING=no\nNOZEROCONF=yes\n" +
		"-- etc/resolv.conf --\n# theirs\nnameserver 1.1.1.1 # one\nsearch z.example\noptions rotate ; often\nnameserver 9.9.9.9\n"
	for range 2 {
		got, problems := rendered(t, "sysconfig", document, fakeTarget(before, "rhel"))
		for _, want := range []string{"-- /etc/sysconfig/network --\n" + control, "-- /etc/resolv.conf --\n" + resolv, "[main]\ndns = none\n"} {
			if !strings.Contains(got, want) || len(problems) > 0 {
				t.Errorf("got\n%s\nwithout\n%s\n%q", got, want, problems)
			}
		}
		before = "-- etc/sysconfig/network --\n" + control + "-- etc/resolv.conf --\n" + resolv
	}
}

// TestSysconfigSaysWhatItCannotWrite renders documents that cloud-init ends at with an exception, or of which it leaves
// something out.
// Row N05.
func TestSysconfigSaysWhatItCannotWrite(t *testing.T) {
	const document = `
version: 1
config:
- {type: physical, name: e, mtu: 1500, subnets: [{type: static, address: 10.0.0.2/24, mtu: 1400, gateway: 10.0.0.1, routes: [{network: 10.9.0.0/16}, {network: '2001:db8::/32', metric: 3}]}]}
- {type: route, destination: 10.8.0.0/16, gateway: 10.0.0.1}
- {type: nameserver, address: 1.1.1.1, search: [a, b, c, d, e, f, g]}
`
	got, problems := rendered(t, "sysconfig", document, fakeTarget("", "rhel"))
	for _, want := range []string{"\nMTU=1400\n", "ADDRESS0=10.9.0.0\nNETMASK0=255.255.0.0\n", "\n2001:db8::/32 metric 3 dev e\n", "\nsearch a b c d e f\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	want := []string{
		"ignoring e device-level mtu:1500 because ipv4 subnet-level mtu:1400 provided.",
		"routes that belong to no interface are left out: files in /etc/sysconfig have none",
		"the search domain g is left out: /etc/resolv.conf has no room for it",
	}
	if strings.Join(problems, "\n") != strings.Join(want, "\n") {
		t.Errorf("problems are %q", problems)
	}
	for _, variant := range []string{"sles", "suse", "opensuse-leap", "sle-micro"} {
		got, problems := rendered(t, "sysconfig", document, fakeTarget("", variant))
		if !strings.Contains(got, "-- /etc/sysconfig/network/ifcfg-e --\n") || !strings.Contains(got, "-- /etc/sysconfig/network/ifroute-e --\n"+sysconfigHeader+"default 10.0.0.1 - e\n10.9.0.0/16 - - e\n2001:db8::/32 - - e metric 3\n") {
			t.Errorf("on %s it is\n%s%q", variant, got, problems)
		}
	}
}

// TestRoutesIfcfg has more routes than one digit counts: their order is cloud-init's, so that a file it wrote stays.
// Row N05.
func TestRoutesIfcfg(t *testing.T) {
	var routes []Route
	for range 11 {
		routes = append(routes, Route{Network: "10.1.0.0", Netmask: "255.255.0.0", Gateway: "10.0.0.1"})
	}
	routes[1].Network, routes[9].Network = "10.2.0.0", "10.10.0.0"
	v4, v6 := routesIfcfg("e", routes)
	if tenth, second := strings.Index(v4, "ADDRESS1=10.10.0.0\n"), strings.Index(v4, "ADDRESS3=10.2.0.0\n"); tenth < 0 || second < tenth || v6 != sysconfigHeader {
		t.Errorf("routes are\n%s%s", v4, machine.Diff(sysconfigHeader, v6))
	}
}

// FuzzTakeServers takes what is in a resolv.conf apart and together again: nothing may get lost or come twice.
// Row N20.
func FuzzTakeServers(f *testing.F) {
	f.Add("nameserver 1.1.1.1 # one\nsearch a b\n\noptions rotate\r\nsearch b c ;\nnameserver\n")
	f.Fuzz(func(t *testing.T, text string) {
		rest, dns := takeServers(text)
		again, none := takeServers(rest)
		if again != rest || !none.IsEmpty() {
			t.Errorf("of %q, %q is left, and of that %q and %v", text, rest, again, none)
		}
		s := &sysconfig{}
		once := s.resolvers(fakeTarget("", ""), dns)
		if _, same := takeServers(once); len(s.problems) == 0 && (len(same.Servers) != len(dns.Servers) || len(same.Search) != len(dns.Search)) {
			t.Errorf("%v becomes %v", dns, same)
		}
	})
}
