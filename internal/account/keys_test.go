package account

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"openguest/internal/machine"
	"openguest/test/peer"
)

func TestParseKey(t *testing.T) {
	for line, want := range map[string]Key{
		"ssh-rsa AAAA":                                   {Type: "ssh-rsa", Base64: "AAAA"},
		"  ssh-rsa\tAAAA  me and you \r\n":               {Type: "ssh-rsa", Base64: "AAAA", Comment: "me and you"},
		`command="echo \"a b\"",no-pty ssh-ed25519 AA c`: {Options: `command="echo \"a b\"",no-pty`, Type: "ssh-ed25519", Base64: "AA", Comment: "c"},
		"no-pty ecdsa AA":                                {Options: "no-pty", Type: "ecdsa", Base64: "AA"},
		"sk-ssh-ed25519@openssh.com AA":                  {Type: "sk-ssh-ed25519@openssh.com", Base64: "AA"},
	} {
		if got, err := ParseKey(line); got != want || err != nil {
			t.Errorf("%q: got %+v, %v", line, got, err)
		}
	}
	for _, line := range []string{"", "# ssh-rsa AAAA", "ssh-rsa", "ssh-dss AAAA", "AAAA", `"ssh-rsa AAAA`, "a b ssh-rsa AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----"} {
		if got, err := ParseKey(line); err == nil {
			t.Errorf("%q: got %+v", line, got)
		}
	}
}

// TestFingerprint compares with ssh-keygen, and with the form that cloud-init prints.
func TestFingerprint(t *testing.T) {
	k, _ := ParseKey(keyA)
	if got, err := k.Fingerprint("sha256"); err != nil || len(got) != 95 || strings.Count(got, ":") != 31 {
		t.Error(got, err)
	}
	if err := k.Check(); err != nil {
		t.Error(err)
	}
	if _, err := k.Fingerprint("crc"); err == nil {
		t.Error("crc is no method for fingerprints")
	}
	cmd := exec.Command("ssh-keygen", "-l", "-E", "md5", "-f", "-")
	cmd.Stdin = strings.NewReader(keyA + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Skip("needs ssh-keygen")
	}
	if got, _ := k.Fingerprint("md5"); !strings.Contains(string(out), "MD5:"+got) {
		t.Errorf("got %s, ssh-keygen says %s", got, out)
	}
}

// TestMerge: what is in the file and no key of ours must survive, or people lose their way in. Row M28.
func TestMerge(t *testing.T) {
	old := "# mine\n\nnot a key\n" + keyB + "\nno-pty  " + strings.TrimSuffix(keyA, " a@example") + " old"
	keys, rejected := given([]string{keyA + "\n" + keyA, "-----BEGIN OPENSSH PRIVATE KEY-----", "ssh-rsa NEW n", "", "ssh-dss AAAA me@here"}, "")
	want := "# mine\n\nnot a key\n" + keyB + "\n" + keyA + "\nssh-rsa NEW n\n"
	if got := merge(old, keys); got != want || merge(got, keys) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(rejected) != 3 || rejected[0].Position != 2 || rejected[1].Position != 4 || strings.Contains(rejected[0].String(), "BEGIN") ||
		!strings.HasPrefix(rejected[2].String(), "key 5 (ssh-dss me@here) is not taken: ") {
		t.Error(rejected)
	}
}

// TestMergeAsThePeer asks cloud-init's own ssh_util, in the peer's root, for the same files.
func TestMergeAsThePeer(t *testing.T) {
	script := `import sys
from cloudinit import ssh_util as s
old, new = sys.argv[1], sys.argv[2]
p = s.AuthKeyLineParser()
sys.stdout.write(s.update_authorized_keys([p.parse(l) for l in old.splitlines()], [p.parse(k) for k in new.split("|")]))`
	for _, test := range [][2]string{
		{"", keyA}, {keyA + "\n", keyA}, {"# c\n\nssh-rsa  AAAA   x\n" + keyB, keyA + "|no-pty ssh-rsa AAAA y"},
		{"junk\nssh-rsa\n", "junk|ssh-foo AAAA|" + keyB}, {`command="a b" ` + keyA, `from="x, \"y" ` + keyA},
	} {
		out, err := exec.Command("chroot", peer.Tree(t, "/usr/lib/python3/dist-packages/cloudinit"), "python3", "-c", script, test[0], test[1]).Output()
		if err != nil {
			t.Fatal(err)
		}
		keys, _ := given(strings.Split(test[1], "|"), "")
		if got := merge(test[0], keys); got != string(out) {
			t.Errorf("%q: got\n%s\nthe peer\n%s", test, got, out)
		}
	}
}

func FuzzAuthorizedKeys(f *testing.F) {
	f.Add("# c\n"+keyA+"\n", keyB, false)
	f.Add(`command="\"x y" ssh-rsa AAAA`, "no-pty "+keyA, true)
	f.Fuzz(func(t *testing.T, old, key string, disabled bool) {
		if len(old)+len(key) > 1<<16 {
			return
		}
		options := ""
		if disabled {
			options = Redirecting(DisabledOptions, "eve", "root")
		}
		keys, _ := given([]string{key}, options)
		once := merge(old, keys)
		if twice := merge(once, keys); twice != once {
			t.Errorf("the second time changes again: %q, then %q", once, twice)
		}
		for line := range strings.Lines(old) {
			if _, err := ParseKey(line); err != nil && !strings.Contains(once, strings.TrimSuffix(line, "\n")) {
				t.Errorf("the line %q is lost", line)
			}
		}
	})
}

// TestAuthorizedKeysFile: keys must go where sshd reads them, or nobody gets in. Row M33.
func TestAuthorizedKeysFile(t *testing.T) {
	eve := Entry{Name: "eve", UID: 1000, GID: 1000, Home: "/home/eve"}
	home := "-- /etc/group --\nstaff:x:50:eve\n-- /home/eve/ 0755 1000:1000 --\n-- /home/eve/x --\n"
	for _, test := range []struct{ config, more, want string }{
		{"", "", "/home/eve/.ssh/authorized_keys"},
		{"AuthorizedKeysFile .ssh/keys2 .ssh/authorized_keys\n", "", "/home/eve/.ssh/keys2"},
		{"AuthorizedKeysFile /etc/ssh/keys\n", "", "/home/eve/.ssh/authorized_keys"},
		{"authorizedkeysfile /etc/ssh/keys/%u\n", "", "/etc/ssh/keys/eve"},
		{"AuthorizedKeysFile = \"/etc/ssh/%%/%u\"\n", "", "/etc/ssh/%/eve"},
		{"AuthorizedKeysFile /etc/ssh/keys %h/.keys/%u\n", "", "/home/eve/.keys/eve"},
		{"AuthorizedKeysFile none\n", "", "/home/eve/.ssh/authorized_keys"},
		{"#AuthorizedKeysFile a\nMatch User bob\nAuthorizedKeysFile /etc/ssh/%u\n", "", "/home/eve/.ssh/authorized_keys"},
		{"AuthorizedKeysFile .a\nAuthorizedKeysFile .b\n", "", "/home/eve/.a"},
		{"Include sshd_config.d/*.conf\nAuthorizedKeysFile .a\n", "-- /etc/ssh/sshd_config.d/1.conf --\nAuthorizedKeysFile .c\n", "/home/eve/.c"},
		{"Include /etc/ssh/sshd_config\nAuthorizedKeysFile .a\n", "", "/home/eve/.a"},
		{"AuthorizedKeysFile /srv/%u\n", "-- /srv/ 0777 0:0 --\n", "/home/eve/.ssh/authorized_keys"},
		{"StrictModes no\nAuthorizedKeysFile /srv/%u\n", "-- /srv/ 0777 0:0 --\n", "/srv/eve"},
		{"AuthorizedKeysFile /srv/%u\n", "-- /srv/ 0755 7:7 --\n", "/home/eve/.ssh/authorized_keys"},
		{"AuthorizedKeysFile /srv/%u\n", "-- /srv/ 0750 0:0 --\n", "/home/eve/.ssh/authorized_keys"},
		{"AuthorizedKeysFile /srv/%u\n", "-- /srv/ 0750 0:50 --\n", "/srv/eve"},
		{"AuthorizedKeysFile /srv/%u\n", "-- /srv -> /etc --\n", "/home/eve/.ssh/authorized_keys"},
		{"AuthorizedKeysFile /srv/%u\n", "-- /srv/eve/ --\n", "/home/eve/.ssh/authorized_keys"},
		{"AuthorizedKeysFile .k/%u .l\n", "-- /home/eve/.k/ 0770 1000:1000 --\n", "/home/eve/.l"},
	} {
		m := machine.Fake(home+"-- /etc/ssh/sshd_config --\n"+test.config+test.more, time.Unix(0, 0))
		if got, err := AuthorizedKeysFile(m.Files, eve); got != test.want || err != nil {
			t.Errorf("%q: got %s, %v; want %s", test.config, got, err, test.want)
		}
	}
}

// TestAuthorize makes what is missing on the way, and follows no link that the user planted. Rule 6.
func TestAuthorize(t *testing.T) {
	m := fake()
	m.Files.Put("/etc/ssh/", machine.Folder(0o755))
	m.Files.Put("/etc/ssh/sshd_config", machine.File(0o644, "AuthorizedKeysFile /etc/ssh/user-keys/%u/keys\n"))
	if _, err := Authorize(t.Context(), m, "eve", []string{keyA}, ""); err != nil {
		t.Fatal(err)
	}
	if n, err := machine.Get(m.Files, "/etc/ssh/user-keys/eve/keys"); err != nil || n != machine.File(0o600, keyA+"\n").Owned(1000, 1000) {
		t.Error(n, err)
	}
	if n, err := m.Files.Look("/etc/ssh/user-keys/eve"); err != nil || n != machine.Folder(0o755) {
		t.Error(n, err)
	}
	file, keys, err := Authorized(t.Context(), m, "eve")
	if want, _ := ParseKey(keyA); err != nil || file != "/etc/ssh/user-keys/eve/keys" || !slices.Equal(keys, []Key{want}) {
		t.Error(file, keys, err)
	}
	m = fake()
	m.Files.Put("/home/eve/.ssh", machine.Link("/root"))
	if _, err := Authorize(t.Context(), m, "eve", []string{keyA}, ""); err == nil || !strings.Contains(err.Error(), "it is not followed") {
		t.Error(err)
	}
	if _, err := Authorize(t.Context(), m, "nobody", nil, ""); err == nil || err.Error() != `there is no user "nobody"` {
		t.Error(err)
	}
}
