package module

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"openguest/internal/account"
	"openguest/internal/machine"
)

// Sections of a scene: a stage that systemd runs, and a systemctl that can start units, or cannot.
const (
	inUnit     = "-- unit --\n-- kernel --\nharbour\n-- fs/run/systemd/system/ --\n"
	canStart   = "-- programs --\nsystemctl start\n"
	cannot     = "-- programs --\nsystemctl start = 1 Failed to connect to bus\n"
	startsUnit = "run systemctl start --no-block openguest-hostkeys.service"
)

// kinds are the kinds of host keys that a server would find.
func kinds(t *testing.T, f machine.Files) (all []string) {
	t.Helper()
	found := validKeys(t, f)
	for _, kind := range account.HostKeyKinds() {
		if found[kind] != "" {
			all = append(all, kind)
		}
	}
	return all
}

// withImagesRSA is sshRoot with one more key of the image: making a real one takes long.
func withImagesRSA(t *testing.T) string {
	t.Helper()
	key, err := account.NewHostKey("ecdsa", "root@image")
	if err != nil {
		t.Fatal(err)
	}
	return sshRoot(t) + fmt.Sprintf("-- fs%s 0600 0:0 --\n%s", privateKeyFile("rsa"), key.Private.Reveal())
}

// Row X08: where the stage made the key that takes long, the whole boot would wait for it. The keys of the image must be gone all the
// same, and what is still to be made stands in a file that only root reads.
func TestSlowKeyIsLeftForLater(t *testing.T) {
	for name, c := range map[string]struct {
		config, more string
		there        []string // the kinds that are there when the module ends
		left         bool
	}{
		"by default":              {"{}", inUnit + canStart, []string{"ecdsa", "ed25519"}, true},
		"beside one":              {"ssh_genkeytypes: [rsa, ed25519]", inUnit + canStart, []string{"ed25519"}, true},
		"not wanted":              {"ssh_genkeytypes: [ecdsa]", inUnit + canStart, []string{"ecdsa"}, false},
		"it is there and stays":   {"ssh_deletekeys: false", inUnit + canStart, []string{"rsa", "ecdsa", "ed25519"}, false},
		"without a ssh server":    {"{}", inUnit + canStart + "-- bare --\n", nil, false},
		"keys are given by hand":  {"ssh_keys: {ed25519_private: GIVEN}", inUnit + canStart, []string{"ed25519"}, false},
		"a key of an unknown one": {"ssh_genkeytypes: [dsa, ed25519]", inUnit + canStart, []string{"ed25519"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := withImagesRSA(t)
			if strings.Contains(c.more, "-- bare --") {
				root = "-- fs/etc/passwd 0644 0:0 --\nroot:x:0:0:root:/root:/bin/bash\n-- fs/root/ 0700 0:0 --\n"
			}
			given, err := account.NewHostKey("ed25519", "root@given")
			if err != nil {
				t.Fatal(err)
			}
			config := strings.Replace(c.config, "GIVEN", fmt.Sprintf("%q", given.Private.Reveal()), 1)
			s, err := runSSH(t, root+"-- fs"+lateKeyFile+" 0600 0:0 --\n{\"kind\": \"ecdsa\"}\n-- config --\n"+config+"\n"+c.more, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := kinds(t, s.env.Machine.Files); !slices.Equal(got, c.there) {
				t.Errorf("the keys %v are there, want %v", got, c.there)
			}
			if got := slices.Contains(s.ran, startsUnit); got != c.left {
				t.Errorf("the unit is started: %v; it ran %q", got, s.ran)
			}
			n, _ := machine.Get(s.env.Machine.Files, lateKeyFile)
			if isLeft := strings.HasPrefix(n.Data, `{"kind":"rsa","old":"SHA256:`) && n.Mode == 0o600; isLeft != c.left || HasLateHostKey(s.env.Machine.Files) != c.left {
				t.Errorf("what is still to be made: %v %q", n.Mode, n.Data)
			}
		})
	}
}

// A power cut when the image's key is gone and nobody knows of the new one would leave a machine without it for good. Row X08.
func TestSlowKeyIsNotedFirst(t *testing.T) {
	changes := 0
	_, err := runSSH(t, withImagesRSA(t)+"-- config --\n{}\n"+inUnit+canStart, func(s *scene) {
		b := &breaking{Files: s.env.Machine.Files, left: 1000}
		b.after = func() {
			changes++
			if !HasLateHostKey(b.Files) || len(validKeys(t, b.Files)) == 0 {
				t.Error("there was a moment at which it was not written down that the key is to be made, or without any key")
			}
		}
		s.env.Machine.Files = b
	})
	if err != nil || changes < 6 {
		t.Errorf("%d changes, %v", changes, err)
	}
}

// Where no unit can make it, the key is made at once: a machine without it would lose whom it is known to by that key.
func TestSlowKeyIsMadeAtOnce(t *testing.T) {
	for name, more := range map[string]string{
		"systemd does not start it": inUnit + cannot,
		"by hand":                   strings.Replace(inUnit, "-- unit --\n", "", 1) + canStart,
		"without systemd":           strings.Replace(inUnit, "-- fs/run/systemd/system/ --\n", "", 1) + canStart,
		"in an image":               "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := runSSH(t, withImagesRSA(t)+"-- config --\nssh_genkeytypes: [ed25519, rsa]\n"+more, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := kinds(t, s.env.Machine.Files); !slices.Equal(got, []string{"rsa", "ed25519"}) || HasLateHostKey(s.env.Machine.Files) {
				t.Errorf("the keys %v are there, and one is still to be made: %v", got, HasLateHostKey(s.env.Machine.Files))
			}
			if started := slices.Contains(s.ran, startsUnit); started != strings.Contains(more, cannot) {
				t.Errorf("it ran %q", s.ran)
			}
		})
	}
}

// A server needs a key, and RSA alone is no reason to wait for the next process.
func TestOnlySlowKeyIsMadeAtOnce(t *testing.T) {
	s, err := runSSH(t, withImagesRSA(t)+"-- config --\nssh_genkeytypes: rsa\n"+inUnit+canStart, nil)
	if err != nil || !slices.Equal(kinds(t, s.env.Machine.Files), []string{"rsa"}) || len(s.ran) > 0 {
		t.Errorf("%v; it ran %q", err, s.ran)
	}
}

// late is a machine on which a key is still to be made: another kind than RSA, for the test's sake.
func late(t *testing.T, note, more string) *scene {
	t.Helper()
	return newScene(t, sshRoot(t)+"-- fs"+lateKeyFile+" 0600 0:0 --\n"+note+"\n-- kernel --\nharbour\n-- programs --\n"+more)
}

// Row X08: what makes the key later does what the module does: the same file, the same words, and the cloud is told all of them, once.
func TestLateKeyIsMade(t *testing.T) {
	for name, c := range map[string]struct {
		config, said string
		told         int
	}{
		"by default":  {"{}", "Generating public/private ecdsa key pair.", 2},
		"quietly":     {"ssh_quiet_keygen: true", "", 2},
		"told nobody": {"ssh_publish_hostkeys: {enabled: false}", "Generating", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := late(t, "", "")
			old := (&hostKeys{Env: before.env}).fingerprint("ecdsa")
			s := newScene(t, rootOf(t, before)+"-- fs"+lateKeyFile+" 0600 0:0 --\n"+fmt.Sprintf(`{"kind":"ecdsa","old":%q}`, old)+
				"\n-- kernel --\nharbour\n-- config --\n"+c.config+"\n-- programs --\n")
			var told [][]string
			s.env.Publish = func(_ context.Context, keys []string) error { told = append(told, keys); return nil }
			for range 2 { // a second run has nothing to do
				if err := MakeLateHostKey(t.Context(), s.env); err != nil {
					t.Fatal(err)
				}
			}
			h := &hostKeys{Env: s.env}
			public, _ := machine.Get(s.env.Machine.Files, privateKeyFile("ecdsa")+".pub")
			private, err := s.env.Machine.Files.Look(privateKeyFile("ecdsa"))
			if h.fingerprint("ecdsa") == old || err != nil || private.Mode != 0o600 || public.Mode != 0o644 || !strings.HasSuffix(public.Data, " root@harbour\n") {
				t.Errorf("the key is %v, its public half %v %q", private.Mode, public.Mode, public.Data)
			}
			if h.fingerprint("ed25519") != (&hostKeys{Env: before.env}).fingerprint("ed25519") {
				t.Error("another key was changed")
			}
			if HasLateHostKey(s.env.Machine.Files) {
				t.Error("the key is still to be made")
			}
			if said := strings.Contains(s.said.String(), "Generating"); said != (c.said != "") || !strings.Contains(s.said.String(), c.said) {
				t.Errorf("it says %s", s.said.String())
			}
			if len(told) != min(1, c.told) || c.told > 0 && len(told[0]) != c.told {
				t.Errorf("the cloud was told %q", told)
			}
		})
	}
}

// rootOf is the text of the host keys of a scene.
func rootOf(t *testing.T, s *scene) (text string) {
	t.Helper()
	for _, kind := range []string{"ecdsa", "ed25519"} {
		for name, mode := range map[string]string{privateKeyFile(kind): "0600", privateKeyFile(kind) + ".pub": "0644"} {
			data, err := s.env.Machine.Files.Read(name)
			if err != nil {
				t.Fatal(err)
			}
			text += fmt.Sprintf("-- fs%s %s 0:0 --\n%s", name, mode, data)
		}
	}
	return text
}

// A power cut between the key and the end of the work must not make another key of it: whoever has seen it would be warned of a
// stranger. The cloud is told once more, for it may not have been.
func TestLateKeyIsMadeOnce(t *testing.T) {
	s := late(t, `{"kind":"ecdsa","old":"SHA256:another"}`, "")
	told := 0
	s.env.Publish = func(context.Context, []string) error { told++; return nil }
	before := (&hostKeys{Env: s.env}).fingerprint("ecdsa")
	err := MakeLateHostKey(t.Context(), s.env)
	if after := (&hostKeys{Env: s.env}).fingerprint("ecdsa"); err != nil || after != before || told != 1 || HasLateHostKey(s.env.Machine.Files) {
		t.Errorf("%v; the key was %s and is %s, the cloud was told %d times", err, before, after, told)
	}
}

// A disk that is full now may have room at the next boot; a cloud that is silent must not have the key made again.
func TestLateKeyThatFails(t *testing.T) {
	s := late(t, `{"kind":"rsa"}`, "")
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("told to stop")
	cancel(why)
	if err := MakeLateHostKey(ctx, s.env); !errors.Is(err, why) || !HasLateHostKey(s.env.Machine.Files) {
		t.Errorf("told to stop: %v, and it is still to be made: %v", err, HasLateHostKey(s.env.Machine.Files))
	}
	s = late(t, `{"kind":"ecdsa"}`, "")
	files := s.env.Machine.Files
	s.env.Machine.Files = &breaking{Files: files, after: func() {}}
	if err := MakeLateHostKey(t.Context(), s.env); err != nil && !errors.Is(err, errFull) || !HasLateHostKey(files) && err != nil {
		t.Errorf("on a full disk: %v, and it is still to be made: %v", err, HasLateHostKey(files))
	}
	s = late(t, `{"kind":"ecdsa","old":"SHA256:another"}`+"\n-- config --\nssh_publish_hostkeys: {enabled: true}", "")
	s.env.Publish = func(context.Context, []string) error { return errors.New("no answer") }
	if err := MakeLateHostKey(t.Context(), s.env); err == nil || HasLateHostKey(s.env.Machine.Files) {
		t.Errorf("the cloud is silent: %v, and it is still to be made: %v", err, HasLateHostKey(s.env.Machine.Files))
	}
}

// A note that says nothing is said once, and not at each boot.
func TestBrokenNoteOfLateKey(t *testing.T) {
	for _, note := range []string{"", "{", `{"kind":"../../etc/passwd"}`, "[]"} {
		s := late(t, note, "")
		if err := MakeLateHostKey(t.Context(), s.env); err == nil || HasLateHostKey(s.env.Machine.Files) {
			t.Errorf("%q: %v, and it is there: %v", note, err, HasLateHostKey(s.env.Machine.Files))
		}
	}
}

// A key that another boot left is made by the unit again, or at once where there can be none. What the module decided since counts.
func TestLateKeyIsResumed(t *testing.T) {
	for name, c := range map[string]struct {
		more string
		runs []string
		left bool
	}{
		"by the unit":         {inUnit + canStart, []string{startsUnit}, true},
		"no unit is there":    {inUnit + cannot, []string{startsUnit}, false},
		"by hand":             {"", nil, false},
		"nothing is left now": {"gone", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, sshRoot(t)+"-- fs"+lateKeyFile+" 0600 0:0 --\n{\"kind\":\"ecdsa\",\"old\":\"SHA256:another\"}\n"+c.more)
			if c.more == "gone" {
				s.env.Machine.Files.Remove(lateKeyFile)
			}
			if err := ResumeLateHostKey(t.Context(), s.env); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.ran, c.runs) || HasLateHostKey(s.env.Machine.Files) != c.left {
				t.Errorf("it ran %q, and the key is still to be made: %v", s.ran, HasLateHostKey(s.env.Machine.Files))
			}
		})
	}
}
