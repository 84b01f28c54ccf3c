package account

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
)

// publicData is the public half of a key as ssh writes it; see RFC 4253, 5656 and 8709.
func publicData(key any) ([]byte, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return wire("ssh-rsa", big.NewInt(int64(k.E)), k.N), nil
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		curve := fmt.Sprintf("nistp%d", k.Curve.Params().BitSize)
		return wire("ecdsa-sha2-"+curve, curve, point), err
	case ed25519.PublicKey:
		return wire("ssh-ed25519", []byte(k)), nil
	}
	return nil, errors.New("it is of a kind that ssh does not know")
}

// keyOf is the line of a public key.
func keyOf(data []byte, comment string) Key {
	kind, _, _ := cutField(data)
	return Key{Type: string(kind), Base64: base64.StdEncoding.EncodeToString(data), Comment: comment}
}

// wire writes fields as ssh does, each behind its length: texts, bytes, and numbers with the sign in the first bit.
func wire(fields ...any) (data []byte) {
	for _, field := range fields {
		var b []byte
		switch f := field.(type) {
		case string:
			b = []byte(f)
		case []byte:
			b = f
		case *big.Int:
			b = f.Bytes()
			if f.BitLen()%8 == 0 && f.Sign() > 0 {
				b = append([]byte{0}, b...)
			}
		}
		data = append(binary.BigEndian.AppendUint32(data, uint32(len(b))), b...)
	}
	return data
}

// cutField takes the first field off what wire wrote.
func cutField(data []byte) (field, rest []byte, ok bool) {
	if len(data) < 4 || uint64(binary.BigEndian.Uint32(data)) > uint64(len(data)-4) {
		return nil, nil, false
	}
	end := 4 + binary.BigEndian.Uint32(data)
	return data[4:end], data[end:], true
}
