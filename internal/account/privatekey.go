package account

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"

	"openguest/internal/instance"
)

var (
	errNoPrivate = errors.New("it is no private key: it wants the lines from BEGIN to END, each at the start of its line")
	errLocked    = errors.New("a passphrase protects it, which nobody can type at boot; take it off with `ssh-keygen -p`")
	errCut       = errors.New("it is cut short")
)

// PublicOf is the public half of a private key's file, with the comment that is in it. It reads what a ssh server reads:
// OpenSSH's own format and PEM. The error says why a server could not use the key.
func PublicOf(private instance.Secret) (Key, error) {
	text := private.Reveal()
	block, rest := pem.Decode([]byte(text))
	for block != nil && block.Type == "EC PARAMETERS" {
		block, rest = pem.Decode(rest)
	}
	switch {
	case block == nil || block.Type == "OPENSSH PRIVATE KEY" && !strings.HasPrefix(text, strings.TrimSuffix(ownBegin, "\n")):
		return Key{}, errNoPrivate
	case block.Type == "OPENSSH PRIVATE KEY":
		return readOwn(block.Bytes)
	case block.Headers["DEK-Info"] != "" || block.Type == "ENCRYPTED PRIVATE KEY":
		return Key{}, errLocked
	}
	key, err := readPEM(block)
	if err != nil {
		return Key{}, err
	}
	data, err := publicData(key)
	return keyOf(data, ""), err
}

// readPEM reads the formats that OpenSSL writes.
func readPEM(block *pem.Block) (public any, err error) {
	switch block.Type {
	case "RSA PRIVATE KEY":
		k, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, errCut
		}
		return &k.PublicKey, nil
	case "EC PRIVATE KEY":
		k, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil {
			return nil, errCut
		}
		return &k.PublicKey, nil
	case "PRIVATE KEY":
		k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errCut
		}
		if k, ok := k.(interface{ Public() crypto.PublicKey }); ok {
			return k.Public(), nil
		}
	}
	return nil, errNoPrivate
}

// readOwn reads OpenSSH's own format: magic, cipher, kdf, its options, the number of keys, the public half, and the private
// one with the comment at its end.
func readOwn(data []byte) (Key, error) {
	rest, ok := bytes.CutPrefix(data, []byte(ownMagic))
	if !ok {
		return Key{}, errNoPrivate
	}
	cipher, rest, ok1 := cutField(rest)
	_, rest, ok2 := cutField(rest)
	_, rest, ok3 := cutField(rest)
	if !ok1 || !ok2 || !ok3 || len(rest) < 4 {
		return Key{}, errCut
	}
	public, rest, ok1 := cutField(rest[4:])
	inner, _, ok2 := cutField(rest)
	switch {
	case string(cipher) != "none":
		return Key{}, errLocked
	case !ok1 || !ok2 || len(inner) < 8 || !bytes.Equal(inner[:4], inner[4:8]):
		return Key{}, errCut
	}
	comment, ok := lastField(inner[8:])
	if !ok {
		return Key{}, errCut
	}
	if bytes.ContainsAny(comment, "\r\n\x00") {
		comment = nil // it would not stay in its line
	}
	key := keyOf(public, string(comment))
	_, err := ParseKey(key.String())
	return key, err
}

// lastField is the last of several fields with padding behind them: the bytes 1, 2, 3, …
func lastField(data []byte) (last []byte, ok bool) {
	for !isPadding(data) {
		if last, data, ok = cutField(data); !ok {
			return nil, false
		}
	}
	return last, true
}

func isPadding(data []byte) bool {
	return len(data) < 8 && bytes.HasPrefix([]byte{1, 2, 3, 4, 5, 6, 7}, data)
}
