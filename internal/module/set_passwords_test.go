package module

import (
	"regexp"
	"strings"
	"testing"

	"openguest/internal/account"
	"openguest/internal/instance"
)

// TestRandomPasswordsAreShownOnce: a password that is made up is printed on the console, is the user's, and is in no log,
// verdict or command line. Row M35; CVE-2021-3429.
func TestRandomPasswordsAreShownOnce(t *testing.T) {
	s := newScene(t, `-- config --
chpasswd:
  users: [{name: eve, type: RANDOM}]
  list: ["bob:R"]
-- programs --
chpasswd
passwd
-- fs/etc/passwd --
eve:x:1000:1000::/home/eve:/bin/sh
bob:x:1001:1001::/home/bob:/bin/sh
-- fs/etc/shadow 0640 0:42 --
eve:!:1::::::
bob:!:1::::::
`)
	m := setPasswords
	s.env.Module = m.Name
	if err := m.Run(t.Context(), s.env); err != nil {
		t.Fatal(err)
	}
	said := s.told()
	shown := regexp.MustCompile(`(?m)^console "Set the following 'random' passwords\\n\\n(.*)"$`).FindAllStringSubmatch(said, -1)
	if len(shown) != 1 {
		t.Fatal("the console shows not one list:", said)
	}
	lines := strings.Split(strings.TrimSuffix(shown[0][1], `\n`), `\n`)
	if len(lines) != 2 {
		t.Fatal(lines)
	}
	rest := strings.Replace(said, shown[0][0], "", 1)
	for _, line := range lines {
		user, password, _ := strings.Cut(line, ":")
		password = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(password)
		if len(password) != 20 || strings.Contains(rest, password) {
			t.Errorf("the password of %s, %q, is short, or elsewhere too: %s", user, password, rest)
		}
		shadow, _ := s.env.Machine.Files.Read("/etc/shadow")
		row := regexp.MustCompile(`(?m)^` + user + `:([^:]*):0:`).FindStringSubmatch(shadow)
		if row == nil || !account.Hash(row[1]).Fits(instance.Hide(password)) {
			t.Errorf("the password of %s is not %q, or is not expired: %s", user, password, shadow)
		}
	}
}
