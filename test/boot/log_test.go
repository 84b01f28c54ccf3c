package boot

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// Row L01: each line of the log has the form that tools read, and cloud-init's own analyze finds the modules in it.
func TestLogFormat(t *testing.T) {
	s := open(t, "#cloud-config\nruncmd: ['true']\ntimezone: Nowhere/Land\n")
	s.boot()
	line := regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - \w+\.py\[(DEBUG|INFO|WARNING|ERROR|DEPRECATED)\]: .+`)
	for text := range strings.Lines(s.read("/var/log/cloud-init.log")) {
		if !line.MatchString(text) {
			t.Errorf("this line of the log has another form: %q", text)
		}
	}
	blame := s.run("cloud-init", "analyze", "blame", "-i", "/var/log/cloud-init.log")
	for _, want := range []string{"-- Boot Record 01 --", "(init-network/config-ssh)", "(modules-config/config-timezone)", "(modules-final/config-scripts-user)"} {
		if !strings.Contains(blame.stdout, want) {
			t.Errorf("cloud-init's analyze does not find %q in our log:\n%s%s", want, blame.stdout, blame.stderr)
		}
	}
	show := s.run("cloud-init", "analyze", "show", "-i", "/var/log/cloud-init.log")
	for _, want := range []string{"Starting stage: init-network", "Finished stage: (modules-final)", "Total Time:"} {
		if !strings.Contains(show.stdout, want) {
			t.Errorf("cloud-init's analyze show does not say %q:\n%s%s", want, show.stdout, show.stderr)
		}
	}
}

// Row L02: the log is not for everybody, and belongs to the first owner in syslog_fix_perms that this system has.
func TestLogOwner(t *testing.T) {
	for config, want := range map[string]string{
		"": "640 root adm\n",
		"syslog_fix_perms: ['nobody-there:adm', 'daemon:mail', 'root:root']\n": "640 daemon mail\n",
		"syslog_fix_perms: root:root\ndef_log_file: /var/log/other/ours.log\n": "640 root root\n",
	} {
		s := open(t, "")
		s.config("50-log", config)
		s.mustBoot()
		if got := s.sh("stat -c '%a %U %G' $(ls /var/log/other/ours.log 2>/dev/null || echo /var/log/cloud-init.log)"); got != want {
			t.Errorf("%q gives a log that is %q, want %q", config, got, want)
		}
		s.close()
	}
}

// A log that an older version left open to all is closed, and its lines are kept.
func TestOpenLogIsClosed(t *testing.T) {
	s := open(t, "")
	s.sh("echo 'an old line' > /var/log/cloud-init.log; chmod 644 /var/log/cloud-init.log")
	s.mustBoot()
	if mode := s.sh("stat -c %a /var/log/cloud-init.log"); mode != "640\n" {
		t.Errorf("the log's mode is %s", mode)
	}
	if !strings.HasPrefix(s.read("/var/log/cloud-init.log"), "an old line\n") {
		t.Error("the old lines are gone")
	}
}

// Row L03: output: sends what programs print where it says, in each of its forms and for each stage.
func TestOutput(t *testing.T) {
	const userData = "#cloud-config\nruncmd: [echo to out, echo to errors >&2]\n"
	for name, test := range map[string]struct {
		config string
		files  map[string]string // what must be in which file
	}{
		"as installed": {"", map[string]string{"/var/log/cloud-init-output.log": `(?s)to out\n.*to errors\n`}},
		"text, tee":    {"output: {all: '| tee -a /root/all'}\n", map[string]string{"/root/all": `(?s)to out\n.*to errors\n`}},
		"bare name":    {"output: {all: /root/all}\n", map[string]string{"/root/all": `(?s)to out\n.*to errors\n`}},
		"list":         {"output: {all: ['> /root/out', '>> /root/err']}\n", map[string]string{"/root/out": `to out\n`, "/root/err": `to errors\n`}},
		"list, both":   {"output: {all: ['>> /root/out', '&1']}\n", map[string]string{"/root/out": `(?s)to out\n.*to errors\n`}},
		"mapping": {"output: {final: {output: '>> /root/final', error: '> /root/err'}, all: '>> /root/rest'}\n",
			map[string]string{"/root/final": `to out\n`, "/root/err": `to errors\n`, "/root/rest": `running 'init'`}},
		"other command": {"output: {final: '| sed s/to/TO/ > /root/sed'}\n", map[string]string{"/root/sed": `TO out\n`}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, userData)
			if test.config != "" {
				s.config("05_logging", test.config)
			}
			s.mustBoot()
			for file, pattern := range test.files {
				tells(t, file, s.read(file), pattern)
			}
		})
	}
}

// Row L07: a warning does not fail a boot, but shows: status ends with 2, and says which, by level and stage.
func TestDegraded(t *testing.T) {
	s := open(t, "#cloud-config\npackge_update: true\nchpasswd: {list: ['root:anchor'], expire: false}\n")
	s.mustBoot()
	r := s.us("status", "--format", "json")
	var status struct {
		Status      string              `json:"status"`
		Extended    string              `json:"extended_status"`
		Errors      []string            `json:"errors"`
		Recoverable map[string][]string `json:"recoverable_errors"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &status); err != nil {
		t.Fatal(err)
	}
	if r.code != 2 || status.Status != "done" || status.Extended != "degraded done" || len(status.Errors) != 0 {
		t.Errorf("status ends with %d and says %+v", r.code, status)
	}
	if len(status.Recoverable["WARNING"]) != 1 || len(status.Recoverable["DEPRECATED"]) != 1 {
		t.Errorf("the recoverable errors are %v, want a warning and a deprecation", status.Recoverable)
	}
}
