package source

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"openguest/internal/machine"
)

// platform is commands of which only the platform's own programs answer.
type platform struct {
	machine.Commands
	says map[string]string
}

// Ask answers what the case says; a program that knows nothing fails.
func (p platform) Ask(_ context.Context, q machine.Question) (string, error) {
	line := strings.Join(q.Argv, " ")
	if text, ok := p.says[line]; ok {
		return text, nil
	}
	return "", &machine.ExitError{Argv: q.Argv, Status: 1}
}

// world is the machine of a case.
func (c identifyCase) world(t testing.TB) *world {
	files := c.files
	if !strings.Contains(files, "/proc/sys/kernel/arch ") {
		files += "\n" + intel
	}
	w := newWorld(t, files, c.config).withDevices(c.disks...)
	w.env.Machine.Commands = platform{w.env.Machine.Commands, c.says}
	return w
}

// run is what is written for the stages where a case's list is found: None is its end, but where a person wrote another list
// of one.
func (c identifyCase) run() string {
	list := c.want
	if !c.alone && !strings.HasSuffix(list, "None") {
		list += ", None"
	}
	return fmt.Sprintf("datasource_list: [ %s ]\n", list)
}

// Rows B05, B07, B10, B24, D02, D12 and D23: on every machine of ds-identify's own tests, and on more, the same list and the
// same decision. A cloud that is missed leaves a machine that nobody can log in to; one that is found where it is not asks a
// stranger for root's keys.
func TestIdentify(t *testing.T) {
	cases := identifyCases()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := c.world(t)
			choice := Detect(w.machine.Facts, w.env)
			switch {
			case c.want == "" && !choice.Disabled:
				t.Errorf("found %q: %v; want nothing", choice.List, choice.Lines)
			case c.want != "" && (choice.Disabled || choice.Run != c.run()):
				t.Errorf("disabled %v, writes\n%swant\n%swhy: %s, %v", choice.Disabled, choice.Run, c.run(), choice.Why, choice.Lines)
			}
			if len(choice.Lines) == 0 && !strings.Contains(choice.Why, "policy") {
				t.Error("no source has a reason")
			}
		})
	}
	t.Logf("%d machines", len(cases))
}

// While IBM's scripts make a machine of a template, nothing may run: they start it again when they are done. They are at work
// where their log was written in this boot.
func TestProvisioningOfIBM(t *testing.T) {
	const boot = 1_700_000_000
	for _, c := range []struct {
		name     string
		ordered  bool // IBM's file of what is to do is there
		log      int  // seconds from the boot to the last line of the log; 0: there is none
		atWork   bool
		withBoot bool // the kernel says when it started
	}{
		{"nothing ordered", false, 0, false, true},
		{"nothing done yet", true, 0, true, true},
		{"done before this boot", true, -30, false, true},
		{"done in this boot", true, 30, true, true},
		{"nobody knows when", true, 30, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			put := func(name, text string, when time.Time) {
				name = filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(name, when, when); err != nil {
					t.Fatal(err)
				}
			}
			start := time.Unix(boot, 0)
			put("sys/hypervisor/type", "xen\n", start)
			if c.withBoot {
				put("proc/stat", fmt.Sprintf("cpu 1 2\nbtime %d\n", boot), start)
			}
			if c.ordered {
				put(provisioning, "key=value\n", start)
			}
			if c.log != 0 {
				put(swinstall, "log\n", start.Add(time.Duration(c.log)*time.Second))
			}
			m, err := machine.Tree(root)
			if err != nil {
				t.Fatal(err)
			}
			if got := isProvisioning(m.Facts, &Env{Machine: m}); got != c.atWork {
				t.Errorf("at work: %v, want %v", got, c.atWork)
			}
		})
	}
}

// Row D12. Where nothing names EC2, strict_id says whether it may be one; each place that says so has the word over the next.
func TestStrictID(t *testing.T) {
	const line, file = "-- /proc/cmdline --\nci.datasource.ec2.strict_id=", "-- /etc/cloud/ds-identify.cfg --\nci.datasource.ec2.strict_id: "
	for _, c := range []struct {
		name, files, config, want string
		warned                    bool
	}{
		{name: "by default", want: "true"},
		{name: "on the command line", files: line + "false\n" + file + "true\n", config: "warn", want: "false"},
		{name: "empty on the command line", files: line + "\n" + file + "false\n", config: "warn", want: "true"},
		{name: "in the configuration", files: file + "false\n", config: "warn", want: "warn"},
		{name: "as a truth in the configuration", config: "no", want: "false"},
		{name: "in detection's file", files: file + "'false' # said\n", want: "false"},
		{name: "with a number of seconds", config: "'warn,30'", want: "warn,30"},
		{name: "with no number", config: "'warn,x'", want: "true", warned: true},
		{name: "what means nothing", config: "perhaps", want: "true", warned: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := ""
			if c.config != "" {
				config = "datasource: {Ec2: {strict_id: " + c.config + "}}"
			}
			w := newWorld(t, intel+c.files, config)
			m := matchEC2(w.machine.Facts, w.env)
			if want := fmt.Sprintf("datasource: {Ec2: {strict_id: %q}}", c.want); m.Found || m.Maybe != (c.want != "true") || m.Extra != want {
				t.Errorf("the match is %+v, want %s", m, want)
			}
			if w.warned() != c.warned {
				t.Errorf("logged %q", w.logged)
			}
		})
	}
}

// A person who lets detection say "perhaps" has the line that goes with EC2 in the list for the stages.
func TestPerhapsEC2(t *testing.T) {
	w := newWorld(t, intel+"-- /proc/cmdline --\nci.di.policy=maybe=all ci.datasource.ec2.strict_id=warn\n", "")
	want := "datasource_list: [ Ec2, None ]\ndatasource: {Ec2: {strict_id: \"warn\"}}\n"
	if choice := Detect(w.machine.Facts, w.env); choice.Run != want {
		t.Errorf("writes\n%swant\n%s", choice.Run, want)
	}
}

// Row D23. AltCloud is found by nobody for certain: many a machine of RHEV or vSphere has a disc that is not for it.
func TestAltCloud(t *testing.T) {
	const says = "-- /etc/sysconfig/cloud-info --\n"
	disc := disk("/dev/sr0", "iso9660", "CDROM")
	for _, c := range []struct {
		name, files string
		disks       []fakeDevice
		maybe       bool
	}{
		{"vSphere with a disc", firmware("product_name", "vSphere"), disc, true},
		{"vSphere without a disc", firmware("product_name", "vSphere"), nil, false},
		{"RHEV with a floppy", says + "RHEV\n" + there("/dev/floppy"), nil, true},
		{"RHEV without a floppy", firmware("product_name", "RHEV"), disc, false},
		{"the image says what the firmware does not", says + "vsphere\nmore\n" + firmware("product_name", "x"), disc, true},
		{"something else", firmware("product_name", "RHEV Hypervisor"), disc, false},
	} {
		w := newWorld(t, c.files, "").withDevices(c.disks...)
		if m := matchAltCloud(w.machine.Facts, w.env); m.Found || m.Maybe != c.maybe || m.Why == "" {
			t.Errorf("%s: the match is %+v, want perhaps: %v", c.name, m, c.maybe)
		}
	}
}

// CVE-2024-6174: on ARM, POWER and Z nothing names OpenStack. Where its metadata service is asked all the same, whoever is in
// the network is root on the machine.
func TestCVE_2024_6174_NobodyIsAskedOnPerhaps(t *testing.T) {
	w := newWorld(t, "-- /proc/sys/kernel/arch --\naarch64\n"+kvm, "")
	net := &fakeNet{}
	w.env.Machine.Net = net
	choice := Detect(w.machine.Facts, w.env)
	if !choice.Disabled {
		t.Errorf("something is to run: %s", choice.Why)
	}
	in, _, _, err := Find(context.Background(), w.env, choice.List) // as who runs a stage by hand does
	if err != nil || in.Source != "None" || net.asked != nil {
		t.Errorf("it is %+v, %v; asked was %q", in, err, net.asked)
	}
}

// countedDisks counts how often they are read.
type countedDisks struct {
	machine.Disks
	reads *int
}

func (d countedDisks) Labelled(labels ...string) ([]machine.Device, error) {
	*d.reads++
	return d.Disks.Labelled(labels...)
}

// A disk that answers slowly must not cost a generator its time once for each cloud.
func TestDisksAreReadOnce(t *testing.T) {
	w := newWorld(t, intel+onVMware, "").withDevices(ovfDisk("x", "")...)
	reads := 0
	w.env.Machine.Disks = countedDisks{w.env.Machine.Disks, &reads}
	if Detect(w.machine.Facts, w.env); reads != 1 {
		t.Errorf("the disks were read %d times", reads)
	}
}

// Whoever asks why a machine has no cloud finds what each would have shown.
func TestReasonsOfSigns(t *testing.T) {
	w := newWorld(t, intel+firmware("sys_vendor", "Other"), "")
	lines := map[string]string{}
	for _, line := range Detect(w.machine.Facts, w.env).Lines {
		lines[line.Source] = line.String()
	}
	for name, want := range map[string]string{
		"Hetzner": "Hetzner: not found: no DMI sys_vendor Hetzner",
		"Vultr":   "Vultr: not found: no DMI sys_vendor Vultr, no word vultr on the kernel command line, no /etc/vultr",
		"VMware":  "VMware: not found: no VMware: the machine is none",
	} {
		if lines[name] != want {
			t.Errorf("the line of %s is %q, want %q", name, lines[name], want)
		}
	}
}

// A cloud that this program cannot ask yet is found and tried all the same.
func TestFoundButUnbuilt(t *testing.T) {
	w := newWorld(t, "", "datasource_list: [Here, None, More]")
	tab := table{{Name: "Here", Match: anyOf(sign{"x", func(*machine.Facts, *Env) string { return "a sign" }})}, none()}
	choice := tab.detect(w.machine.Facts, w.env)
	if got, want := choice.Lines[0].String(), "Here: found: a sign; this program cannot ask it yet"; got != want {
		t.Errorf("the line is %q, want %q", got, want)
	}
	if want := "datasource_list: [ Here, None ]\n"; choice.Run != want {
		t.Errorf("writes %q, want %q", choice.Run, want)
	}
	in, _, _, err := tab.find(context.Background(), w.env, choice.List)
	if err != nil || in.Source != "None" || !w.has("WARNING", "Here", "cannot ask it yet") {
		t.Errorf("it is %+v, %v; logged %q", in, err, w.logged)
	}
}

// Detection runs in every boot before anything else.
func BenchmarkDetect(b *testing.B) {
	w := identifyCase{files: kvm}.world(b)
	for b.Loop() {
		facts := machine.NewFacts(w.env.Machine.Files, w.machine.Kernel)
		Detect(facts, w.env)
	}
}

// Whatever firmware, boot loaders and owners write, detection ends and has a list to try.
func FuzzDetect(f *testing.F) {
	f.Add("EC2E1916-9099", "ro ds=nocloud;x ci.di.policy=search,maybe=all ci.datasource.ec2.strict_id=warn,", "policy: report # x", "datasource_list:\t[ A,\t'None' ]", "C:\\ /mnt/c 9p aname=drvfs;", "V\x00D\x00")
	f.Fuzz(func(t *testing.T, uuid, line, settings, config, mounts, wide string) {
		files := machine.Fake(windows, time.Unix(0, 0)).Files
		for name, text := range map[string]string{"/sys/class/dmi/id/product_uuid": uuid, "/proc/cmdline": line, detectConfig: settings, "/etc/cloud/cloud.cfg": config,
			"/proc/mounts": mounts, "/mnt/c/Windows/System32/cmd.exe": "x"} {
			if err := machine.MakeFolders(files, filepath.Dir(name), machine.Folder(0o755)); err != nil {
				t.Fatal(err)
			}
			if _, err := files.Put(name, machine.File(0o644, text)); err != nil {
				t.Fatal(err)
			}
		}
		w := newWorld(t, "", "")
		w.env.Machine.Files = files
		w.env.Machine.Commands = platform{w.env.Machine.Commands, map[string]string{"/init /mnt/c/Windows/System32/cmd.exe /u /c echo.%USERPROFILE%": wide}}
		choice := Detect(machine.NewFacts(files, w.machine.Kernel), w.env)
		if len(choice.List) == 0 || choice.Why == "" {
			t.Errorf("nothing to try, or no reason: %+v", choice)
		}
	})
}
