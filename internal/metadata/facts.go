package metadata

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What several clouds say of an instance, each in its own form. What an operator did not give is derived from the name, so
// that it is the same after every start.

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// id is the instance's id for a dialect.
func (i *Instance) id(dialect string) string {
	if id := i.IDs[dialect]; id != "" {
		return id
	}
	if i.ID != "" {
		return i.ID
	}
	return i.Name
}

// digest is a number of an instance, derived from its id.
func digest(of string) []byte {
	sum := sha256.Sum256([]byte(of))
	return sum[:]
}

// numberID is the id where a cloud has numbers only.
func (i *Instance) numberID(dialect string, bits int) string {
	id := i.id(dialect)
	if n, err := strconv.ParseUint(id, 10, bits); err == nil && strconv.FormatUint(n, 10) == id {
		return id
	}
	return strconv.FormatUint(binary.BigEndian.Uint64(digest(id))>>(65-bits), 10)
}

// ec2ID is the id in EC2's form.
func (i *Instance) ec2ID(dialect string) string {
	if id := i.id(dialect); strings.HasPrefix(id, "i-") || i.IDs[dialect] != "" {
		return id
	}
	return "i-" + hex.EncodeToString(digest(i.id(dialect)))[:17]
}

// uuid is the id in OpenStack's and Azure's form.
func (i *Instance) uuid(dialect string) string {
	if id := i.id(dialect); uuidForm.MatchString(id) || i.IDs[dialect] != "" {
		return id
	}
	d := digest(i.id(dialect))
	d[6], d[8] = d[6]&0x0f|0x50, d[8]&0x3f|0x80 // a name-based UUID, RFC 9562
	return fmt.Sprintf("%x-%x-%x-%x-%x", d[0:4], d[4:6], d[6:8], d[8:10], d[10:16])
}

// hostname is the full name; the instance's name where none is given.
func (i *Instance) hostname() string {
	if i.Hostname != "" {
		return i.Hostname
	}
	return i.Name
}

// region is given, or the zone without its last part: us-central1-a, eu-west-1b.
func (i *Instance) region() string {
	if i.Region != "" {
		return i.Region
	}
	if cut := strings.LastIndexByte(i.Zone, '-'); cut > 0 && len(i.Zone)-cut == 2 {
		return i.Zone[:cut]
	}
	return strings.TrimRight(i.Zone, "abcdefghijklmnopqrstuvwxyz")
}

// nic is the primary interface; an empty one where there is none.
func (i *Instance) nic() *NIC {
	if len(i.NICs) > 0 {
		return &i.NICs[0]
	}
	return &NIC{}
}

// keyLines are the ssh keys as Google writes them: USER:KEY, and the keys alone are left out.
func keyLines(all []string) (lines []string) {
	for _, k := range all {
		if _, _, ok := userKey(k); ok {
			lines = append(lines, k)
		}
	}
	return lines
}

// publicKeys are the keys for the default user: those without a user's name, the project's last.
func (v View) publicKeys() (keys []string) {
	for _, k := range append(slices.Clone(v.Instance.SSHKeys), v.Project.SSHKeys...) {
		if _, _, ok := userKey(k); !ok {
			keys = append(keys, k)
		}
	}
	return keys
}

// userKey takes USER:KEY apart. A key begins with its type and a space, which no user's name has.
func userKey(line string) (user, key string, ok bool) {
	user, key, ok = strings.Cut(line, ":")
	return user, key, ok && !strings.Contains(user, " ")
}

// keyName is what a key's comment calls it, for the clouds that name keys.
func keyName(key string, n int) string {
	if f := strings.Fields(key); len(f) > 2 {
		name := regexp.MustCompile(`[^A-Za-z0-9._@-]+`).ReplaceAllString(strings.Join(f[2:], "-"), "-")
		return name
	}
	return "key" + strconv.Itoa(n)
}

// keysByName are the public keys with names that differ from each other.
func (v View) keysByName() (names []string, keys map[string]string) {
	keys = map[string]string{}
	for n, k := range v.publicKeys() {
		name := keyName(k, n)
		if keys[name] != "" {
			name += "-" + strconv.Itoa(n)
		}
		names, keys[name] = append(names, name), k
	}
	return names, keys
}

// or gives a value, or what stands for one that is not given.
func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
