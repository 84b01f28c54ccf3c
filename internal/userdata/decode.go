package userdata

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// decodeBase64 decodes as leniently as Python's email package does: what is not in the alphabet is passed over and padding
// may be missing. A length that no data has leaves the text, on one line.
func decodeBase64(text string) string {
	letters, padding := make([]byte, 0, len(text)), 0
	for _, b := range []byte(text) {
		if isBase64(b) {
			letters, padding = append(letters, b), 0
		} else if b == '=' && len(letters)%4 > 1 {
			padding++
		}
		if padding > 0 && len(letters)%4+padding == 4 {
			break
		}
	}
	plain, err := base64.RawStdEncoding.DecodeString(string(letters))
	if err != nil {
		return strings.NewReplacer("\r", "", "\n", "").Replace(text)
	}
	return string(plain)
}

func isBase64(b byte) bool {
	return 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z' || '0' <= b && b <= '9' || b == '+' || b == '/'
}

// decodeQuoted decodes quoted-printable text. An equals sign that begins nothing stays.
func decodeQuoted(text string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "=")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		plain, length := quoted(after)
		out.WriteString(plain)
		text = after[length:]
	}
}

// quoted is what an equals sign and the text behind it stand for, and how much of the text that takes.
func quoted(text string) (plain string, length int) {
	switch {
	case text == "":
		return "", 0
	case text[0] == '\n':
		return "", 1
	case text[0] == '\r':
		if end := strings.IndexByte(text, '\n'); end >= 0 {
			return "", end + 1
		}
		return "", len(text)
	case text[0] == '=':
		return "=", 1
	}
	if plain, err := hex.DecodeString(head(text, 2)); err == nil && len(plain) == 1 {
		return string(plain), 2
	}
	return "=", 0
}

// fromLatin reads ISO 8859-1.
func fromLatin(text string) string {
	runes := make([]rune, len(text))
	for i := range len(text) {
		runes[i] = rune(text[i])
	}
	return string(runes)
}
