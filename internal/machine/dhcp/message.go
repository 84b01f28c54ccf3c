package dhcp

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"net/netip"
	"strings"
)

// The types of messages.
const (
	discover = 1
	offer    = 2
	request  = 3
	ack      = 5
	nak      = 6
)

// A message is the part of a DHCP message that a client reads. Its fixed part has 236 bytes, then come a cookie and
// options; see RFC 2131, 2.
type message struct {
	reply    bool
	id       uint32
	hardware [6]byte
	yours    netip.Addr // the address that we may have
	options  map[byte][]byte
}

// Places in the fixed part.
const (
	atID       = 4
	atSeconds  = 8
	atYours    = 16
	atHardware = 28
	atServer   = 44 // its name: 64 bytes, which may hold options
	atFile     = 108
	atCookie   = 236
	atOptions  = 240
	smallest   = 300 // what servers of old expect at least
)

const cookie = 0x63825363

// An option is one of a message that we send.
type option struct {
	number byte
	value  []byte
}

// encode is a message to a server. Seconds are how long we have been asking.
func encode(id uint32, hardware [6]byte, seconds uint16, options ...option) []byte {
	b := make([]byte, atOptions, smallest)
	b[0], b[1], b[2] = 1, 1, byte(len(hardware)) // a request, over Ethernet
	binary.BigEndian.PutUint32(b[atID:], id)
	binary.BigEndian.PutUint16(b[atSeconds:], seconds)
	copy(b[atHardware:], hardware[:])
	binary.BigEndian.PutUint32(b[atCookie:], cookie)
	for _, o := range options {
		b = append(append(b, o.number, byte(len(o.value))), o.value...)
	}
	b = append(b, optEnd)
	for len(b) < smallest {
		b = append(b, optPad)
	}
	return b
}

// decode reads a message. What an option of it means is read later.
func decode(b []byte) (message, error) {
	if len(b) < atOptions || binary.BigEndian.Uint32(b[atCookie:]) != cookie || b[1] != 1 || b[2] != 6 {
		return message{}, errors.New("this is no message of DHCP over Ethernet")
	}
	m := message{
		reply:    b[0] == 2,
		id:       binary.BigEndian.Uint32(b[atID:]),
		hardware: [6]byte(b[atHardware:]),
		yours:    netip.AddrFrom4([4]byte(b[atYours:])),
		options:  map[byte][]byte{},
	}
	m.read(b[atOptions:])
	overload := m.number(optOverload) // option 52: more options are where names are otherwise
	if overload&1 != 0 {
		m.read(b[atFile:atCookie])
	}
	if overload&2 != 0 {
		m.read(b[atServer:atFile])
	}
	return m, nil
}

// read adds the options in b. One that comes twice is one that was too long: its parts belong together (RFC 3396). What
// is cut off is not there.
func (m message) read(b []byte) {
	for len(b) > 0 && b[0] != optEnd {
		if b[0] == optPad {
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return
		}
		end := 2 + int(b[1])
		m.options[b[0]] = append(m.options[b[0]], b[2:end]...)
		b = b[end:]
	}
}

// kind is the type of the message; 0 where it says none.
func (m message) kind() byte {
	if v := m.options[optType]; len(v) == 1 {
		return v[0]
	}
	return 0
}

// number is an option of up to four bytes; 0 where there is none.
func (m message) number(option byte) (n uint32) {
	if v := m.options[option]; len(v) <= 4 {
		for _, b := range v {
			n = n<<8 | uint32(b)
		}
	}
	return n
}

// addresses are those of an option; what is left of the last one is not there.
func (m message) addresses(option byte) (all []netip.Addr) {
	for v := m.options[option]; len(v) >= 4; v = v[4:] {
		all = append(all, netip.AddrFrom4([4]byte(v)))
	}
	return all
}

// address is the first address of an option; invalid where there is none.
func (m message) address(option byte) netip.Addr {
	if v := m.options[option]; len(v) >= 4 {
		return netip.AddrFrom4([4]byte(v))
	}
	return netip.Addr{}
}

// names are the words of an option; none where it has what no name has: they end up in files and logs.
func (m message) names(option byte) []string {
	text := strings.TrimRight(string(m.options[option]), "\x00")
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil
	}
	return strings.Fields(text)
}

// name is an option of one word; empty where it is not.
func (m message) name(option byte) string {
	if names := m.names(option); len(names) == 1 {
		return names[0]
	}
	return ""
}

// maskBits is how many bits of the address are the network's. A server that says nothing means the address' class.
func (m message) maskBits() int {
	if v := m.options[optMask]; len(v) == 4 {
		mask := binary.BigEndian.Uint32(v)
		if ones := bits.LeadingZeros32(^mask); mask<<ones == 0 && ones > 0 {
			return ones
		}
	}
	return classBits(m.yours)
}

// classBits is the length of the network's part in an address of a class.
func classBits(a netip.Addr) int {
	switch first := a.As4()[0]; {
	case first < 128:
		return 8
	case first < 192:
		return 16
	}
	return 24
}
