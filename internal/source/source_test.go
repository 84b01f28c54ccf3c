package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// world is a machine for tests, and what was logged on it.
type world struct {
	machine machine.Machine
	env     *Env
	logged  []string
}

// newWorld makes a machine of a text as machine.Fake reads it; config is its merged base configuration, as YAML.
func newWorld(t testing.TB, files, config string) *world {
	t.Helper()
	w := &world{machine: machine.Fake(files, time.Unix(0, 0))}
	v, _, err := conf.Parse("/etc/cloud/cloud.cfg", []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	log := func(level string) func(string, ...any) {
		return func(format string, args ...any) {
			w.logged = append(w.logged, level+" "+fmt.Sprintf(format, args...))
		}
	}
	w.env = &Env{Machine: w.machine, Config: v, Stage: Network, Seed: "/var/lib/cloud/seed",
		Warn: log("WARNING"), Deprecated: log("DEPRECATED"), Info: log("INFO"), Debug: log("DEBUG")}
	return w
}

// at puts the machine in a stage.
func (w *world) at(stage Stage) *world {
	w.env.Stage = stage
	return w
}

// withDevices puts disks into the machine.
func (w *world) withDevices(devices ...fakeDevice) *world {
	w.env.Machine.Disks = fakeDisks(devices)
	return w
}

// has says whether a line was logged that contains all the words.
func (w *world) has(words ...string) bool {
	return slices.ContainsFunc(w.logged, func(line string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) })
	})
}

// warned says whether anything would degrade the boot.
func (w *world) warned() bool { return w.has("WARNING") || w.has("DEPRECATED") }

// fakeDevice is a device with a file system: its files, or the error of opening it.
type fakeDevice struct {
	machine.Device
	files string
	err   error
}

type fakeDisks []fakeDevice

// Labelled lists the last name first, as the door does.
func (d fakeDisks) Labelled(labels ...string) (all []machine.Device, _ error) {
	for _, device := range d {
		all = append(all, device.Device)
	}
	slices.SortStableFunc(all, func(a, b machine.Device) int { return strings.Compare(b.Path, a.Path) })
	return machine.WithLabel(all, labels...), nil
}

func (d fakeDisks) Mount(wanted machine.Device) (machine.Files, func() error, error) {
	for _, device := range d {
		if device.Path == wanted.Path && device.err == nil {
			return machine.Fake(device.files, time.Unix(0, 0)).Files, func() error { return nil }, nil
		} else if device.Path == wanted.Path {
			return nil, nil, device.err
		}
	}
	return nil, nil, fs.ErrNotExist
}

// fakeNet answers with what it holds, and notes what it was asked. Whatever else is asked for is not there.
type fakeNet struct {
	pages map[string]string
	err   error // where it is set, this is the answer to all
	asked []string
}

func (n *fakeNet) Fetch(_ context.Context, r machine.Request) (machine.Response, error) {
	n.asked = append(n.asked, r.URL)
	page, ok := n.pages[r.URL]
	switch {
	case n.err != nil:
		return machine.Response{}, n.err
	case !ok:
		return machine.Response{}, &machine.StatusError{URL: r.URL, Status: 404}
	}
	return machine.Response{Status: 200, Body: []byte(page), URL: r.URL}, nil
}

// isOneOf says which of the errors of Fetch an error is; "" for none of them.
func isOneOf(err error) string {
	for name, kind := range map[string]error{"absent": ErrAbsent, "not yet": ErrNotYet, "silent": ErrSilent} {
		if errors.Is(err, kind) {
			return name
		}
	}
	return ""
}

// seedFiles are the files of a seed below a folder, as machine.Fake reads them.
func seedFiles(dir string, files map[string]string) string {
	var text strings.Builder
	for name, content := range files {
		fmt.Fprintf(&text, "-- %s --\n%s\n", path.Join("/", dir, name), content)
	}
	return text.String()
}

// The table is what datasource_list may name: a source that is missing from it would be called unknown.
func TestAllSourcesOfCloudInitAreThere(t *testing.T) {
	known := "AliYun Akamai AltCloud Azure Bigstep CloudCIX CloudSigma CloudStack ConfigDrive DigitalOcean Ec2 Exoscale GCE Hetzner " +
		"IBMCloud LXD MAAS NWCS NoCloud None OVF OpenNebula OpenStack Oracle RbxCloud Scaleway SmartOS UpCloud VMware Vultr WSL"
	names := table(All()).names()
	for name := range strings.FieldsSeq(known) {
		if !slices.Contains(names, name) {
			t.Errorf("%s is missing", name)
		}
	}
	for _, s := range All() {
		if s.Fetch == nil || s.Match == nil && s.Name != "MAAS" && !s.Fallback {
			t.Errorf("%s is not asked, or not found", s.Name)
		}
	}
	if len(names) != len(strings.Fields(known)) {
		t.Errorf("%d sources, want %d", len(names), len(strings.Fields(known)))
	}
}

// A source is found again by what lists, the command line and the state of cloud-init call it.
func TestNamed(t *testing.T) {
	for _, name := range []string{"NoCloud", "nocloud", "NOCLOUD", "nocloud-net", "NoCloudNet"} {
		if s := Named(name); s == nil || s.Name != "NoCloud" {
			t.Errorf("Named(%q) is %v", name, s)
		}
	}
	if Named("Nonesuch") != nil {
		t.Error("a name that nobody has is found")
	}
}
