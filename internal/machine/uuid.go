package machine

import "strings"

// SameUUID compares two product uuids. Firmware may write the first three fields the other way round. An empty one is
// like another empty one only.
func SameUUID(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return a == b || a == swappedUUID(b)
}

// swappedUUID is a uuid with the bytes of its first three fields in the other order.
func swappedUUID(uuid string) string {
	fields := strings.Split(uuid, "-")
	for i := range min(3, len(fields)) {
		f, turned := fields[i], ""
		for j := len(f); j >= 2; j -= 2 {
			turned += f[j-2 : j]
		}
		fields[i] = turned
	}
	return strings.Join(fields, "-")
}
