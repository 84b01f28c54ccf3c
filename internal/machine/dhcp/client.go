package dhcp

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"openguest/internal/machine"
)

// Ask asks for a lease on a link that is switched on, until a server gives one or the context ends. It waits for a cable
// first. It changes nothing on this machine. The error says how far it came, and is the context's cause too.
func Ask(ctx context.Context, links machine.Links, link string) (*Lease, error) {
	c := &client{link: link, started: time.Now(), state: "has no carrier: no cable, or no switch at the other end"}
	lease, err := c.ask(ctx, links)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("ask for an address on %s: it %s: %w", link, c.state, context.Cause(ctx))
	}
	if err != nil {
		return nil, fmt.Errorf("ask for an address on %s: %w", link, err)
	}
	return lease, nil
}

// A client asks on one link.
type client struct {
	link     string
	packets  machine.Packets
	hardware [6]byte
	id       uint32 // of the exchange
	started  time.Time
	state    string // how far it came: what follows "it"
}

// ask waits for the cable, and then asks again whenever a server takes back what it offered.
func (c *client) ask(ctx context.Context, links machine.Links) (lease *Lease, err error) {
	state, err := links.Wait(ctx, func(s machine.LinkState) bool {
		l, ok := s.Named(c.link)
		return !ok || l.Carrier && l.Operstate != "down" // shortly after the carrier comes, packets are still lost
	})
	if err != nil {
		return nil, err
	}
	link, ok := state.Named(c.link)
	if !ok {
		return nil, fmt.Errorf("the link has gone: %w", machine.ErrNone)
	}
	if c.hardware, err = parseMAC(link.MAC); err != nil {
		return nil, err
	}
	if c.packets, err = links.Packets(c.link); err != nil {
		return nil, err
	}
	defer c.packets.Close()
	c.state = "got no answer: there is no DHCP server, or it does not know this machine"
	for {
		c.id = rand.Uint32()
		if lease, err := c.exchange(ctx); err == nil || ctx.Err() != nil {
			return lease, err
		}
	}
}

// parseMAC reads an address of Ethernet.
func parseMAC(text string) (mac [6]byte, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(b) != len(mac) {
		return mac, fmt.Errorf("its hardware address %q is none of Ethernet", text)
	}
	return [6]byte(b), nil
}

// What a client waits.
const (
	firstWait   = time.Second
	longestWait = 8 * time.Second
	afterNo     = time.Second // before it asks a server again that said no
	requests    = 3           // before it asks for another offer
	forEver     = 1 << 30
)

// exchange gets an offer and asks for what it offers.
func (c *client) exchange(ctx context.Context) (*Lease, error) {
	offered, err := c.talk(ctx, forEver, func(m message) bool {
		return m.kind() == offer && isHost(m.yours) && m.address(optServer).IsValid()
	}, option{optType, []byte{discover}}, parameters, maxSize)
	if err != nil {
		return nil, err
	}
	server := offered.address(optServer)
	const refusal = "which then refused it"
	if !strings.HasSuffix(c.state, refusal) { // that it was refused before says more
		c.state = fmt.Sprintf("was offered %s by %s, which then did not confirm it", offered.yours, server)
	}
	answer, err := c.talk(ctx, requests, func(m message) bool {
		return m.kind() == nak || m.kind() == ack && isHost(m.yours) && m.address(optServer) == server
	}, option{optType, []byte{request}}, addressOption(optAddress, offered.yours), addressOption(optServer, server), parameters, maxSize)
	if err != nil {
		return nil, err
	}
	if answer.kind() == nak {
		c.state = fmt.Sprintf("was offered %s by %s, %s", offered.yours, server, refusal)
		return nil, errors.Join(errors.New(c.state), machine.Pause(ctx, afterNo))
	}
	return newLease(c.link, answer)
}

// parameters are the options that we ask for.
var parameters = option{optParameters, []byte{optMask, optRoutes, optOldRoutes, optRouter, optStaticRoutes, optDNS, optDomain,
	optSearch, optHostname, optBroadcast, optMTU, optLeaseTime, optServer, optWire}}

// maxSize is the longest message that we take: what an Ethernet frame holds.
var maxSize = option{optMaxSize, []byte{1472 >> 8, 1472 & 0xff}}

func addressOption(number byte, a netip.Addr) option { return option{number, a.AsSlice()} }

// errNoAnswer says that a message had no answer.
var errNoAnswer = errors.New("no server answered")

// talk sends a message, again where there is no answer, and waits longer each time.
func (c *client) talk(ctx context.Context, tries int, wanted func(message) bool, options ...option) (message, error) {
	wait := firstWait
	for range tries {
		seconds := min(time.Since(c.started)/time.Second, 0xffff)
		if err := c.packets.Broadcast(pack(encode(c.id, c.hardware, uint16(seconds), options...))); err != nil {
			c.state = fmt.Sprintf("cannot send: %v", err) // the link may come back: it is tried again
		}
		m, err := c.hear(ctx, wait-wait/4+rand.N(wait/2), wanted)
		if err == nil || ctx.Err() != nil {
			return m, err
		}
		wait = min(2*wait, longestWait)
	}
	return message{}, errNoAnswer
}

// hear waits for an answer to this client. Whatever else comes is left alone.
func (c *client) hear(ctx context.Context, wait time.Duration, wanted func(message) bool) (message, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errNoAnswer)
	defer cancel()
	buffer := make([]byte, 4096)
	for {
		n, unsummed, err := c.packets.Receive(ctx, buffer)
		if err != nil && ctx.Err() == nil {
			err = machine.Pause(ctx, wait) // the link is down; it may come back
		}
		if err != nil {
			return message{}, err
		}
		if m, ok := c.read(buffer[:n], unsummed); ok && wanted(m) {
			return m, nil
		}
	}
}

// read takes an answer to this client out of a packet.
func (c *client) read(packet []byte, unsummed bool) (message, bool) {
	text, err := unpack(packet, unsummed)
	if err != nil {
		return message{}, false
	}
	m, err := decode(append([]byte(nil), text...))
	return m, err == nil && m.reply && m.id == c.id && m.hardware == c.hardware
}
