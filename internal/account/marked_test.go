package account

import (
	"strings"
	"testing"
	"time"

	"openguest/internal/machine"
)

const marker = "# Added by Google"

// Rows 15 and 17 of gce-linux.md §14: what a person wrote into authorized_keys stays to the byte, whatever the cloud's keys
// become; otherwise a change of the metadata would lock out people whom it does not name.
func TestMark(t *testing.T) {
	for name, c := range map[string]struct{ before, keys, after string }{
		"new":                 {"", "A,B", "M\nA\nM\nB\n"},
		"beside others":       {"own\n", "A", "own\nM\nA\n"},
		"without a last end":  {"own", "A", "own\nM\nA\n"},
		"the same":            {"M\nA\nown\n\nM\nB\n", "B,A", "M\nA\nown\n\nM\nB\n"},
		"another":             {"M\nA\nown\n", "B", "own\nM\nB\n"},
		"one less":            {"M\nA\nown\r\n\n# note\nM\nB\n", "B", "own\r\n\n# note\nM\nB\n"},
		"none":                {"own\nM\nA\nlast", "", "own\nlast"},
		"none, only ours":     {"M\nA\n", "", ""},
		"a marker at the end": {"own\nM\n", "", "own\n"},
		"nothing of ours":     {"own", "", "own"},
		"twice the marker":    {"M\nM\nA\n", "A", "M\nM\nA\n"},
	} {
		var keys []string
		if c.keys != "" {
			keys = strings.Split(c.keys, ",")
		}
		fill := func(text string) string { return strings.ReplaceAll(text, "M\n", marker+"\n") }
		if after := mark(fill(c.before), marker, keys); after != fill(c.after) {
			t.Errorf("%s: %q becomes %q, want %q", name, fill(c.before), after, fill(c.after))
		}
	}
}

// Row 16 of gce-linux.md §14. Whoever makes a link of the own authorized_keys must not have us write elsewhere as root.
func TestMarkedFollowsNoLinkOfTheUser(t *testing.T) {
	m := machine.Fake(`-- etc/passwd --
root:x:0:0::/root:/bin/sh
eve:x:1000:1000::/home/eve:/bin/sh
-- etc/shadow --
root:*:1::::::
-- home/eve/ 0755 1000:1000 --
-- home/eve/.ssh/ 0700 1000:1000 --
-- home/eve/.ssh/authorized_keys -> /etc/shadow --
`, time.Unix(0, 0))
	err := SetMarked(t.Context(), m, "eve", marker, []string{"ssh-ed25519 AAAA eve"})
	text, _ := m.Files.Read("/etc/shadow")
	if text != "root:*:1::::::\n" {
		t.Errorf("shadow became %q", text)
	}
	if err == nil {
		t.Error("nothing was said")
	}
}
