package machine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// liveLinks are those of the running kernel, by netlink.
type liveLinks struct {
	files  walked
	ledger *Ledger
	known  *knownLinks
}

func newLiveLinks(files walked, ledger *Ledger) liveLinks {
	return liveLinks{files, ledger, &knownLinks{links: map[int]knownLink{}}}
}

func (l liveLinks) withoutLedger() Links { return liveLinks{files: l.files, known: l.known} }

// Apply compares each change with how things are when its turn comes.
func (l liveLinks) Apply(changes ...LinkChange) (undo func() error, err error) {
	n, err := openNetlink()
	if err != nil {
		return nothingToUndo, err
	}
	defer n.close()
	var steps []func() error
	for _, c := range changes {
		back, err := l.apply(n, c)
		if err != nil {
			return nothingToUndo, errors.Join(err, undoing(steps)())
		}
		if back != nil {
			steps = append(steps, func() error { return l.takeBack(*back) })
		}
	}
	return undoing(steps), nil
}

// apply makes one change, and returns what takes it back; nil where there was nothing to do.
func (l liveLinks) apply(n *netlink, c LinkChange) (back *LinkChange, err error) {
	before, err := n.state()
	if err != nil {
		return nil, err
	}
	_, changed, err := before.with(c)
	if err != nil || !changed {
		return nil, err
	}
	link, _ := before.Named(c.link())
	if err := n.apply(link, c); err != nil {
		return nil, fmt.Errorf("change network link %s: %w", c, err)
	}
	l.ledger.add(Entry{Kind: KindLink, Detail: c.String()})
	opposite := c.opposite(before)
	return &opposite, nil
}

// takeBack makes a change that undoes another. What is gone is not missed.
func (l liveLinks) takeBack(c LinkChange) error {
	_, err := l.Apply(c)
	for _, gone := range []error{ErrNone, unix.ENODEV, unix.ESRCH, unix.EADDRNOTAVAIL, unix.ENETDOWN} {
		if errors.Is(err, gone) {
			return nil
		}
	}
	return err
}

// apply asks the kernel for one change of a link.
func (n *netlink) apply(link NetLink, c LinkChange) error {
	switch c.Do {
	case LinkUp, LinkDown:
		return n.setUp(link, c.Do == LinkUp)
	case LinkMTU:
		return n.setLink(link, 0, 0, appendNumber(nil, unix.IFLA_MTU, c.MTU))
	case LinkRename:
		return n.rename(link, c.Name)
	case AddressAdd:
		return n.change(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, addressMessage(link, c.Address))
	case AddressRemove:
		return n.change(unix.RTM_DELADDR, 0, addressMessage(link, c.Address))
	case RouteAdd:
		return n.change(unix.RTM_NEWROUTE, routeFlags(c.Route), routeMessage(link, c.Route, true))
	}
	return n.change(unix.RTM_DELROUTE, 0, routeMessage(link, c.Route, false))
}

// setLink sets flags and attributes of a link.
func (n *netlink) setLink(link NetLink, flags, mask uint32, attributes []byte) error {
	b := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b[4:], uint32(link.Index))
	binary.NativeEndian.PutUint32(b[8:], flags)
	binary.NativeEndian.PutUint32(b[12:], mask)
	return n.change(unix.RTM_NEWLINK, 0, append(b, attributes...))
}

func (n *netlink) setUp(link NetLink, up bool) error {
	flags := uint32(0)
	if up {
		flags = unix.IFF_UP
	}
	return n.setLink(link, flags, unix.IFF_UP, nil)
}

// rename gives a link another name. Kernels before 6.2 do that only while it is switched off.
func (n *netlink) rename(link NetLink, name string) error {
	attribute := appendAttribute(nil, unix.IFLA_IFNAME, append([]byte(name), 0))
	err := n.setLink(link, 0, 0, attribute)
	if !errors.Is(err, unix.EBUSY) || !link.Up {
		return err
	}
	if err := n.setUp(link, false); err != nil {
		return err
	}
	return errors.Join(n.setLink(link, 0, 0, attribute), n.setUp(link, true))
}

func family(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func addressMessage(link NetLink, p netip.Prefix) []byte {
	b := make([]byte, unix.SizeofIfAddrmsg)
	b[0], b[1] = family(p.Addr()), byte(p.Bits())
	binary.NativeEndian.PutUint32(b[4:], uint32(link.Index))
	b = appendAttribute(b, unix.IFA_LOCAL, p.Addr().AsSlice())
	b = appendAttribute(b, unix.IFA_ADDRESS, p.Addr().AsSlice())
	if p.Addr().Is4() && p.Bits() < 31 {
		b = appendAttribute(b, unix.IFA_BROADCAST, broadcastOf(p).AsSlice())
	}
	return b
}

// broadcastOf is the last address of a network of IPv4.
func broadcastOf(p netip.Prefix) netip.Addr {
	a := p.Addr().As4()
	n := binary.BigEndian.Uint32(a[:]) | (1<<(32-p.Bits()) - 1)
	binary.BigEndian.PutUint32(a[:], n)
	return netip.AddrFrom4(a)
}

// routeFlags say what happens where there is a route to the same network: IPv4 may have several, as gateways on one link
// that a DHCP server names.
func routeFlags(r Route) uint16 {
	if r.To.Addr().Is4() {
		return unix.NLM_F_CREATE | unix.NLM_F_APPEND
	}
	return unix.NLM_F_CREATE | unix.NLM_F_EXCL
}

// routeMessage describes a route, to be made or else to be found.
func routeMessage(link NetLink, r Route, new bool) []byte {
	r = r.plain()
	b := make([]byte, unix.SizeofRtMsg)
	b[0], b[1] = family(r.To.Addr()), byte(r.To.Bits())
	b[6] = unix.RT_SCOPE_NOWHERE // any, for what is to be found
	if new {
		b[5], b[6], b[7] = unix.RTPROT_BOOT, routeScope(r), unix.RTN_UNICAST
	}
	if r.OnLink && new {
		binary.NativeEndian.PutUint32(b[8:], unix.RTNH_F_ONLINK)
	}
	b = appendAttribute(b, unix.RTA_DST, r.To.Addr().AsSlice())
	b = appendNumber(b, unix.RTA_OIF, link.Index)
	b = appendNumber(b, unix.RTA_TABLE, r.Table)
	if r.Via.IsValid() {
		b = appendAttribute(b, unix.RTA_GATEWAY, r.Via.AsSlice())
	}
	if r.Source.IsValid() {
		b = appendAttribute(b, unix.RTA_PREFSRC, r.Source.AsSlice())
	}
	if r.Metric != 0 {
		b = appendNumber(b, unix.RTA_PRIORITY, r.Metric)
	}
	return b
}

func routeScope(r Route) byte {
	if r.To.Addr().Is4() && !r.Via.IsValid() {
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}

// Wait looks at the state whenever the kernel, or udev, says that something has happened.
func (l liveLinks) Wait(ctx context.Context, until func(LinkState) bool) (LinkState, error) {
	events, stop, err := linkEvents()
	if err != nil {
		return LinkState{}, err
	}
	defer stop()
	for {
		s, err := l.State()
		if err != nil || until(s) {
			return s, err
		}
		select {
		case <-events:
		case <-ctx.Done():
			return s, context.Cause(ctx)
		}
	}
}

// The groups of events that are listened to. The second number is udev's: it speaks when it is done with a device.
const (
	linkGroups = 1<<(unix.RTNLGRP_LINK-1) | 1<<(unix.RTNLGRP_IPV4_IFADDR-1) | 1<<(unix.RTNLGRP_IPV6_IFADDR-1) |
		1<<(unix.RTNLGRP_IPV4_ROUTE-1) | 1<<(unix.RTNLGRP_IPV6_ROUTE-1)
	udevGroup = 2
)

// linkEvents says when something has happened to links. Several things may be one event.
func linkEvents() (events <-chan struct{}, stop func(), err error) {
	kernel, err := listenNetlink(unix.NETLINK_ROUTE, linkGroups)
	if err != nil {
		return nil, nil, fmt.Errorf("listen to network links: %w", err)
	}
	udev, err := listenNetlink(unix.NETLINK_KOBJECT_UEVENT, udevGroup)
	if err != nil {
		kernel.Close()
		return nil, nil, fmt.Errorf("listen to udev: %w", err)
	}
	all := make(chan struct{}, 1)
	ended := make(chan struct{})
	for _, f := range []*os.File{kernel, udev} {
		go func() {
			tellEvents(f, all)
			ended <- struct{}{}
		}()
	}
	return all, func() {
		kernel.Close()
		udev.Close()
		<-ended
		<-ended
	}, nil
}

func listenNetlink(protocol int, groups uint32) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "netlink"), nil
}

// tellEvents reads events until the socket is closed. Where there were too many (ENOBUFS), something has happened too.
func tellEvents(f *os.File, to chan<- struct{}) {
	buffer := make([]byte, 16<<10)
	for {
		if _, err := f.Read(buffer); err != nil && !errors.Is(err, unix.ENOBUFS) {
			return
		}
		select {
		case to <- struct{}{}:
		default: // one is waiting already
		}
	}
}
