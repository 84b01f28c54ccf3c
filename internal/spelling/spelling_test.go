package spelling

import "testing"

// A wrong hint is worse than none: who wrote "xyz" did not mean "ssh".
func TestNearest(t *testing.T) {
	known := []string{"ssh_authorized_keys", "packages", "package_update", "ssh", "status"}
	for word, want := range map[string]string{
		"statsu": "status", "pakages": "packages", "ssh-authorised-keys": "ssh_authorized_keys", "shs": "ssh", "ssh": "ssh",
		"xyz": "", "": "", "statement": "", "p": "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
