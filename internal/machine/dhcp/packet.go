package dhcp

import (
	"encoding/binary"
	"errors"
)

// Ports of DHCP, and what else stands in the headers that we write.
const (
	serverPort = 67
	clientPort = 68
	protocolUD = 17 // UDP
	ipHeader   = 20
	udpHeader  = 8
	hops       = 64
	lowDelay   = 0x10
)

// pack puts a message into a packet from nobody to everybody.
func pack(message []byte) []byte {
	p := make([]byte, ipHeader+udpHeader, ipHeader+udpHeader+len(message))
	p = append(p, message...)
	udp := p[ipHeader:]
	binary.BigEndian.PutUint16(udp, clientPort)
	binary.BigEndian.PutUint16(udp[2:], serverPort)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	p[0], p[1], p[8], p[9] = 4<<4|ipHeader/4, lowDelay, hops, protocolUD
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	copy(p[16:20], "\xff\xff\xff\xff")
	sum := udpSum(p[:ipHeader], udp)
	if sum == 0 { // 0 would say that there is none; both are the same number to it
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(udp[6:], sum)
	binary.BigEndian.PutUint16(p[10:], checksum(0, p[:ipHeader]))
	return p
}

// errNotOurs is said of a packet that is no answer of DHCP.
var errNotOurs = errors.New("this is no answer of DHCP")

// unpack takes the message for a client out of a packet. Unsummed packets have a checksum that means nothing.
func unpack(p []byte, unsummed bool) ([]byte, error) {
	if len(p) < ipHeader || p[0]>>4 != 4 {
		return nil, errNotOurs
	}
	header, size := int(p[0]&15)*4, int(binary.BigEndian.Uint16(p[2:]))
	isPart := binary.BigEndian.Uint16(p[6:])&0x3fff != 0
	if header < ipHeader || size < header+udpHeader || size > len(p) || isPart || p[9] != protocolUD || checksum(0, p[:header]) != 0 {
		return nil, errNotOurs
	}
	udp := p[header:size]
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if binary.BigEndian.Uint16(udp[2:]) != clientPort || length < udpHeader || length > len(udp) {
		return nil, errNotOurs
	}
	udp = udp[:length]
	if sum := binary.BigEndian.Uint16(udp[6:]); sum != 0 && !unsummed && udpSum(p[:ipHeader], udp) != 0 {
		return nil, errNotOurs
	}
	return udp[udpHeader:], nil
}

// udpSum is the checksum of a UDP packet behind a header of IP, whose addresses are part of it.
func udpSum(ip, udp []byte) uint16 {
	sum := uint32(protocolUD) + uint32(len(udp))
	for at := 12; at < ipHeader; at += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[at:]))
	}
	return checksum(sum, udp)
}

// checksum is the Internet's (RFC 1071). Of data that has its own in it, it is 0.
func checksum(sum uint32, b []byte) uint16 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
