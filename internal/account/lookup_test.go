package account

import (
	"context"
	"errors"
	"testing"
	"time"

	"openguest/internal/machine"
)

// asked counts the commands that a lookup runs.
type asked struct {
	machine.Commands
	argv   []string
	answer string
}

func (a *asked) Ask(_ context.Context, q machine.Question) (string, error) {
	a.argv = q.Argv
	if a.answer == "" {
		return "", machine.ErrNone
	}
	return a.answer, nil
}

// TestLookup: each process more at boot costs milliseconds, and a directory that is not asked costs its users. Row X05.
func TestLookup(t *testing.T) {
	for _, test := range []struct {
		nsswitch, name, answer string
		asks, found            bool
	}{
		{"passwd: files systemd\n", "eve", "", false, true},
		{"passwd: files systemd\n", "ldap", "", false, false},
		{"passwd:\tcompat [NOTFOUND=return] files # sss\n", "ldap", "", false, false},
		{"passwd: files sss\n", "eve", "", false, true},
		{"passwd: files sss\n", "ldap", "ldap:*:5000:5000:L:/home/ldap:/bin/sh", true, true},
		{"passwd: files sss\n", "ldap", "", true, false},
		{"passwd: files sss\n", "5000", "", false, false},
		{"group: files sss\n", "ldap", "", false, false},
	} {
		m := machine.Fake(small+"-- /etc/nsswitch.conf --\n"+test.nsswitch, time.Unix(0, 0))
		spy := &asked{Commands: m.Commands, answer: test.answer}
		m.Commands = spy
		e, err := User(t.Context(), m, test.name)
		if (err == nil) != test.found || err != nil && !errors.Is(err, machine.ErrNone) || (spy.argv != nil) != test.asks || err == nil && e.Home != "/home/"+test.name {
			t.Errorf("%+v: got %+v, %v, asked %q", test, e, err, spy.argv)
		}
	}
}

// TestOwner reads owners as write_files gives them.
func TestOwner(t *testing.T) {
	m := fake()
	for owner, want := range map[string][2]int{
		"eve:adm": {1000, 4}, "eve": {1000, 0}, ":adm": {0, 4}, "": {0, 0}, "root:root": {0, 0}, "-1:adm": {0, 4}, "None:NONE": {0, 0},
		"1234:27": {1234, 27}, " eve : sudo ": {1000, 27}, "eve:": {1000, 0},
	} {
		if uid, gid, err := Owner(t.Context(), m, owner); uid != want[0] || gid != want[1] || err != nil {
			t.Errorf("%q: got %d:%d, %v", owner, uid, gid, err)
		}
	}
	for owner, want := range map[string]string{"bob:adm": `there is no user "bob"`, "eve:bob": `there is no group "bob"`, "a:b:c": `there is no user "a"`} {
		if _, _, err := Owner(t.Context(), m, owner); !errors.Is(err, machine.ErrNone) || err.Error() != want {
			t.Errorf("%q: %v", owner, err)
		}
	}
}
