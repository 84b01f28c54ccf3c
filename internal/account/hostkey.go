package account

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"

	"openguest/internal/instance"
)

// A HostKey is a pair of keys by which a ssh server proves who it is.
type HostKey struct {
	Private instance.Secret // the text of its file, in the format of OpenSSH's PROTOCOL.key
	Public  Key
}

// HostKeyKinds are the kinds of host keys that NewHostKey makes, as `ssh-keygen -t` names them.
func HostKeyKinds() []string { return []string{"rsa", "ecdsa", "ed25519"} }

// NewHostKey makes a host key as `ssh-keygen -t KIND` does by itself: rsa of 3072 bits, ecdsa on the curve nistp256, or
// ed25519. Making rsa takes half a second of work on average, and now and then several.
func NewHostKey(kind, comment string) (HostKey, error) {
	public, private, err := newPair(kind)
	if err != nil {
		return HostKey{}, fmt.Errorf("make a host key of the kind %s: %w", kind, err)
	}
	return HostKey{privateFile(public, private, comment), keyOf(public, comment)}, nil
}

// newPair makes the two halves of a key, as PROTOCOL.key has them.
func newPair(kind string) (public, private []byte, err error) {
	switch kind {
	case "rsa":
		k, err := rsa.GenerateKey(rand.Reader, 3072)
		if err != nil {
			return nil, nil, err
		}
		e := big.NewInt(int64(k.E))
		return wire("ssh-rsa", e, k.N), wire("ssh-rsa", k.N, e, k.D, k.Precomputed.Qinv, k.Primes[0], k.Primes[1]), nil
	case "ecdsa":
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, nil, err
		}
		secret, err := k.Bytes()
		if err == nil {
			public, err = publicData(&k.PublicKey)
		}
		return public, append(bytes.Clone(public), wire(new(big.Int).SetBytes(secret))...), err
	case "ed25519":
		point, secret, err := ed25519.GenerateKey(rand.Reader)
		return wire("ssh-ed25519", []byte(point)), wire("ssh-ed25519", []byte(point), []byte(secret)), err
	}
	return nil, nil, fmt.Errorf("only %s are made", strings.Join(HostKeyKinds(), ", "))
}

const (
	ownMagic  = "openssh-key-v1\x00"
	ownBegin  = "-----BEGIN OPENSSH PRIVATE KEY-----\n"
	ownEnd    = "-----END OPENSSH PRIVATE KEY-----\n"
	ownColumn = 70 // how long a line of base64 is in ssh's own files
)

// privateFile is the file of a private key that no passphrase protects, as PROTOCOL.key describes it.
func privateFile(public, private []byte, comment string) instance.Secret {
	check := make([]byte, 4) // twice the same number tells that the rest was decrypted
	rand.Read(check)
	inner := append(append(append(check[:4:4], check...), private...), wire(comment)...)
	for pad := byte(1); len(inner)%8 != 0; pad++ {
		inner = append(inner, pad)
	}
	data := append([]byte(ownMagic), wire("none", "none", "")...)
	data = binary.BigEndian.AppendUint32(data, 1) // one key
	text := base64.StdEncoding.EncodeToString(append(data, wire(public, inner)...))
	var file strings.Builder
	file.WriteString(ownBegin)
	for ; len(text) > ownColumn; text = text[ownColumn:] {
		file.WriteString(text[:ownColumn] + "\n")
	}
	file.WriteString(text + "\n" + ownEnd)
	return instance.Hide(file.String())
}
