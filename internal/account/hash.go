package account

import (
	"crypto/rand"
	"strings"

	"openguest/internal/instance"

	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/bcrypt"
	"github.com/go-crypt/crypt/algorithm/md5crypt"
	"github.com/go-crypt/crypt/algorithm/scrypt"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
)

// A Hash is the second field of a line of shadow: what crypt(3) made of a password, with a "!" in front where it is
// locked; empty where there is no password and none is asked for.
type Hash string

// noPassword is the hash that no password has.
const noPassword Hash = "*"

// IsLocked says that no password fits, whatever comes behind the "!".
func (h Hash) IsLocked() bool { return strings.HasPrefix(string(h), "!") }

// Bare is the hash without what locks it. The passwd of some distributions puts two "!" in front.
func (h Hash) Bare() Hash { return Hash(strings.TrimLeft(string(h), "!")) }

// Fits says whether the hash is made of this password. Methods that we do not know fit nothing.
func (h Hash) Fits(password instance.Secret) bool {
	decoders := map[string]func(string) (algorithm.Digest, error){"$1$": md5crypt.Decode, "$2a$": bcrypt.Decode, "$2b$": bcrypt.Decode,
		"$2y$": bcrypt.Decode, "$5$": shacrypt.Decode, "$6$": shacrypt.Decode, "$y$": scrypt.Decode}
	for prefix, decode := range decoders {
		if !strings.HasPrefix(string(h), prefix) {
			continue
		}
		digest, err := decode(string(h))
		if err != nil {
			return false
		}
		fits, err := digest.MatchAdvanced(password.Reveal())
		return err == nil && fits
	}
	return false
}

// hashed makes a hash of a password, as crypt(3) does with $6$ and its usual 5000 rounds.
func hashed(password instance.Secret) (Hash, error) {
	maker, err := shacrypt.New(shacrypt.WithSHA512(), shacrypt.WithRounds(shacrypt.IterationsDefaultOmitted), shacrypt.WithSaltLength(16))
	if err != nil {
		return "", err
	}
	digest, err := maker.Hash(password.Reveal())
	if err != nil {
		return "", err
	}
	return Hash(digest.Encode()), nil
}

// IsHash says whether a list of passwords means this one as a hash: $1, $2a, $2y, $5 and $6 are, with a salt and a hash
// behind. As with cloud-init, all others are taken for plain text, $y$ and $2b$ too.
func IsHash(password instance.Secret) bool {
	text := password.Reveal()
	if strings.Contains(text, ":") {
		return false
	}
	for _, method := range []string{"$1$", "$2a$", "$2y$", "$5$", "$6$"} {
		rest, ok := strings.CutPrefix(text, method)
		rest, _, _ = strings.Cut(rest, "\n")
		// A salt of at least one character, and one more behind a "$" that is not the first.
		if at := strings.Index(rest[min(1, len(rest)):], "$"); ok && at >= 0 && len(rest) > at+2 {
			return true
		}
	}
	return false
}

// The characters of random passwords: at least one of each class.
const (
	digits      = "0123456789"
	lower       = "abcdefghijklmnopqrstuvwxyz"
	upper       = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

// RandomPassword is a password of 20 characters that nobody can guess.
func RandomPassword() instance.Secret {
	text := []byte{pick(digits), pick(lower), pick(upper), pick(punctuation)}
	for len(text) < 20 {
		text = append(text, pick(digits+lower+upper+punctuation))
	}
	for i := range text {
		j := i + below(len(text)-i)
		text[i], text[j] = text[j], text[i]
	}
	return instance.Hide(string(text))
}

// pick chooses one character, each as likely as the others.
func pick(from string) byte { return from[below(len(from))] }

// below is a random number from 0 up to n, which is at most 256.
func below(n int) int {
	var b [1]byte
	for {
		rand.Read(b[:])
		if int(b[0]) < 256/n*n {
			return int(b[0]) % n
		}
	}
}
