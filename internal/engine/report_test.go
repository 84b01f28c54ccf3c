package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// manager is a systemd that answers what it is told to, by the first word behind systemctl.
type manager struct {
	machine.Commands
	answers map[string]string
}

func (m manager) Ask(_ context.Context, q machine.Question) (string, error) {
	answer, ok := m.answers[q.Argv[1]]
	if !ok {
		return "", errors.New("Failed to connect to bus")
	}
	return answer, nil
}

const systemd = "-- run/systemd/system/ --\n"

// summary is what `status` says of a system whose systemd answers so.
func summary(text string, answers map[string]string) *Summary {
	m := machine.Fake(debian+systemd+text, noon)
	m.Commands = manager{m.Commands, answers}
	return OpenBoot(m, "").Summary(context.Background())
}

const localRuns = `-- run/cloud-init/status.json --
{"v1": {"datasource": null, "stage": "init-local", "init-local": {"start": 1.5, "finished": null, "errors": [], "recoverable_errors": {}}}}
`

// Row C03: who waits for a boot whose unit has died would wait for ever, and who is told that it died while it runs would
// throw the machine away.
func TestUnitsOfARunningBoot(t *testing.T) {
	const exited = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nSubState=exited\n"
	for _, c := range []struct{ name, units, phase string }{
		{"one failed", "LoadState=loaded\nActiveState=failed\nUnitFileState=enabled\nSubState=failed\n", Done},
		{"an earlier one failed", exited + "\nLoadState=loaded\nActiveState=failed\nUnitFileState=static\nSubState=failed\n", Done},
		{"one was disabled", exited + "\nLoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\nSubState=dead\n", Done},
		{"one runs", "LoadState=loaded\nActiveState=activating\nUnitFileState=enabled\nSubState=start\n\nActiveState=failed\nUnitFileState=enabled\n", Running},
		{"its main process is gone, what it began is not", "LoadState=loaded\nActiveState=active\nUnitFileState=enabled-runtime\nSubState=running\n", Running},
		{"all ended well", exited + "\n" + exited, Running},
		{"none is installed", "LoadState=not-found\nActiveState=inactive\nUnitFileState=\nSubState=dead\n\nLoadState=not-found\nUnitFileState=\n", Running},
		{"nothing is said", "", Running},
	} {
		s := summary(localRuns, map[string]string{"show": c.units, "show-environment": ""})
		if s.Phase != c.phase {
			t.Errorf("%s: the boot is %s, want %s", c.name, s.Phase, c.phase)
		}
		if failed := s.Phase == Done; failed != (s.ExitStatus() == 1) || failed != (s.Detail == "Failed due to systemd unit failure") {
			t.Errorf("%s: status %d, detail %q", c.name, s.ExitStatus(), s.Detail)
		}
	}
}

// A systemd that does not answer yet is no reason to call the boot failed, but to say that it was not asked.
func TestSystemdIsNotThere(t *testing.T) {
	s := summary(localRuns, nil)
	if s.Phase != Running || !strings.Contains(s.Doubt, "Failed to connect to bus") {
		t.Errorf("the boot is %s, doubt %q", s.Phase, s.Doubt)
	}
}

// Rows B08 and B09: the host of a container switches everything off in the environment of systemd; the shell of a person who asks
// does not have it.
func TestDisabledInTheEnvironmentOfSystemd(t *testing.T) {
	off := map[string]string{"show-environment": "LANG=C\nKERNEL_CMDLINE=cloud-init=disabled\n"}
	if s := summary("", off); s.BootCode != "disabled-by-environment-variable" || !s.IsOver() {
		t.Errorf("the code is %s, over %v", s.BootCode, s.IsOver())
	}
	if s := summary("-- proc/cmdline --\nro cloud-init=enabled\n", off); s.BootCode != "enabled-by-kernel-command-line" {
		t.Errorf("the kernel's word does not count: %s", s.BootCode)
	}
}

// Without systemd there is no generator, but the marker file holds the stages off there too: who waits is told.
func TestDisabledWithoutSystemd(t *testing.T) {
	s := OpenBoot(machine.Fake("-- etc/cloud/cloud-init.disabled --\n", noon), "").Summary(context.Background())
	if s.BootCode != "disabled-by-marker-file" || !s.IsOver() {
		t.Errorf("the code is %s, over %v", s.BootCode, s.IsOver())
	}
}

// Row C02: the last boot's status.json lies in /var/lib/cloud until the first stage; it must not look like this boot's.
func TestLastBootIsNotThisOne(t *testing.T) {
	m := machine.Fake(debian, noon)
	boot(t, m, Options{Given: given("i-1", "")})
	if s := OpenBoot(m, "").Summary(context.Background()); s.Phase != Done {
		t.Fatalf("after a boot the status is %s", s.Phase)
	}
	if err := machine.RemoveAll(m.Files, "/run/cloud-init"); err != nil {
		t.Fatal(err)
	}
	if s := OpenBoot(m, "").Summary(context.Background()); s.Phase != NotStarted {
		t.Errorf("before the first stage of the next boot the status is %s", s.Phase)
	}
}

// Row L07: warnings make a boot degraded, errors make it one that failed; scripts read that from the exit status.
func TestWarningsAndErrorsOfABoot(t *testing.T) {
	for _, c := range []struct {
		userData, status, extended, level string
		exit                              int
	}{
		{"#cloud-config\n{}\n", "done", "done", "", 0},
		{"hello\n", "done", "degraded done", "WARNING", 2},
		{"#cloud-config\napt_update: false\n", "done", "degraded done", "DEPRECATED", 2},
		{"#cloud-config\ntimezone: Mars/Base\n", "error", "error - done", "WARNING", 1},
	} {
		m := machine.Fake(debian+"-- usr/share/zoneinfo/UTC --\n", noon)
		boot(t, m, Options{Given: given("i-1", c.userData)})
		s := OpenBoot(m, "").Summary(context.Background())
		if s.Status != c.status || s.Extended != c.extended || s.ExitStatus() != c.exit {
			t.Errorf("%q: %s, %s, %d; errors %q, warnings %q", c.userData, s.Status, s.Extended, s.ExitStatus(), s.Errors, s.Recoverable)
		}
		if c.level != "" && !slices.Contains(s.Levels, c.level) {
			t.Errorf("%q: levels are %v, want %s among them", c.userData, s.Levels, c.level)
		}
	}
}

// Row C04: people compare last_update with their clock. It is the date on which the last stage ended, where the machine runs.
func TestLastUpdateIsADate(t *testing.T) {
	const finished = `{"v1": {"init-local": {"start": 1.5, "finished": %s, "errors": [], "recoverable_errors": {}}}}`
	for _, c := range []struct{ finished, want string }{
		{"4", "Fri, 02 Jan 2026 11:59:54 +0000"},          // the kernel of these machines started ten seconds before noon
		{"1735689600", "Wed, 01 Jan 2025 00:00:00 +0000"}, // versions before 24.2 wrote seconds since 1970
	} {
		m := machine.Fake(debian+"-- run/cloud-init/status.json --\n"+fmt.Sprintf(finished, c.finished)+"\n", noon)
		m.Kernel = running{m.Kernel}
		if got := OpenBoot(m, "").Summary(context.Background()).LastUpdate; got != c.want {
			t.Errorf("a stage that ended at %s: last_update is %s, want %s", c.finished, got, c.want)
		}
	}
	m := machine.Fake(debian+"-- run/cloud-init/status.json --\n"+fmt.Sprintf(finished, "4")+"\n", noon)
	if got := OpenBoot(m, "").Summary(context.Background()).LastUpdate; got != "Thu, 01 Jan 1970 00:00:04 +0000" {
		t.Errorf("of a system that does not run, last_update is %s", got)
	}
}

// running is the kernel of a machine that runs.
type running struct{ machine.Kernel }

func (running) Hostname() (string, error) { return "web01", nil }

// Row C11: a single module runs again only where somebody says how often.
func TestSingle(t *testing.T) {
	m := machine.Fake(debian, noon)
	boot(t, m, Options{Given: given("i-1", "#cloud-config\nruncmd: [echo one]\n")})
	const script = "/var/lib/cloud/instance/scripts/runcmd"
	m.Files.Remove(script)
	if err := New(m, Options{}).Single(context.Background(), "runcmd"); err != nil || machine.Exists(m.Files, script) {
		t.Errorf("without a frequency the module ran again (%v)", err)
	}
	if err := New(m, Options{Every: "always"}).Single(context.Background(), "cc_runcmd.py"); err != nil || !strings.Contains(read(t, m, script), "echo one") {
		t.Errorf("with a frequency the module did not run (%v)", err)
	}
	if err := New(m, Options{}).Single(context.Background(), "runcmdd"); err == nil || !strings.Contains(err.Error(), "runcmdd") {
		t.Errorf("a module that is not there: %v", err)
	}
}

// Row C12: modules before any init say what is missing.
func TestModulesBeforeInit(t *testing.T) {
	m := machine.Fake(debian, noon)
	if failed, err := New(m, Options{}).Modules(context.Background(), "config"); failed != 1 || err != nil {
		t.Errorf("%d errors, %v", failed, err)
	}
	if log := read(t, m, "/var/log/cloud-init.log"); !strings.Contains(log, "no data source found") {
		t.Errorf("the log says %q", log)
	}
	if _, err := New(m, Options{}).Modules(context.Background(), "init"); err == nil || !strings.Contains(err.Error(), "no data source found") {
		t.Errorf("modules --mode=init: %v", err)
	}
}

// Rows S13, S14: tools read these keys; what only root may see is listed, and is in root's file only.
func TestInstanceData(t *testing.T) {
	m := machine.Fake(debian, noon)
	in := given("i-1", "#cloud-config\n{}\n")
	in.Cloud, in.Platform, in.Region = "aws", "ec2", "cn-north-1"
	in.Metadata = map[string]any{"blob": []byte{0xff, 0}, "security-credentials": map[string]any{"token": "geheim"}, "deep": map[string]any{"word": "geheim"}, "admin_pass": "geheim"}
	in.Sensitive = []string{"ds/meta_data/deep/word"}
	boot(t, m, Options{Given: in})
	shown := read(t, m, "/run/cloud-init/instance-data.json")
	if strings.Contains(shown, "geheim") {
		t.Error("everybody may read a secret in instance-data.json")
	}
	var data map[string]any
	if err := json.Unmarshal([]byte(shown), &data); err != nil {
		t.Fatal(err)
	}
	want := []any{"ds/meta_data/admin_pass", "ds/meta_data/deep/word", "ds/meta_data/security-credentials", "ds/meta_data/security-credentials/token", "merged_cfg", "merged_system_cfg"}
	if got := data["sensitive_keys"].([]any); !slices.Equal(got, want) {
		t.Errorf("sensitive_keys are %v, want %v", got, want)
	}
	if got := data["base64_encoded_keys"].([]any); !slices.Equal(got, []any{"ds/meta_data/blob"}) || data["ds"].(map[string]any)["meta_data"].(map[string]any)["blob"] != "/wA=" {
		t.Errorf("base64_encoded_keys are %v", got)
	}
	if data["features"] != nil || data["system_info"] != nil {
		t.Error("features and system_info are root's")
	}
	if id := read(t, m, "/run/cloud-init/cloud-id"); id != "aws-china\n" {
		t.Errorf("cloud-id is %q", id)
	}
	for name, mode := range map[string]string{"instance-data.json": "-rw-r--r--", "instance-data-sensitive.json": "-rw-------"} {
		if n, err := m.Files.Look("/run/cloud-init/" + name); err != nil || n.Mode.String() != mode {
			t.Errorf("%s has the mode %v (%v), want %s", name, n.Mode, err, mode)
		}
	}
}

// Row S14: a machine that wakes up on another cloud has one cloud-id, not two.
func TestCloudIDOfBefore(t *testing.T) {
	m := machine.Fake(debian+"-- run/cloud-init/cloud-id-aws --\naws\n-- run/cloud-init/cloud-id -> /run/cloud-init/cloud-id-aws --\n", noon)
	boot(t, m, Options{Given: given("i-1", "")})
	names, _ := m.Files.List("/run/cloud-init")
	ids := slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, "cloud-id") })
	if !slices.Equal(ids, []string{"cloud-id", "cloud-id-nocloud"}) {
		t.Errorf("there are %v", ids)
	}
}

// Row C10: clean removes what it takes for logs; a word of a command that is none would cost its file.
func TestLogFiles(t *testing.T) {
	for output, want := range map[string][]string{
		"{all: '| tee -a /var/log/out.log'}":                   {"/var/log/cloud-init.log", "/var/log/out.log"},
		"{all: ['> /var/log/a', '>> /var/log/b']}":             {"/var/log/cloud-init.log", "/var/log/a", "/var/log/b"},
		"{init: /var/log/i, all: '| tee -a /var/log/out.log'}": {"/var/log/cloud-init.log", "/var/log/i", "/var/log/out.log"},
		"{all: '| logger -f /etc/passwd'}":                     {"/var/log/cloud-init.log"},
		"{all: '| /usr/bin/filter'}":                           {"/var/log/cloud-init.log"},
		"{all: '> file'}":                                      {"/var/log/cloud-init.log"},
	} {
		m := machine.Fake("-- etc/cloud/cloud.cfg --\noutput: "+output+"\n", noon)
		if got := LogFiles(m); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", output, got, want)
		}
	}
}

// Row C05: the keys of v1 stand at the top, each name with an operator in it has another that templates can spell, and
// lists stay as they are.
func TestQueryData(t *testing.T) {
	data := map[string]any{"ds": map[string]any{"a-b": 1, "v2": map[string]any{"up": 2}}, "v1": map[string]any{"region": "r"}, "vendordata": "",
		"l": []any{map[string]any{"x-y": 3}}, "version": map[string]any{"no": 4}}
	if got, want := plainText(QueryData(data)), `{"ds":{"a-b":1,"up":2,"v2":{"up":2}},"l":[{"x-y":3}],"region":"r","v1":{"region":"r"},"vendordata":"","version":{"no":4}}`; got != want {
		t.Errorf("query sees %s, want %s", got, want)
	}
	if got, want := plainText(TemplateVars(data)), `{"ds":{"a-b":1,"a_b":1,"up":2,"v2":{"up":2}},"l":[{"x-y":3}],"region":"r","v1":{"region":"r"},"vendordata":"","version":{"no":4}}`; got != want {
		t.Errorf("templates see %s, want %s", got, want)
	}
	for name, want := range map[string]string{"a.b-c": "a_b_c", "x//y": "x_y", "a==b!=c": "a_b_c", "w!": "w!", "p:q|r,s;t~": "p_q_r_s_t_"} {
		if got := Alias(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func plainText(data any) string {
	text, _ := json.Marshal(data)
	return string(text)
}

// A status.json of another program, or a torn one, must not bring status down.
func FuzzSummary(f *testing.F) {
	f.Add(`{"v1": {"datasource": "DataSourceNone", "stage": null, "init": {"start": 1, "finished": 2.5, "errors": ["x"], "recoverable_errors": {"WARNING": ["y"]}}}}`)
	f.Add(`{"v1": {"init": {"errors": 3, "recoverable_errors": [], "start": "now"}, "stage": []}}`)
	f.Fuzz(func(t *testing.T, text string) {
		m := machine.Fake(debian, noon)
		if _, err := m.Quiet().Files.Put("/run/cloud-init/status.json", machine.File(0o644, text)); err != nil {
			m = machine.Fake(debian+"-- run/cloud-init/ --\n", noon)
			m.Quiet().Files.Put("/run/cloud-init/status.json", machine.File(0o644, text))
		}
		s := OpenBoot(m, "").Summary(context.Background())
		if s.Phase != Running {
			t.Errorf("with a status.json and no result.json the boot is %s", s.Phase)
		}
		conf.JSON(s.Data())
	})
}

// Row B08: what the host of a container says in the environment holds the stages off too, and leaves the machine alone.
func TestDisabledByEnvironment(t *testing.T) {
	for _, stage := range Stages() {
		m := machine.Fake(debian, noon)
		failed, err := New(m, Options{KernelCommandLine: "cloud-init=disabled"}).Run(context.Background(), stage)
		if failed != 0 || !errors.Is(err, ErrDisabled) || machine.Exists(m.Files, "/var/lib/cloud") {
			t.Errorf("%s: %d errors, %v", stage, failed, err)
		}
	}
}
