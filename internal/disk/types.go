package disk

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// A partitionType has a name in each kind of table. The codes are those of sgdisk, which are the MBR's with two more digits;
// GUIDs are from the UEFI specification and the Discoverable Partitions Specification.
type partitionType struct{ name, code, guid string }

var partitionTypes = []partitionType{
	{"linux", "8300", "0FC63DAF-8483-4772-8E79-3D69D8477DE4"},
	{"swap", "8200", "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"},
	{"lvm", "8E00", "E6D6D379-F507-44C2-A23C-238F2A3DF928"},
	{"raid", "FD00", "A19D880F-05FC-4D3B-A006-743F0F84911E"},
	{"efi", "EF00", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"},
	{"", "EF02", "21686148-6449-6E6F-744E-656564454649"}, // BIOS boot
	{"", "EA00", "BC13C2FF-59E6-4262-A352-B275FD6F7172"}, // extended boot loader
	{"", "0700", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"}, // Microsoft's basic data
	{"", "0B00", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"},
	{"", "0C00", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"},
	{"", "0C01", "E3C9E316-0B5C-4DB8-817D-F92DF00215AE"}, // Microsoft's reserved room
	{"", "8301", "8DA63339-0007-60C0-C436-083AC8230908"}, // reserved for Linux
	{"", "8302", "933AC7E1-2EB4-4F13-B844-0E14E2AEF915"}, // /home
	{"", "8303", "44479540-F297-41B2-9AF7-D131D5F0458A"}, // / for x86
	{"", "8304", "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"}, // / for x86-64
	{"", "8305", "B921B045-1DF0-41C3-AF44-4C6F280D3FAE"}, // / for arm64
	{"", "8306", "3B8F8425-20E0-4F3B-907F-1A25A76F98E8"}, // /srv
	{"", "8307", "69DAD710-2CE4-4E3C-B16C-21A1D49ABED3"}, // / for arm
	{"", "8308", "7FFEC5C9-2D00-49B7-8941-3EA10A5586B7"}, // dm-crypt
	{"", "8309", "CA7D7CCB-63ED-4C53-861C-1742536059CC"}, // LUKS
	{"", "8310", "4D21B016-B534-45C2-A9FB-5C16E091FD2D"}, // /var
	{"", "BF00", "6A898CC3-1DD2-11B2-99A6-080020736631"}, // zfs
	{"", "BF01", "6A898CC3-1DD2-11B2-99A6-080020736631"},
}

// Type is the type of partition that a word means in a kind of table: "linux", "swap", "lvm", "raid", "efi", the MBR's two
// hexadecimal digits, sgdisk's four, or a GUID. It is empty where the word means none there.
func Type(label, word string) string {
	word = strings.ToUpper(strings.TrimPrefix(strings.ToLower(word), "0x"))
	if len(word) == 1 {
		word = "0" + word
	}
	if _, err := parseGUID(word); label == GPT && err == nil {
		return word
	}
	if digits, err := hex.DecodeString(word); label == MBR && err == nil && len(digits) == 1 && digits[0] != 0 {
		return strings.ToLower(word)
	}
	for _, t := range partitionTypes {
		if word != strings.ToUpper(t.name) && word != t.code && word+"00" != t.code && word != t.guid || word == "" {
			continue
		}
		if label == GPT {
			return t.guid
		}
		return strings.ToLower(t.code[:2])
	}
	return ""
}

// typeName is the word for a type, or the type itself where there is none.
func typeName(kind string) string {
	for _, t := range partitionTypes {
		if t.name != "" && (kind == t.guid || strings.EqualFold(kind, t.code[:2])) {
			return t.name
		}
	}
	return kind
}

// parseGUID reads a GUID as tables hold it: the first three groups have their low byte first.
func parseGUID(text string) (raw [16]byte, err error) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return raw, fmt.Errorf("%q is not a GUID", text)
	}
	bytes, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(bytes) != 16 {
		return raw, fmt.Errorf("%q is not a GUID", text)
	}
	for i, from := range guidOrder {
		raw[i] = bytes[from]
	}
	return raw, nil
}

// guidOrder is which byte of the text stands where.
var guidOrder = [16]int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}

func formatGUID(raw []byte) string {
	var b [16]byte
	for i, to := range guidOrder {
		b[to] = raw[i]
	}
	return strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}
