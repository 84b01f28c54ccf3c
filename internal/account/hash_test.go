package account

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"openguest/internal/instance"
)

// TestFits has hashes that crypt(3) made of "secret".
func TestFits(t *testing.T) {
	for _, hash := range []Hash{
		"$y$j9T$63Ib1lC6lJcIbAV8TxanP0$llgMdWNpaoDc0OBTVUALge39TXEZextMmU8Ezkh5f1B",
		"$6$saltsaltsaltsalt$ph0yGsyjzqdeFaon7.gJZo8eAG5/rj9/JdzOu1Rl7dKzBYg3xgvl7T2VQ2Rt81bc5AXkdA54r0p8QvC1omD6R1",
		"$1$abc$iCQ2D3nhptRYi27fDYv2s1",
		"$5$abc$qsg6EHbUzHQzF1POlD7zUwBINSELQxypPaeDcZe6vH0",
		"$6$rounds=1000$abc$MqEcPZUYRGGcOeq7PhMpfjfu/F0HrVEI0OlZBijWvO8mSG77iNUDP5MqFceKpJTBc8iITVtNyLiNTRNCxv6oh0",
		"$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
	} {
		if !hash.Fits(instance.Hide("secret")) || hash.Fits(instance.Hide("Secret")) {
			t.Errorf("%s does not tell passwords apart", hash)
		}
	}
	for _, hash := range []Hash{"", "!", "*", "x", "$6$", "$6$a$b", "$y$j9T$$", "$9$a$b", "$2b$12$x", "$1$"} {
		if hash.Fits(instance.Hide("")) || hash.Fits(instance.Hide("b")) {
			t.Errorf("%q fits", hash)
		}
	}
}

// TestHashed lets openssl make the same hash.
func TestHashed(t *testing.T) {
	hash, err := hashed(instance.Hide("pass word"))
	parts := strings.Split(string(hash), "$")
	if err != nil || len(parts) != 4 || parts[1] != "6" || len(parts[2]) != 16 || !hash.Fits(instance.Hide("pass word")) {
		t.Fatal(hash, err)
	}
	out, err := exec.Command("openssl", "passwd", "-6", "-salt", parts[2], "pass word").Output()
	if err != nil {
		t.Skip("needs openssl")
	}
	if strings.TrimSpace(string(out)) != string(hash) {
		t.Errorf("got %s, openssl says %s", hash, out)
	}
}

// TestIsHash compares with the expression that cloud-init uses. Row M35.
func TestIsHash(t *testing.T) {
	script := `import re, sys
prog = re.compile(r"\$(1|2a|2y|5|6)(\$.+){2}")
for p in sys.argv[1:]: print("yes" if prog.match(p) is not None and ":" not in p else "no")`
	words := []string{"$6$salt$hash", "$1$a$b", "$2a$10$abc", "$2y$10$abc", "$2b$10$abc",
		"$5$a$b", "$y$j9T$a$b", "$6$a", "$6$$", "$6$$a", "$6$$$", "$6$$$a",
		"$6$a$", "$6$a$b:c", "plain", "", "$", "$6", "$6$", "x$6$a$b",
		"$6$rounds=1$a$b", "$6$a\n$b", "$6$a$b\n", "$6$ä$ö"}
	out, err := exec.Command("python3", append([]string{"-c", script}, words...)...).Output()
	if err != nil {
		t.Skip("needs python3")
	}
	for i, answer := range strings.Fields(string(out)) {
		if got := IsHash(instance.Hide(words[i])); got != (answer == "yes") {
			t.Errorf("%q: got %v, cloud-init says %s", words[i], got, answer)
		}
	}
}

// TestRandomPassword: CVE-2020-8631 and 8632 were a generator that could be guessed, and nine characters. Row M35.
func TestRandomPassword(t *testing.T) {
	var all []string
	for range 200 {
		text := RandomPassword().Reveal()
		for _, class := range []string{digits, lower, upper, punctuation} {
			if !strings.ContainsAny(text, class) {
				t.Errorf("%q has none of %q", text, class)
			}
		}
		if len(text) != 20 || slices.Contains(all, text) {
			t.Errorf("%q is short or comes twice", text)
		}
		all = append(all, text)
	}
}

// TestSetPasswords: one bad line must not cost the others their passwords. Rows M35, M36.
func TestSetPasswords(t *testing.T) {
	m := fake()
	var logins []Login
	for _, line := range []string{"eve:new", "nosuch:x", "root:$6$a$b", "eve:newer", "mallory:$y$plain:text"} {
		l, err := ReadLogin(instance.Hide(line))
		if err != nil {
			t.Fatal(err)
		}
		logins = append(logins, l)
	}
	for i, r := range SetPasswords(t.Context(), m, logins) {
		isBad, isUndone := i == 1, i == 0
		if (r.Err != nil) != isBad || r.Changed == (isBad || isUndone) {
			t.Error(logins[i].User, r)
		}
		if isBad && r.Err.Error() != `set the password of user nosuch: there is no user "nosuch"` {
			t.Error(r.Err)
		}
	}
	n := m.Ledger.Len()
	if SetPasswords(t.Context(), m, logins); m.Ledger.Len() > n {
		t.Error("the second time changed again:", m.Ledger.Entries()[n:])
	}
	for user, l := range map[string]Login{"eve": logins[3], "root": logins[2], "mallory": logins[4]} {
		if s, err := shadowOf(t.Context(), m, user); err != nil || !s.has(l) || s.hash.IsLocked() || s.expired {
			t.Error(user, s, err)
		}
		if err := Expire(t.Context(), m, user); err != nil {
			t.Error(err)
		}
		if s, _ := shadowOf(t.Context(), m, user); !s.expired {
			t.Error(user, "is not expired")
		}
	}
	for _, e := range m.Ledger.Entries() {
		if strings.Contains(strings.Join(e.Argv, " ")+e.Detail, "new") {
			t.Error("a password is on a command line:", e)
		}
	}
	if _, err := ReadLogin(instance.Hide("no colon")); err == nil {
		t.Error("a line without a colon is taken")
	}
}
