package boot

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path"
	"strings"
	"testing"
)

// counters are scripts of each frequency, each with a line of its own in /root/count.
const counters = `Content-Type: multipart/mixed; boundary="==="
MIME-Version: 1.0

--===
Content-Type: text/x-shellscript-per-boot

#!/bin/sh
echo always >> /root/count
--===
Content-Type: text/x-shellscript-per-instance

#!/bin/sh
echo instance >> /root/count
--===
Content-Type: text/x-shellscript-per-once

#!/bin/sh
echo once >> /root/count
--===
Content-Type: text/x-shellscript

#!/bin/sh
echo user >> /root/count
--===--
`

// Row S17: three boots of one instance, then another instance: always runs four times, per instance twice, once once.
func TestFrequencies(t *testing.T) {
	s := open(t, counters)
	s.mustBoot()
	s.reboot()
	s.reboot()
	s.expectCounts("after three boots", 3, 1, 1)
	s.seed("i-two", counters)
	s.reboot()
	s.expectCounts("after another instance", 4, 2, 1)
}

func (s *sandbox) expectCounts(when string, always, instance, once int) {
	s.t.Helper()
	lines := strings.Fields(s.read("/root/count"))
	got := map[string]int{}
	for _, line := range lines {
		got[line]++
	}
	want := map[string]int{"always": always, "instance": instance, "user": instance, "once": once}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("%s the scripts ran %v, want %v", when, got, want)
	}
}

// Row S18: another instance gets host keys of its own, and keeps its users.
func TestAnotherInstance(t *testing.T) {
	const userData = "#cloud-config\nusers: [default, {name: maria, plain_text_passwd: sailing, lock_passwd: false}]\n"
	s := open(t, userData)
	s.mustBoot()
	key, users := s.read("/etc/ssh/ssh_host_ed25519_key.pub"), s.read("/etc/passwd")
	s.sh("echo mine > /home/maria/kept")
	s.seed("i-two", userData)
	if codes := s.reboot(); codes != [4]int{} {
		t.Fatalf("the stages ended with %v", codes)
	}
	if s.read("/etc/ssh/ssh_host_ed25519_key.pub") == key {
		t.Error("two instances have the same host key")
	}
	if now := s.read("/etc/passwd"); now != users || !s.exists("/home/maria/kept") {
		t.Errorf("the users were\n%s\nand are\n%s", users, now)
	}
	for name, want := range map[string]string{"instance-id": "i-two\n", "previous-instance-id": "i-two\n"} {
		if got := s.read("/var/lib/cloud/data/" + name); got != want {
			t.Errorf("data/%s is %q, want %q", name, got, want)
		}
	}
	if target := s.sh("readlink /var/lib/cloud/instance"); target != "/var/lib/cloud/instances/i-two\n" {
		t.Errorf("the link instance goes to %q", target)
	}
}

// Row S23: /run is gone after a restart; all that was in it is there again.
func TestRunIsMadeAgain(t *testing.T) {
	s := open(t, "#cloud-config\nruncmd: ['true']\n")
	s.mustBoot()
	before := s.sh("cd /run/cloud-init && find . | sort")
	if codes := s.reboot(); codes != [4]int{} {
		t.Fatalf("the stages ended with %v", codes)
	}
	if after := s.sh("cd /run/cloud-init && find . | sort"); after != before {
		t.Errorf("/run/cloud-init had\n%s\nand has\n%s", before, after)
	}
	if r := s.us("status"); r.code != 0 || r.stdout != "status: done\n" {
		t.Errorf("status ends with %d and says %q", r.code, r.stdout)
	}
}

// Row S24: a root that cannot be written, or a full disk, is said; nothing panics, and the stages do not pretend to be well.
func TestNoRoomForState(t *testing.T) {
	const userData = "#cloud-config\nwrite_files: [{path: /etc/written, content: x}]\nruncmd: [echo ran]\n"
	for name, spoil := range map[string]string{
		"read-only root": "mount -o remount,ro /",
		"full disk": "cp -a /var/lib/cloud /dev/kept && mount -t tmpfs -o size=64k tmpfs /var/lib/cloud && cp -a /dev/kept/. /var/lib/cloud && " +
			"{ cat /dev/zero > /var/lib/cloud/filled 2>/dev/null || true; }",
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, userData)
			s.sh(spoil)
			var said strings.Builder
			failed := 0
			for _, stage := range stages {
				r := s.us(stage...)
				failed += r.code
				said.WriteString(r.stdout + r.stderr)
			}
			if strings.Contains(said.String(), "goroutine ") {
				t.Fatalf("it panicked:\n%s", said.String())
			}
			if failed == 0 {
				t.Errorf("all stages ended with 0:\n%s", said.String())
			}
			tells(t, "the output", said.String(), `(?i)(read-only file system|no space left)`)
		})
	}
}

// Row S22: power may fail at any moment. A boot is killed at its first change of a file, at its second, and so on until
// one gets through; after each, what is on disk can be read, and the next boot completes.
func TestKilledAnywhere(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace, which kills the program at a given system call, is not installed")
	}
	const userData = "#cloud-config\nhostname: keel\nusers: [{name: maria, sudo: 'ALL=(ALL) ALL'}]\n" +
		"write_files: [{path: /etc/app/one, content: 'one'}, {path: /etc/app/two, content: 'two', owner: 'daemon:adm'}]\n" +
		"ssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGfC3kz2Zr1x0m0Kf0w8nq0m0cQ2nJ3m0cQ2nJ3m0cQ ops@one]\nruncmd: [echo ran > /root/ran]\n"
	points := 0
	for _, call := range []string{"renameat,renameat2", "write", "fsync,fdatasync", "symlinkat,unlinkat,mkdirat"} {
		for n := 1; ; n += 1 + n/7 {
			s := open(t, userData)
			killed := s.bootKilledAt(strace, call, n)
			if !killed {
				break
			}
			points++
			s.expectWholeJSON(fmt.Sprintf("killed at %s number %d", call, n))
			if codes := s.reboot(); codes != [4]int{} {
				t.Errorf("killed at %s number %d, the next boot ended with %v", call, n, codes)
			}
			if one, two := s.read("/etc/app/one"), s.read("/etc/app/two"); one != "one" || two != "two" {
				t.Errorf("killed at %s number %d, the files are %q and %q", call, n, one, two)
			}
			s.close()
		}
	}
	if points < 50 {
		t.Errorf("the boot was killed at %d points only", points)
	}
}

// bootKilledAt boots in one process that is killed when it makes a system call for the nth time; false where it came to
// its end before.
func (s *sandbox) bootKilledAt(strace, call string, n int) bool {
	s.t.Helper()
	inside := s.command("/usr/bin/openguest", "boot")
	argv := append([]string{strace, "-f", "-qqq", "-o", "/dev/null", "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n)}, inside.Args...)
	c := exec.Command(argv[0], argv[1:]...)
	c.Env = append(inside.Env, "GOMAXPROCS=1")
	return s.finish(c).code != 0
}

// expectWholeJSON reads all state files as JSON: a torn one would stop tools, and us.
func (s *sandbox) expectWholeJSON(when string) {
	s.t.Helper()
	names := s.sh("find /var/lib/cloud /run/cloud-init /var/lib/openguest -name '*.json' 2>/dev/null || true")
	for _, name := range strings.Fields(names) {
		if text, ok := s.look(name); ok && !json.Valid([]byte(text)) {
			s.t.Errorf("%s, %s is torn: %q", when, path.Base(name), text)
		}
	}
}

// Row S01: the ids that tools compare to find out whether this is a new machine, after each stage and boot.
func TestIDs(t *testing.T) {
	s := open(t, "#cloud-config\n{}\n")
	expect := func(when, id, previous string) {
		t.Helper()
		now, before := s.read("/var/lib/cloud/data/instance-id"), s.read("/var/lib/cloud/data/previous-instance-id")
		if now != id+"\n" || before != previous+"\n" {
			t.Errorf("%s the ids are %q and before %q, want %s and %s", when, now, before, id, previous)
		}
	}
	if r := s.us(stages[0]...); r.code != 0 {
		t.Fatalf("the local stage ended with %d: %s", r.code, r.stderr)
	}
	expect("after the local stage", "i-one", "NO_PREVIOUS_INSTANCE_ID")
	for _, stage := range stages[1:] {
		s.us(stage...)
		expect(fmt.Sprintf("after %v", stage), "i-one", "i-one")
	}
	s.reboot()
	expect("after a reboot", "i-one", "i-one")
	s.seed("i-two", "#cloud-config\n{}\n")
	s.powerOn()
	s.us(stages[0]...)
	expect("after the local stage of another instance", "i-two", "i-one")
	s.us(stages[1]...)
	expect("after its network stage", "i-two", "i-two")
}

// Rows S04, S06: who waits for a boot reads these: boot-finished comes with the last module and is gone when the next boot
// begins; status.json has each stage with its times, its keys sorted; what failed is in both files.
func TestStatusOfABoot(t *testing.T) {
	const finished = "/var/lib/cloud/instance/boot-finished"
	s := open(t, "#cloud-config\ntimezone: Nowhere/Land\n")
	for _, stage := range stages {
		if s.exists(finished) {
			t.Errorf("before %v there is boot-finished", stage)
		}
		s.us(stage...)
	}
	tells(t, finished, s.read(finished), `^\d+\.\d\d - \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000 - v\. \S+\n$`)
	if links := s.sh("readlink /run/cloud-init/status.json /run/cloud-init/result.json"); links != "../../var/lib/cloud/data/status.json\n../../var/lib/cloud/data/result.json\n" {
		t.Errorf("the links are %q: they must hold below another root, too", links)
	}
	status, result := s.read("/var/lib/cloud/data/status.json"), s.read("/var/lib/cloud/data/result.json")
	for _, text := range []string{status, result} {
		tells(t, "a file of the status", text, `\('timezone', \w+\(['"]Invalid timezone Nowhere/Land`)
		var data any
		numbers := json.NewDecoder(strings.NewReader(text))
		numbers.UseNumber() // as they are written
		if err := numbers.Decode(&data); err != nil {
			t.Fatal(err)
		}
		if sorted, _ := json.MarshalIndent(data, "", " "); strings.TrimSpace(string(sorted)) != strings.TrimSpace(text) {
			t.Errorf("the keys are not sorted, or not indented by one:\n%s", text)
		}
	}
	s.expectTimes(status)
	s.powerOn()
	s.us(stages[0]...)
	if s.exists(finished) {
		t.Error("while the next boot runs there is boot-finished")
	}
}

// expectTimes looks at the times of the four stages.
func (s *sandbox) expectTimes(status string) {
	s.t.Helper()
	var file struct{ V1 map[string]json.RawMessage }
	if err := json.Unmarshal([]byte(status), &file); err != nil {
		s.t.Fatal(err)
	}
	before := 0.0
	for _, stage := range []string{"init-local", "init", "modules-config", "modules-final"} {
		var times struct{ Start, Finished float64 }
		if err := json.Unmarshal(file.V1[stage], &times); err != nil || times.Start < before || times.Finished < times.Start || times.Start == 0 {
			s.t.Errorf("%s began at %v and ended at %v, after %v (%v)", stage, times.Start, times.Finished, before, err)
		}
		before = times.Finished
	}
}

// Row S03: a name that a person gave the machine stays, and its last one is remembered.
func TestHostnameOfAPerson(t *testing.T) {
	s := open(t, "#cloud-config\nhostname: keel\n")
	s.mustBoot()
	if before := s.read("/var/lib/cloud/data/previous-hostname"); strings.TrimSpace(before) != "keel" {
		t.Errorf("previous-hostname holds %q", before)
	}
	var set struct{ FQDN, Hostname string }
	if err := json.Unmarshal([]byte(s.read("/var/lib/cloud/data/set-hostname")), &set); err != nil || set.Hostname != "keel" || set.FQDN != "harbour" { // the long name is the cloud's
		t.Errorf("set-hostname holds %+v, %v", set, err)
	}
	s.sh("hostname mine; echo mine > /etc/hostname")
	if codes := s.reboot(); codes != [4]int{} || s.sh("hostname") != "mine\n" || s.read("/etc/hostname") != "mine\n" {
		t.Errorf("after a reboot (%v) the machine is %q, and %q by its file", codes, s.sh("hostname"), s.read("/etc/hostname"))
	}
}

// Rows C10, S25: after clean the next boot is a first one: nothing of the machine that the image was made from is left.
func TestBootAfterClean(t *testing.T) {
	s := open(t, "#cloud-config\nusers: [{name: maria}]\nruncmd: [echo ran >> /root/ran]\n")
	s.sh("mkdir -p /etc/cloud/clean.d; printf '#!/bin/sh\\necho cleaned > /root/cleaned\\n' > /etc/cloud/clean.d/50-ours; chmod 755 /etc/cloud/clean.d/50-ours")
	s.mustBoot()
	key := s.read("/etc/ssh/ssh_host_ed25519_key.pub")
	s.sh("cp -a /var/lib/cloud/seed /root/seed")
	if r := s.us("clean", "--logs", "--seed", "--machine-id", "--configs", "all"); r.code != 0 {
		t.Fatalf("clean ended with %d: %s", r.code, r.stderr)
	}
	if left := s.sh("find /var/lib/cloud /var/lib/openguest /var/log/cloud-init* -mindepth 1 2>/dev/null || true; ls /var/log/cloud-init* 2>/dev/null || true"); left != "" {
		t.Errorf("clean left %q", left)
	}
	if id := s.read("/etc/machine-id"); id != "uninitialized\n" || s.read("/root/cleaned") != "cleaned\n" {
		t.Errorf("the machine-id is %q, or clean.d was not run", id)
	}
	s.sh("mkdir -p /var/lib/cloud; mv /root/seed /var/lib/cloud/seed")
	if codes := s.reboot(); codes != [4]int{} {
		t.Fatalf("the boot after clean ended with %v", codes)
	}
	if s.read("/etc/ssh/ssh_host_ed25519_key.pub") == key || s.read("/root/ran") != "ran\nran\n" {
		t.Errorf("the boot after clean was no first one: the host key is the same, or runcmd left %q", s.read("/root/ran"))
	}
	if log := s.read("/var/log/cloud-init.log"); strings.Count(log, "running 'init-local'") != 1 {
		t.Error("the log has lines of before clean")
	}
}
