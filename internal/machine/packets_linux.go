package machine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// linkPackets are packets of IPv4 on one link; see packet(7).
type linkPackets struct {
	*os.File
	index int
}

// Packets opens a socket that sees what comes in on a link, whatever address it is for.
func (l liveLinks) Packets(link string) (Packets, error) {
	n, err := openNetlink()
	if err != nil {
		return nil, err
	}
	defer n.close()
	s, err := n.state()
	if err != nil {
		return nil, err
	}
	found, ok := s.Named(link)
	if !ok {
		return nil, fmt.Errorf("send packets on %s: there is no such link: %w", link, ErrNone)
	}
	p, err := openPackets(found.Index)
	if errors.Is(err, unix.EPERM) {
		err = ErrRoot
	}
	if err != nil {
		return nil, fmt.Errorf("send packets on %s: %w", link, err)
	}
	return p, nil
}

// openPackets binds the socket before it listens: else it would see packets of other links first.
func openPackets(index int) (Packets, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_IP), Ifindex: index})
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return linkPackets{os.NewFile(uintptr(fd), "packets"), index}, nil
}

// networkOrder is a number as the network has its bytes.
func networkOrder(n uint16) uint16 {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return n
	}
	return bits.ReverseBytes16(n)
}

// Broadcast sends a packet to all that are on the link.
func (p linkPackets) Broadcast(packet []byte) error {
	to := &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_IP), Ifindex: p.index, Halen: 6,
		Addr: [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
	raw, err := p.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		sent = unix.Sendto(int(fd), packet, 0, to)
		return !errors.Is(sent, unix.EAGAIN)
	})
	return errors.Join(err, sent)
}

// Receive waits until a packet is there or the context ends.
func (p linkPackets) Receive(ctx context.Context, buffer []byte) (n int, unsummed bool, err error) {
	for {
		p.SetReadDeadline(time.Time{})
		stop := context.AfterFunc(ctx, func() { p.SetReadDeadline(time.Unix(1, 0)) })
		n, unsummed, err = p.receive(buffer)
		stop()
		switch {
		case ctx.Err() != nil:
			return 0, false, context.Cause(ctx)
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, unix.EINTR): // what an earlier context left behind
		default:
			return n, unsummed, err
		}
	}
}

func (p linkPackets) receive(buffer []byte) (n int, unsummed bool, err error) {
	raw, err := p.SyscallConn()
	if err != nil {
		return 0, false, err
	}
	extra, size := make([]byte, 128), 0
	var got error
	err = raw.Read(func(fd uintptr) bool {
		n, size, _, _, got = unix.Recvmsg(int(fd), buffer, extra, 0)
		return !errors.Is(got, unix.EAGAIN)
	})
	if err == nil {
		err = got
	}
	return max(n, 0), err == nil && isUnsummed(extra[:size]), err
}

// isUnsummed reads what the kernel says beside a packet: a struct tpacket_auxdata, whose first number has flags.
func isUnsummed(extra []byte) bool {
	messages, err := unix.ParseSocketControlMessage(extra)
	if err != nil {
		return false
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA {
			return numberIn(m.Data)&unix.TP_STATUS_CSUMNOTREADY != 0
		}
	}
	return false
}
