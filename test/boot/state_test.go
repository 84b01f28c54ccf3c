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
		for n := 1; ; n += 1 + n/5 {
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
