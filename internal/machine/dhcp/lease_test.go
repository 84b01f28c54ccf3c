package dhcp

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"openguest/internal/machine"
)

// leaseOf is the lease that comes of an ACK for an address with options.
func leaseOf(t *testing.T, address string, options ...option) *Lease {
	t.Helper()
	text, err := unpack(reply(message{}, ack, address, options...), false)
	if err != nil {
		t.Fatal(err)
	}
	m, err := decode(text)
	if err != nil {
		t.Fatal(err)
	}
	lease, err := newLease("eth0", m)
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func opt(number byte, value string) option {
	b, err := hex.DecodeString(strings.ReplaceAll(value, " ", ""))
	if err != nil {
		panic(err)
	}
	return option{number, b}
}

// What a cloud says beside the address: without it metadata is not reached, or names and large packets are lost.
func TestOptions(t *testing.T) {
	l := leaseOf(t, "10.0.0.5", mask24, opt(optRouter, "0a000001 0a000002"), opt(optDNS, "0a000001 08080808 08"),
		option{optHostname, []byte("web-1\x00")}, option{optDomain, []byte("example.org")}, opt(optMTU, "2328"),
		opt(optBroadcast, "0a0000ff"), opt(optLeaseTime, "00015180"), opt(optWire, "a83f8110"),
		opt(optSearch, "026e65 0765786d61706c65 036f7267 00 036e6574 c003"), opt(200, "0102"))
	got := fmt.Sprintln(l.Address, l.Router, l.Routes, l.DNS, l.Hostname, l.Domain, l.MTU, l.Broadcast, l.Lifetime, l.Wire, l.Server, l.Search, l.Options[200])
	want := "10.0.0.5/24 10.0.0.1 [0.0.0.0/0 via 10.0.0.1] [10.0.0.1 8.8.8.8] web-1 example.org 9000 10.0.0.255 24h0m0s 168.63.129.16 10.0.0.1 [ne.exmaple.org net.exmaple.org] [1 2]\n"
	if got != want {
		t.Errorf("the lease has\n%s, want\n%s", got, want)
	}
	if l.Lifetime != 24*time.Hour {
		t.Errorf("it lasts %v", l.Lifetime)
	}
}

// Row D21. Option 121 wins over 3 and 33: OpenStack's way to 169.254.169.254 is often there alone.
func TestRoutes(t *testing.T) {
	router, old := opt(optRouter, "0a000001"), opt(optStaticRoutes, "c0a80100 0a000009 c0a80103 0a000008 00000000 0a000007")
	for name, test := range map[string]struct {
		address string
		mask    option
		options []option
		want    string
	}{
		"a router":           {"10.0.0.5", mask24, []option{router}, "[0.0.0.0/0 via 10.0.0.1]"},
		"routes by class":    {"10.0.0.5", mask24, []option{old, router}, "[192.168.1.0/24 via 10.0.0.9 192.168.1.3/32 via 10.0.0.8 0.0.0.0/0 via 10.0.0.1]"},
		"121 alone":          {"10.0.0.5", mask24, []option{opt(optRoutes, "20 a9fea9fe 0a000002 00 0a000001"), router, old}, "[169.254.169.254/32 via 10.0.0.2 0.0.0.0/0 via 10.0.0.1]"},
		"249 is the same":    {"10.0.0.5", mask24, []option{opt(optOldRoutes, "18 c0a802 0a000002"), router}, "[192.168.2.0/24 via 10.0.0.2]"},
		"121 before 249":     {"10.0.0.5", mask24, []option{opt(optOldRoutes, "18 c0a802 0a000002"), opt(optRoutes, "08 0a 0a000003")}, "[10.0.0.0/8 via 10.0.0.3]"},
		"a broken 121":       {"10.0.0.5", mask24, []option{opt(optRoutes, "20 a9fea9"), router}, "[0.0.0.0/0 via 10.0.0.1]"},
		"a mask too long":    {"10.0.0.5", mask24, []option{opt(optRoutes, "21 a9fea9fe00 0a000001"), router}, "[0.0.0.0/0 via 10.0.0.1]"},
		"on the link (GCE)":  {"10.128.0.2", opt(optMask, "ffffffff"), []option{opt(optRoutes, "20 0a800001 00000000 00 0a800001")}, "[10.128.0.1/32 0.0.0.0/0 via 10.128.0.1 on link]"},
		"a router elsewhere": {"10.128.0.2", opt(optMask, "ffffffff"), []option{opt(optRouter, "0a800001")}, "[0.0.0.0/0 via 10.128.0.1 on link]"},
		"through ourselves":  {"10.0.0.5", mask24, []option{opt(optRoutes, "10 c0a8 0a000005")}, "[192.168.0.0/16]"},
		"bits of the host":   {"10.0.0.5", mask24, []option{opt(optRoutes, "10 c0a8 0a000001 10 c0a8 0a000001")}, "[192.168.0.0/16 via 10.0.0.1]"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range leaseOf(t, test.address, append(test.options, test.mask)...).Routes {
				text := r.String()
				if r.OnLink {
					text += " on link"
				}
				if r.Link != "eth0" {
					t.Errorf("%v is on %s", r, r.Link)
				}
				got = append(got, text)
			}
			if fmt.Sprint(got) != test.want {
				t.Errorf("the routes are %v, want %s", got, test.want)
			}
		})
	}
}

// A mask that is missing or no mask means the address' class; a router would be out of reach otherwise.
func TestMask(t *testing.T) {
	for mask, want := range map[string]string{"ffffff00": "10.1.2.3/24", "fffffffe": "10.1.2.3/31", "ffffffff": "10.1.2.3/32",
		"": "10.1.2.3/8", "ff00ff00": "10.1.2.3/8", "00000000": "10.1.2.3/8", "ffff": "10.1.2.3/8"} {
		if got := leaseOf(t, "10.1.2.3", opt(optMask, mask)).Address.String(); got != want {
			t.Errorf("with the mask %q it is %s, want %s", mask, got, want)
		}
	}
	for address, want := range map[string]int{"10.0.0.1": 8, "172.16.0.1": 16, "192.168.0.1": 24} {
		if got := leaseOf(t, address).Address.Bits(); got != want {
			t.Errorf("%s has %d bits of network, want %d", address, got, want)
		}
	}
}

// Texts of a server end up in resolv.conf and in logs: none may have a line of its own there.
func TestTextsAreNames(t *testing.T) {
	l := leaseOf(t, "10.0.0.5", option{optHostname, []byte("a\nnameserver 6.6.6.6")}, option{optDomain, []byte("example.org example.net")},
		opt(optSearch, "03610a62 00"))
	if l.Hostname != "" || l.Domain != "example.org example.net" || len(l.Search) != 0 {
		t.Errorf("the texts are %q %q %q", l.Hostname, l.Domain, l.Search)
	}
}

// An MTU that breaks IPv4 is a server's mistake; with it the machine could not be reached.
func TestMTU(t *testing.T) {
	for value, want := range map[string]int{"05dc": 1500, "0240": 576, "023f": 0, "0000": 0, "05": 0, "000005dc": 0} {
		if got := leaseOf(t, "10.0.0.5", opt(optMTU, value)).MTU; got != want {
			t.Errorf("option %s is %d, want %d", value, got, want)
		}
	}
}

// Options may go on in the fields for names, and one that is long comes in parts (RFC 2132, 9.3; RFC 3396).
func TestLongOptions(t *testing.T) {
	b := encode(1, [6]byte{}, 0, option{optOverload, []byte{3}}, option{optSearch, []byte("\x03org")}, option{optSearch, []byte{0}})
	copy(b[atFile:], "\x0c\x03abc\xff")
	copy(b[atServer:], "\x03\x04\x0a\x00\x00\x01\xff")
	m, err := decode(b)
	if err != nil || m.name(optHostname) != "abc" || m.address(optRouter) != netip.MustParseAddr("10.0.0.1") ||
		!slices.Equal(searchList(m.options[optSearch]), []string{"org"}) {
		t.Errorf("the message is %+v, %v", m, err)
	}
}

// A search list of a hostile server neither ends nor fits, and must do both.
func TestSearchListEnds(t *testing.T) {
	for name, list := range map[string]string{
		"a pointer to itself": "c000", "a pointer ahead": "0161 c004 0162 00", "a loop": "0161 c002 c000", "cut off": "05616263",
		"a label of 64": "40" + strings.Repeat("61", 64) + "00", "a pointer cut off": "0161 c0",
	} {
		if got := searchList(opt(optSearch, list).value); len(got) != 0 {
			t.Errorf("%s gives %q", name, got)
		}
	}
	if got := searchList([]byte(strings.Repeat("\x01a\x00", 1000))); len(got) != mostDomains {
		t.Errorf("there are %d domains", len(got))
	}
}

// Whatever is on the wire, nothing panics, and what is taken for an answer makes sense.
func FuzzPacket(f *testing.F) {
	for _, p := range [][]byte{
		reply(message{}, ack, "10.0.0.5", mask24, opt(optSearch, "026e65 0765786d61706c65 036f7267 00 036e6574 c003"),
			opt(optRoutes, "20 a9fea9fe 0a000002 00 0a000001"), opt(optStaticRoutes, "c0a80100 0a000009")),
		reply(message{}, offer, "192.168.0.1", option{optOverload, []byte{3}}), {0x45}, {},
	} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		text, err := unpack(p, true)
		if err != nil {
			text = p // so that most of what is tried gets further
		}
		m, err := decode(text)
		if err != nil {
			return
		}
		lease, err := newLease("eth0", m)
		if err != nil {
			return
		}
		if !lease.Address.IsValid() || lease.Address.Bits() < 1 || len(lease.Search) > mostDomains {
			t.Errorf("the lease is %+v", lease)
		}
		for _, c := range lease.Changes() {
			if c.Do == machine.RouteAdd && (!c.Route.To.IsValid() || c.Route.Link != "eth0") {
				t.Errorf("a route is %+v", c.Route)
			}
		}
	})
}

// A checksum that comes out as nothing is written in its other form: a server takes nothing for a packet without one, and
// some throw it away.
func TestChecksumOfNothing(t *testing.T) {
	rest := binary.BigEndian.Uint16(pack([]byte{0, 0})[26:])
	p := pack(binary.BigEndian.AppendUint16(nil, rest))
	if sum := binary.BigEndian.Uint16(p[26:]); sum != 0xffff || udpSum(p[:ipHeader], p[ipHeader:]) != 0 {
		t.Errorf("the checksum is %#x", sum)
	}
}

// What is packed is what is unpacked, whatever its length: an odd byte counts in the checksum.
func FuzzPack(f *testing.F) {
	f.Add([]byte("abc"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1400 {
			return
		}
		got, err := unpack(toClient(text), false)
		if err != nil || string(got) != string(text) {
			t.Errorf("%q comes back as %q, %v", text, got, err)
		}
	})
}
