package module

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"strings"
	"testing"

	"openguest/internal/account"
	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/test/peer"
)

// sshRoot is a machine with an ssh server and the host keys of its image.
func sshRoot(t *testing.T) string {
	t.Helper()
	text := "-- fs/etc/passwd 0644 0:0 --\nroot:x:0:0:root:/root:/bin/bash\n-- fs/etc/group 0644 0:0 --\nroot:x:0:\nssh_keys:x:101:\n" +
		"-- fs/etc/ssh/moduli 0644 0:0 --\n-- fs/root/ 0700 0:0 --\n"
	for _, kind := range []string{"ecdsa", "ed25519"} {
		key, err := account.NewHostKey(kind, "root@image")
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("-- fs%[1]s 0600 0:0 --\n%[2]s-- fs%[1]s.pub 0644 0:0 --\n%[3]s\n", privateKeyFile(kind), key.Private.Reveal(), key.Public)
	}
	return text + "-- fs/etc/ssh/ssh_host_dsa_key 0600 0:0 --\nold\n-- fs/etc/ssh/ssh_host_dsa_key.pub 0644 0:0 --\nold\n"
}

// runSSH runs the module over a machine made of text.
func runSSH(t *testing.T, text string, change func(*scene)) (*scene, error) {
	t.Helper()
	s := newScene(t, text)
	if change != nil {
		change(s)
	}
	return s, ssh.Run(t.Context(), s.env)
}

// validKeys are the kinds of host keys that a server would find, by their public halves. Where a public half lies beside
// another private key, older servers show the wrong one.
func validKeys(t *testing.T, f machine.Files) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, kind := range account.HostKeyKinds() {
		text, err := f.Read(privateKeyFile(kind))
		if err != nil {
			continue
		}
		public, err := account.PublicOf(instance.Hide(text))
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		found[kind] = public.Base64
		line, err := f.Read(privateKeyFile(kind) + ".pub")
		if beside, _ := account.ParseKey(line); err == nil && beside.Base64 != public.Base64 {
			t.Errorf("%s: the public half is another key's", kind)
		}
	}
	return found
}

// TestHostKeysAreMade: two machines of one image must not share their keys. Rows M30, S18.
func TestHostKeysAreMade(t *testing.T) {
	root := sshRoot(t)
	s, err := runSSH(t, root+"-- kernel --\nharbour\n-- programs --\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	before := validKeys(t, newScene(t, root).env.Machine.Files)
	after := validKeys(t, s.env.Machine.Files)
	if len(after) != 3 || after["ecdsa"] == before["ecdsa"] || after["ed25519"] == before["ed25519"] {
		t.Errorf("before %v, after %v", before, after)
	}
	for _, kind := range account.HostKeyKinds() {
		private, _ := s.env.Machine.Files.Look(privateKeyFile(kind))
		public, _ := machine.Get(s.env.Machine.Files, privateKeyFile(kind)+".pub")
		if private.Mode != 0o600 || private.UID != 0 || private.GID != 0 || public.Mode != 0o644 || !strings.HasSuffix(public.Data, " root@harbour\n") {
			t.Errorf("%s: private %v %d:%d, public %v %q", kind, private.Mode, private.UID, private.GID, public.Mode, public.Data)
		}
		if said := "Generating public/private " + kind + " key pair."; !strings.Contains(s.said.String(), said) {
			t.Errorf("it does not say %q", said)
		}
	}
	if names, _ := s.env.Machine.Files.List(sshFolder); len(names) != 7 {
		t.Errorf("there are %v", names)
	}
}

// TestHostKeysFollowTheConfiguration: which keys there are, whose they are, and which stay. Row M30.
func TestHostKeysFollowTheConfiguration(t *testing.T) {
	for _, c := range []struct{ name, config, more, made, stay string }{
		{"two kinds", "ssh_genkeytypes: [ed25519, ecdsa]", "", "ecdsa ed25519", ""},
		{"a kind that is no list", "ssh_genkeytypes: ed25519", "", "ed25519", ""},
		{"a kind of long ago", "ssh_genkeytypes: [dsa, ed25519]", "", "ed25519", ""},
		{"only kinds that nobody knows", "ssh_genkeytypes: [dsa, ed448]", "-- fs/proc/sys/crypto/fips_enabled 0444 0:0 --\n0\n", "rsa ecdsa ed25519", ""},
		{"no kinds", "ssh_genkeytypes: []", "", "", "ecdsa ed25519"},
		{"fips", "ssh_genkeytypes: [ed25519, ecdsa]", "-- fs/proc/sys/crypto/fips_enabled 0444 0:0 --\n1\n", "ecdsa", ""},
		{"keys stay", "{ssh_deletekeys: false, ssh_genkeytypes: [ecdsa]}", "", "", "ecdsa ed25519"},
		{"given keys that nobody can use", "{ssh_genkeytypes: [ecdsa], ssh_keys: {rsa_private: junk}}", "", "ecdsa", ""},
		{"given keys that nobody can use, beside old ones", "{ssh_deletekeys: false, ssh_keys: {rsa_private: junk}}", "", "", "ecdsa ed25519"},
		{"a certificate alone", "{ssh_genkeytypes: [ecdsa], ssh_keys: {ecdsa_certificate: x}}", "", "ecdsa", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := sshRoot(t)
			s, err := runSSH(t, root+c.more+"-- config --\n"+c.config+"\n", nil)
			if err != nil {
				t.Fatal(err)
			}
			before := validKeys(t, newScene(t, root).env.Machine.Files)
			var made, stay []string
			for _, kind := range account.HostKeyKinds() {
				if now, ok := validKeys(t, s.env.Machine.Files)[kind]; ok && now != before[kind] {
					made = append(made, kind)
				} else if ok {
					stay = append(stay, kind)
				}
			}
			if strings.Join(made, " ") != c.made || strings.Join(stay, " ") != c.stay {
				t.Errorf("made %v, stay %v\n%s", made, stay, s.said.String())
			}
		})
	}
}

// TestHostKeysOfRedHat: a server before version 9 refuses keys that its group cannot read, and newer ones those that it
// can. Row M30.
func TestHostKeysOfRedHat(t *testing.T) {
	for version, want := range map[string]string{"OpenSSH_8.7p1": "-rw-r----- 101", "OpenSSH_9.9p1": "-rw------- 101", "": "-rw------- 101", "OpenSSH_10.0p2": "-rw------- 101"} {
		s, err := runSSH(t, sshRoot(t)+"-- distro --\nrhel\n-- config --\nssh_genkeytypes: [ed25519]\n-- fs/usr/sbin/sshd 0755 0:0 --\nOpenSSH_2.*,OpenSSH_3.0*\x00"+version+" x\n", nil)
		if err != nil {
			t.Fatal(err)
		}
		n, err := s.env.Machine.Files.Look(privateKeyFile("ed25519"))
		if got := fmt.Sprintf("%v %d", n.Mode, n.GID); err != nil || got != want {
			t.Errorf("sshd says %q: the key is %s, want %s %v", version, got, want, err)
		}
	}
}

// TestNoSSHServer: half a second of work for keys that nobody reads would be a waste in a container.
func TestNoSSHServer(t *testing.T) {
	s, err := runSSH(t, "-- fs/etc/passwd 0644 0:0 --\nroot:x:0:0:root:/root:/bin/bash\n-- fs/root/ 0700 0:0 --\n", nil)
	if err != nil || machine.Exists(s.env.Machine.Files, sshFolder) {
		t.Errorf("there is %s, %v", sshFolder, err)
	}
}

// errFull is what a full disk answers.
var errFull = errors.New("no space left on device")

// breaking are files of which all changes fail from some change on, as on a disk that is full, or only that one; what there
// is after each is what a server would find if the power went then.
type breaking struct {
	machine.Files
	left  int
	once  bool
	after func()
}

func (b *breaking) change(name string, do func() (bool, error)) (bool, error) {
	if strings.HasPrefix(name, sshFolder+"/") {
		if b.left--; b.left == -1 || b.left < 0 && !b.once {
			return false, errFull
		}
		defer b.after()
	}
	return do()
}

func (b *breaking) Put(name string, n machine.Node) (bool, error) {
	return b.change(name, func() (bool, error) { return b.Files.Put(name, n) })
}

func (b *breaking) Remove(name string) (bool, error) {
	return b.change(name, func() (bool, error) { return b.Files.Remove(name) })
}

// TestServerAlwaysFindsKeys: a machine that lost its host keys lets nobody in. Wherever the work is cut off, and whichever
// write fails, each key is whole and with its own public half, and there is one at least. Row S18.
func TestServerAlwaysFindsKeys(t *testing.T) {
	given, err := account.NewHostKey("ed25519", "root@given")
	if err != nil {
		t.Fatal(err)
	}
	indented := "    " + strings.ReplaceAll(strings.TrimSpace(given.Private.Reveal()), "\n", "\n    ")
	for name, config := range map[string]string{
		"made":  "ssh_genkeytypes: [ecdsa, ed25519]\n",
		"given": "ssh_keys:\n  ed25519_certificate: x\n  ed25519_private: |\n" + indented + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			root := sshRoot(t)
			for left := range 20 {
				for _, once := range []bool{false, true} {
					testBreaking(t, root, config, &breaking{left: left, once: once})
				}
			}
		})
	}
}

// testBreaking runs the module over files that break.
func testBreaking(t *testing.T, root, config string, b *breaking) {
	t.Helper()
	_, err := runSSH(t, root+"-- config --\n"+config, func(s *scene) {
		b.Files = s.env.Machine.Files
		b.after = func() {
			if len(validKeys(t, b.Files)) == 0 {
				t.Errorf("there was a moment without a key")
			}
		}
		s.env.Machine.Files = b
	})
	if err != nil && !errors.Is(err, errFull) {
		t.Fatal(err)
	}
	before, after := validKeys(t, newScene(t, root).env.Machine.Files), validKeys(t, b.Files)
	if len(after) == 0 {
		t.Errorf("there is no key left")
	}
	if b.once && after["ed25519"] == before["ed25519"] && !machine.Exists(b.Files, privateKeyFile("ed25519")+".pub") {
		t.Errorf("the key that was there and stays lost its public half")
	}
}

// TestGivenKeysTwice: a second run that writes would change the time of files that people watch. Row M31.
func TestGivenKeysTwice(t *testing.T) {
	key, err := account.NewHostKey("ed25519", "root@given")
	if err != nil {
		t.Fatal(err)
	}
	indented := "    " + strings.ReplaceAll(strings.TrimSpace(key.Private.Reveal()), "\n", "\n    ")
	s, err := runSSH(t, sshRoot(t)+"-- config --\nssh_keys:\n  ed25519_certificate: x\n  ed25519_private: |-\n"+indented+"\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	before := s.env.Machine.Ledger.Len()
	if err := ssh.Run(t.Context(), s.env); err != nil || s.env.Machine.Ledger.Len() != before {
		t.Errorf("it did %v, %v", s.env.Machine.Ledger.Entries()[before:], err)
	}
}

// TestStopWhileKeysAreMade: whoever is told to stop does so at once, and leaves the keys that were there.
func TestStopWhileKeysAreMade(t *testing.T) {
	root := sshRoot(t)
	s := newScene(t, root)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("told to stop")
	cancel(why)
	if err := ssh.Run(ctx, s.env); err != nil && !errors.Is(err, why) {
		t.Fatal(err)
	}
	if len(validKeys(t, s.env.Machine.Files)) < 2 {
		t.Error("keys are lost")
	}
}

// peerPython runs a line of Python in a tree with the real cloud-init.
func peerPython(t *testing.T, code string) string {
	t.Helper()
	cmd := exec.Command("chroot", peer.Tree(t, cloudInit), "/usr/bin/python3", "-B", "-")
	cmd.Stdin = strings.NewReader(code)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the real cloud-init: %v", err)
	}
	return string(out)
}

// TestFingerprintTableIsCloudInits: people's tools cut the table by its columns. Row M55.
func TestFingerprintTableIsCloudInits(t *testing.T) {
	code, got := `
import sys
from cloudinit import ssh_util, util
from cloudinit.config import cc_ssh_authkey_fingerprints as cc
def show(text, **_): sys.stdout.write(text)
util.multi_log = show
def table(user, file, lines, method):
    parser = ssh_util.AuthKeyLineParser()
    cc._pprint_key_entries(user, file, [parser.parse(line) for line in lines], method)
`, ""
	for _, lines := range [][]string{
		{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGfC3kz2Zr1x0m0Kf0w8nq0m0cQ2nJ3m0cQ2nJ3m0cQ ada@laptop"},
		{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGfC3kz2Zr1x0m0Kf0w8nq0m0cQ2nJ3m0cQ2nJ3m0cQ", "ecdsa-sha2-nistp256 AAAA two words", `command="echo a b",no-pty ssh-rsa AAAAB3NzaC1yc2E= ünïcode`},
		{"ssh-rsa A broken", "rsa AAAA x"},
		{},
	} {
		for _, hash := range []string{"md5", "sha1", "sha256", "sha512"} {
			for _, user := range []string{"ada", strings.Repeat("long", 60)} {
				file := path.Join("/home", user, ".ssh/authorized_keys")
				var keys []account.Key
				quoted := ""
				for _, line := range lines {
					key, err := account.ParseKey(line)
					if err != nil {
						t.Fatal(err)
					}
					keys = append(keys, key)
					quoted += fmt.Sprintf("%q,", line)
				}
				code += fmt.Sprintf("table(%q, %q, [%s], %q)\n", user, file, quoted, hash)
				got += fingerprintTable(user, file, keys, hash)
			}
		}
	}
	if want := peerPython(t, code); got != want {
		t.Errorf("have\n%s\nwant\n%s", got, want)
	}
}
