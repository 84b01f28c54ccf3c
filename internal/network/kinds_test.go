package network

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// A kindCase is a document of a cloud's own kind, and the machine's interfaces.
type kindCase struct {
	kind, name, document string
	nics                 map[string]string // MAC by name
}

func kindCases() []kindCase {
	two := map[string]string{"ens5": "06:00:00:00:00:01", "ens6": "06:00:00:00:00:02", "ens7": "06:00:00:00:00:03"}
	return []kindCase{
		{"network_data", "one of each", `
links:
- {id: tap0, type: ovs, ethernet_mac_address: "FA:16:3e:00:00:01", mtu: 1450, vif_id: x}
- {id: tap1, type: phy, ethernet_mac_address: "fa:16:3e:00:00:02", mtu: null}
- {id: nic3, type: hostdev_physical, name: named, ethernet_mac_address: "fa:16:3e:00:00:03"}
- {id: ib, type: vif, ethernet_mac_address: "00:11:22:33:44:66"}
- {id: b, type: bond, bond_links: [tap0, tap1], ethernet_mac_address: "FA:16:3e:00:00:04", bond_mode: 802.3ad, bond_miimon: 100, bond_xmit_hash_policy: layer3+4}
- {id: v, type: vlan, vlan_link: b, vlan_id: 602, vlan_mac_address: "fa:16:3e:00:00:05"}
- {id: odd, type: quantum, ethernet_mac_address: "fa:16:3e:00:00:06"}
networks:
- {id: n0, link: v, type: ipv4, ip_address: 10.184.0.244, netmask: 255.255.240.0, network_id: x, services: [{type: dns, address: 8.8.8.8}, {type: dns, address: 8.8.4.4}],
   routes: [{network: 10.0.0.0, netmask: 255.0.0.0, gateway: 11.0.0.1, services: [{type: dns, address: 8.8.4.4}, {type: ntp, address: 1.1.1.1}]}, {network: 0.0.0.0, netmask: 0.0.0.0, gateway: 23.253.157.1}]}
- {id: n1, link: v, type: ipv6, ip_address: "2001:cdba::3257:9652/24", gateway: "fd00::1", routes: [{network: "::", netmask: "::", gateway: "fd00::1"}]}
- {id: n2, link: nic3, type: ipv4_dhcp}
- {id: n3, link: nic3, type: ipv6_dhcp}
- {id: n4, link: odd, type: ipv6_dhcpv6-stateful}
- {id: n5, link: ib, type: ipv6_slaac}
services: [{type: dns, address: 172.19.0.12}]
`, map[string]string{
			"ens3": "fa:16:3e:00:00:01", "ens4": "fa:16:3e:00:00:02", "ens6": "fa:16:3e:00:00:06",
			"ib0": "a0:00:02:20:fe:80:00:00:00:00:00:00:00:11:22:00:00:33:44:66",
		}},
		{"ec2", "one interface", `
interfaces: {macs: {"06:00:00:00:00:01": {device-number: "0", local-ipv4s: 172.31.2.16, ipv6s: "2600::1", subnet-ipv4-cidr-block: 172.31.0.0/20}, "06:00:00:00:00:09": {device-number: "1"}}}
`, two},
		{"ec2", "three, with further addresses", `
interfaces:
  macs:
    "06:00:00:00:00:01": {device-number: "1", network-card: "0", local-ipv4s: [10.1.1.4, 10.1.1.5], ipv6s: ["2600::4", "2600::5"], subnet-ipv4-cidr-block: 10.1.1.0/24, subnet-ipv6-cidr-blocks: ["2600::/64"]}
    "06:00:00:00:00:02": {device-number: "0", network-card: "0", local-ipv4s: [10.1.2.4, 10.1.2.9, 10.1.2.6], subnet-ipv4-cidr-block: 10.1.2.0/20}
    "06:00:00:00:00:03": {device-number: "0", network-card: "1", local-ipv4s: 10.1.3.4, ipv6s: "2600:3::4", subnet-ipv4-cidr-block: 10.1.3.0/24}
`, two},
		{"ec2", "no numbers", `
interfaces: {macs: {"06:00:00:00:00:02": {local-ipv4s: [10.1.1.4, 10.1.1.5]}, "06:00:00:00:00:01": {local-ipv4s: 10.1.2.4}, "06:00:00:00:00:03": }}
`, two},
		{"eni", "as NoCloud has it", `
auto lo
iface lo inet loopback
# the first
auto eth0 eth1
iface eth0 inet static
    address 10.0.0.5
    netmask 255.255.255.0
    broadcast 10.0.0.255
    gateway 10.0.0.1
    hwaddress ether 52:54:00:00:00:01
    dns-nameservers 10.0.0.2 10.0.0.3
    dns-search a.example b.example
iface eth0:1 inet static
    address 10.0.1.5/24
iface eth1 inet dhcp
    hwaddress 52:54:00:00:00:02
iface eth2 inet6 static
    address 2001:db8::5
    netmask 64
`, nil},
		{"initramfs", "both families, and two interfaces", `DEVICE='eth0'
PROTO='dhcp'
IPV4ADDR='192.168.122.89'
IPV4BROADCAST='192.168.122.255'
IPV4NETMASK='255.255.255.0'
IPV4GATEWAY='192.168.122.1'
IPV4DNS0='192.168.122.1'
IPV4DNS1='0.0.0.0'
HOSTNAME='foohost'
ROOTPATH=''
filename=''
DOMAINSEARCH='foo.com bar.com'

DEVICE6=eth0
IPV6PROTO=dhcp6
IPV6ADDR=2001:67c:1562:8010:0:1::
IPV6NETMASK=64
IPV6DNS0=2001:67c:1562:8010::2:1
DOMAINSEARCH=a.example,b.example

DEVICE='eth1'
PROTO='off'
IPV4ADDR='10.0.0.2'
IPV4NETMASK='255.255.255.0'
IPV4GATEWAY='10.0.0.1'
IPV4DNS0='10.0.1.1'
IPV4DNS1='10.0.1.2'
`, map[string]string{"eth0": "52:54:00:00:00:01"}},
		{"aliyun", "two interfaces", `
interfaces: {macs: {"06:00:00:00:00:03": {ipv6s: ["2600::1", "2600::2"], private-ipv4s: 10.0.0.3}, "06:00:00:00:00:02": {netmask: 255.255.255.0}, "06:00:00:00:00:09": {netmask: 255.255.255.0}}}
`, two},
		{"aliyun", "one interface", `{interfaces: {macs: {"06:00:00:00:00:03": {ipv6s: ["2600::1"]}}}}`, two},
		{"digitalocean", "public and private", `
interfaces:
  public:
  - {mac: "06:00:00:00:00:01", type: public, ipv4: {ip_address: 45.55.50.93, netmask: 255.255.224.0, gateway: 45.55.32.1},
     anchor_ipv4: {ip_address: 10.17.0.9, netmask: 255.255.0.0, gateway: 10.17.0.1}, ipv6: {ip_address: "2604:a880::1", cidr: 64, gateway: "2604:a880::ff"}}
  private:
  - {mac: "06:00:00:00:00:02", type: private, ipv4: {ip_address: 10.132.75.35, netmask: 255.255.0.0, gateway: 10.132.0.1}}
  odd:
  - {mac: "06:00:00:00:00:03", type: odd, ipv4: {ip_address: 10.133.75.35, netmask: 255.255.0.0, gateway: 10.133.0.1}}
dns: {nameservers: [2001:4860:4860::8844, 8.8.8.8]}
`, two},
		{"upcloud", "of each kind", `
interfaces:
- {index: 1, mac: "06:00:00:00:00:01", type: public, ip_addresses: [
    {address: 94.237.105.53, dhcp: true, dns: [94.237.127.9, 94.237.40.9], family: IPv4, gateway: 94.237.104.1, network: 94.237.104.0/22},
    {address: 94.237.105.50, dhcp: false, dns: [], family: IPv4, floating: true, gateway: "", network: 94.237.105.50/32}]}
- {index: 2, mac: "06:00:00:00:00:02", type: public, ip_addresses: [
    {address: "2a04:3545::63e7", dhcp: true, family: IPv6, network: "2a04:3545::/64"},
    {address: "2a04:3546::63e7", dhcp: false, dns: [9.9.9.9], family: IPv6, gateway: "2a04:3546::1", network: "2a04:3546::/56"}]}
dns: [94.237.127.9, 94.237.40.9]
`, two},
		{"vultr", "public and private", `
- {mac: "06:00:00:00:00:01", mtu: 1400, ipv4: {address: 1.2.3.4, netmask: 255.255.254.0, additional: [{address: 1.2.3.5, netmask: 255.255.255.0, routes: [{netmask: 255.0.0.0, network: 9.0.0.0, gateway: 1.2.3.1}]}]},
   ipv6: {additional: [{network: "2001:19f0:5::", prefix: "64"}]}}
- {mac: "06:00:00:00:00:02", ipv4: {address: 10.1.112.3, netmask: 255.255.240.0, additional: []}, ipv6: {additional: []}, routes: [{network: 10.9.0.0, netmask: 16, gateway: 10.1.112.1}]}
- {mac: "06:00:00:00:00:03", unconfigured: true}
`, two},
		{"oracle", "three", `
- {macAddr: "06:00:00:00:00:01", privateIp: 10.0.0.230, subnetCidrBlock: 10.0.0.0/24, virtualRouterIp: 10.0.0.1, vnicId: a}
- {macAddr: "06:00:00:00:00:02", privateIp: 10.0.1.231, subnetCidrBlock: 10.0.0.0/20, ipv6Addresses: ["2603:c020::1"], vnicId: b}
- {macAddr: "06:00:00:00:00:0A", privateIp: 10.0.1.232, subnetCidrBlock: 10.0.0.0/20}
`, two},
		{"oracle", "IPv6 alone", `[{macAddr: "06:00:00:00:00:01", ipv6Addresses: ["2603:c020::/64"], ipv6VirtualRouterIp: "fe80::1"}]`, two},
		{"initramfs", "an old ipconfig", "DEVICE=eth0\nIPV4ADDR=10.0.0.2\nIPV4NETMASK=255.0.0.0\nfilename=/boot", nil},
	}
}

// TestKindsAreThePeers reads documents of clouds' own kinds, and compares the model with what cloud-init makes of them, key
// by key; of EC2's also the document, which netplan gets as it is.
// Rows N09, N19, and B13 for what the initramfs wrote down.
func TestKindsAreThePeers(t *testing.T) {
	all := append(kindCases(), openStackCases(t)...)
	var questions []question
	for _, c := range all {
		questions = append(questions, question{Document: c.document, Renderer: "read", Kind: c.kind, NICs: c.nics})
	}
	for i, a := range askPeer(t, questions) {
		c := all[i]
		t.Run(c.kind+" "+c.name, func(t *testing.T) {
			if a.Error != "" {
				t.Fatalf("cloud-init: %s", a.Error)
			}
			m, problems, err := Read(c.kind, c.value(t), Host{NICs: nics(c.nics)})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range problems {
				t.Log(p)
			}
			if c.kind == "ec2" || c.kind == "aliyun" {
				if d := cmp.Diff(clean(a.Read), clean(m.Document.Data())); d != "" {
					t.Errorf("the document (- cloud-init, + ours)\n%s", d)
				}
				return
			}
			if d := cmp.Diff(clean(a.State), clean(stateOf(m))); d != "" {
				t.Errorf("(- cloud-init, + ours)\n%s", d)
			}
		})
	}
}

// openStackCases are the documents of OpenStack in cloud-init's own tests.
func openStackCases(t *testing.T) (cases []kindCase) {
	macs := map[string]string{}
	answers := askPeer(t, []question{
		{Document: "tests/unittests/sources/test_configdrive.py", Renderer: "constants"}, {Document: "tests/unittests/test_net.py", Renderer: "constants"},
	})
	found := answers[0].State
	known, _ := found["KNOWN_MACS"].(map[string]any)
	for mac, name := range known {
		macs[name.(string)] = mac
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if text, err := json.Marshal(found[name]); err == nil && strings.HasPrefix(name, "NETWORK_DATA") {
			cases = append(cases, kindCase{"network_data", name, string(text), macs})
		}
	}
	samples, _ := answers[1].State["OS_SAMPLES"].([]any)
	for i, s := range samples {
		sample, _ := s.(map[string]any)
		names := map[string]string{}
		macs, _ := sample["in_macs"].(map[string]any)
		for mac, name := range macs {
			names[name.(string)] = mac
		}
		if text, err := json.Marshal(sample["in_data"]); err == nil {
			cases = append(cases, kindCase{"network_data", fmt.Sprint("sample ", i), string(text), names})
		}
	}
	if len(cases) < 10 {
		t.Errorf("only %d documents of OpenStack were found in cloud-init's tests", len(cases))
	}
	return cases
}

// value is the document as network.Read gets it.
func (c kindCase) value(t testing.TB) *conf.Value {
	if IsText(c.kind) {
		return conf.Of(c.document, conf.Origin{Part: "net", Line: 1, Col: 1})
	}
	v, _, err := conf.Parse("net", []byte(c.document))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestKindsWithMistakes reads documents at which cloud-init ends. What it guards: the rest of the network comes up.
// Row N22.
func TestKindsWithMistakes(t *testing.T) {
	for _, c := range []struct{ kind, document, problems, left string }{
		{"network_data", `{links: [{id: a, type: phy, ethernet_mac_address: "52:54:00:00:00:09"}, {id: v, type: vlan, vlan_link: x, vlan_id: 3}], networks: [{link: a, type: ipv4_dhcp}]}`,
			"net:1:10: links[0]: the machine has no interface with this MAC; until it has, it is called by its id\n" +
				"net:1:104: links[1].vlan_link: is the id of no link that this one can be part of\n" +
				"net:1:104: links[1].vlan_link: is the id of no link that this one can be part of", "a[52:54:00:00:00:09]:dhcp4 .3:"},
		{"network_data", `[]`, "", ""},
		{"ec2", `{interfaces: {macs: []}}`, "net:1:21: interfaces.macs: should be a mapping, but is a list", ""},
		{"vultr", `[{mac: x}, {mac: "52:54:00:00:00:09", unconfigured: true}]`,
			"net:1:8: [0].mac: is the MAC of no interface that the machine has; the interface is left out", ""},
		{"eni", "source /etc/x\niface a inet static\niface b inet dhcp\niface b inet6 static\naddress ::1/64\niface b inet dhcp\niface c",
			"net:1:1: source is left out: only what the cloud says counts, and no file of the machine\n" +
				"net:7:1: an iface should have a name, a family and a method\n" +
				"net:1:1: config[0].subnets[0].address: is missing: there must be an address", "a: b:dhcp,dhcp,::1/64"},
		{"eni", "iface a inet6 auto\niface a inet dhcp\niface a inet static", "net:3:1: a has a stanza for inet already; what follows is left out", "a:ipv6_slaac,dhcp"},
		{"initramfs", "X=1\nDEVICE=e\nPROTO=bootp\nIPV4ADDR=10.0.0.1\nDEVICE=../x\n",
			"net:1:1: the subnet with the address 10.0.0.1 is left out: there is no protocol \"bootp\"\n" +
				"net:1:1: config[1].name: is no name for an interface: it has a slash or white space in it", "e:"},
	} {
		m, problems, err := Read(c.kind, kindCase{kind: c.kind, document: c.document}.value(t), Host{})
		if err != nil {
			t.Errorf("%s: %v", c.document, err)
			continue
		}
		var texts []string
		for _, p := range problems {
			texts = append(texts, p.Error())
		}
		if got := strings.Join(texts, "\n"); got != c.problems || outlined(m) != c.left {
			t.Errorf("%s: problems are\n%s\nand what is left is %q", c.document, got, outlined(m))
		}
	}
}

// TestKernelIP reads the words of kernel command lines. A machine that boots from the network, or whose initramfs is dracut's, may
// have its address nowhere else.
func TestKernelIP(t *testing.T) {
	host := Host{NICs: []machine.NIC{{Name: "ens5", MAC: "52:54:00:00:00:05", Carrier: true}, {Name: "ens6", MAC: "52:54:00:00:00:06"}}}
	for line, want := range map[string]string{
		"ip=10.0.0.5::10.0.0.1:255.255.255.0:harbour:ens6:none":                         "ens6[52:54:00:00:00:06]:10.0.0.5/24>10.0.0.1",
		"ip=10.0.0.5:10.0.0.2:10.0.0.1:24::ens6:off:10.0.0.8:10.0.0.9":                  "ens6[52:54:00:00:00:06]:10.0.0.5/24>10.0.0.1@10.0.0.8@10.0.0.9",
		"root=/dev/vda1 ip=10.0.0.5:::255.0.0.0 quiet":                                  "ens5[52:54:00:00:00:05]:10.0.0.5/8",
		"ip=[2001:db8::5]::[2001:db8::1]:64:harbour:ens6:none nameserver=[2001:db8::9]": "ens6[52:54:00:00:00:06]:2001:db8::5/64>2001:db8::1",
		"ip=ens6:dhcp ip=ens6:auto6":                                                    "ens6[52:54:00:00:00:06]:dhcp4,ipv6_slaac",
		"ip=ens6:dhcp6:1400:52:54:00:00:00:99":                                          "ens6[52:54:00:00:00:99]:dhcp6",
		"ip=::::harbour:ens6:dhcp":                                                      "ens6[52:54:00:00:00:06]:dhcp4",
		"ip=dhcp":                                                                       "", "ip=on": "", "ip=off": "", "ip=ibft": "", "ip=": "", "ip=ens6:ibft": "", "ip=:::::ens6:off": "", "quiet": "", "": "",
	} {
		m, _, err := Read("ip", conf.Of(line, conf.Origin{Part: "kernel command line"}), host)
		got := ""
		if err == nil {
			got = outlined(m)
			for _, s := range m.Links[0].Subnets {
				if s.Gateway != "" {
					got += ">" + s.Gateway
				}
				for _, server := range s.DNS.Servers {
					got += "@" + server
				}
			}
		}
		if got != want {
			t.Errorf("%q is read as %q, not %q", line, got, want)
		}
	}
	m, problems, err := Read("ip", conf.Of("ip=a/b:dhcp ip=ens6:dhcp:1400 nameserver=10.0.0.9", conf.Origin{Part: "net"}), host)
	if err != nil || len(problems) != 1 || m.Link("ens6").MTU != 1400 || !slices.Equal(m.DNS.Servers, []string{"10.0.0.9"}) {
		t.Errorf("%v: %v", err, problems)
	}
}

// TestKindsOfSources: what a cloud hands over and nobody reads would leave its machines with what is assumed.
func TestKindsOfSources(t *testing.T) {
	files, err := filepath.Glob("../source/*.go")
	if err != nil || len(files) < 20 {
		t.Fatal(files, err)
	}
	given := regexp.MustCompile(`(?:instance\.Network\{Kind: |described\(|networkIn\(e, )"(\w+)"[,)]`)
	found := map[string]bool{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range given.FindAllStringSubmatch(string(text), -1) {
			kind := strings.TrimSuffix(strings.ToLower(match[1]), "\"")
			found[kind] = true
			if kind != "v" && !slices.Contains(Kinds(), kind) { // a version stands behind "v"
				t.Errorf("%s gives a network of the kind %s, which has no reader", name, kind)
			}
		}
	}
	for _, kind := range []string{"ec2", "aliyun", "network_data", "digitalocean", "oracle", "upcloud", "vultr", "eni", "v1", "v2"} {
		if !found[kind] {
			t.Errorf("no source gives the kind %s: has the way in which they say it changed?", kind)
		}
	}
}

// FuzzKinds reads any document as each kind: no panic, and not more problems than anybody reads.
func FuzzKinds(f *testing.F) {
	for _, c := range kindCases() {
		f.Add(c.document)
	}
	f.Add("ip=[2001:db8::5]::[2001:db8::1]:64:harbour:ens6:none:1400:52:54:00:00:00:99 nameserver=x ip=e:dhcp")
	f.Fuzz(func(t *testing.T, text string) {
		host := Host{NICs: nics(map[string]string{"ens5": "06:00:00:00:00:01", "ens6": "06:00:00:00:00:02"})}
		for _, kind := range Kinds() {
			v := conf.Of(text, conf.Origin{Part: "net"})
			if !IsText(kind) {
				var err error
				if v, _, err = conf.Parse("net", []byte(text)); err != nil {
					continue
				}
			}
			m, problems, err := Read(kind, v, host)
			if err == nil && m == nil || len(problems) > 2*maxProblems {
				t.Fatalf("%v and %d problems", m, len(problems))
			}
		}
	})
}
