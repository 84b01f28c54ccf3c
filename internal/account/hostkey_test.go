package account

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"openguest/internal/instance"
)

// keygen is the real ssh-keygen.
func keygen(t *testing.T, input string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed here; what it says of keys is not compared")
	}
	cmd := exec.Command("ssh-keygen", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Row M30. A host key that sshd cannot read is a machine that nobody can log in to: the real ssh-keygen reads each, sees
// the same public half and fingerprint, and signs with it.
func TestHostKeysAreSSHs(t *testing.T) {
	for _, kind := range HostKeyKinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			key, err := NewHostKey(kind, "root@harbour")
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			file := filepath.Join(dir, "key")
			write(t, file, key.Private.Reveal())
			write(t, file+".pub", key.Public.String()+"\n")
			if got, want := keygen(t, "", "-y", "-P", "", "-f", file), key.Public.String()+"\n"; got != want {
				t.Errorf("ssh-keygen -y says\n%swant\n%s", got, want)
			}
			described, err := key.Public.Describe()
			if got := keygen(t, "", "-l", "-f", file+".pub"); err != nil || got != described+"\n" {
				t.Errorf("ssh-keygen -l says\n%swe say\n%s %v", got, described, err)
			}
			write(t, filepath.Join(dir, "allowed"), "harbour "+key.Public.String()+"\n")
			write(t, filepath.Join(dir, "message"), "hello\n")
			keygen(t, "", "-Y", "sign", "-n", "test", "-f", file, filepath.Join(dir, "message"))
			keygen(t, "hello\n", "-Y", "verify", "-n", "test", "-I", "harbour", "-f", filepath.Join(dir, "allowed"), "-s", filepath.Join(dir, "message.sig"))
		})
	}
}

// Row M30. A private key file looks as ssh-keygen's does, line for line; tools cut it by lines.
func TestPrivateFileIsShapedAsSSHs(t *testing.T) {
	key, err := NewHostKey("ed25519", "root@harbour")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key")
	keygen(t, "", "-q", "-t", "ed25519", "-N", "", "-C", "root@harbour", "-f", file)
	real, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	shape := func(text string) (lengths []int) {
		for line := range strings.Lines(text) {
			lengths = append(lengths, len(line))
		}
		return lengths
	}
	got, want := shape(key.Private.Reveal()), shape(string(real))
	if len(got) != len(want) {
		t.Fatalf("lines are %v long, ssh-keygen's %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("lines are %v long, ssh-keygen's %v", got, want)
		}
	}
}

// Row M31. The public half of a given key goes beside it as ssh-keygen would derive it.
func TestPublicOfIsSSHKeygens(t *testing.T) {
	for _, args := range [][]string{
		{"-t", "rsa", "-b", "2048"}, {"-t", "rsa", "-b", "2048", "-m", "PEM"}, {"-t", "rsa", "-b", "2048", "-m", "PKCS8"},
		{"-t", "ecdsa"}, {"-t", "ecdsa", "-b", "384"}, {"-t", "ecdsa", "-b", "521"}, {"-t", "ecdsa", "-m", "PEM"},
		{"-t", "ecdsa", "-b", "521", "-m", "PKCS8"}, {"-t", "ed25519"}, {"-t", "ed25519", "-C", ""},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "key")
			keygen(t, "", append([]string{"-q", "-N", "", "-f", file}, args...)...)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			key, err := PublicOf(instance.Hide(string(text)))
			if want := keygen(t, "", "-y", "-P", "", "-f", file); err != nil || key.String()+"\n" != want {
				t.Errorf("have %s %v, want %s", key, err, want)
			}
			described, err := key.Describe()
			write(t, file+".pub", key.String()+"\n")
			if want := keygen(t, "", "-l", "-f", file+".pub"); err != nil || described+"\n" != want {
				t.Errorf("have %s %v, want %s", described, err, want)
			}
		})
	}
}

// What no server could use must not take the place of a key that works.
func TestPublicOfRefuses(t *testing.T) {
	key, err := NewHostKey("ed25519", "root@harbour")
	if err != nil {
		t.Fatal(err)
	}
	good := key.Private.Reveal()
	locked := filepath.Join(t.TempDir(), "key")
	write(t, locked, good)
	keygen(t, "", "-q", "-p", "-P", "", "-N", "a long passphrase", "-f", locked)
	text, _ := os.ReadFile(locked)
	for _, c := range []struct {
		name, text string
		want       error
	}{
		{"nothing", "", errNoPrivate},
		{"a public key", key.Public.String(), errNoPrivate},
		{"text before the key", "key:\n" + good, errNoPrivate},
		{"an indented key", "  " + strings.ReplaceAll(good, "\n", "\n  "), errNoPrivate},
		{"no end", strings.TrimSuffix(good, ownEnd), errNoPrivate},
		{"half of it", ownBegin + good[len(ownBegin):len(ownBegin)+284] + "\n" + ownEnd, errCut},
		{"a passphrase", string(text), errLocked},
		{"a passphrase in PEM", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", errLocked},
		{"a broken PEM", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", errCut},
		{"a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", errNoPrivate},
	} {
		if _, err := PublicOf(instance.Hide(c.text)); err != c.want {
			t.Errorf("%s: have %v, want %v", c.name, err, c.want)
		}
	}
}

// Nothing that somebody gives as a key may stop the boot.
func FuzzPublicOf(f *testing.F) {
	key, err := NewHostKey("ed25519", "")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key.Private.Reveal())
	f.Add("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := PublicOf(instance.Hide(text))
		if err != nil {
			return
		}
		key.Describe()
		if strings.ContainsAny(key.String(), "\r\n") {
			t.Errorf("%q is more than one line", key)
		}
	})
}
