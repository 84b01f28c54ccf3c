package engine

import (
	"context"
	"strings"
	"testing"

	"openguest/internal/machine"
)

// left is what cloud-init 22.4 leaves on a machine that it set up, with one semaphore as old versions spelled them.
const left = `-- var/lib/cloud/data/instance-id --
i-left
-- var/lib/cloud/instances/i-left/datasource --
DataSourceNoCloud: DataSourceNoCloud [seed=/dev/sr0][dsmode=net]
-- var/lib/cloud/instances/i-left/obj.pkl 400 0:0 --
nobody reads this
-- var/lib/cloud/instances/i-left/user-data.txt 600 0:0 --
#cloud-config
write_files: [{path: /etc/again, content: again}]
timezone: UTC
runcmd: [touch /etc/ran]
-- var/lib/cloud/instances/i-left/sem/config_write_files --
12: 1.0
-- var/lib/cloud/instances/i-left/sem/config-timezone --
12: 1.0
-- var/lib/cloud/instances/i-left/sem/config_runcmd --
12: 1.0
-- var/lib/cloud/instance -> /var/lib/cloud/instances/i-left --
`

// Row S09: after an upgrade from cloud-init a machine would run its per-instance work again, make new host keys and
// reset passwords, if its instance were not taken over.
func TestInstanceOfCloudInitIsKept(t *testing.T) {
	m := machine.Fake(debian+left, noon)
	in := given("i-left", "#cloud-config\nwrite_files: [{path: /etc/again, content: again}]\n")
	boot(t, m, Options{Given: in})
	if machine.Exists(m.Files, "/etc/again") {
		t.Error("files are written again though cloud-init wrote them for this instance")
	}
	if got := strings.TrimSpace(read(t, m, "/var/lib/cloud/data/previous-instance-id")); got != "i-left" {
		t.Errorf("the previous instance is %q", got)
	}
	if got := read(t, m, "/var/lib/cloud/instances/i-left/obj.pkl"); got != "nobody reads this\n" {
		t.Errorf("obj.pkl is not ours to change, but holds %q", got)
	}
}

// Row S09: the cloud is silent at the first boot after the upgrade; the machine stays what it was and keeps its user-data.
func TestInstanceOfCloudInitStandsWhileTheCloudIsSilent(t *testing.T) {
	m := machine.Fake(debian+left, noon)
	boot(t, m, Options{})
	for name, want := range map[string]string{
		"/var/lib/cloud/data/instance-id":                "i-left\n",
		"/var/lib/cloud/instances/i-left/datasource":     "DataSourceNoCloud: DataSourceNoCloud [seed=/dev/sr0][dsmode=net]\n",
		"/var/lib/cloud/instances/i-left/obj.pkl":        "nobody reads this\n",
		"/run/cloud-init/.instance-id":                   "i-left\n",
		"/run/cloud-init/cloud-id":                       "nocloud\n",
		"/var/lib/cloud/instances/i-left/user-data.txt":  "#cloud-config\nwrite_files: [{path: /etc/again, content: again}]\ntimezone: UTC\nruncmd: [touch /etc/ran]\n",
		"/var/lib/cloud/instances/i-left/sem/config_ssh": "",
	} {
		if got := read(t, m, name); got != want && want != "" {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"/etc/again", "/etc/timezone", "/var/lib/cloud/instances/i-left/scripts/runcmd", "/var/lib/cloud/instances/iid-datasource-none"} {
		if machine.Exists(m.Files, name) {
			t.Errorf("%s is there: something ran again", name)
		}
	}
}

// Another id from the cloud is another instance, whoever set the machine up before.
func TestAnotherInstanceIsNotKept(t *testing.T) {
	m := machine.Fake(debian+left, noon)
	boot(t, m, Options{Given: given("i-new", "#cloud-config\nwrite_files: [{path: /etc/again, content: again}]\n")})
	if got := read(t, m, "/etc/again"); got != "again" {
		t.Errorf("/etc/again holds %q", got)
	}
}

// What is torn or half there makes no instance, and what we know ourselves comes first.
func TestWhatIsNotAdopted(t *testing.T) {
	cases := map[string]string{
		"no folder":      "-- var/lib/cloud/data/instance-id --\ni-left\n",
		"empty id":       strings.Replace(left, "i-left\n-- var/lib/cloud/instances/i-left/datasource", "\n-- var/lib/cloud/instances/i-left/datasource", 1),
		"torn id":        strings.Replace(left, "instance-id --\ni-left", "instance-id --\ni-left\x00\x00", 1),
		"one of our own": left + "-- var/lib/openguest/instance.json 600 0:0 --\n{}\n",
	}
	for name, files := range cases {
		e := New(machine.Fake(debian+files, noon), Options{})
		e.load()
		if in := e.adopt(); in != nil {
			t.Errorf("%s: taken over as %+v", name, in)
		}
	}
}

// A person who marked the instance as theirs to clean gets no other one, and no cloud is asked.
func TestAdoptedInstanceIsTrustedWhereMarked(t *testing.T) {
	m := machine.Fake(debian+left+"-- var/lib/cloud/instances/i-left/manual-clean --\n", noon)
	e := New(m, Options{})
	e.load()
	in, err := e.identify(context.Background(), "local")
	if err != nil || in.ID != "i-left" || in.Source != "NoCloud" {
		t.Errorf("identified as %+v, %v", in, err)
	}
}

// An instance that cloud-init found in its local stage has that stage's class in the file; its source is the same one, is asked the
// same way, and is followed.
func TestSourceThatCloudInitLeft(t *testing.T) {
	for text, want := range map[string][2]string{
		"DataSourceGCELocal: DataSourceGCELocal":                   {"GCE", "DataSourceGCELocal"},
		"DataSourceOpenStackLocal: DataSourceOpenStackLocal [net]": {"OpenStack", "DataSourceOpenStackLocal [net]"},
		"DataSourceNoCloud: DataSourceNoCloud [seed=/dev/sr0]":     {"NoCloud", "DataSourceNoCloud [seed=/dev/sr0]"},
		"DataSourceEc2": {"Ec2", "DataSourceEc2"},
		"":              {"None", "DataSourceNone"},
	} {
		if name, detail := sourceLeft(text); name != want[0] || detail != want[1] {
			t.Errorf("%q is %q, %q", text, name, detail)
		}
	}
}
