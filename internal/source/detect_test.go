package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

const many = "datasource_list: [ Azure, OpenStack, NoCloud, None ]\n"

// A detectCase is a machine, and what ds-identify decides on it.
type detectCase struct {
	files, config string
	devices       []fakeDevice
	run           string // what it writes for the stages
	disabled      bool
}

// detectCases are those of upstream's tests that concern NoCloud, None, lists, policies and the command line, and more.
func detectCases() map[string]detectCase {
	iso := fakeDevice{Device: machine.Device{Path: "/dev/vdb", Label: "cidata", Type: "iso9660"}}
	upper, fat := iso, iso
	upper.Label = "CIDATA"
	fat.Type = "vfat"
	seedDir := seedFiles("/var/lib/cloud/seed/nocloud", both())
	const notFound = "di_report:\n  datasource_list: [  ]\n  # reporting not found result. notfound=disabled.\n"
	const noCloud = "datasource_list: [ NoCloud, None ]\n"
	return map[string]detectCase{
		"nothing at all":                 {run: notFound, disabled: true},
		"NoCloud":                        {devices: []fakeDevice{iso}, run: noCloud},
		"NoCloudUpper":                   {devices: []fakeDevice{upper}, run: noCloud},
		"NoCloud-fatboot":                {devices: []fakeDevice{fat}, run: noCloud},
		"NoCloud-seed":                   {files: seedDir, run: noCloud},
		"NoCloud-seed-ubuntu-core":       {files: seedFiles("/writable/system-data/var/lib/cloud/seed/nocloud-net", both()), run: noCloud},
		"half a seed":                    {files: seedFiles("/var/lib/cloud/seed/nocloud", map[string]string{"meta-data": ""}), run: notFound, disabled: true},
		"NoCloud-cfg":                    {config: many + "datasource:\n  NoCloud:\n    user-data: |\n      #cloud-config\n    meta-data: |\n      instance_id: cloud-image\n", run: noCloud},
		"NoCloud-seedfrom":               {config: many + "datasource: {NoCloud: {seedfrom: 'http://0.0.0.0/test'}}", run: noCloud},
		"NoCloud-user-data-meta-data":    {config: many + "datasource: {NoCloud: {meta-data: '', user-data: '#cloud-config'}}", run: noCloud},
		"user-data alone":                {config: many + "datasource: {NoCloud: {user-data: '#cloud-config'}}", run: notFound, disabled: true},
		"serial number":                  {files: "-- /sys/class/dmi/id/product_serial --\nds=nocloud;s=http://a/\n", run: noCloud},
		"a container":                    {files: "-- /run/systemd/container --\nlxc\n", devices: []fakeDevice{iso}, run: notFound, disabled: true},
		"single entry":                   {config: `datasource_list: ["NoCloud"]`, run: "datasource_list: [ NoCloud ]\n"},
		"single entry and None":          {config: "datasource_list: [ NoCloud, None ]", run: noCloud},
		"single entry that is not built": {config: `datasource_list: ["Ec2", "None"]`, run: "datasource_list: [ Ec2, None ]\n"},
		"flow sequence, None":            {config: "datasource_list :  [ None    ]   \n", run: "datasource_list: [ None ]\n"},
		"flow sequence, no brackets":     {config: "datasource_list: NoCloud, 'None'", run: noCloud},
		"another key":                    {config: `"datasource-list":  [ None    ]`, run: notFound, disabled: true},
		"several lines":                  {config: "datasource_list:\n   - Azure", run: notFound, disabled: true},
		"several lines, a seed":          {config: "datasource_list:\n   - Azure", files: seedDir, run: noCloud},
		"an empty list":                  {config: "datasource_list: []", files: seedDir, run: noCloud},
		"not in the list":                {config: "datasource_list: [ Azure, OpenStack, None ]", files: seedDir, run: notFound, disabled: true},
		"an unknown name in the list":    {config: "datasource_list: [ Nonesuch, NoCloud, None ]", files: seedDir, run: noCloud},
		"ds= on the command line":        {files: "-- /proc/cmdline --\nroot=/dev/vda ds=nocloud;s=http://a/;i=x ro", run: "datasource_list: [ nocloud, None ]\n"},
		"ds=openstack":                   {files: "-- /proc/cmdline --\nds=openstack", run: "datasource_list: [ openstack, None ]\n"},
		"ci.ds=":                         {files: "-- /proc/cmdline --\nci.ds=NoCloud", run: noCloud},
		"ci.datasource=":                 {files: "-- /proc/cmdline --\nds=MAAS ci.datasource=NoCloud;x", run: noCloud},
		"ds=None":                        {files: "-- /proc/cmdline --\nds=None", run: "datasource_list: [ None ]\n"},
		"container's command line":       {files: "-- /run/systemd/container --\nlxc\n-- /proc/cmdline --\nds=MAAS\n-- /proc/1/cmdline --\n/sbin/init\x00ds=NoCloud\x00", run: noCloud},
		"named in the file":              {files: "-- /etc/cloud/ds-identify.cfg --\n# x\ndatasource : 'NoCloud' # y\n", run: noCloud},
		"the command line over the file": {files: "-- /etc/cloud/ds-identify.cfg --\ndatasource: Ec2\n-- /proc/cmdline --\nds=NoCloud", run: noCloud},
		"policy disabled":                {files: seedDir + "-- /etc/cloud/ds-identify.cfg --\npolicy: disabled\n", disabled: true},
		"policy enabled":                 {files: "-- /etc/cloud/ds-identify.cfg --\npolicy: enabled\n"},
		"policy over the file":           {files: seedDir + "-- /etc/cloud/ds-identify.cfg --\npolicy: disabled\n-- /proc/cmdline --\nci.di.policy=search", run: noCloud},
		"report, found":                  {files: seedDir + "-- /proc/cmdline --\nci.di.policy=report", run: "di_report:\n  datasource_list: [ NoCloud, None ]\n"},
		"report, not found":              {files: "-- /proc/cmdline --\nci.di.policy=report", run: "di_report:\n  datasource_list: [  ]\n"},
		"report, single":                 {config: "datasource_list: [NoCloud]", files: "-- /proc/cmdline --\nci.di.policy=report", run: "di_report:\n  datasource_list: [ NoCloud ]\n"},
		"not found, enabled":             {files: "-- /proc/cmdline --\nci.di.policy=search,notfound=enabled", run: "di_report:\n  datasource_list: [  ]\n  # reporting not found result. notfound=enabled.\n"},
		"kept by hand":                   {files: seedDir + "-- /var/lib/cloud/instance/manual-clean --\n", run: "# manual_cache_clean.\n"},
		"kept by hand, but named":        {files: "-- /proc/cmdline --\nds=MAAS\n-- /var/lib/cloud/instance/manual-clean --\n", run: "datasource_list: [ MAAS, None ]\n"},
	}
}

// What cloud-init's ds-identify decides on the same machine: the list, whether anything is to run, and what it writes
// for the stages. An image whose boot it enabled must not be disabled by us, and the other way round.
func TestDetectAsDsIdentify(t *testing.T) {
	for name, c := range detectCases() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.files, c.config).withDevices(c.devices...)
			choice := Detect(w.machine.Facts, w.env)
			if choice.Run != c.run || choice.Disabled != c.disabled {
				t.Errorf("disabled %v, writes\n%swant %v and\n%swhy: %s, %v", choice.Disabled, choice.Run, c.disabled, c.run, choice.Why, choice.Lines)
			}
			if len(choice.List) == 0 || choice.Why == "" {
				t.Errorf("nothing to try, or no reason: %+v", choice)
			}
			if strings.HasPrefix(c.run, "datasource_list: [ ") && c.run != fmt.Sprintf("datasource_list: [ %s ]\n", strings.Join(choice.List, ", ")) {
				t.Errorf("tries %q but writes %q", choice.List, choice.Run)
			}
		})
	}
}

// signs is a table of sources that say what a test wants.
func signs() table {
	match := func(m Match) func(*machine.Facts, *Env) Match {
		return func(_ *machine.Facts, e *Env) Match {
			if !slices.Contains(e.List, "A") {
				m.Why = "the list is not known"
			}
			return m
		}
	}
	fetch := func(context.Context, *Env) (*instance.Instance, error) { return nil, ErrAbsent }
	return table{
		{Name: "A", Fetch: fetch, Match: match(Match{Found: true, Why: "a", Extra: "datasource: {A: {b: c}}"})},
		{Name: "B", Fetch: fetch, Match: match(Match{Maybe: true, Why: "b", Extra: "datasource: {B: {}}"})},
		{Name: "C", Fetch: fetch, Match: match(Match{Found: true, Why: "c"})},
		{Name: "D", Fetch: fetch, Match: match(Match{Why: "d"})},
		{Name: "E", Fetch: fetch},
		{Name: "F"},
		none(),
	}
}

// Row B07. What a policy makes of several sources, and of those that only may be there.
func TestPolicies(t *testing.T) {
	for _, c := range []struct {
		list, policy, run string
	}{
		{"A, B, C, D", "", "datasource_list: [ A, C, None ]\ndatasource: {A: {b: c}}\n"},
		{"A, B, C, D", "found=first", "datasource_list: [ A, None ]\ndatasource: {A: {b: c}}\n"},
		{"C, A, D", "search,found=first,maybe=none,notfound=disabled", "datasource_list: [ C, None ]\n"},
		{"A, B, D", "maybe=all", "datasource_list: [ A, None ]\ndatasource: {A: {b: c}}\n"},
		{"B, D, X", "maybe=all", "datasource_list: [ B, None ]\ndatasource: {B: {}}\n"},
		{"B, D, X", "report,maybe=all", "di_report:\n  datasource_list: [ B, None ]\n  datasource: {B: {}}\n"},
		{"B, D, X", "", "di_report:\n  datasource_list: [  ]\n  # reporting not found result. notfound=disabled.\n"},
		{"B, D, X", "found=perhaps,wait", "di_report:\n  datasource_list: [  ]\n  # reporting not found result. notfound=disabled.\n"},
	} {
		list := strings.Replace(c.list, "X", "E, F, G, A0", 1)
		w := newWorld(t, "-- /proc/cmdline --\nci.di.policy="+c.policy, "datasource_list: ["+list+"]")
		choice := signs().detect(w.machine.Facts, w.env)
		if choice.Run != c.run {
			t.Errorf("%s with %q writes\n%swant\n%s", c.list, c.policy, choice.Run, c.run)
		}
		if got := len(choice.Lines); got != len(strings.Split(list, ",")) {
			t.Errorf("%s: %d reasons: %v", list, got, choice.Lines)
		}
		if w.warned() != (c.policy == "found=perhaps,wait") {
			t.Errorf("%q logs %q", c.policy, w.logged)
		}
	}
}

// Each source that was looked at has its line: who asks why a machine has no cloud finds the answer in the log.
func TestDetectGivesReasons(t *testing.T) {
	w := newWorld(t, "", "datasource_list: [A, D, E, F, NoClod, None]")
	tab := append(signs(), &Source{Name: "NoCloud", Fetch: fetchNoCloud})
	var got []string
	for _, line := range tab.detect(w.machine.Facts, w.env).Lines {
		got = append(got, line.String())
	}
	want := []string{
		"A: found: a",
		"D: not found: d",
		"E: not found: it has no signs to look for",
		"F: not built yet: cloud-init knows this source, this program cannot ask it yet",
		"NoClod: unknown: there is no such source; is NoCloud meant?",
	}
	if !slices.Equal(got, want) {
		t.Errorf("reasons:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// answers is a table of sources that answer as a test wants; asked notes who was asked.
func answers(asked *[]string) table {
	answer := func(name string, err error) func(context.Context, *Env) (*instance.Instance, error) {
		return func(context.Context, *Env) (*instance.Instance, error) {
			*asked = append(*asked, name)
			if err != nil {
				return nil, err
			}
			return &instance.Instance{Source: name, Detail: "DataSource" + name}, nil
		}
	}
	sign := func(found bool) func(*machine.Facts, *Env) Match {
		return func(*machine.Facts, *Env) Match { return Match{Found: found, Why: "a sign"} }
	}
	return table{
		{Name: "Good", Match: sign(true), Fetch: answer("Good", nil)},
		{Name: "Foreign", Match: sign(false), Fetch: answer("Foreign", nil)},
		{Name: "Perhaps", Match: func(*machine.Facts, *Env) Match { return Match{Maybe: true, Why: "half a sign"} }, Fetch: answer("Perhaps", nil)},
		{Name: "Absent", Match: sign(true), Fetch: answer("Absent", ErrAbsent)},
		{Name: "Later", Match: sign(true), Fetch: answer("Later", fmt.Errorf("%w: x", ErrNotYet))},
		{Name: "Silent", Match: sign(true), Fetch: answer("Silent", fmt.Errorf("%w: 503", ErrSilent))},
		{Name: "Odd", Match: sign(true), Fetch: answer("Odd", errors.New("odd"))},
		{Name: "Unbuilt"},
		{Name: "None", Fallback: true, Fetch: answer("None", nil)},
	}
}

// The search asks in order and takes the first answer; a broken cloud costs itself. What it comes back with decides
// whether a machine may become another: silent is not absent.
func TestFind(t *testing.T) {
	for _, c := range []struct {
		list, line string
		asked      string
		want       string // who answered, or which error
	}{
		{"Good None", "", "Good", "Good"},
		{"Absent Silent Odd Good None", "", "Absent Silent Odd Good", "Good"},
		{"Foreign Absent None", "", "Absent None", "None"},
		{"Perhaps Absent None", "", "Absent None", "None"},
		{"Perhaps Absent None", "ci.di.policy=maybe=all", "Perhaps", "Perhaps"},
		{"Perhaps None", "", "Perhaps", "Perhaps"},
		{"Foreign None", "", "Foreign", "Foreign"},
		{"Foreign", "", "Foreign", "Foreign"},
		{"foreign Absent None", "ds=foreign", "Foreign", "Foreign"},
		{"Absent Silent None", "", "Absent Silent None", "None"},
		{"Absent", "", "Absent", "absent"},
		{"Foreign Absent", "", "Absent", "absent"},
		{"Absent Silent", "", "Absent Silent", "silent"},
		{"Odd Absent", "", "Odd Absent", "silent"},
		{"Unbuilt Absent", "", "Absent", "silent"},
		{"Silent Later Absent", "", "Silent Later Absent", "not yet"},
		{"Nonesuch", "", "", "absent"},
	} {
		w := newWorld(t, "-- /proc/cmdline --\n"+c.line, "")
		var asked []string
		list := strings.Fields(c.list)
		in, s, reasons, err := answers(&asked).find(context.Background(), w.env, list)
		got := isOneOf(err)
		if in != nil {
			got = in.Source
		}
		if got != c.want || strings.Join(asked, " ") != c.asked || (in != nil) != (s != nil) {
			t.Errorf("%s: asked %q, got %q, %v; want %q and %q", c.list, asked, got, err, c.asked, c.want)
		}
		if in == nil && len(reasons) != len(list) {
			t.Errorf("%s: %d reasons: %v", c.list, len(reasons), reasons)
		}
		if bad := strings.Contains(c.list, "Silent") || strings.Contains(c.list, "Odd") || strings.Contains(c.list, "Unbuilt") || c.list == "Nonesuch"; w.warned() != bad {
			t.Errorf("%s: logged %q", c.list, w.logged)
		}
	}
}

// Row B10. From the kernel command line to the instance: detection, search and answer together.
func TestCommandLineSeed(t *testing.T) {
	w := newWorld(t, "-- /proc/cmdline --\nro ds=nocloud;s=file:///seed/;i=x\n"+seedFiles("/seed", both()), many).at(Local)
	choice := Detect(w.machine.Facts, w.env)
	in, s, _, err := Find(context.Background(), w.env, choice.List)
	if err != nil || in.ID != "x" || s.Name != "NoCloud" || in.Mode != "local" {
		t.Errorf("it is %+v, %v, %v", in, s, err)
	}
}

// Row D20. Where nothing speaks for any cloud, the default list ends with None, in the network stage.
func TestNoneAtTheEnd(t *testing.T) {
	w := newWorld(t, "", "")
	choice := Detect(w.machine.Facts, w.env)
	if in, _, _, err := Find(context.Background(), w.env, choice.List); err != nil || in.Source != "None" {
		t.Errorf("it is %+v, %v", in, err)
	}
	if _, _, _, err := Find(context.Background(), w.at(Local).env, choice.List); isOneOf(err) != "not yet" {
		t.Errorf("in the local stage it gives %v", err)
	}
}
