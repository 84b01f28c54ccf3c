package account

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/test/peer"
)

// parts are what the programs change of a system.
var parts = []string{"etc", "home", "srv", "var/mail"}

// salted are hashes of passwords, which are another each time.
var salted = regexp.MustCompile(`\$(y|6)\$[^:]{40,}`)

// TestMeaningsAreWhatTheProgramsDo runs the real useradd, groupadd, usermod, passwd and chpasswd in a root of a Debian, and
// what they mean on a copy of it: an image that was customized offline would otherwise boot with other accounts.
func TestMeaningsAreWhatTheProgramsDo(t *testing.T) {
	tree := peer.Tree(t, "/usr/sbin/useradd")
	if err := exec.Command("unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt").Run(); err != nil {
		t.Skip("needs the right to mount")
	}
	for name, prepare := range realSystems() {
		t.Run(name, func(t *testing.T) {
			changes := realChanges()
			meant, refusals := meantBy(t, tree, prepare, changes)
			real, failures := reallyDone(t, tree, prepare, changes)
			if !slices.Equal(refusals, failures) {
				t.Errorf("meant to fail %q, really failed %q", refusals, failures)
			}
			peer.Same(t, meant, real)
		})
	}
}

// realSystems are shell lines that prepare a root, in its folder.
func realSystems() map[string]string {
	return map[string]string{
		"as it comes": ":",
		"other defaults": `printf 'SHELL=/bin/bash\nGROUP=27\nINACTIVE=3\nEXPIRE=2030-01-01\nCREATE_MAIL_SPOOL=yes\nHOME=/srv/home\n' >etc/default/useradd
			printf 'HOME_MODE 0710\nSYS_UID_MIN 200\nSYS_UID_MAX 300\nSUB_UID_COUNT 1000\nUSERGROUPS_ENAB no\n' >>etc/login.defs
			printf 'zed:300000:65536\nyan:100000:70000' >etc/subuid
			printf '+::::::\n' >>etc/passwd`,
		"ids in use": `printf 'one:x:1001:\nold:x:1500:\n' >>etc/group; printf 'one:!::\nold:!::\n' >>etc/gshadow
			printf 'x:x:59999:1500::/:\ny:x:60000:1500::/:\nz:x:101:100::/:\n' >>etc/passwd
			mkdir -p etc/skel/.config home/there; ln -s .profile etc/skel/link; chmod 700 etc/skel/.config; rm etc/subgid`,
	}
}

// realChanges are tried in order, each whatever became of those before it.
func realChanges() (all []machine.Change) {
	tools := shadowUtils()
	for _, a := range []Account{
		{Name: "ada", Gecos: "Ada Lovelace", Shell: "/bin/bash", Groups: []string{"sudo", "adm", "27", "sudo"}},
		{Name: "bob"}, {Name: "bob"}, {Name: "one"},
		{Name: "sys", System: true}, {Name: "robot", System: true, ExpireDate: "2038-01-19", Inactive: "5"}, {Name: "robot2", System: true},
		{Name: "nogroup1", NoUserGroup: true}, {Name: "nohome", NoCreateHome: true, NoLogInit: true},
		{Name: "dated", ExpireDate: "2038-01-19", Inactive: "7"}, {Name: "days", ExpireDate: "20000", Inactive: "-1"},
		{Name: "bogus", ExpireDate: "bogus"}, {Name: "bogus2", Inactive: "x"}, {Name: "bogus3", UID: "abc"}, {Name: "bogus4", UID: "0"},
		{Name: "bogus5", Home: "home/x"}, {Name: "bogus6", Shell: "bash"}, {Name: "bogus7", Gecos: "a:b"}, {Name: "bogus8", Groups: []string{"nosuch"}},
		{Name: "low", UID: "500"}, {Name: "high", UID: "70000"}, {Name: "given", UID: "3000"}, {Name: "after"},
		{Name: "member", PrimaryGroup: "adm"}, {Name: "numbered", PrimaryGroup: "27"}, {Name: "stray", PrimaryGroup: "4711"},
		{Name: "deep", Home: "/srv/a/b"}, {Name: "there"}, {Name: "1234"}, {Name: "Ada.Love"},
		{Name: "open", Shell: "/bin/bash", NoPassword: true}, {Name: "gone", Groups: []string{"adm", "audio"}}, {Name: "shared"},
	} {
		all = append(all, tools.addUser(a))
	}
	all = append(all, tools.addGroup("lab", false), tools.addGroup("lab", false), tools.addGroup("daemons", true), tools.join("lab", "ada"),
		tools.join("lab", "bob"), tools.join("lab", "ada"), tools.join("nosuch", "ada"), tools.join("lab", "nosuch"))
	hash := func(user, text string) Login { return Login{user, instance.Hide(text), true} }
	all = append(all,
		tools.setPasswords([]Login{hash("ada", "$6$abc$def"), hash("bob", "!locked")}, true),
		tools.setPasswords([]Login{hash("nosuch", "x")}, true),
		tools.setExpired("ada"), tools.setExpired("nosuch"),
		tools.setPasswords([]Login{hash("ada", "$6$abc$ghi")}, true),
		tools.setPasswords([]Login{{"bob", instance.Hide("s:e cret"), false}, {"given", instance.Hide("ü"), false}}, false),
	)
	lock := func(argv []string, user string, to lockState) {
		all = append(all, machine.Change{Argv: argv, Means: means(func(t *tables, _ time.Time) { t.setLock(user, to) })})
	}
	for _, user := range []string{"ada", "days", "root", "nosuch"} {
		lock(tools.lock(user)[0], user, locked)
		lock(tools.lock(user)[0], user, locked)
		lock(tools.unlock(user)[0], user, unlocked)
	}
	lock(tools.lock("given")[1], "given", locked)
	lock(tools.blank("after")[0], "after", blank)
	all = append(all, tools.leave("adm", "ada"), tools.leave("adm", "ada"), tools.leave("nosuch", "ada"), tools.leave("adm", "nosuch"),
		tools.join("shared", "bob"), tools.deleteUser("shared"), tools.deleteUser("gone"), tools.deleteUser("gone"), tools.deleteUser("nogroup1"),
		tools.deleteUser("nohome"), tools.deleteUser("there"), tools.deleteUser("member"), tools.deleteUser("deep"))
	return append(all, tools.setExpired("given"), tools.setExpired("daemon"))
}

// meantBy does to a copy what the commands mean, and returns what is there then and which failed.
func meantBy(t *testing.T, tree, prepare string, changes []machine.Change) (map[string]machine.Node, []string) {
	dir := t.TempDir()
	script := fmt.Sprintf("cd %s && cp -a --parents %s %s && cd %s && %s", tree, strings.Join(parts, " "), dir, dir, prepare)
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m, err := machine.Tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	var refused []string
	for i, c := range changes {
		if err := m.Commands.Do(context.Background(), c); err != nil {
			refused = append(refused, fmt.Sprint(i, c.Argv))
		}
	}
	return peer.Snapshot(t, dir, parts, salted), refused
}

// reallyDone runs the commands in an overlay of the tree, and returns what is there then and which failed.
func reallyDone(t *testing.T, tree, prepare string, changes []machine.Change) (map[string]machine.Node, []string) {
	dir := t.TempDir()
	script := fmt.Sprintf("set -e; cd %s; mkdir mounts after; mount -t tmpfs none mounts; mkdir mounts/u mounts/w mounts/m\n"+
		"mount -t overlay none -o lowerdir=%s,upperdir=mounts/u,workdir=mounts/w mounts/m; cd mounts/m; (%s)\n", dir, tree, prepare)
	for i, c := range changes {
		script += fmt.Sprintf("printf %%s %s | chroot . %s >/dev/null 2>&1 || echo %d >>%s/failed\n", quoted(c.Stdin.Reveal()), quoted(c.Argv...), i, dir)
	}
	script += fmt.Sprintf("cp -a --parents %s %s/after\n", strings.Join(parts, " "), dir)
	if out, err := exec.Command("unshare", "-m", "sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var failed []string
	text, _ := os.ReadFile(dir + "/failed")
	for _, word := range strings.Fields(string(text)) {
		var i int
		fmt.Sscan(word, &i)
		failed = append(failed, fmt.Sprint(i, changes[i].Argv))
	}
	return peer.Snapshot(t, dir+"/after", parts, salted), failed
}

func quoted(words ...string) string {
	words = slices.Clone(words)
	for i, word := range words {
		words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return strings.Join(words, " ")
}
