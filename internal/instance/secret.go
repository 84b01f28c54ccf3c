package instance

import "strings"

// hidden stands wherever a secret would be printed.
const hidden = "•••"

// A Secret is a text that nobody may see: a password, a token, a private key. It prints and marshals as •••, however
// it is printed; only the door to the machine calls Reveal.
type Secret struct{ text string }

// Hide makes a Secret of a text.
func Hide(text string) Secret { return Secret{text} }

// String is •••, or nothing where the secret is empty.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return hidden
}

// GoString is the same, for %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText is the same, for JSON and whatever else writes texts.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// IsEmpty says that there is no secret.
func (s Secret) IsEmpty() bool { return s.text == "" }

// HasPrefix says how the secret begins. Hashes of passwords are told apart by it.
func (s Secret) HasPrefix(prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(s.text, prefix) {
			return true
		}
	}
	return false
}

// Equal compares two secrets.
func (s Secret) Equal(other Secret) bool { return s.text == other.text }

// Join makes one secret of several texts and secrets.
func Join(parts ...any) Secret {
	var all strings.Builder
	for _, part := range parts {
		switch part := part.(type) {
		case Secret:
			all.WriteString(part.text)
		case string:
			all.WriteString(part)
		}
	}
	return Secret{all.String()}
}

// Reveal is the text itself. Who calls it answers for where it goes; a test lists the callers.
func (s Secret) Reveal() string { return s.text }
