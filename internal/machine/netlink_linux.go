package machine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A netlink is a socket to the kernel's part that knows links, addresses and routes; see rtnetlink(7).
type netlink struct {
	fd       int
	sequence uint32
	buffer   []byte
}

// answerTime is how long the kernel may take. It answers before it returns from the call, so this is never used up.
const answerTime = 5 * time.Second

func openNetlink() (*netlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("ask the kernel about network links: %w", err)
	}
	limit := unix.NsecToTimeval(answerTime.Nanoseconds())
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1) // a kernel without these says less of its errors
	unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	return &netlink{fd: fd, buffer: make([]byte, 64<<10)}, nil
}

func (n *netlink) close() { unix.Close(n.fd) }

// A netlinkMessage is one part of an answer: its kind, and what follows the header.
type netlinkMessage struct {
	kind  uint16
	flags uint16
	body  []byte
}

const netlinkHeader = 16

// change asks the kernel to do something, and says why it did not.
func (n *netlink) change(kind, flags uint16, body []byte) error {
	_, err := n.ask(kind, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK, body)
	return err
}

// dump asks for all that there is of a kind. A list that changed while it was made is asked for again.
func (n *netlink) dump(kind uint16, body []byte) (all []netlinkMessage, err error) {
	for range 3 {
		all, err = n.ask(kind, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, body)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return all, err
}

// ask sends a question and reads the answer up to its end.
func (n *netlink) ask(kind, flags uint16, body []byte) (all []netlinkMessage, err error) {
	n.sequence++
	message := make([]byte, netlinkHeader, netlinkHeader+len(body))
	binary.NativeEndian.PutUint32(message, uint32(netlinkHeader+len(body)))
	binary.NativeEndian.PutUint16(message[4:], kind)
	binary.NativeEndian.PutUint16(message[6:], flags)
	binary.NativeEndian.PutUint32(message[8:], n.sequence)
	if err := unix.Sendto(n.fd, append(message, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	for {
		size, from, err := n.receive()
		if err != nil {
			return nil, err
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
			continue // not the kernel
		}
		got, done, err := splitAnswer(n.buffer[:size], n.sequence)
		all = append(all, got...)
		if done || err != nil {
			return all, err
		}
	}
}

func (n *netlink) receive() (size int, from unix.Sockaddr, err error) {
	for {
		size, from, err = unix.Recvfrom(n.fd, n.buffer, 0)
		if !errors.Is(err, unix.EINTR) {
			return size, from, err
		}
	}
}

// splitAnswer takes the messages of an answer apart; done says that it ends here. The bodies are copies.
func splitAnswer(b []byte, sequence uint32) (all []netlinkMessage, done bool, err error) {
	for len(b) >= netlinkHeader {
		size := int(binary.NativeEndian.Uint32(b))
		if size < netlinkHeader || size > len(b) {
			return all, true, errors.New("the kernel's answer about network links breaks off")
		}
		m := netlinkMessage{binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:]), bytes.Clone(b[netlinkHeader:size])}
		mine := binary.NativeEndian.Uint32(b[8:]) == sequence
		b = b[min(aligned(size), len(b)):]
		switch {
		case !mine:
		case m.flags&unix.NLM_F_DUMP_INTR != 0:
			err = unix.EINTR
		case m.kind == unix.NLMSG_DONE:
			return all, true, err
		case m.kind == unix.NLMSG_ERROR:
			return all, true, netlinkError(m)
		default:
			all = append(all, m)
		}
	}
	return all, false, nil
}

// netlinkError is why the kernel would not; nil where it did. Newer kernels say it in words.
func netlinkError(m netlinkMessage) error {
	const number, request = 4, 16 // of bytes: the error's number, and the header that it is about
	if len(m.body) < number {
		return errors.New("the kernel's answer about network links breaks off")
	}
	code := int32(binary.NativeEndian.Uint32(m.body))
	if code == 0 {
		return nil
	}
	err := error(unix.Errno(-code))
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return ErrRoot
	}
	if m.flags&unix.NLM_F_ACK_TLVS != 0 && len(m.body) > number+request {
		if words := cString(attributesOf(m.body[number+request:])[unix.NLMSGERR_ATTR_MSG]); words != "" {
			return fmt.Errorf("%w (%s)", err, words)
		}
	}
	return err
}

// aligned is a size with what pads it to a multiple of four.
func aligned(size int) int { return (size + 3) &^ 3 }

// attributesOf reads attributes, by number. What breaks off is not there.
func attributesOf(b []byte) map[uint16][]byte {
	all := map[uint16][]byte{}
	for len(b) >= 4 {
		size := int(binary.NativeEndian.Uint16(b))
		if size < 4 || size > len(b) {
			break
		}
		kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		all[kind] = b[4:size]
		b = b[min(aligned(size), len(b)):]
	}
	return all
}

// appendAttribute adds an attribute to a message.
func appendAttribute(b []byte, kind uint16, value []byte) []byte {
	size := 4 + len(value)
	b = binary.NativeEndian.AppendUint16(b, uint16(size))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	return append(b, make([]byte, aligned(size)-size)...)
}

// appendNumber adds an attribute that is a number of 32 bits.
func appendNumber(b []byte, kind uint16, n int) []byte {
	return appendAttribute(b, kind, binary.NativeEndian.AppendUint32(nil, uint32(n)))
}

// numberIn is a number of up to 32 bits; 0 where there is none.
func numberIn(b []byte) int {
	switch {
	case len(b) >= 4:
		return int(binary.NativeEndian.Uint32(b))
	case len(b) == 1:
		return int(b[0])
	}
	return 0
}

// cString is a text up to its zero byte.
func cString(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}
