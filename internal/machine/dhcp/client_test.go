package dhcp

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"openguest/internal/machine"
)

var mask24 = option{optMask, []byte{255, 255, 255, 0}}

// honest offers and confirms 10.0.0.5.
func honest(kind byte, m message, _ []byte) [][]byte {
	if kind == discover {
		return [][]byte{reply(m, offer, "10.0.0.5", mask24)}
	}
	return [][]byte{reply(m, ack, "10.0.0.5", mask24)}
}

// ask asks within a limit, in a time of its own.
func ask(t *testing.T, s *fakeServer, limit time.Duration) (lease *Lease, took time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errors.New("the time is over"))
		defer cancel()
		lease, err = Ask(ctx, s.links(), "eth0")
		took = time.Since(start)
	})
	return lease, took, err
}

// Row D21. Without it a machine of OpenStack, EC2 or GCE gets no keys.
func TestAsk(t *testing.T) {
	s := newServer(honest)
	lease, took, err := ask(t, s, time.Minute)
	if err != nil || lease.Address != netip.MustParsePrefix("10.0.0.5/24") || lease.Link != "eth0" {
		t.Fatalf("the lease is %+v, %v", lease, err)
	}
	if took != 0 || !slices.Equal(s.heard, []byte{discover, request}) {
		t.Errorf("it took %v and the messages %v", took, s.heard)
	}
}

// Packets get lost, servers take back what they offered, and strangers talk on the same wire. A boot must not fail over it.
func TestAskOfBadServers(t *testing.T) {
	count := 0
	for name, answer := range map[string]func(byte, message, []byte) [][]byte{
		"the first two messages are lost": func(kind byte, m message, p []byte) [][]byte {
			if count++; count <= 2 {
				return nil
			}
			return honest(kind, m, p)
		},
		"a request is refused once": func(kind byte, m message, p []byte) [][]byte {
			if count++; kind == request && count == 2 {
				return [][]byte{reply(m, nak, "")}
			}
			return honest(kind, m, p)
		},
		"the first offer is never confirmed": func(kind byte, m message, p []byte) [][]byte {
			if count++; kind == request && count <= 4 {
				return nil
			}
			return honest(kind, m, p)
		},
		"garbage comes before each answer": func(kind byte, m message, p []byte) [][]byte {
			other, alien, broken := m, m, reply(m, ack, "10.0.0.66")
			other.id++
			alien.hardware[5]++
			broken[40] ^= 1
			return append([][]byte{{}, {0x45}, p, broken, make([]byte, 1500), []byte(strings.Repeat("\xff", 400)),
				reply(other, ack, "10.0.0.66"), reply(alien, ack, "10.0.0.66"), reply(m, ack, "255.255.255.255"),
				reply(m, offer, "0.0.0.0"), reply(m, 77, "10.0.0.66")}, honest(kind, m, p)...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			count = 0
			lease, took, err := ask(t, newServer(answer), time.Minute)
			if err != nil || lease.Address != netip.MustParsePrefix("10.0.0.5/24") {
				t.Fatalf("the lease is %+v, %v", lease, err)
			}
			if took > 15*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A dead network costs its budget, and the boot's log says how far it came. Row D25.
func TestAskOfNobody(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(byte, message, []byte) [][]byte
		want   string
	}{
		"no server": {func(byte, message, []byte) [][]byte { return nil },
			"ask for an address on eth0: it got no answer: there is no DHCP server, or it does not know this machine: the time is over"},
		"only offers": {func(kind byte, m message, _ []byte) [][]byte {
			return [][]byte{reply(m, offer, "10.0.0.5")}
		}, "ask for an address on eth0: it was offered 10.0.0.5 by 10.0.0.1, which then did not confirm it: the time is over"},
		"only refusals": {func(kind byte, m message, _ []byte) [][]byte {
			if kind == request {
				return [][]byte{reply(m, nak, "")}
			}
			return [][]byte{reply(m, offer, "10.0.0.5")}
		}, "ask for an address on eth0: it was offered 10.0.0.5 by 10.0.0.1, which then refused it: the time is over"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(test.answer)
			_, took, err := ask(t, s, 10*time.Second)
			if err == nil || err.Error() != test.want {
				t.Errorf("the error is %v, want %s", err, test.want)
			}
			if took != 10*time.Second || len(s.heard) < 3 || len(s.heard) > 30 {
				t.Errorf("it took %v and %d messages", took, len(s.heard))
			}
		})
	}
}

// A cable that is not in is said as such, and one that is put in later is used.
func TestAskWithoutCable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(honest)
		links := s.links()
		links.Unplugged = []string{"eth0"}
		flip(t, links)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("the time is over"))
		defer cancel()
		_, err := Ask(ctx, links, "eth0")
		want := "ask for an address on eth0: it has no carrier: no cable, or no switch at the other end: the time is over"
		if err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
		go func() {
			machine.Pause(t.Context(), time.Minute)
			links.Unplugged = nil
			flip(t, links)
		}()
		if lease, err := Ask(t.Context(), links, "eth0"); err != nil || lease.Address.Bits() != 24 {
			t.Errorf("the lease is %+v, %v", lease, err)
		}
	})
}

// flip switches the link off and on.
func flip(t *testing.T, links *machine.FakeLinks) {
	t.Helper()
	for _, act := range []machine.LinkAct{machine.LinkDown, machine.LinkUp} {
		if _, err := links.Apply(machine.LinkChange{Link: "eth0", Do: act}); err != nil {
			t.Error(err)
		}
	}
}
