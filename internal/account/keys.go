package account

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Key is a line of authorized_keys; see sshd(8).
type Key struct {
	Options string // what comes before the type
	Type    string // "ssh-ed25519"
	Base64  string // the key itself
	Comment string
}

// keyTypes are the words that a key begins with: those that OpenSSH's sshkey.c knows for keys, and three from before.
const keyTypes = " rsa ecdsa ed25519 ecdsa-sha2-nistp256-cert-v01@openssh.com ecdsa-sha2-nistp256 ecdsa-sha2-nistp384-cert-v01@openssh.com" +
	" ecdsa-sha2-nistp384 ecdsa-sha2-nistp521-cert-v01@openssh.com ecdsa-sha2-nistp521 sk-ecdsa-sha2-nistp256-cert-v01@openssh.com" +
	" sk-ecdsa-sha2-nistp256@openssh.com sk-ssh-ed25519-cert-v01@openssh.com sk-ssh-ed25519@openssh.com ssh-ed25519-cert-v01@openssh.com" +
	" ssh-ed25519 ssh-rsa-cert-v01@openssh.com ssh-rsa ssh-xmss-cert-v01@openssh.com ssh-xmss@openssh.com "

// space is what stands between the parts of a line.
const space = " \t\r\v\f\n"

// ParseKey reads a line of authorized_keys: a type and a key, perhaps with options before and a comment behind. The error
// says what is wrong, and nothing of the line.
func ParseKey(line string) (Key, error) {
	line = strings.Trim(line, space)
	if line == "" || line[0] == '#' {
		return Key{}, errors.New("it is empty or a comment")
	}
	k, err := parsePlain(line)
	if err == nil {
		return k, nil
	}
	options, rest := cutOptions(line)
	if k, err := parsePlain(rest); err == nil {
		k.Options = options
		return k, nil
	}
	return Key{}, err
}

// parsePlain reads a key without options.
func parsePlain(text string) (k Key, err error) {
	k.Type, text = cutWord(text)
	k.Base64, k.Comment = cutWord(text)
	switch {
	case k.Type == "" || !strings.Contains(keyTypes, " "+k.Type+" "):
		return Key{}, errors.New("it does not begin with a type of keys that ssh knows, such as ssh-ed25519")
	case k.Base64 == "":
		return Key{}, errors.New("there is nothing behind its type")
	}
	return k, nil
}

// cutWord cuts off the first word, and the space behind it.
func cutWord(text string) (word, rest string) {
	if at := strings.IndexAny(text, space); at >= 0 {
		return text[:at], strings.Trim(text[at:], space)
	}
	return text, ""
}

// cutOptions cuts off options: they end at the first space that is not in double quotes.
func cutOptions(line string) (options, rest string) {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && strings.HasPrefix(line[i+1:], `"`):
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t'):
			return line[:i], strings.Trim(line[i:], space)
		}
	}
	return line, ""
}

// String is the key as a line, without a line break.
func (k Key) String() string {
	parts := slices.DeleteFunc([]string{k.Options, k.Type, k.Base64, k.Comment}, func(s string) bool { return s == "" })
	return strings.Join(parts, " ")
}

// Check says what keeps ssh from taking a key that looks like one: its data is cut short, or is of another type.
func (k Key) Check() error {
	data, err := k.data()
	if err != nil {
		return err
	}
	if len(data) < 4 || uint64(binary.BigEndian.Uint32(data)) > uint64(len(data)-4) {
		return errors.New("its data is cut short")
	}
	if inside := string(data[4 : 4+binary.BigEndian.Uint32(data)]); inside != k.Type {
		return fmt.Errorf("its data is not a key of the type %s", k.Type)
	}
	return nil
}

func (k Key) data() ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(k.Base64)
	if err != nil {
		return nil, errors.New("its data is not base64, or cut short")
	}
	return data, nil
}

// Fingerprint is the key's fingerprint by md5, sha1, sha256 or sha512, in pairs of hexadecimal digits with colons between.
func (k Key) Fingerprint(method string) (string, error) {
	data, err := k.data()
	if err != nil {
		return "", err
	}
	var sum []byte
	switch method {
	case "md5":
		all := md5.Sum(data)
		sum = all[:]
	case "sha1":
		all := sha1.Sum(data)
		sum = all[:]
	case "sha256":
		all := sha256.Sum256(data)
		sum = all[:]
	case "sha512":
		all := sha512.Sum512(data)
		sum = all[:]
	default:
		return "", fmt.Errorf("there is no hash method %q for fingerprints; use sha256", method)
	}
	pairs := make([]string, len(sum))
	for i := range sum {
		pairs[i] = hex.EncodeToString(sum[i : i+1])
	}
	return strings.Join(pairs, ":"), nil
}

// A Rejected is a key that was given and not taken.
type Rejected struct {
	Position      int    // among those that were given, from 1
	Type, Comment string // as far as it has such; never the rest
	Reason        string
}

// String says it without showing the key.
func (r Rejected) String() string {
	name := strings.Join(trimmed([]string{r.Type, r.Comment}), " ")
	if name != "" {
		name = " (" + name + ")"
	}
	return fmt.Sprintf("key %d%s is not taken: %s", r.Position, name, r.Reason)
}

// reject says of a line why it is no key. Of a line that is no key at all nothing is shown: it may be a private one.
func reject(position int, line string, why error) Rejected {
	r := Rejected{Position: position, Reason: why.Error()}
	word, rest := cutWord(strings.Trim(line, space))
	for _, start := range []string{"ssh-", "ecdsa-", "sk-"} {
		if strings.HasPrefix(word, start) && len(word) < 64 {
			_, comment := cutWord(rest)
			r.Type, r.Comment = word, comment
		}
	}
	return r
}

// given reads the keys that somebody gave; one text may hold several lines. Options, where there are any, stand in place
// of the lines' own.
func given(texts []string, options string) (keys []Key, rejected []Rejected) {
	for i, text := range texts {
		lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.Trim(line, space) == "" })
		if len(lines) == 0 {
			lines = []string{""}
		}
		for _, line := range lines {
			k, err := ParseKey(line)
			if err != nil {
				if n := len(rejected); n == 0 || rejected[n-1].Position != i+1 {
					rejected = append(rejected, reject(i+1, line, err))
				}
				continue
			}
			if options != "" {
				k.Options = options
			}
			if !slices.ContainsFunc(keys, func(have Key) bool { return have.Base64 == k.Base64 }) {
				keys = append(keys, k)
			}
		}
	}
	return keys, rejected
}

// merge adds keys to the text of authorized_keys. A key that is there already is replaced where it stands; a line that is
// no key stays as it is.
func merge(text string, keys []Key) string {
	var merged strings.Builder
	there := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if old, err := ParseKey(line); err == nil {
			if i := slices.IndexFunc(keys, func(k Key) bool { return k.Base64 == old.Base64 }); i >= 0 {
				old, there[old.Base64] = keys[i], true
			}
			line = old.String()
		}
		merged.WriteString(line + "\n")
	}
	for _, k := range keys {
		if !there[k.Base64] {
			merged.WriteString(k.String() + "\n")
		}
	}
	return merged.String()
}
