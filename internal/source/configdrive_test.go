package source

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

// driveFiles are those of a config drive, below its root.
var driveFiles = map[string]string{
	"openstack/2012-08-10/meta_data.json":     `{"uuid": "old"}`,
	"openstack/2015-10-15/meta_data.json":     strings.Replace(novaMeta, `"files": [`, `"files": [{"path": "opt/key", "content_path": "/content/0001"}, `, 1),
	"openstack/2015-10-15/user_data":          "#cloud-config\n{}\n",
	"openstack/2015-10-15/vendor_data.json":   `{"cloud-init": "#!/bin/sh\n"}`,
	"openstack/2015-10-15/network_data.json":  novaNetwork,
	"openstack/content/0000":                  "Welcome\n",
	"openstack/content/0001":                  "a key\n",
	"ec2/latest/meta-data.json":               `{"block-device-mapping": {"ephemeral0": "vdb"}}`,
	"openstack/latest/meta_data.json":         `{"uuid": "another"}`,
	"openstack/latest/a name of another kind": "x",
}

// wantDrive compares an instance with what driveFiles say.
func wantDrive(t *testing.T, in *instance.Instance, err error, subplatform string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	place := subplatform[strings.Index(subplatform, "(")+1 : len(subplatform)-1]
	for what, pair := range map[string][2]string{
		"id": {in.ID, novaID}, "detail": {in.Detail, "DataSourceConfigDrive [net,ver=2][source=" + place + "]"}, "hostname": {in.Hostname, "web1.novalocal"},
		"cloud": {in.Cloud, "configdrive"}, "platform": {in.Platform, "configdrive"}, "subplatform": {in.Subplatform, subplatform},
		"user-data": {string(in.UserData), "#cloud-config\n{}\n"}, "vendor-data": {string(in.VendorData), "#!/bin/sh\n"},
		"network": {in.Network.Kind + string(in.Network.Document), "network_data" + novaNetwork},
	} {
		if strings.TrimSpace(pair[0]) != strings.TrimSpace(pair[1]) { // machine.Fake's texts end in a new line
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
	var files []string
	for _, f := range in.Files {
		files = append(files, f.Path+"="+strings.TrimSpace(string(f.Content)))
	}
	if got := strings.Join(files, " "); got != "/opt/key=a key /etc/motd=Welcome" {
		t.Errorf("the files are %q", got)
	}
	tree, _ := in.Tree["ec2_metadata"].(map[string]any)
	if devices, _ := tree["block-device-mapping"].(map[string]any); devices["ephemeral0"] != "vdb" {
		t.Errorf("EC2's tree is %v", tree)
	}
}

// Row D07, row D26. Each place of a config drive.
func TestConfigDrive(t *testing.T) {
	for _, dir := range []string{"/config-drive", "/var/lib/cloud/seed/config_drive"} {
		w := newWorld(t, seedFiles(dir, driveFiles), "").at(Local)
		in, err := fetchConfigDrive(context.Background(), w.env)
		wantDrive(t, in, err, "seed-dir ("+dir+")")
	}
	for _, label := range []string{"config-2", "CONFIG-2"} {
		w := newWorld(t, "", "").at(Local).withDevices(
			fakeDevice{machine.Device{Path: "/dev/sda1", Label: label, Type: "vfat"}, seedFiles("", map[string]string{"x": ""}), nil},
			fakeDevice{machine.Device{Path: "/dev/sr0", Label: label, Type: "iso9660"}, seedFiles("", driveFiles), nil})
		in, err := fetchConfigDrive(context.Background(), w.env)
		wantDrive(t, in, err, "config-disk (/dev/sr0)")
		if w.warned() {
			t.Errorf("logged %q", w.logged)
		}
	}
}

// A disk without the label is read where it is a whole one; somebody's partition is left alone.
func TestConfigDriveWithoutLabel(t *testing.T) {
	disk := fakeDevice{machine.Device{Path: "/dev/vdb", Label: "DATA", Type: "vfat"}, seedFiles("", driveFiles), nil}
	in, err := fetchConfigDrive(context.Background(), newWorld(t, "", "").withDevices(disk).env)
	wantDrive(t, in, err, "config-disk (/dev/vdb)")
	w := newWorld(t, "-- /sys/class/block/vdb/partition --\n1\n", "").withDevices(disk)
	if _, err := fetchConfigDrive(context.Background(), w.env); !errors.Is(err, ErrAbsent) {
		t.Errorf("on a partition: %v", err)
	}
}

// What is wrong with a drive leaves the machine who it was, and costs no other drive.
func TestBrokenConfigDrive(t *testing.T) {
	for name, c := range map[string]struct{ files, want string }{
		"no JSON":      {seedFiles("", map[string]string{"openstack/latest/meta_data.json": "{"}), "silent"},
		"no uuid":      {seedFiles("", map[string]string{"openstack/latest/meta_data.json": "{}"}), "silent"},
		"of the first": {seedFiles("", map[string]string{"meta.js": "[]"}), "silent"},
		"disabled":     {seedFiles("", map[string]string{"openstack/latest/meta_data.json": `{"uuid": "a", "meta": {"dsmode": "disabled"}}`}), "absent"},
		"pass":         {seedFiles("", map[string]string{"openstack/latest/meta_data.json": `{"uuid": "a", "meta": {"dsmode": "pass"}}`}), "absent"},
		"another":      {seedFiles("", map[string]string{"readme": "x"}), "absent"},
	} {
		broken := fakeDevice{machine.Device{Path: "/dev/sr1", Label: "config-2", Type: "iso9660"}, c.files, nil}
		if _, err := fetchConfigDrive(context.Background(), newWorld(t, "", "").withDevices(broken).env); isOneOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if c.want == "silent" || name == "another" {
			good := fakeDevice{machine.Device{Path: "/dev/sr0", Label: "config-2", Type: "iso9660"}, seedFiles("", driveFiles), nil}
			if in, err := fetchConfigDrive(context.Background(), newWorld(t, "", "").withDevices(broken, good).env); err != nil || in.ID != novaID {
				t.Errorf("%s: the other drive was not read: %v", name, err)
			}
		}
	}
	stuck := fakeDevice{machine.Device{Path: "/dev/sr1", Label: "config-2", Type: "iso9660"}, "", errors.New("input/output error")}
	if _, err := fetchConfigDrive(context.Background(), newWorld(t, "", "").withDevices(stuck).env); isOneOf(err) != "silent" {
		t.Errorf("a disk that cannot be read: %v", err)
	}
}

// Row D09. Drives of the first version are used where they say so; the network of old drives is a text.
func TestConfigDriveOfTheFirstVersion(t *testing.T) {
	for js, want := range map[string]string{
		`{"dsmode": "net", "instance-id": "i-1", "user-data": "#!/bin/sh", "public-keys": "#x\nssh-a\n\nssh-b"}`: "i-1 net #!/bin/sh ssh-a,ssh-b",
		`{"dsmode": "local"}`:                        "iid-dsconfigdrive local  ssh-c",
		`{"dsmode": "local", "instance-id": "i/2"}`:  "i/2 local  ssh-c",
		`{"instance-id": "i-1"}`:                     "absent",
		`{"dsmode": "disabled", "instance-id": "i"}`: "absent",
	} {
		w := newWorld(t, "", "").withDevices(fakeDevice{machine.Device{Path: "/dev/vdb", Type: "vfat"},
			seedFiles("", map[string]string{"meta.js": js, "root/.ssh/authorized_keys": "ssh-c\n"}), nil})
		in, err := fetchConfigDrive(context.Background(), w.env)
		got := isOneOf(err)
		if err == nil {
			got = strings.Join([]string{in.ID, in.Mode, string(in.UserData), strings.Join(in.PublicKeys(), ",")}, " ")
		}
		if got != want {
			t.Errorf("%s is %q, want %q", js, got, want)
		}
		w.env.Last = &instance.Instance{ID: "i-9", Source: "ConfigDrive"}
		if _, err := fetchConfigDrive(context.Background(), w.env); strings.HasPrefix(want, "iid-") && isOneOf(err) != "silent" {
			t.Errorf("%s: a drive without an id made another machine of i-9: %v", js, err)
		}
	}
	files := map[string]string{"openstack/latest/meta_data.json": `{"uuid": "a", "network_config": {"content_path": "/content/0000"}}`, "openstack/content/0000": "auto eth0\n"}
	w := newWorld(t, seedFiles("/config-drive", files), "")
	in, err := fetchConfigDrive(context.Background(), w.env)
	if err != nil || in.Network == nil || in.Network.Kind != "eni" || !strings.HasPrefix(string(in.Network.Document), "auto eth0") || !w.has("DEPRECATED Eni network") {
		t.Errorf("the network is %v, %v; logged %q", in.Network, err, w.logged)
	}
}

// imageDisks are the images of disks, opened as the running system opens devices.
type imageDisks []machine.Device

func (d imageDisks) Labelled(labels ...string) ([]machine.Device, error) {
	return machine.WithLabel(d, labels...), nil
}

func (d imageDisks) Mount(wanted machine.Device) (machine.Files, func() error, error) {
	m, err := machine.Live()
	if err != nil {
		return nil, nil, err
	}
	return m.Disks.Mount(wanted)
}

// writeDrive writes the files of a config drive into a folder.
func writeDrive(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range driveFiles {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// run runs a command; the test is skipped where there is none of the name.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip("this needs " + name + " (scripts/tools installs it)")
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// makeDrives are the ways in which Nova makes config drives.
var makeDrives = map[string]func(t *testing.T, dir, image string){
	"iso9660": func(t *testing.T, dir, image string) {
		run(t, "xorriso", "-as", "mkisofs", "-quiet", "-J", "-r", "-V", "config-2", "-o", image, dir)
	},
	"vfat": func(t *testing.T, dir, image string) {
		run(t, "mkfs.vfat", "-C", "-n", "CONFIG-2", image, "8192")
		run(t, "mcopy", "-s", "-i", image, filepath.Join(dir, "openstack"), filepath.Join(dir, "ec2"), "::/")
	},
}

// Row D07. The disks that Nova makes, read as the kernel would.
func TestConfigDriveImages(t *testing.T) {
	for kind, makeDrive := range makeDrives {
		t.Run(kind, func(t *testing.T) {
			image := filepath.Join(t.TempDir(), "disk")
			makeDrive(t, writeDrive(t), image)
			w := newWorld(t, "", "").at(Local)
			w.env.Machine.Disks = imageDisks{{Path: image, Label: "config-2", Type: kind}}
			in, err := fetchConfigDrive(context.Background(), w.env)
			wantDrive(t, in, err, "config-disk ("+image+")")
			if err == nil && string(in.Files[1].Content) != "Welcome\n" {
				t.Errorf("the file has %q", in.Files[1].Content)
			}
		})
	}
}

// Row D08. On bare metal the drive is a small partition at the end of the disk.
func TestConfigDriveAtTheEnd(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this needs root, for a loop device")
	}
	drive, disk := filepath.Join(t.TempDir(), "drive"), filepath.Join(t.TempDir(), "disk")
	makeDrives["vfat"](t, writeDrive(t), drive)
	run(t, "truncate", "-s", "64M", disk)
	run(t, "sh", "-c", `printf 'label: gpt\nstart=2048,size=65536\nstart=112640,size=16384\n' | sfdisk -q "$1"`, "sh", disk)
	run(t, "dd", "if="+drive, "of="+disk, "bs=512", "seek=112640", "conv=notrunc", "status=none")
	out, err := exec.Command("losetup", "--find", "--show", disk).Output()
	if err != nil {
		t.Skip("losetup cannot make a loop device here")
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		exec.Command("partx", "--delete", device).Run()
		exec.Command("losetup", "--detach", device).Run()
	})
	exec.Command("partx", "--update", device).Run()
	if _, err := os.Stat(device + "p2"); err != nil {
		t.Skip("the kernel makes no device nodes for partitions of loop devices here")
	}
	w := newWorld(t, "", "").at(Local)
	live, err := machine.Live()
	if err != nil {
		t.Fatal(err)
	}
	w.env.Machine.Disks = onlyBelow{device, live.Disks}
	if m := matchConfigDrive(w.env.Machine.Facts, w.env); !m.Found || !strings.Contains(m.Why, device+"p2") {
		t.Errorf("it is not found: %+v", m)
	}
	in, err := fetchConfigDrive(context.Background(), w.env)
	wantDrive(t, in, err, "config-disk ("+device+"p2)")
}

// onlyBelow are the disks of the running system whose names begin with that of one: others may be tests' too.
type onlyBelow struct {
	device string
	machine.Disks
}

func (d onlyBelow) Labelled(labels ...string) (found []machine.Device, err error) {
	all, err := d.Disks.Labelled(labels...)
	for _, each := range all {
		if strings.HasPrefix(each.Path, d.device) {
			found = append(found, each)
		}
	}
	return found, err
}
