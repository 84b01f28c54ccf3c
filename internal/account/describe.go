package account

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
)

// Describe is the public key as `ssh-keygen -l` shows it: bits, fingerprint, comment and kind.
func (k Key) Describe() (string, error) {
	data, err := k.data()
	if err == nil {
		err = k.Check()
	}
	if err != nil {
		return "", err
	}
	bits, kind := 256, strings.ToUpper(strings.TrimPrefix(k.Type, "ssh-"))
	switch {
	case k.Type == "ssh-rsa":
		_, rest, _ := cutField(data)
		_, rest, _ = cutField(rest)
		modulus, _, _ := cutField(rest)
		bits = new(big.Int).SetBytes(modulus).BitLen()
	case strings.HasPrefix(k.Type, "ecdsa-sha2-nistp") && !strings.Contains(k.Type, "@"):
		kind = "ECDSA"
		fmt.Sscan(strings.TrimPrefix(k.Type, "ecdsa-sha2-nistp"), &bits)
	case k.Type != "ssh-ed25519":
		return "", fmt.Errorf("keys of the type %s are not described", k.Type)
	}
	return fmt.Sprintf("%d %s %s (%s)", bits, k.SHA256(), cmp.Or(k.Comment, "no comment"), kind), nil
}

// SHA256 is the fingerprint as ssh shows it: "SHA256:" and base64. It is empty for what is no key.
func (k Key) SHA256() string {
	data, err := k.data()
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}
