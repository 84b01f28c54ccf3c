package engine

import (
	"context"
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/internal/module"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// debian is a system with the users and files that a boot looks at.
const debian = `-- etc/os-release --
ID=debian
VERSION_ID="12"
VERSION_CODENAME=bookworm
-- etc/passwd --
root:x:0:0:root:/root:/bin/bash
-- etc/group --
root:x:0:
adm:x:4:
users:x:100:
-- etc/shadow 640 0:0 --
root:*:19000:0:99999:7:::
-- etc/gshadow 640 0:0 --
root:*::
-- etc/login.defs --
UID_MIN 1000
UID_MAX 60000
GID_MIN 1000
GID_MAX 60000
-- proc/cmdline --
root=/dev/vda1
`

// boot runs the four stages over a fake system and returns what it left there.
func boot(t *testing.T, m machine.Machine, o Options) *Engine {
	t.Helper()
	o.Version = "test"
	e := New(m, o)
	if _, err := e.Boot(context.Background()); err != nil {
		t.Fatal(err)
	}
	return e
}

func given(id, userData string) *instance.Instance {
	return &instance.Instance{Source: "NoCloud", Detail: "DataSourceNoCloud [seed=test]", ID: id, Mode: "net", Platform: "nocloud", Cloud: "unknown", UserData: []byte(userData)}
}

func read(t *testing.T, m machine.Machine, name string) string {
	t.Helper()
	text, err := m.Files.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Row B14: of the layers of an image the later wins a scalar, mappings come together, lists are replaced.
func TestLayers(t *testing.T) {
	m := machine.Fake(debian+`-- etc/cloud/cloud.cfg --
a: {x: 1, y: 1}
list: [1, 2]
word: low
-- etc/cloud/cloud.cfg.d/10-a.cfg --
a: {y: 2}
list: [3]
-- etc/cloud/cloud.cfg.d/20-b.cfg --
## template: jinja
word: {{ 'h' ~ 'igh' }}
-- etc/cloud/cloud.cfg.d/notes.txt --
word: not a configuration
-- run/cloud-init/cloud.cfg --
a: {z: 3}
-- proc/cmdline --
root=/dev/vda1 cc:{from: %22command line%22} end_cc quiet
`, noon)
	config := BaseConfig(m)
	want, _, err := conf.Parse("want", []byte("a: {x: 1, y: 2, z: 3}\nlist: [3]\nword: high\nfrom: command line\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range want.Pairs {
		if got := config.Get(pair.Key.Text); !got.Equal(pair.Value) {
			t.Errorf("%s: %v, want %v", pair.Key.Text, got.Data(), pair.Value.Data())
		}
	}
	if o := config.At("a", "y").Origin; o.String() != "/etc/cloud/cloud.cfg.d/10-a.cfg:1:8" {
		t.Errorf("a.y is from %s: a person could not find it", o)
	}
}

// Row B15: a list of modules may name one in three ways; what it does not know it says, and goes on.
func TestModuleLists(t *testing.T) {
	m := machine.Fake(debian+`-- etc/cloud/cloud.cfg --
cloud_final_modules:
  - scripts-user
  - [runcmd, always, x]
  - {name: cc_write_files.py, frequency: once}
  - nonsense
  - migrator
  - [scripts_user, sometimes]
`, noon)
	e := New(m, Options{})
	e.load()
	var got []string
	for _, entry := range e.list(module.Final) {
		got = append(got, entry.module.Name+" "+string(entry.every)+" "+strings.Join(entry.args, ","))
	}
	want := "scripts_user once-per-instance |runcmd always x|write_files once |scripts_user once-per-instance "
	if strings.Join(got, "|") != want {
		t.Errorf("read as %q, want %q", strings.Join(got, "|"), want)
	}
	if warned := e.log.recoverable["WARNING"]; len(warned) != 1 || !strings.Contains(warned[0], "nonsense") {
		t.Errorf("warned of %q, want of nonsense alone: migrator is gone on purpose", warned)
	}
}

// Row B16: a module for other distributions is left out, and said; who lists it as unverified gets it.
func TestModulesForOtherDistributions(t *testing.T) {
	const config = "-- etc/cloud/cloud.cfg --\nsystem_info: {distro: debian}\ncloud_config_modules: [yum_add_repo]\n"
	for more, skipped := range map[string]bool{"": true, "unverified_modules: [yum-add-repo]\n": false} {
		e := boot(t, machine.Fake(debian+config+more, noon), Options{Given: given("d", "#cloud-config\nyum_repos: {x: {baseurl: 'https://example/'}}\n")})
		said := false
		for _, v := range e.Verdicts() {
			said = said || v.Key == "yum_repos" && v.Verdict == module.Skipped && strings.Contains(v.Reason, "this is debian")
		}
		if said != skipped {
			t.Errorf("%q: skipped for the distribution: %v, want %v", more, said, skipped)
		}
	}
}

// Row L03: each form of output: sends a stage's output somewhere else.
func TestOutputForms(t *testing.T) {
	for text, want := range map[string]machine.Output{
		"output: {all: '| tee -a /var/log/x'}":         {Out: "| tee -a /var/log/x", Err: "&1"},
		"output: {init: '> /a', all: '>> /b'}":         {Out: "> /a", Err: "&1"},
		"output: {all: ['>> /out', '>> /err']}":        {Out: ">> /out", Err: ">> /err"},
		"output: {all: {output: /plain, error: '&1'}}": {Out: ">> /plain", Err: "&1"},
		"output: {final: x}":                           {},
		"output: broken":                               {},
	} {
		v, _, err := conf.Parse("t", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := readOutput(v.Get("output"), "init"); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

// Row S02. A machine that was found before the network was up has the class of that time in its files: scripts compare both.
func TestClassOfSource(t *testing.T) {
	for detail, want := range map[string]string{
		"DataSourceEc2Local":                   "DataSourceEc2Local: DataSourceEc2Local\n",
		"DataSourceEc2":                        "DataSourceEc2: DataSourceEc2\n",
		"DataSourceOpenStackLocal [net,ver=2]": "DataSourceOpenStackLocal: DataSourceOpenStackLocal [net,ver=2]\n",
		"DataSourceAzure [seed=IMDS]":          "DataSourceAzure: DataSourceAzure [seed=IMDS]\n",
	} {
		m := machine.Fake(debian, noon)
		in := given("i1", "")
		in.Detail = detail
		boot(t, m, Options{Given: in})
		for _, name := range []string{"/var/lib/cloud/instance/datasource", "/var/lib/cloud/data/previous-datasource"} {
			if got := read(t, m, name); got != want {
				t.Errorf("%s holds %q, want %q", name, got, want)
			}
		}
	}
}

// Rows S01, S02, S04, S05, S06, S07: the files that people and tools look for, with what they look for in them.
func TestStateFiles(t *testing.T) {
	m := machine.Fake(debian, noon)
	boot(t, m, Options{Given: given("i/1", "#cloud-config\nwrite_files: [{path: /x, content: y}]\n")})
	for name, want := range map[string]string{
		"/var/lib/cloud/data/instance-id":            "i/1\n",
		"/var/lib/cloud/data/previous-instance-id":   "i/1\n",
		"/var/lib/cloud/data/previous-datasource":    "DataSourceNoCloud: DataSourceNoCloud [seed=test]\n",
		"/var/lib/cloud/instance/datasource":         "DataSourceNoCloud: DataSourceNoCloud [seed=test]\n",
		"/var/lib/cloud/instances/i_1/user-data.txt": "#cloud-config\nwrite_files: [{path: /x, content: y}]\n",
		"/run/cloud-init/.instance-id":               "i/1\n",
		"/x":                                         "y",
	} {
		if got := read(t, m, name); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"instances/i_1/user-data.txt", "instances/i_1/cloud-config.txt", "instances/i_1/user-data.txt.i"} {
		if n, err := m.Files.Look("/var/lib/cloud/" + name); err != nil || n.Mode != 0o600 {
			t.Errorf("%s has the mode %v (%v); others could read it", name, n.Mode, err)
		}
	}
	for link, want := range map[string]string{"/var/lib/cloud/instance": "/var/lib/cloud/instances/i_1", "/run/cloud-init/status.json": "../../var/lib/cloud/data/status.json"} {
		if n, err := m.Files.Look(link); err != nil || n.Mode.Type() != fs.ModeSymlink || n.Data != want {
			t.Errorf("%s leads to %q (%v), want %s", link, n.Data, err, want)
		}
	}
	var result struct {
		V1 struct {
			Datasource string
			Errors     []string
		}
	}
	if err := json.Unmarshal([]byte(read(t, m, "/run/cloud-init/result.json")), &result); err != nil || result.V1.Datasource == "" {
		t.Errorf("result.json: %v, %+v", err, result)
	}
}

// Rows S03, S08, S10, S15: what update_hostname remembers, the parts as MIME, a semaphore for each module that ran, and the
// whole configuration for root alone.
func TestStateOfModules(t *testing.T) {
	m := machine.Fake(debian+"-- etc/hostname --\nold\n", noon)
	boot(t, m, Options{Given: given("s", "#cloud-config\nhostname: web01\nruncmd: [ls]\n")})
	if got := read(t, m, "/var/lib/cloud/data/previous-hostname"); got != "web01" && got != "web01\n" {
		t.Errorf("previous-hostname holds %q: a name that a person sets later would be overwritten", got)
	}
	if !strings.Contains(read(t, m, "/var/lib/cloud/instance/user-data.txt.i"), "Content-Type: text/cloud-config") {
		t.Error("user-data.txt.i does not hold the parts as MIME")
	}
	sems, err := m.Files.List("/var/lib/cloud/instance/sem")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config_set_hostname", "config_users_groups", "config_ssh", "config_runcmd", "consume_data"} {
		if !slices.Contains(sems, name) {
			t.Errorf("there is no semaphore %s among %v: the module would run at every boot", name, sems)
		}
	}
	for _, name := range []string{"config_scripts_user", "config_timezone", "config_bootcmd"} {
		if slices.Contains(sems, name) {
			t.Errorf("%s is marked as done; it waits for the first boot, or was not asked for", name)
		}
	}
	n, err := machine.Get(m.Files, "/run/cloud-init/combined-cloud-config.json")
	if err != nil || n.Mode != 0o600 || !strings.Contains(n.Data, `"hostname": "web01"`) {
		t.Errorf("combined-cloud-config.json: %v, %v", n.Mode, err)
	}
}

// Row U18: what the user says counts more than what the vendor says, and the vendor's counts where the user says nothing.
func TestVendorDataIsBelowUserData(t *testing.T) {
	in := given("u", "#cloud-config\nhostname: mine\n")
	in.VendorData = []byte("#cloud-config\nhostname: theirs\nruncmd: [vendor]\n")
	in.VendorData2 = []byte("#cloud-config\nruncmd: [second]\ntimezone: UTC\n")
	e := boot(t, machine.Fake(debian, noon), Options{Given: in})
	for key, want := range map[string]string{"hostname": "mine", "timezone": "UTC"} {
		if got := e.config.Get(key).Str(""); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if got := e.config.Get("runcmd"); got == nil || got.Items[0].Text != "second" {
		t.Errorf("runcmd is %v, want vendor-data2's: of the two vendors the second counts", got.Data())
	}
}

// Row D19: what the cloud's facts mean, such as whom an Azure machine is for, counts more than the image, and less than people.
func TestFactsLayer(t *testing.T) {
	in := given("u", "#cloud-config\nhostname: mine\n")
	in.Config = []byte(`{"hostname": "facts", "ssh_pwauth": false, "system_info": {"default_user": {"name": "ann"}}}`)
	e := boot(t, machine.Fake(debian, noon), Options{Given: in})
	if name, user := e.config.Get("hostname").Str(""), e.config.At("system_info", "default_user", "name").Str(""); name != "mine" || user != "ann" {
		t.Errorf("the host name is %q and the default user %q", name, user)
	}
	if e.config.Get("ssh_pwauth").Truth(true) {
		t.Error("ssh_pwauth is not what the facts say")
	}
}

// Rows S17, S18: the same instance runs a module once, another instance runs it again.
func TestFrequencies(t *testing.T) {
	m := machine.Fake(debian, noon)
	count := func(id string) int {
		before := m.Ledger.Len()
		boot(t, m, Options{Given: given(id, "#cloud-config\nwrite_files: [{path: /counter, content: x}]\n")})
		n := 0
		for _, e := range m.Ledger.Entries()[before:] {
			if e.Path == "/counter" {
				n++
			}
		}
		m.Files.Remove("/counter")
		return n
	}
	if first, again, other := count("one"), count("one"), count("two"); first != 1 || again != 0 || other != 1 {
		t.Errorf("written %d, %d and %d times, want 1, 0 and 1", first, again, other)
	}
}

// Rule 5: while nothing answers, the machine stays who it was; on other hardware it is somebody else.
func TestIdentityNeedsProof(t *testing.T) {
	m := machine.Fake(debian+"-- sys/class/dmi/id/product_uuid --\n00112233-4455-6677-8899-aabbccddeeff\n", noon)
	boot(t, m, Options{Given: given("kept", "")})
	if got := boot(t, m, Options{}).now; got == nil || got.ID != "kept" {
		t.Errorf("the cloud is silent, and the machine became %+v", got)
	}
	if !machine.SameUUID("00112233-4455-6677-8899-aabbccddeeff", "33221100-5544-7766-8899-AABBCCDDEEFF") {
		t.Error("the same uuid in the other byte order was taken for another machine's")
	}
	m.Files.Put("/sys/class/dmi/id/product_uuid", machine.File(0o444, "ffffffff-0000-0000-0000-000000000000\n"))
	m.Files.Remove("/run/cloud-init/.instance-id")
	moved := New(machine.Machine{Files: m.Files, Commands: m.Commands, Kernel: m.Kernel, Disks: m.Disks, Net: m.Net, Clock: m.Clock,
		Facts: machine.NewFacts(m.Files, m.Kernel), Ledger: m.Ledger}, Options{})
	moved.load()
	if last := moved.recall(); last != nil {
		t.Errorf("on other hardware the machine still is %s: two machines with one identity", last.ID)
	}
}

// Row U20 and rule 3: a broken part costs itself; everything that was asked for has a verdict.
func TestNothingIsSilent(t *testing.T) {
	m := machine.Fake(debian, noon)
	e := boot(t, m, Options{Given: given("v", `#cloud-config
write_files:
  - {path: /good, content: x}
  - {content: no path}
  - just a text
perserve_hostname: true
growpart: {mode: off}
`)})
	want := map[string]module.Outcome{"/good": module.Applied, "write_files[1]": module.Rejected, "write_files[2]": module.Rejected,
		"perserve_hostname": module.Rejected, "growpart": module.Skipped}
	for _, v := range e.Verdicts() {
		if outcome, ok := want[v.Key]; ok && outcome == v.Verdict {
			delete(want, v.Key)
			if v.Verdict == module.Rejected && !strings.HasPrefix(v.Origin, "user-data part-001:") {
				t.Errorf("%s: the verdict does not say where: %q", v.Key, v.Origin)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("no such verdict on %v among %+v", want, e.Verdicts())
	}
	if machine.Exists(m.Files, "/var/lib/cloud/instance/sem/config_growpart") {
		t.Error("a module that is not built yet left a semaphore: it would not run when it is")
	}
}

// Issue 2: a module that is not built yet says so at each of its keys, wherever they stand, and stays due.
func TestUnbuiltModuleSaysSo(t *testing.T) {
	m := machine.Fake(debian, noon)
	e := boot(t, m, Options{Given: given("n", `#cloud-config
grub_dpkg: {enabled: false}
grub-dpkg: {enabled: false}
users: [{name: ada, ssh-import-id: [gh:ada]}, {name: bob}]
`)})
	for _, key := range []string{"grub_dpkg", "grub-dpkg", "users[0].ssh_import_id"} {
		if !slices.ContainsFunc(e.Verdicts(), func(v module.Verdict) bool {
			return v.Key == key && v.Verdict == module.Skipped && v.Reason == "not built yet" && strings.HasPrefix(v.Origin, "user-data part-001:")
		}) {
			t.Errorf("nobody says that nothing is done about %s: %+v", key, e.Verdicts())
		}
	}
	for _, name := range []string{"config_grub_dpkg", "config_ssh_import_id"} {
		if machine.Exists(m.Files, "/var/lib/cloud/instance/sem/"+name) {
			t.Errorf("there is %s: the module would not run when it is built", name)
		}
	}
}

// A plan changes nothing, and what it shows is what a boot then does.
func TestPlanIsHonest(t *testing.T) {
	real := machine.Fake(debian, noon)
	in := given("p", "#cloud-config\nwrite_files: [{path: /etc/new, content: y}]\ngroups: [ops]\n")
	m, changes := machine.Plan(real)
	boot(t, m, Options{Given: in})
	planned := map[string]bool{}
	for _, c := range changes.List() {
		planned[c.Path] = true
	}
	if machine.Exists(real.Files, "/etc/new") || real.Ledger.Len() != 0 {
		t.Fatal("the plan changed the system")
	}
	for _, v := range boot(t, real, Options{Given: in}).Verdicts() {
		if v.Verdict == module.Failed {
			t.Errorf("%+v", v)
		}
	}
	for _, e := range real.Ledger.Entries() {
		if e.Path != "" && !planned[e.Path] {
			t.Errorf("%s was not in the plan", e)
		}
	}
	if !planned["/etc/new"] || !planned["/etc/group"] {
		t.Errorf("planned was %v", planned)
	}
	again, rest := machine.Plan(real)
	boot(t, again, Options{Given: in})
	for _, c := range rest.List() {
		if !c.EachBoot {
			t.Errorf("after all was applied, the plan still has %s", c.Entry)
		}
	}
}

// Row S13: what is sensitive is not in the file that everyone may read.
func TestRedaction(t *testing.T) {
	shown := redact(map[string]any{"a": 1, "ds": map[string]any{"meta_data": map[string]any{"secret": "x", "User-Data": "y"}}, "merged_cfg": 2},
		sensitivePaths([]string{"ds/meta_data/secret"}))
	text, _ := json.Marshal(shown)
	if want := `{"a":1,"ds":{"meta_data":{"User-Data":"redacted for non-root user","secret":"redacted for non-root user"}},"merged_cfg":"redacted for non-root user"}`; string(text) != want {
		t.Errorf("shown are %s, want %s", text, want)
	}
}

// Row B08: each of the three switches leaves the machine alone.
func TestDisabled(t *testing.T) {
	for text, want := range map[string]string{
		"-- etc/cloud/cloud-init.disabled --\n":        "marker-file",
		"-- proc/cmdline --\nro cloud-init=disabled\n": "kernel-command-line",
		"": "",
	} {
		m := machine.Fake(debian+text, noon)
		if got := Disabled(m, ""); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if _, err := New(m, Options{}).Run(context.Background(), Local); (err != nil) != (want != "") {
			t.Errorf("%q: the stage ended with %v", text, err)
		}
		if want != "" && machine.Exists(m.Files, "/var/lib/cloud") {
			t.Errorf("%q: /var/lib/cloud was made", text)
		}
	}
}

func FuzzCommandLineConfig(f *testing.F) {
	f.Add("ro cc: {a: 1} end_cc quiet")
	f.Fuzz(func(t *testing.T, line string) { commandLineConfig(line) })
}
