package account

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

// small is a system with one person in it.
const small = `-- /etc/passwd --
root:x:0:0:root:/root:/bin/bash
eve:x:1000:1000:Eve:/home/eve:/bin/sh
mallory:x:400:4::/:/bin/sh
-- /etc/shadow 0640 0:42 --
root:*:20000:0:99999:7:::
eve:$6$saltsaltsaltsalt$ph0yGsyjzqdeFaon7.gJZo8eAG5/rj9/JdzOu1Rl7dKzBYg3xgvl7T2VQ2Rt81bc5AXkdA54r0p8QvC1omD6R1:20000:0:99999:7:::
mallory:!:20000:0:99999:7:::
-- /etc/group --
root:x:0:
adm:x:4:
sudo:x:27:
eve:x:1000:
-- /etc/gshadow 0640 0:42 --
root:*::
adm:*::
sudo:*::
eve:!::
-- /etc/subuid --
eve:100000:65536
-- /etc/subgid --
eve:100000:65536
-- /etc/login.defs --
USERGROUPS_ENAB yes
PASS_MAX_DAYS 99999
PASS_MIN_DAYS 0
PASS_WARN_AGE 7
HOME_MODE 0700
-- /etc/default/useradd --
SHELL=/bin/sh
-- /etc/skel/.profile --
# hello
-- /etc/sudoers 0440 0:0 --
root ALL=(ALL:ALL) ALL
@includedir /etc/sudoers.d
-- /etc/sudoers.d/ 0755 0:0 --
-- /home/eve/ 0700 1000:1000 --
-- /home/ --
`

func fake() machine.Machine { return machine.Fake(small, time.Unix(20778*86400, 0)) }

func secret(text string) *instance.Secret {
	s := instance.Hide(text)
	return &s
}

const (
	keyA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJUAAHaFPpjFc3OoMFY7t6lSkXdJfVfSBdMoCmbGyGYJ a@example"
	keyB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGrzYyXpMVoStrEb3XHmvKxFN1Pu3J3sBHzlvpGj7y6B b@example"
)

// accounts are the cases of testdata/ensure.txtar.
func accounts() map[string]Account {
	return map[string]Account{
		"a user with everything": {Name: "ada", Gecos: "Ada Lovelace", Groups: []string{"sudo", " lab "}, Shell: "/bin/bash", HashedPasswd: secret("$6$abc$def"),
			Unlocked: true, Sudo: []string{"ALL=(ALL) NOPASSWD:ALL"}, Keys: []string{keyA, "ssh-foo AAAA c@example", keyB}, Version: "26.1"},
		"a bare user":                               {Name: "ada"},
		"a system user":                             {Name: "ada", System: true, PrimaryGroup: "service"},
		"a new user with passwd":                    {Name: "ada", Passwd: secret("$6$abc$def"), Unlocked: true},
		"a new user with a blank password":          {Name: "ada", PlainPasswd: secret(""), Unlocked: true},
		"a new user unlocked and no password":       {Name: "ada", Unlocked: true},
		"a user who is there":                       {Name: "eve", Shell: "/bin/bash", Groups: []string{"sudo"}, Passwd: secret("$6$x$y")},
		"there, unlocked":                           {Name: "eve", Unlocked: true},
		"there, unlocked, no password":              {Name: "mallory", Unlocked: true},
		"there, unlocked, closed for good":          {Name: "root", Unlocked: true},
		"there, with the password it has":           {Name: "eve", PlainPasswd: secret("secret"), Unlocked: true},
		"there, with another password":              {Name: "eve", PlainPasswd: secret("other"), Unlocked: true},
		"there, with the password that comes later": {Name: "eve", HashedPasswd: secret("$6$x$y"), Later: &Login{User: "eve", Password: *secret("secret")}},
		"there, with another than comes later":      {Name: "eve", Later: &Login{User: "eve", Password: *secret("$6$x$y"), Hashed: true}},
		"told to log in as another":                 {Name: "eve", Redirect: "debian", CloudKeys: []string{keyA}},
		"told so without keys":                      {Name: "eve", Redirect: "debian"},
		"doas":                                      {Name: "eve", Doas: []string{"permit nopass eve", "permit nopass eve as root cmd /bin/ls"}, Version: "26.1"},
		"doas for somebody else":                    {Name: "eve", Doas: []string{"permit nopass root"}},
		"a name that is an option":                  {Name: "-D"},
		"a group that cannot be":                    {Name: "ada", Groups: []string{"no such"}},
		"no missing groups":                         {Name: "ada", Groups: []string{"lab"}, KeepGroups: true},
		"a password that would be two lines":        {Name: "eve", PlainPasswd: secret("a\nroot:b")},
		"a hash that would be two fields":           {Name: "eve", HashedPasswd: secret("a:b")},
	}
}

// TestEnsure plans each account and compares with what is written down; then makes it so, and once more: the second time
// nothing may change, or each boot would. Rows M22, M24, M26, M27.
func TestEnsure(t *testing.T) {
	golden := map[string]string{}
	for name, a := range accounts() {
		m := fake()
		p, _ := machine.Plan(m)
		notes, err := Ensure(t.Context(), p, a)
		golden[name] = report(m, p, notes, err)
		if m.Ledger.Len() > 0 {
			t.Errorf("%s: a plan changed the system", name)
		}
		if _, err := Ensure(t.Context(), m, a); err != nil {
			continue
		}
		n := m.Ledger.Len()
		if Ensure(t.Context(), m, a); m.Ledger.Len() > n {
			t.Errorf("%s: the second time changed again: %v", name, m.Ledger.Entries()[n:])
		}
	}
	compare(t, "testdata/ensure.txtar", golden)
}

// compare compares with the sections of a txtar file; UPDATE_GOLDEN=1 writes them anew.
func compare(t *testing.T, file string, got map[string]string) {
	t.Helper()
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(got)) {
		fmt.Fprintf(&text, "-- %s --\n%s", name, got[name])
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for section := range strings.SplitSeq(strings.TrimPrefix(string(want), "-- "), "\n-- ") {
		name, data, _ := strings.Cut(section, " --\n")
		if have, ok := got[name]; !ok || strings.TrimSuffix(have, "\n") != strings.TrimSuffix(data, "\n") {
			t.Errorf("%s: got\n%s\nwant\n%s", name, have, data)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s has no section %q; run with UPDATE_GOLDEN=1 and read what it writes", file, name)
	}
}

// report is what a plan lists, the lines of files that would come and go, and what else there is to say.
func report(before, after machine.Machine, notes Notes, err error) string {
	var text strings.Builder
	var files []string
	for _, e := range after.Ledger.Entries() {
		if e.Kind == machine.KindRun {
			fmt.Fprintf(&text, "run %q %s\n", e.Argv, e.Detail)
			continue
		}
		if !slices.Contains(files, e.Path) {
			files = append(files, e.Path)
		}
	}
	slices.Sort(files)
	for _, file := range files {
		n, _ := machine.Get(after.Files, file)
		old, _ := machine.Get(before.Files, file)
		fmt.Fprintf(&text, "%s %v %d:%d\n%s", file, n.Mode, n.UID, n.GID, difference(old.Data, n.Data))
	}
	for _, w := range notes.Warnings {
		fmt.Fprintln(&text, "WARNING", w)
	}
	for _, i := range notes.Infos {
		fmt.Fprintln(&text, "INFO", i)
	}
	for _, r := range notes.Rejected {
		fmt.Fprintln(&text, "REJECTED", r)
	}
	if err != nil {
		fmt.Fprintln(&text, "ERROR", err)
	}
	return regexp.MustCompile(`\$6\$[^:$]{16}\$[^:]{86}`).ReplaceAllString(text.String(), "HASH")
}

// difference is the lines that go and the lines that come.
func difference(old, new string) (text string) {
	have, want := strings.Split(old, "\n"), strings.Split(new, "\n")
	for _, line := range have {
		if !slices.Contains(want, line) {
			text += "-" + line + "\n"
		}
	}
	for _, line := range want {
		if !slices.Contains(have, line) {
			text += "+" + line + "\n"
		}
	}
	return text
}

// TestUseraddArgv has for each key of users[] the command line that cloud-init (main) builds in distros.add_user, but for
// passwd: everyone can read a command line. Row M24.
func TestUseraddArgv(t *testing.T) {
	for _, test := range []struct {
		a    Account
		want string
	}{
		{Account{}, "useradd x -m"},
		{Account{Gecos: "A B"}, "useradd x --comment|A B -m"},
		{Account{Home: "/srv/x"}, "useradd x --home /srv/x -m"},
		{Account{PrimaryGroup: "p"}, "useradd x --gid p -m"},
		{Account{Groups: []string{"a", " b"}}, "useradd x --groups a,b -m"},
		{Account{UID: "1743"}, "useradd x --uid 1743 -m"},
		{Account{Shell: "/bin/zsh"}, "useradd x --shell /bin/zsh -m"},
		{Account{ExpireDate: "2038-01-19"}, "useradd x --expiredate 2038-01-19 -m"},
		{Account{Inactive: "5"}, "useradd x --inactive 5 -m"},
		{Account{SELinuxUser: "staff_u"}, "useradd x --selinux-user staff_u -m"},
		{Account{Passwd: secret("$6$a$b")}, "useradd x -m"},
		{Account{NoCreateHome: true}, "useradd x -M"},
		{Account{System: true}, "useradd x --system -M"},
		{Account{NoUserGroup: true}, "useradd x --no-user-group -m"},
		{Account{NoLogInit: true}, "useradd x --no-log-init -m"},
		{Account{Gecos: "g", Home: "/h", PrimaryGroup: "p", Groups: []string{"a"}, UID: "1", Shell: "/s", ExpireDate: "e", Inactive: "i", SELinuxUser: "z",
			System: true, NoUserGroup: true, NoLogInit: true, Unlocked: true, Sudo: []string{"r"}, Doas: []string{"d"}, Keys: []string{"k"}},
			"useradd x --expiredate e --comment g --groups a --home /h --inactive i --no-log-init --no-user-group --gid p --selinux-user z --shell /s --system --uid 1 -M"},
	} {
		test.a.Name = "x"
		want := strings.ReplaceAll(strings.ReplaceAll(test.want, " ", "\n"), "|", "\n")
		if test.a.Gecos == "A B" {
			want = "useradd\nx\n--comment\nA B\n-m"
		}
		if got := strings.Join(useradd(test.a), "\n"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestEnsureGroup(t *testing.T) {
	m := fake()
	notes, err := EnsureGroup(t.Context(), m, "lab", []string{"eve", "nobody"})
	if err != nil || len(notes.Warnings) != 1 || notes.Warnings[0] != "Unable to add group member 'nobody' to group 'lab'; user does not exist." {
		t.Error(notes, err)
	}
	if g, err := Group(t.Context(), m, "lab"); err != nil || g.GID != 1001 || !slices.Equal(g.Members, []string{"eve"}) {
		t.Error(g, err)
	}
	n := m.Ledger.Len()
	notes, err = EnsureGroup(t.Context(), m, "lab", []string{"eve"})
	if err != nil || m.Ledger.Len() > n || notes.Warnings[0] != "Skipping creation of existing group 'lab'" {
		t.Error(notes, err, m.Ledger.Entries()[n:])
	}
}

// TestSnapUser sees that nothing is said of what only the store knows.
func TestSnapUser(t *testing.T) {
	p, _ := machine.Plan(fake())
	if _, err := Ensure(t.Context(), p, Account{Name: "x", SnapUser: "x@example.com"}); err == nil || !strings.Contains(err.Error(), "deferred") {
		t.Error(err)
	}
}

// TestSudoers: without the line that includes it nobody reads the folder, and twice is an error of sudo's. Row M22.
func TestSudoers(t *testing.T) {
	for text, included := range map[string]bool{
		"@includedir /etc/sudoers.d\n": true, "#includedir /etc/sudoers.d": true, "  #includedir\t/etc/sudoers.d/ \n": true,
		"# includedir /etc/sudoers.d\n": false, "##includedir /etc/sudoers.d": false, "includedir /etc/sudoers.d": false, "#includedir /etc/other": false, "": false,
	} {
		if includes(text, "/etc/sudoers.d") != included {
			t.Errorf("%q: included is not %v", text, included)
		}
	}
	for _, start := range []string{"-- /etc/sudoers 0440 0:0 --\nroot ALL=(ALL) ALL\n", "-- /usr/etc/sudoers 0440 0:0 --\nroot ALL=(ALL) ALL\n", ""} {
		m := machine.Fake("-- /etc/passwd --\neve:x:1:1::/:/\n-- /etc/shadow --\neve:!:::::::\n"+start, time.Unix(0, 0))
		for range 2 {
			if _, err := Ensure(t.Context(), m, Account{Name: "eve", Sudo: []string{"ALL=(ALL) ALL"}, Version: "1.2"}); err != nil {
				t.Fatal(err)
			}
		}
		n, _ := machine.Get(m.Files, sudoersFile)
		want := "\n# Added by cloud-init v. 1.2 on Thu, 01 Jan 1970 00:00:00 +0000\n#includedir /etc/sudoers.d\n"
		if !strings.HasSuffix(n.Data, want) || strings.Count(n.Data, "#includedir") != 1 || n.Mode != 0o440 || strings.Contains(n.Data, "root") != (start != "") {
			t.Errorf("%q became %v", start, n)
		}
	}
}
