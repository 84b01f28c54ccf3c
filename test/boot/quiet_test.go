package boot

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// typical is what most people ask for.
const typical = `#cloud-config
hostname: web01
fqdn: web01.harbour.example
manage_etc_hosts: true
timezone: Europe/Lisbon
ssh_pwauth: false
groups: [operators, {readers: [root]}]
users:
  - default
  - {name: maria, gecos: Maria Prado, groups: [sudo, operators], sudo: "ALL=(ALL) NOPASSWD:ALL", shell: /bin/bash,
     ssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGfC3kz2Zr1x0m0Kf0w8nq0m0cQ2nJ3m0cQ2nJ3m0cQ maria@laptop]}
  - {name: batch, system: true, no_create_home: true, shell: /usr/sbin/nologin}
write_files:
  - {path: /etc/app/config.yaml, permissions: '0640', owner: 'root:adm', content: "listen: 8080\n"}
  - {path: /etc/motd, append: true, content: "Mind the tide.\n"}
  - {path: /home/maria/late.sh, owner: 'maria:maria', defer: true, content: export LATE=1}
chpasswd: {expire: false, users: [{name: root, password: anchor1, type: text}]}
locale: C.UTF-8
final_message: up after $UPTIME s
`

// strace runs a command of the sandbox under strace and returns what strace wrote, one text for each process or thread.
func (s *sandbox) strace(options []string, argv ...string) map[string]string {
	s.t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		s.t.Skip("strace, which counts system calls, is not installed")
	}
	dir := s.t.TempDir()
	inside := s.command(argv...)
	c := exec.Command(strace, append(append([]string{"-ff", "-o", dir + "/call"}, options...), inside.Args...)...)
	c.Env = inside.Env
	if r := s.finish(c); r.code != 0 {
		s.t.Fatalf("%v ended with %d: %s", argv, r.code, r.stderr)
	}
	calls := map[string]string{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		text, _ := os.ReadFile(filepath.Join(dir, e.Name()))
		calls[e.Name()] = string(text)
	}
	return calls
}

// Row X05: a reboot with nothing to do starts no process: each stage is itself and nothing else.
func TestRebootForksNothing(t *testing.T) {
	s := open(t, typical)
	s.mustBoot()
	s.powerOn()
	execve := regexp.MustCompile(`execve\("([^"]+)".*= 0`)
	for _, stage := range stages {
		var ran []string
		for _, text := range s.strace([]string{"-e", "trace=execve,execveat"}, append([]string{"/usr/bin/openguest"}, stage...)...) {
			for _, m := range execve.FindAllStringSubmatch(text, -1) {
				if !strings.HasSuffix(m[1], "/nsenter") {
					ran = append(ran, m[1])
				}
			}
		}
		if len(ran) != 1 || ran[0] != "/usr/bin/openguest" {
			t.Errorf("at a reboot the stage %v runs %v", stage, ran)
		}
	}
}

// Row X09: a new file is never open to more people than it is in the end: it is made closed, and opened when it is whole.
func TestNewFilesAreClosed(t *testing.T) {
	s := open(t, typical)
	created := regexp.MustCompile(`openat2?\([^,]*, "([^"]*)", [^,]*O_CREAT[^,]*, (?:mode=)?(0[0-7]*)`)
	seen := 0
	for _, stage := range stages {
		for _, text := range s.strace([]string{"-e", "trace=execve,openat,openat2"}, append([]string{"/usr/bin/openguest"}, stage...)...) {
			if strings.Contains(text, "execve(") && !strings.Contains(text, `execve("/usr/bin/openguest"`) {
				continue // a helper's
			}
			for _, m := range created.FindAllStringSubmatch(text, -1) {
				seen++
				if mode := m[2]; !strings.HasSuffix(mode, "0") {
					t.Errorf("%v makes %s, and everybody may open it until its mode is set: %s", stage, m[1], mode)
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("strace shows %d new files only", seen)
	}
}

// One process for all stages leaves what four leave.
func TestBootIsTheFourStages(t *testing.T) {
	four, one := open(t, typical), open(t, typical)
	four.mustBoot()
	if r := one.us("boot"); r.code != 0 {
		t.Fatalf("boot ended with %d: %s", r.code, r.stderr)
	}
	// What differs from run to run: keys, salts, times, logs.
	differ := regexp.MustCompile(`^/(var/log/|dev|proc|etc/ssh/ssh_host_|etc/shadow|etc/sudoers.d/|etc/machine-id|usr/bin/openguest)|/sem/|/boot-finished|status\.json|/verdicts\.json|instance-data`)
	for _, line := range differences(four.files("/run"), one.files("/run"), false) {
		if !differ.MatchString(line) {
			t.Errorf("four stages and one process differ in %s", line)
		}
	}
}

// After a boot a plan lists nothing: the machine is what was asked for. And a plan never writes.
func TestPlan(t *testing.T) {
	s := open(t, typical)
	before := s.files("/run")
	r := s.us("plan", "--detailed-exitcode")
	if r.code != 2 || !strings.Contains(r.stdout, "/etc/app/config.yaml") {
		t.Errorf("before the boot, plan ends with %d and says\n%s%s", r.code, r.stdout, r.stderr)
	}
	if changed := differences(before, s.files("/run"), true); changed != nil {
		t.Errorf("plan wrote: %v", changed)
	}
	s.mustBoot()
	before = s.files("/run")
	r = s.us("plan", "--detailed-exitcode")
	if r.code != 0 {
		t.Errorf("after the boot, plan ends with %d and says\n%s%s", r.code, r.stdout, r.stderr)
	}
	if changed := differences(before, s.files("/run"), true); changed != nil {
		t.Errorf("plan after a boot wrote: %v", changed)
	}
}

// A second run for the same instance, semaphores or not, finds all as it should be: nothing is written, nothing is run.
func TestSecondRunChangesNothing(t *testing.T) {
	s := open(t, typical)
	s.mustBoot()
	s.sh("rm -r /var/lib/cloud/instance/sem /etc/ssh/ssh_host_*; echo 'ssh_deletekeys: false' > /etc/cloud/cloud.cfg.d/99-keep.cfg")
	if codes := s.reboot(); codes != [4]int{} {
		t.Fatalf("the second run ended with %v", codes)
	}
	s.sh("rm -r /var/lib/cloud/instance/sem")
	before := s.files()
	if codes := s.reboot(); codes != [4]int{} {
		t.Fatalf("the third run ended with %v", codes)
	}
	ours := regexp.MustCompile(`^/(var/log|var/lib/cloud|var/lib/openguest|dev|command-line)(/|:|$)`)
	for _, line := range differences(before, s.files(), true) {
		if !ours.MatchString(line) && !strings.HasPrefix(line, "/etc/shadow") {
			t.Errorf("a run that has nothing to do wrote %s", line)
		}
	}
}
