package network

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"openguest/internal/machine"
)

// written is what becomes of the file /etc/a, which is to hold "new", and what is left of a machine.
func written(t *testing.T, files string, record Record, same bool, list ...File) (Record, string, string) {
	t.Helper()
	m := machine.Fake(files, time.Unix(0, 0))
	now, outcomes, err := record.Write(m, list, same, func(string) (int, int, error) { return 7, 8, nil })
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, o := range outcomes {
		said += fmt.Sprintf("%s %v %s;", o.Path, o.Changed, o.Left)
	}
	left := ""
	names, _ := m.Files.List("/etc")
	for _, name := range names {
		n, err := machine.Get(m.Files, "/etc/"+name)
		if err != nil {
			t.Fatal(err)
		}
		left += fmt.Sprintf("%s %v %d %q;", name, n.Mode, n.UID, n.Data)
	}
	return now, said, left
}

// TestWhatIsOurs: a person's file is never lost, and ours never stays behind.
func TestWhatIsOurs(t *testing.T) {
	file := File{Path: "/etc/a", Text: "new\n"}
	ours := Record{Files: map[string]string{"/etc/a": hash("old\n")}}
	for _, c := range []struct {
		name       string
		files      string
		record     Record
		same       bool
		list       []File
		said, left string
	}{
		{"nothing there", "", Record{}, true, []File{file}, "/etc/a true ;", `a -rw-r--r-- 0 "new\n";`},
		{"as it should be", "-- etc/a --\nnew\n", Record{}, true, []File{file}, "/etc/a false ;", `a -rw-r--r-- 0 "new\n";`},
		{"ours", "-- etc/a --\nold\n", ours, true, []File{file}, "/etc/a true ;", `a -rw-r--r-- 0 "new\n";`},
		{"ours, changed", "-- etc/a --\nmine\n", ours, true, []File{file},
			"/etc/a false it was changed since it was written; remove it to have it written again;", `a -rw-r--r-- 0 "mine\n";`},
		{"of nobody we know", "-- etc/a --\nmine\n", Record{}, true, []File{file},
			"/etc/a false it is there already and not as it would be written; remove it to have it written;", `a -rw-r--r-- 0 "mine\n";`},
		{"of another instance", "-- etc/a --\nmine\n", ours, false, []File{file}, "/etc/a true ;", `a -rw-r--r-- 0 "new\n";`},
		{"a link", "-- etc/a -> /run/a --\n-- run/a --\nx\n", ours, false, []File{file},
			"/etc/a false it is a link to a file that somebody else looks after;", `a Lrwxrwxrwx 0 "/run/a";`},
		{"no longer wanted", "-- etc/a --\nold\n-- etc/b --\n", ours, true, nil, "/etc/a true ;", `b -rw-r--r-- 0 "";`},
		{"no longer wanted, changed", "-- etc/a --\nmine\n", ours, false, nil, "", `a -rw-r--r-- 0 "mine\n";`},
		{"to go", "-- etc/a --\nx\n-- etc/b --\n", Record{}, true, []File{{Path: "/etc/a", Text: "x\n", Gone: true}}, "/etc/a true ;", `b -rw-r--r-- 0 "";`},
		{"to go, and gone", "-- etc/b --\n", Record{}, true, []File{{Path: "/etc/a", Gone: true}}, "/etc/a false ;", `b -rw-r--r-- 0 "";`},
		{"with rights and owner", "", Record{}, true, []File{{Path: "/etc/a", Text: "new\n", Mode: 0o600, User: "x"}}, "/etc/a true ;", `a -rw------- 7 "new\n";`},
		{"with stricter rights", "-- etc/a 400 --\nold\n", ours, true, []File{{Path: "/etc/a", Text: "new\n", Mode: 0o600}}, "/etc/a true ;", `a -r-------- 0 "new\n";`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, said, left := written(t, c.files, c.record, c.same, c.list...)
			if said != c.said || left != c.left {
				t.Errorf("said %q and left %q, should be %q and %q", said, left, c.said, c.left)
			}
		})
	}
}

// TestRecordFollows: what a person changed stays a person's at the next time too, also when it is changed back by nobody.
func TestRecordFollows(t *testing.T) {
	ours := Record{Files: map[string]string{"/etc/a": hash("old\n"), "/etc/gone": hash("")}}
	now, _, _ := written(t, "-- etc/a --\nmine\n", ours, true, File{Path: "/etc/a", Text: "new\n"}, File{Path: "/etc/b"})
	want := map[string]string{"/etc/a": hash("old\n"), "/etc/b": hash("")}
	if fmt.Sprint(now.Files) != fmt.Sprint(want) {
		t.Errorf("the record is %v, should be %v", now.Files, want)
	}
	now, _, _ = written(t, "", Record{}, true, File{Path: "/etc/a", Text: "new\n"})
	if now.Files["/etc/a"] != hash("new\n") {
		t.Errorf("the record is %v", now.Files)
	}
}

// TestAnOwnerThatThereIsNot: a machine without the user systemd-network gets the file all the same.
func TestAnOwnerThatThereIsNot(t *testing.T) {
	m := machine.Fake("", time.Unix(0, 0))
	_, _, err := Record{}.Write(m, []File{{Path: "/etc/a", Text: "x\n", User: "nobody"}}, true, func(string) (int, int, error) { return 0, 0, errors.New("no such user") })
	if text, _ := m.Files.Read("/etc/a"); err != nil || text != "x\n" {
		t.Errorf("the file holds %q: %v", text, err)
	}
}

// TestAfterNetplan: udev is asked for each card, unless names are the kernel's.
func TestAfterNetplan(t *testing.T) {
	for cmdline, want := range map[string]string{
		"quiet":                     "netplan generate, udevadm test-builtin net_setup_link /sys/class/net/eth0",
		"net.ifnames=0 biosdevname": "netplan generate",
	} {
		target := fakeTarget("-- proc/cmdline --\n"+cmdline+"\n", "")
		target.Host.NICs = []machine.NIC{{Name: "eth0"}, {Name: "docker0", Virtual: true}}
		var got []string
		for _, c := range afterNetplan(target) {
			got = append(got, strings.Join(c.Argv, " "))
		}
		if !slices.Equal(got, strings.Split(want, ", ")) {
			t.Errorf("%s: %q", cmdline, got)
		}
	}
}
