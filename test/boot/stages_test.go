package boot

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// Row B01: the four stages run by their four commands, and the log says so in their order; tools wait for those lines.
func TestFourStages(t *testing.T) {
	s := open(t, "#cloud-config\nruncmd: [echo done > /root/done]\n")
	s.mustBoot()
	running := regexp.MustCompile(`Cloud-init v\. \S+ running '([^']+)' at [A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000\. Up \d+\.\d\d seconds\.`)
	var got []string
	for _, m := range running.FindAllStringSubmatch(s.read("/var/log/cloud-init.log"), -1) {
		got = append(got, m[1])
	}
	if want := "[init-local init modules:config modules:final]"; fmt.Sprint(got) != want {
		t.Errorf("the log names the stages %v, want %s", got, want)
	}
	if s.read("/root/done") != "done\n" {
		t.Error("runcmd did not run")
	}
}

// Row B04: after the last stage no process of ours is left.
func TestNothingStays(t *testing.T) {
	s := open(t, "#cloud-config\nruncmd: ['true']\npower_state: {mode: reboot, condition: false}\n")
	s.mustBoot()
	if ps := s.sh("ps -eo args"); strings.Contains(ps, "openguest") {
		t.Errorf("after the last stage there is still:\n%s", ps)
	}
}

// Row B08: a file, the kernel's command line or the environment switches everything off: no stage touches anything.
func TestDisabled(t *testing.T) {
	for code, disable := range map[string]func(*sandbox){
		"disabled-by-marker-file": func(s *sandbox) { s.write("/etc/cloud/cloud-init.disabled", "") },
		"disabled-by-kernel-command-line": func(s *sandbox) {
			s.commandLine("root=/dev/vda1 cloud-init=disabled quiet")
		},
		"disabled-by-environment-variable": func(s *sandbox) { s.env = append(s.env, "KERNEL_CMDLINE=cloud-init=disabled") },
	} {
		t.Run(code, func(t *testing.T) {
			s := open(t, "#cloud-config\nruncmd: [touch /root/ran]\n")
			disable(s)
			before := s.files()
			s.mustBoot()
			if changed := differences(before, s.files(), true); changed != nil {
				t.Errorf("changed although disabled: %v", changed)
			}
			r := s.us("status", "--format", "json")
			if r.code != 0 || !strings.Contains(r.stdout, `"status": "disabled"`) || !strings.Contains(r.stdout, code) {
				t.Errorf("status ends with %d and says %s", r.code, r.stdout)
			}
		})
	}
}

// commandLine makes the kernel seem to have been told something.
func (s *sandbox) commandLine(line string) {
	s.t.Helper()
	s.write("/command-line", line+"\n")
	s.sh("mount --bind /command-line /proc/cmdline")
}

// Row B10: ds= on the kernel's command line names the source, its seed and the instance.
func TestSourceOnCommandLine(t *testing.T) {
	s := open(t, "")
	s.sh("rm -r /var/lib/cloud/seed/nocloud; mkdir /mnt/seed")
	s.write("/mnt/seed/meta-data", "instance-id: of-the-seed\n")
	s.write("/mnt/seed/user-data", "#!/bin/sh\necho ran > /root/ran\n")
	s.commandLine("ds=nocloud;s=file:///mnt/seed/;i=x")
	s.mustBoot()
	if id := s.read("/var/lib/cloud/data/instance-id"); id != "x\n" {
		t.Errorf("the instance is %q", id)
	}
	if !s.exists("/root/ran") {
		t.Error("the seed's script did not run")
	}
}

// Row B14: of the image's configuration the later wins, mappings come together, lists are replaced, templates are filled in.
func TestImageConfiguration(t *testing.T) {
	s := open(t, "")
	s.config("10-a", "theirs: {x: 1, y: 1}\nlist: [1, 2]\n")
	s.config("20-b", "theirs: {y: 2}\nlist: [3]\n")
	s.config("30-c", "## template: jinja\nword: \"on {{ v1.local_hostname }}\"\n")
	s.mustBoot()
	var data struct {
		Config map[string]any `json:"merged_cfg"`
	}
	if err := json.Unmarshal([]byte(s.read("/run/cloud-init/instance-data-sensitive.json")), &data); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(data.Config["theirs"], data.Config["list"], data.Config["word"])
	if want := "map[x:1 y:2] [3] on harbour\n"; got != want {
		t.Errorf("the image's configuration is %s, want %s", got, want)
	}
}

// Row B15: the list of modules may say how often one runs; a name that nobody knows costs nothing but a warning.
func TestModuleLists(t *testing.T) {
	s := open(t, "#cloud-config\nruncmd: [echo ran >> /root/ran]\nbootcmd: [echo boot >> /root/boot]\n")
	s.config("50-lists", "cloud_init_modules: [bootcmd]\ncloud_config_modules: [no_such_module, [runcmd, always]]\n"+
		"cloud_final_modules: [[scripts-user, always], final-message]\n")
	s.mustBoot()
	s.reboot()
	if ran := s.read("/root/ran"); ran != "ran\nran\n" {
		t.Errorf("[runcmd, always] left %q after two boots", ran)
	}
	tells(t, "the log", s.read("/var/log/cloud-init.log"), `\[WARNING\]: .*Could not find module named no_such_module`)
	if !s.exists("/var/lib/cloud/instance/boot-finished") {
		t.Error("the modules after the unknown one did not run")
	}
}

// Row B17: modules for which there is nothing to do are named, so that a person sees what was not even tried.
func TestInactiveModules(t *testing.T) {
	s := open(t, "#cloud-config\ntimezone: UTC\n")
	s.mustBoot()
	log := s.read("/var/log/cloud-init.log")
	tells(t, "the log", log, `\[INFO\]: Skipping modules 'bootcmd,write-files,\S+' because no applicable config is provided\.`)
	for _, line := range regexp.MustCompile(`Skipping modules '\S+' because no`).FindAllString(log, -1) {
		if strings.Contains(line, "timezone") {
			t.Errorf("a module that has its key is among the skipped: %s", line)
		}
	}
}

// Row B18: the image may put the state elsewhere; then nothing of it stands in the usual place.
func TestStateElsewhere(t *testing.T) {
	s := open(t, "")
	s.sh("mkdir -p /srv/cloud/seed && mv /var/lib/cloud/seed/nocloud /srv/cloud/seed/ && rm -r /var/lib/cloud && cp -r /etc/cloud/templates /srv/templates")
	s.write("/srv/cloud/seed/nocloud/user-data", "#cloud-config\nmanage_etc_hosts: true\nruncmd: ['true']\n")
	s.write("/srv/templates/hosts.debian.tmpl", "## template:jinja\n127.0.1.1 {{fqdn}} ours\n")
	s.config("50-paths", "system_info: {paths: {cloud_dir: /srv/cloud, run_dir: /run/elsewhere, templates_dir: /srv/templates}}\n")
	s.mustBoot()
	for _, name := range []string{"/srv/cloud/instance/boot-finished", "/srv/cloud/data/status.json", "/run/elsewhere/result.json", "/srv/cloud/instance/scripts/runcmd"} {
		if !s.exists(name) {
			t.Errorf("%s is not there", name)
		}
	}
	if left := s.sh("ls -A /var/lib/cloud /run/cloud-init 2>/dev/null || true"); left != "" {
		t.Errorf("in the usual places there is %q", left)
	}
	tells(t, "/etc/hosts", s.read("/etc/hosts"), "harbour ours")
	if r := s.us("status"); r.stdout != "status: done\n" {
		t.Errorf("status says %q", r.stdout)
	}
}

// Row B19: the machine has its name before the network comes up, so that DHCP sends it.
func TestEarlyHostname(t *testing.T) {
	s := open(t, "#cloud-config\nhostname: later\n")
	if r := s.us("init", "--local"); r.code != 0 {
		t.Fatalf("the local stage ended with %d: %s", r.code, r.stderr)
	}
	if name := s.sh("hostname"); name != "harbour\n" {
		t.Errorf("after the local stage the name is %q", name)
	}
	if !s.exists("/var/lib/cloud/data/set-hostname") {
		t.Error("data/set-hostname is not there")
	}
}

// Row B21: who stops a stage finds a line in the log, a status that can be read, and no error.
func TestTermination(t *testing.T) {
	s := open(t, "#cloud-config\nruncmd: [kill -TERM $PPID; exec sleep 1000]\n")
	for _, stage := range stages[:3] {
		s.us(stage...)
	}
	if r := s.us(stages[3]...); r.code != 0 {
		t.Errorf("the stage that was told to stop ended with %d: %s", r.code, r.stderr)
	}
	tells(t, "the log", s.read("/var/log/cloud-init.log"), `Received signal SIGTERM resulting in exit`)
	if !json.Valid([]byte(s.read("/var/lib/cloud/data/status.json"))) {
		t.Error("status.json cannot be read")
	}
}

// Row B25: a module that fails costs itself: the others run, and the failure is counted and shown.
func TestFailureIsIsolated(t *testing.T) {
	s := open(t, "#cloud-config\ntimezone: Nowhere/Land\nruncmd: [echo ran > /root/ran]\nlocale: C.UTF-8\n")
	if codes := s.boot(); codes != [4]int{0, 0, 1, 0} {
		t.Errorf("the stages ended with %v, want one failure in the third", codes)
	}
	if !s.exists("/root/ran") {
		t.Error("runcmd comes after the module that failed, and did not run")
	}
	r := s.us("status", "--long")
	if r.code != 1 || !strings.Contains(r.stdout, "status: error") || !strings.Contains(r.stdout, "Nowhere/Land") {
		t.Errorf("status ends with %d and says %s", r.code, r.stdout)
	}
}
