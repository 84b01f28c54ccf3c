package engine

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// seedDisk is a seed on a disk that somebody plugged in. It notes whether it was opened.
type seedDisk struct {
	files  string
	opened *bool
}

func (d seedDisk) Labelled(...string) ([]machine.Device, error) {
	return []machine.Device{{Path: "/dev/sdz", Label: "cidata", Type: "vfat"}}, nil
}

func (d seedDisk) Mount(machine.Device) (machine.Files, func() error, error) {
	*d.opened = true
	return machine.Fake(d.files, noon).Files, func() error { return nil }, nil
}

// plugged is a machine with a stranger's seed disk in it.
func plugged(files string) (m machine.Machine, opened *bool) {
	m = machine.Fake(debian+files, noon)
	opened = new(bool)
	m.Disks = seedDisk{"-- meta-data --\ninstance-id: stranger\n-- user-data --\n#cloud-config\nwrite_files: [{path: /owned, content: x}]\n", opened}
	return m, opened
}

// bootedAs makes a machine one that was an instance in an earlier boot.
func bootedAs(t *testing.T, m machine.Machine, id string) {
	boot(t, m, Options{Given: given(id, "")})
	if err := machine.RemoveAll(m.Files, "/run/cloud-init"); err != nil {
		t.Fatal(err)
	}
}

// Whoever can plug in a disk must not own a machine that is closed to it: one that knows by its own files who it is, one
// that is kept as it is, one whose image names its source, and one that takes no user-data.
func TestCVE_2020_11933_SeedDiskIsNotObeyed(t *testing.T) {
	const kept = "-- var/lib/cloud/seed/nocloud/meta-data --\ninstance-id: home\n-- var/lib/cloud/seed/nocloud/user-data --\n"
	for name, c := range map[string]struct {
		files string
		known bool // the machine has booted before as home
		may   bool // the disk may be opened
	}{
		"a seed folder with the id that is known":   {kept, true, false},
		"manual_cache_clean":                        {"-- etc/cloud/cloud.cfg.d/9.cfg --\nmanual_cache_clean: true\n", true, false},
		"the mark of an instance that is kept":      {"-- var/lib/cloud/instances/home/manual-clean --\n", true, false},
		"no label is looked for":                    {"-- etc/cloud/cloud.cfg.d/9.cfg --\ndatasource: {NoCloud: {fs_label: null}}\n", false, false},
		"the image has no source but itself":        {"-- etc/cloud/cloud.cfg.d/9.cfg --\ndatasource_list: [None]\n", false, false},
		"the image takes no user-data from anybody": {"-- etc/cloud/cloud.cfg.d/9.cfg --\nallow_userdata: false\n", false, true},
	} {
		m, opened := plugged(c.files)
		if c.known {
			bootedAs(t, m, "home")
		}
		boot(t, m, Options{})
		if machine.Exists(m.Files, "/owned") {
			t.Errorf("%s: the disk's user-data was obeyed", name)
		}
		if *opened && !c.may {
			t.Errorf("%s: the disk was opened", name)
		}
	}
	m, _ := plugged("")
	if boot(t, m, Options{}); !machine.Exists(m.Files, "/owned") {
		t.Error("a machine that is open to seeds on disks was not given one: the cases above prove nothing")
	}
}

// canaries is user-data with a secret wherever one may be, and with something wrong beside each.
const canaries = `#cloud-config
password: CANARY
chpasswd:
  list: ["root:CANARY", "ghost:CANARY", CANARY]
  users:
    - {name: root, password: CANARY, type: text}
    - {name: ghost, password: CANARY, type: text}
    - {name: ghost, password: [CANARY]}
    - {name: ghost, password: x, type: CANARY}
users:
  - {name: ada, plain_text_passwd: CANARY, lock_passwd: false}
  - {name: bob, hashed_passwd: "$6$CANARY$x:y", passwd: [CANARY]}
  - {name: cid, ssh_authorized_keys: ["-----BEGIN OPENSSH PRIVATE KEY----- CANARY"]}
ssh_keys: {rsa_private: CANARY, foo_private: CANARY, ed25519_private: [CANARY]}
ssh_authorized_keys: ["-----BEGIN OPENSSH PRIVATE KEY----- CANARY"]
write_files:
  - {path: /root/a, permissions: '0600', content: CANARY}
  - {path: /root/b, permissions: '0600', content: CANARY, encoding: gz+b64}
  - {path: /root/c, permissions: '0600', content: x, source: {uri: "http://user:CANARY@192.0.2.1/?token=CANARY", headers: {Authorization: CANARY}}}
  - {path: /root/d, permissions: '0600', content: [CANARY]}
bootcmd: [[sh, -c, "exit 3 # CANARY"]]
runcmd: [[sh, -c, "exit 3 # CANARY"]]
random_seed: {file: /root/seed, command: [sh, -c, CANARY]}
power_state: {mode: reboot, condition: [sh, -c, CANARY]}
no_such_key: CANARY
`

// failing are programs that are all there and end badly.
type failing struct{ machine.Commands }

func (failing) Can(machine.Change) error { return nil }
func (failing) Do(_ context.Context, c machine.Change) error {
	return &machine.ExitError{Argv: c.Argv, Status: 1, Stderr: "no"}
}
func (failing) Run(_ context.Context, p machine.Program) error { return machine.Ended(p, 3) }

// Passwords, hashes, private keys, tokens in addresses and what is in people's commands reach no file that others than root
// may read, the log's group included: not the log, the status, or the data of the instance.
func TestCVE_2021_3429_CVE_2022_2084_CVE_2023_1786_NoSecretIsReadable(t *testing.T) {
	m := machine.Fake(debian, noon)
	m.Commands = failing{m.Commands}
	e := boot(t, m, Options{Given: given("secret", canaries)})
	for _, name := range allFiles(t, m.Files, "/") {
		n, err := machine.Get(m.Files, name)
		if err == nil && strings.Contains(n.Data, "CANARY") && n.Mode&0o077 != 0 {
			for line := range strings.Lines(n.Data) {
				if strings.Contains(line, "CANARY") {
					t.Errorf("%s (%v) has %s", name, n.Mode, strings.TrimSpace(line))
				}
			}
		}
	}
	for _, v := range e.Verdicts() {
		if strings.Contains(v.Reason+v.Hint+v.Key, "CANARY") {
			t.Errorf("the verdict %+v", v)
		}
	}
}

func allFiles(t *testing.T, f machine.Files, folder string) (all []string) {
	names, err := f.List(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		name = path.Join(folder, name)
		switch n, err := f.Look(name); {
		case err == nil && n.Mode.IsDir():
			all = append(all, allFiles(t, f, name)...)
		case err == nil && n.Mode.IsRegular():
			all = append(all, name)
		}
	}
	return all
}

// A copy of a machine that boots as another instance has host keys of its own; at each further boot it keeps them.
func TestCVE_2018_10896_HostKeysAreTheInstances(t *testing.T) {
	m := machine.Fake(debian+"-- etc/ssh/ssh_host_ed25519_key 600 0:0 --\nthe image's\n-- etc/ssh/ssh_host_ed25519_key.pub --\nthe image's\n", noon)
	const only = "#cloud-config\nssh_genkeytypes: [ed25519]\n"
	keyOf := func(id string) string {
		boot(t, m, Options{Given: given(id, only)})
		return read(t, m, "/etc/ssh/ssh_host_ed25519_key") + read(t, m, "/etc/ssh/ssh_host_ed25519_key.pub")
	}
	first, again, copied := keyOf("first"), keyOf("first"), keyOf("copy")
	if strings.Contains(first, "the image's") || first != again || first == copied {
		t.Errorf("the keys of the image, of two boots and of a copy: %t %t %t", strings.Contains(first, "the image's"), first == again, first == copied)
	}
}

// A machine without a word from its firmware or its image asks no address for metadata: whoever is in its network could
// answer. CVE-2012-6639 was the same by names.
func TestCVE_2024_6174_CVE_2012_6639_NobodyIsAskedWithoutProof(t *testing.T) {
	m := machine.Fake(debian, noon)
	net := &askedNet{}
	m.Net = net
	boot(t, m, Options{})
	if net.asked != nil {
		t.Errorf("asked was %q", net.asked)
	}
}

type askedNet struct{ asked []string }

func (n *askedNet) Fetch(_ context.Context, r machine.Request) (machine.Response, error) {
	n.asked = append(n.asked, r.URL)
	return machine.Response{}, errors.New("no answer")
}

// An id that can name no folder, or that would be two lines in a file, is no proof: the machine stays who it was.
func TestBadIDIsNoIdentity(t *testing.T) {
	for _, id := range []string{`"two\nlines"`, `""`, `"\u001b[2J"`, strings.Repeat("x", 300)} {
		m := machine.Fake(debian, noon)
		m.Disks = seedDisk{"-- meta-data --\ninstance-id: " + id + "\n-- user-data --\n", new(bool)}
		bootedAs(t, m, "home")
		if got := boot(t, m, Options{}).now; got == nil || got.ID != "home" {
			t.Errorf("with the id %.20s the machine became %+v", id, got)
		}
	}
}

// deaf are programs whose output cannot be sent anywhere.
type deaf struct{ *recorder }

func (deaf) Say(o machine.Output, _ string) error {
	if o != (machine.Output{}) {
		return errors.New("send output: no such folder")
	}
	return nil
}

func (d deaf) Run(ctx context.Context, p machine.Program) error {
	if err := d.Say(p.Output, ""); err != nil {
		return err
	}
	return d.recorder.Run(ctx, p)
}

// A mistake in output: must not keep everybody's programs from running.
func TestOutputThatCannotBeOpened(t *testing.T) {
	m := machine.Fake(debian, noon)
	r := &recorder{Commands: m.Commands, files: m.Files}
	m.Commands = deaf{r}
	e := boot(t, m, Options{Given: given("i", "#cloud-config\noutput: {all: '> /no/such/folder/file'}\nruncmd: [ls]\n")})
	if !slices.Contains(r.ran, "/var/lib/cloud/instance/scripts/runcmd") {
		t.Errorf("what ran was %q", r.ran)
	}
	if !slices.ContainsFunc(e.Verdicts(), func(v module.Verdict) bool { return v.Key == "output" && v.Verdict == module.Rejected }) {
		t.Error("nobody is told that output: does not work")
	}
}

// A part whose script can be put nowhere costs itself: the configuration beside it counts.
func TestScriptThatCannotBePlaced(t *testing.T) {
	const mixed = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/x-shellscript; name=vendor\n\n#!/bin/sh\n" +
		"--x\nContent-Type: text/cloud-config\n\n#cloud-config\nwrite_files: [{path: /made, content: x}]\n--x--\n"
	m := machine.Fake(debian+"-- var/lib/cloud/instances/i/scripts/vendor/old --\n", noon)
	e := boot(t, m, Options{Given: given("i", mixed)})
	if !machine.Exists(m.Files, "/made") {
		t.Error("nothing of the user-data was applied")
	}
	if !slices.ContainsFunc(e.Verdicts(), func(v module.Verdict) bool { return v.Key == "vendor" && v.Verdict == module.Rejected }) {
		t.Errorf("no verdict on the script among %+v", e.Verdicts())
	}
}

// What is wrong with one part costs that part, and is said: the good one beside it is applied, and the boot ends.
func TestBadPartsCostThemselves(t *testing.T) {
	var bomb, packed bytes.Buffer
	bomb.WriteString("#cloud-config\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 12 {
		fmt.Fprintf(&bomb, "a%[1]d: &a%[1]d [*a%[2]d, *a%[2]d, *a%[2]d, *a%[2]d, *a%[2]d, *a%[2]d, *a%[2]d, *a%[2]d]\n", i+1, i)
	}
	zip := gzip.NewWriter(&packed)
	zip.Write(make([]byte, 100<<20))
	zip.Close()
	for name, part := range map[string]string{
		"broken YAML":    "Content-Type: text/cloud-config\n\n#cloud-config\nruncmd: [a\nhostname: x\n",
		"a wrong type":   "Content-Type: text/cloud-config\n\n#cloud-config\n- a\n- b\n",
		"binary rubbish": "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte("\x00\x01\xff\xfe\x80\x00")) + "\n",
		"an alias bomb":  "Content-Type: text/cloud-config\n\n" + bomb.String(),
		"a gzip bomb":    "Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString(packed.Bytes()) + "\n",
		"10 MB":          "Content-Type: text/plain\n\n" + strings.Repeat(strings.Repeat("x", 1023)+"\n", 10<<10),
	} {
		m := machine.Fake(debian, noon)
		good := "Content-Type: text/cloud-config\n\n#cloud-config\nwrite_files: [{path: /good, content: x}]\n"
		e := boot(t, m, Options{Given: given("b", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"+part+"\n--b\n"+good+"\n--b--\n")})
		if !machine.Exists(m.Files, "/good") {
			t.Errorf("%s: the good part was not applied", name)
		}
		if !slices.ContainsFunc(e.Verdicts(), func(v module.Verdict) bool {
			return strings.HasPrefix(v.Origin, "user-data ") && (v.Verdict == module.Rejected || v.Verdict == module.Skipped) && v.Reason != ""
		}) {
			t.Errorf("%s: nobody is told: %+v", name, e.Verdicts())
		}
		if s := OpenBoot(m, "").Summary(t.Context()); s.Phase != Done || s.ExitStatus() != 2 {
			t.Errorf("%s: the boot is %s and status ends with %d, want 2", name, s.Phase, s.ExitStatus())
		}
	}
}

// Each key that is no module's has a verdict, and a list of modules that is none does not cost all modules of its stage.
func TestOwnKeysAreNotSilent(t *testing.T) {
	m := machine.Fake(debian, noon)
	e := boot(t, m, Options{Given: &instance.Instance{Source: "NoCloud", ID: "i", Mode: "net", UserData: []byte(`#cloud-config
output: {al: '> /x'}
cloud_init_modules: write_files
cloud_final_modules: [5, final_message]
vendor_data: {enabled: perhaps}
system_info: 7
datasource_list: [None]
reporting: {x: {type: log}}
user: {gecos: x}
write_files: [{path: /made, content: x}]
`)}})
	for key, want := range map[string]module.Outcome{"output.al": module.Rejected, "cloud_init_modules": module.Rejected, "cloud_final_modules[0]": module.Rejected,
		"vendor_data.enabled": module.Rejected, "system_info": module.Rejected, "datasource_list": module.Skipped, "reporting": module.Skipped, "user": module.Applied} {
		if !slices.ContainsFunc(e.Verdicts(), func(v module.Verdict) bool { return v.Key == key && v.Verdict == want }) {
			t.Errorf("%s is not %s among %+v", key, want, e.Verdicts())
		}
	}
	if !machine.Exists(m.Files, "/made") {
		t.Error("no module of the stage ran")
	}
}

// What is written into a line of a system's file must stay in its place there, whoever made the name.
func TestHostileNames(t *testing.T) {
	const mime = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/x-shellscript\n" +
		"Content-Disposition: attachment; filename=\"../../../../../../etc/EVIL\"\n\n#!/bin/sh\n--x--\n"
	const system = debian + "-- etc/hosts --\n127.0.0.1 localhost\n-- etc/hostname --\nold\n-- usr/share/zoneinfo/Europe/Lisbon --\nTZif\n-- etc/skel/ --\n-- home/ --\n"
	for name, c := range map[string]struct{ userData, hostname string }{
		"a name of two lines":                {userData: "#cloud-config\nhostname: \"a\\nEVIL\"\nmanage_etc_hosts: true\n"},
		"a full name of two lines":           {userData: "#cloud-config\nfqdn: \"a.b\\n192.0.2.6 EVIL\"\nmanage_etc_hosts: localhost\n"},
		"the cloud's name of two lines":      {userData: "#cloud-config\nmanage_etc_hosts: true\n", hostname: "a\n192.0.2.6 EVIL"},
		"a locale that a shell would run":    {userData: "#cloud-config\nlocale: \"C.UTF-8;EVIL\"\n"},
		"a locale of two lines":              {userData: "#cloud-config\nlocale: \"C.UTF-8\\nEVIL=1\"\n"},
		"a zone that is elsewhere":           {userData: "#cloud-config\ntimezone: ../../../etc/EVIL\n"},
		"a zone of two lines":                {userData: "#cloud-config\ntimezone: \"Europe/Lisbon\\nEVIL\"\n"},
		"a user of two lines":                {userData: "#cloud-config\nusers: [{name: \"a\\nEVIL:x:0:0::/:/bin/sh\"}]\n"},
		"a user with a colon":                {userData: "#cloud-config\nusers: [{name: \"EVIL:x\"}]\n"},
		"a user that leads out":              {userData: "#cloud-config\nusers: [{name: ../EVIL}]\n"},
		"a user that a terminal would obey":  {userData: "#cloud-config\nusers: [{name: \"\\e[2JEVIL\"}]\n"},
		"a comment of two lines":             {userData: "#cloud-config\nusers: [{name: a, gecos: \"x\\nEVIL:x:0:0::/:/bin/sh\"}]\n"},
		"a home of two lines":                {userData: "#cloud-config\nusers: [{name: a, homedir: \"/x\\nEVIL:x:0:0::/:/bin/sh\"}]\n"},
		"a shell of two lines":               {userData: "#cloud-config\nusers: [{name: a, shell: \"/x\\nEVIL:x:0:0::/:/bin/sh\"}]\n"},
		"a group of two lines":               {userData: "#cloud-config\ngroups: [\"a\\nEVIL:x:0:\"]\n"},
		"a login that is more than a name":   {userData: "#cloud-config\nchpasswd: {users: [{name: 'root:*', password: EVIL}]}\n"},
		"a password of two lines":            {userData: "#cloud-config\nchpasswd: {users: [{name: root, password: \"$6$a$b\\nroot:EVIL\"}]}\n"},
		"a script that leads out":            {userData: mime},
		"a user and a group without a name":  {userData: "#cloud-config\nusers: [{name: null}, null]\ngroups: [null]\n"},
		"a rule of doas about somebody else": {userData: "#cloud-config\nusers: [{name: a, doas: [permit nopass EVIL]}]\n"},
	} {
		m := machine.Fake(system, noon)
		in := given("i", c.userData)
		in.Hostname = c.hostname
		boot(t, m, Options{Given: in})
		for _, file := range append(allFiles(t, m.Files, "/etc"), allFiles(t, m.Files, "/home")...) {
			n, err := machine.Get(m.Files, file)
			if err != nil || strings.Contains(n.Data+file, "EVIL") || strings.Contains("\n"+n.Data, "\nNone:") {
				t.Errorf("%s: %s is %q, %v", name, file, n.Data, err)
			}
		}
		if n, err := m.Files.Look("/etc/localtime"); err == nil && strings.Contains(n.Data, "EVIL") {
			t.Errorf("%s: the zone is %s", name, n.Data)
		}
	}
}

// A home that is a folder of the system's stays the system's.
func TestHomeOfTheSystem(t *testing.T) {
	m := machine.Fake(debian, noon)
	boot(t, m, Options{Given: given("i", "#cloud-config\nusers: [{name: ada, homedir: /etc, ssh_authorized_keys: [ssh-ed25519 AAAA c]}]\n")})
	for _, name := range []string{"/etc", "/etc/passwd"} {
		if n, err := m.Files.Look(name); err != nil || n.UID != 0 || n.Mode&0o022 != 0 {
			t.Errorf("%s is %v %d:%d, %v", name, n.Mode, n.UID, n.GID, err)
		}
	}
}

// CVE-2019-0816: the keys that open an account are those that were given, each once, and no other, after any number of boots.
func TestCVE_2019_0816_ExactlyTheGivenKeys(t *testing.T) {
	const cloud, own, adas = "ssh-ed25519 AAAAcloud c", "ssh-ed25519 AAAAown o", "ssh-ed25519 AAAAada a"
	m := machine.Fake(debian+"-- home/ --\n-- root/ 700 0:0 --\n", noon)
	in := given("i", "#cloud-config\nssh_authorized_keys: ["+own+"]\nusers: [default, {name: ada, ssh_authorized_keys: ["+adas+"]}, {name: bob}]\n")
	in.Keys = []instance.Key{{Line: cloud}}
	for range 3 {
		boot(t, m, Options{Given: in})
		machine.RemoveAll(m.Files, "/var/lib/cloud/instance/sem/config_ssh")
		machine.RemoveAll(m.Files, "/var/lib/cloud/instance/sem/config_users_groups")
	}
	for file, want := range map[string]string{
		"/home/debian/.ssh/authorized_keys": cloud + "\n" + own + "\n", "/home/ada/.ssh/authorized_keys": adas + "\n", "/home/bob/.ssh/authorized_keys": "",
	} {
		text, err := m.Files.Read(file)
		if text != want {
			t.Errorf("%s is %q, %v; want %q", file, text, err, want)
		}
	}
	for line := range strings.Lines(read(t, m, "/root/.ssh/authorized_keys")) {
		if !strings.Contains(line, "Please login as the user") {
			t.Errorf("root is opened by %s", line)
		}
	}
}

// CVE-2020-8907 and CVE-2020-8933: groups that are as good as root, docker and lxd among them, are nobody's by default.
func TestCVE_2020_8907_CVE_2020_8933_NoGroupsByDefault(t *testing.T) {
	m := machine.Fake(debian+"-- home/ --\n", noon)
	m.Files.Append("/etc/group", "docker:x:990:\nlxd:x:991:\nsudo:x:27:\nvideo:x:44:\n", machine.File(0o644, ""))
	boot(t, m, Options{Given: given("i", "#cloud-config\nusers: [default, {name: ada}]\n")})
	for line := range strings.Lines(read(t, m, "/etc/group")) {
		group, members, _ := strings.Cut(strings.TrimSpace(line), ":")
		if strings.Contains(members, "ada") || (group == "docker" || group == "lxd") && !strings.HasSuffix(members, ":") {
			t.Errorf("in the group %s are %s", group, members)
		}
	}
}
