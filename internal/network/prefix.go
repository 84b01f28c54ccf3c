package network

import (
	"errors"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// Why an address cannot be used.
var (
	errNoAddress = errors.New("is no address of IPv4 or IPv6")
	errNoPrefix  = errors.New("is an address with something behind its slash that is no prefix or netmask")
	errNoMask    = errors.New("is no netmask")
)

// splitAddress takes ADDRESS, ADDRESS/PREFIX or ADDRESS/NETMASK apart, as Python's ipaddress does. The prefix is -1 where
// there is none.
func splitAddress(text string) (address string, prefix int, err error) {
	address, mask, has := strings.Cut(text, "/")
	switch {
	case !IsIPv4(address) && !IsIPv6(address):
		return "", -1, errNoAddress
	case !has:
		return address, -1, nil
	case IsIPv6(address):
		prefix, err = decimalPrefix(mask, 128)
	default:
		prefix, err = prefix4(mask)
	}
	if err != nil {
		return "", -1, errNoPrefix
	}
	return address, prefix, nil
}

// decimalPrefix reads digits: Python allows neither sign nor white space.
func decimalPrefix(text string, most int) (int, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || int(n) > most {
		return 0, errNoMask
	}
	return int(n), nil
}

// prefix4 is the length of an IPv4 netmask: 24, 255.255.255.0, or the other way round 0.0.0.255.
func prefix4(mask string) (int, error) {
	if n, err := decimalPrefix(mask, 32); err == nil {
		return n, nil
	}
	a, err := netip.ParseAddr(mask)
	if err != nil || !a.Is4() {
		return 0, errNoMask
	}
	b := a.As4()
	word := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	for _, m := range []uint32{word, ^word} {
		if n := bits.LeadingZeros32(^m); n+bits.TrailingZeros32(m) == 32 || m == ^uint32(0) {
			return n, nil
		}
	}
	return 0, errNoMask
}

// prefix6 is the length of an IPv6 netmask: 48, or ffff:ffff:ffff::, which is rare.
func prefix6(mask string) (int, error) {
	if n, err := decimalPrefix(mask, 128); err == nil {
		return n, nil
	}
	if mask == "0.0.0.0" {
		return 0, nil
	}
	a, err := netip.ParseAddr(mask)
	if err != nil || !a.Is6() {
		return 0, errNoMask
	}
	n, ended := 0, false
	for _, b := range a.As16() {
		ones := bits.LeadingZeros8(^b)
		if ended && b != 0 || b != 0xff<<(8-ones) {
			return 0, errNoMask
		}
		n, ended = n+ones, ended || ones < 8
	}
	return n, nil
}

// netmask4 is the IPv4 netmask of a length.
func netmask4(prefix int) string {
	p, err := netip.IPv4Unspecified().Prefix(prefix)
	if err != nil {
		return ""
	}
	mask := ^uint32(0) << (32 - p.Bits())
	return netip.AddrFrom4([4]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}).String()
}
