package dhcp

import (
	"context"
	"encoding/binary"
	"net/netip"
	"sync"

	"openguest/internal/machine"
)

// A fakeServer is the other end of a wire: it sees each message of the client, and says what comes back.
type fakeServer struct {
	answer func(kind byte, m message, packet []byte) [][]byte

	mutex sync.Mutex
	heard []byte // the types of the client's messages
	wire  chan []byte
}

func newServer(answer func(kind byte, m message, packet []byte) [][]byte) *fakeServer {
	return &fakeServer{answer: answer}
}

// links are one link with the server on it. They belong to the time in which they are made; see testing/synctest.
func (s *fakeServer) links() *machine.FakeLinks {
	s.wire = make(chan []byte, 1000)
	l := machine.NewFakeLinks(machine.LinkState{Links: []machine.NetLink{
		{NIC: machine.NIC{Name: "eth0", MAC: "52:54:00:12:34:56", Carrier: true}, Index: 2, Up: true},
	}})
	l.Wire = func(string) (machine.Packets, error) { return s, nil }
	return l
}

func (s *fakeServer) Broadcast(packet []byte) error {
	// What a client sends differs from what a server sends in the ports and the first byte alone.
	mirror := append([]byte(nil), packet...)
	binary.BigEndian.PutUint16(mirror[22:], clientPort)
	binary.BigEndian.PutUint16(mirror[26:], 0)
	text, err := unpack(mirror, false)
	if err != nil {
		return err
	}
	m, err := decode(text)
	if err != nil {
		return err
	}
	s.mutex.Lock()
	s.heard = append(s.heard, m.kind())
	s.mutex.Unlock()
	for _, p := range s.answer(m.kind(), m, packet) {
		s.wire <- p
	}
	return nil
}

func (s *fakeServer) Receive(ctx context.Context, buffer []byte) (int, bool, error) {
	select {
	case p := <-s.wire:
		return copy(buffer, p), false, nil
	case <-ctx.Done():
		return 0, false, context.Cause(ctx)
	}
}

func (*fakeServer) Close() error { return nil }

// reply is a packet of a server at 10.0.0.1 that answers a message with an address and options.
func reply(to message, kind byte, yours string, options ...option) []byte {
	all := append([]option{{optType, []byte{kind}}, addressOption(optServer, netip.MustParseAddr("10.0.0.1"))}, options...)
	b := encode(to.id, to.hardware, 0, all...)
	b[0] = 2
	if yours != "" {
		copy(b[atYours:], netip.MustParseAddr(yours).AsSlice())
	}
	return toClient(b)
}

// toClient is a packet that comes from a server.
func toClient(message []byte) []byte {
	p := pack(message)
	binary.BigEndian.PutUint16(p[20:], serverPort)
	binary.BigEndian.PutUint16(p[22:], clientPort)
	binary.BigEndian.PutUint16(p[26:], 0)
	binary.BigEndian.PutUint16(p[26:], udpSum(p[:ipHeader], p[ipHeader:]))
	return p
}
