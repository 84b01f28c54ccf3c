package source

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

const (
	meta = "instance-id: i-1\nlocal-hostname: harbour\n"
	user = "#cloud-config\nhostname: x\n"
)

func cdrom(files map[string]string) fakeDevice {
	return fakeDevice{Device: machine.Device{Path: "/dev/sr0", Label: "cidata", Type: "iso9660"}, files: seedFiles("/", files)}
}

func both() map[string]string { return map[string]string{"meta-data": meta, "user-data": user} }

// Row D14. Whichever way the seed comes to the machine, it is the same instance with the same user-data.
func TestNoCloudEachPlace(t *testing.T) {
	vfat := cdrom(both())
	vfat.Device = machine.Device{Path: "/dev/vdb", Label: "CIDATA", Type: "vfat"}
	named := cdrom(both())
	named.Label = "MySeed"
	mounted := seedFiles("/mnt/seed", both())
	for name, c := range map[string]struct {
		files, config, detail, subplatform string
		devices                            []fakeDevice
	}{
		"folder":            {files: seedFiles("/var/lib/cloud/seed/nocloud", both()), detail: "[seed=/var/lib/cloud/seed/nocloud]"},
		"second folder":     {files: seedFiles("/var/lib/cloud/seed/nocloud-net", both()), detail: "[seed=/var/lib/cloud/seed/nocloud-net]"},
		"iso9660":           {devices: []fakeDevice{cdrom(both())}, detail: "[seed=/dev/sr0]", subplatform: "config-disk (/dev/sr0)"},
		"vfat, upper case":  {devices: []fakeDevice{vfat}, detail: "[seed=/dev/vdb]", subplatform: "config-disk (/dev/vdb)"},
		"another label":     {devices: []fakeDevice{named}, config: "datasource: {NoCloud: {fs_label: MySeed}}", detail: "[seed=/dev/sr0]", subplatform: "config-disk (/dev/sr0)"},
		"command line":      {files: mounted + "-- /proc/cmdline --\nro ds=nocloud;s=/mnt/seed;i=i-1;h=harbour quiet", detail: "[seed=cmdline,/mnt/seed][dsmode=local]"},
		"file: address":     {files: mounted + "-- /proc/cmdline --\nds=nocloud;s=file:///mnt/seed/", detail: "[seed=cmdline,file:///mnt/seed/][dsmode=local]"},
		"quoted argument":   {files: mounted + "-- /proc/cmdline --\n\"ds=nocloud;s=/mnt/seed/\" ro", detail: "[seed=cmdline,/mnt/seed/][dsmode=local]"},
		"serial number":     {files: mounted + "-- /sys/class/dmi/id/product_serial --\nds=nocloud;s=/mnt/seed/", detail: "[seed=dmi,/mnt/seed/][dsmode=local]"},
		"configured text":   {config: "datasource: {NoCloud: {meta-data: \"instance-id: i-1\\nlocal-hostname: harbour\", user-data: \"#cloud-config\\nhostname: x\\n\"}}", detail: "[seed=ds_config]"},
		"configured values": {config: "datasource: {NoCloud: {meta-data: {instance-id: i-1, local-hostname: harbour}, user-data: \"#cloud-config\\nhostname: x\\n\"}}", detail: "[seed=ds_config]"},
		"configured path":   {files: mounted, config: "datasource: {NoCloud: {seedfrom: /mnt/seed}}", detail: "[seed=ds_config_seedfrom,/mnt/seed]"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.files, c.config).withDevices(c.devices...).at(Local)
			if m := matchNoCloud(w.machine.Facts, w.env); !m.Found {
				t.Errorf("the facts do not name it: %s", m.Why)
			}
			in, err := fetchNoCloud(context.Background(), w.env)
			if err != nil {
				t.Fatal(err)
			}
			if in.ID != "i-1" || in.Hostname != "harbour" || strings.TrimSpace(string(in.UserData)) != strings.TrimSpace(user) {
				t.Errorf("id %q, name %q, user-data %q", in.ID, in.Hostname, in.UserData)
			}
			if want := "DataSourceNoCloud " + c.detail; in.Detail != want {
				t.Errorf("detail is %q, want %q", in.Detail, want)
			}
			if c.subplatform != "" && in.Subplatform != c.subplatform {
				t.Errorf("subplatform is %q, want %q", in.Subplatform, c.subplatform)
			}
			if w.warned() {
				t.Errorf("warned: %q", w.logged)
			}
		})
	}
}

// Row D14. Of meta-data the earlier place wins key by key; of the other documents the later. A person who puts i= on
// the command line must not get the disk's id, and one who inserts a disk must get its user-data.
func TestNoCloudPrecedence(t *testing.T) {
	folder := seedFiles("/var/lib/cloud/seed/nocloud", map[string]string{"meta-data": "instance-id: folder\nfrom-folder: 1\nlocal-hostname: folder",
		"user-data": "folder", "vendor-data": "folder", "network-config": "version: 1\nconfig: []"})
	w := newWorld(t, folder+"-- /proc/cmdline --\nds=nocloud;i=line;extra=word;dsmode=net\n-- /sys/class/dmi/id/product_serial --\nx ds=nocloud;h=serial",
		"datasource: {NoCloud: {meta-data: {instance-id: config, from-config: 1}, user-data: config}}")
	w.withDevices(cdrom(map[string]string{"meta-data": "{instance-id: disk, from-disk: 1}", "user-data": "disk", "network-config": "network: {version: 2}"}))
	in, err := fetchNoCloud(context.Background(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	if in.ID != "line" || in.Hostname != "serial" || in.Mode != "local" {
		t.Errorf("id %q, host name %q, mode %q", in.ID, in.Hostname, in.Mode)
	}
	if got := in.Detail; got != "DataSourceNoCloudNet [seed=dmi,cmdline,/var/lib/cloud/seed/nocloud,ds_config,/dev/sr0][dsmode=local]" {
		t.Errorf("detail is %q", got)
	}
	for _, key := range []string{"from-folder", "from-config", "from-disk", "extra"} {
		if _, ok := in.Metadata[key]; !ok {
			t.Errorf("meta-data lacks %s", key)
		}
	}
	if strings.TrimSpace(string(in.UserData)) != "disk" || strings.TrimSpace(string(in.VendorData)) != "folder" {
		t.Errorf("user-data %q, vendor-data %q", in.UserData, in.VendorData)
	}
	if in.Network == nil || in.Network.Kind != "v2" || !strings.Contains(string(in.Network.Document), "network:") {
		t.Errorf("network is %+v", in.Network)
	}
}

// An image may forbid disks with fs_label: null; then whoever inserts one gets nowhere.
func TestNoCloudWithoutLabel(t *testing.T) {
	w := newWorld(t, "", "datasource: {NoCloud: {fs_label: null}}").withDevices(cdrom(both()))
	if m := matchNoCloud(w.machine.Facts, w.env); m.Found {
		t.Errorf("the disk is seen: %s", m.Why)
	}
	if _, err := fetchNoCloud(context.Background(), w.env); isOneOf(err) != "absent" {
		t.Errorf("the error is %v", err)
	}
}

// A label on a file system that no seed is on means nothing: a data disk may be called what it likes.
func TestNoCloudOtherFileSystem(t *testing.T) {
	disk := cdrom(both())
	disk.Type = "ext4"
	w := newWorld(t, "", "").withDevices(disk)
	if _, err := fetchNoCloud(context.Background(), w.env); isOneOf(err) != "absent" {
		t.Errorf("the error is %v", err)
	}
}

// A broken seed costs itself: it is said with its place, and the next one counts.
func TestNoCloudBrokenSeeds(t *testing.T) {
	broken := func(meta string) string {
		return seedFiles("/var/lib/cloud/seed/nocloud", map[string]string{"meta-data": meta, "user-data": user})
	}
	good := []fakeDevice{cdrom(both())}
	for name, c := range map[string]struct {
		files   string
		devices []fakeDevice
		said    string
	}{
		"bad YAML":         {broken("a: b\nc: [\n"), good, "/var/lib/cloud/seed/nocloud/meta-data:"},
		"a list":           {broken("- instance-id"), good, "/var/lib/cloud/seed/nocloud/meta-data:1:1: meta-data should be a mapping, but is a list"},
		"an error page":    {broken("<html>Sign in</html>"), good, "meta-data:1:1: meta-data should be YAML, but is a web page"},
		"a word":           {broken("md"), good, "meta-data:1:1: meta-data should be a mapping, but is a string"},
		"no user-data":     {seedFiles("/var/lib/cloud/seed/nocloud", map[string]string{"meta-data": meta}), good, "/var/lib/cloud/seed/nocloud/user-data is missing"},
		"empty disk":       {"", []fakeDevice{cdrom(both()), {Device: machine.Device{Path: "/dev/vdb", Label: "cidata", Type: "vfat"}}}, "device /dev/vdb with label=cidata not a valid seed."},
		"disk with errors": {"", []fakeDevice{cdrom(both()), {Device: machine.Device{Path: "/dev/vdb", Label: "cidata", Type: "vfat"}, err: errors.New("bad superblock")}}, "bad superblock"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.files, "").withDevices(c.devices...)
			in, err := fetchNoCloud(context.Background(), w.env)
			if err != nil || in.ID != "i-1" {
				t.Fatalf("the good seed is lost: %v, %v", in, err)
			}
			if !w.has("WARNING", c.said) {
				t.Errorf("not said: %q in %q", c.said, w.logged)
			}
			if w = newWorld(t, c.files, "").withDevices(c.devices[1:]...); len(w.env.Machine.Disks.(fakeDisks)) == 0 && c.files == "" {
				return
			}
			if _, err := fetchNoCloud(context.Background(), w.env); isOneOf(err) != "silent" {
				t.Errorf("alone it gives %v: a broken seed must not be taken for none", err)
			}
		})
	}
}

// The id is what Python's str() makes of it. Else a machine that cloud-init set up would become a new one under us.
func TestNoCloudInstanceID(t *testing.T) {
	for text, want := range map[string]string{
		"instance-id: i-1":                     "i-1",
		"instance-id: 010":                     "8",
		"instance-id: '010'":                   "010",
		"instance-id: yes":                     "True",
		"instance-id:":                         "None",
		"instance-id: ''":                      "",
		"":                                     "nocloud",
		"local-hostname: x":                    "nocloud",
		`{"instance-id": "json", "a": [1, 2]}`: "json",
	} {
		w := newWorld(t, seedFiles("/var/lib/cloud/seed/nocloud", map[string]string{"meta-data": text, "user-data": ""}), "")
		in, err := fetchNoCloud(context.Background(), w.env)
		if err != nil || in.ID != want {
			t.Errorf("%q gives %v, %v; want the id %q", text, in, err, want)
		}
	}
	w := newWorld(t, seedFiles("/var/lib/cloud/seed/nocloud", map[string]string{"meta-data": "instance-id: {a: b}", "user-data": ""}), "")
	if _, err := fetchNoCloud(context.Background(), w.env); isOneOf(err) != "silent" || !strings.Contains(err.Error(), "meta-data:1:14") {
		t.Errorf("an id that is a mapping gives %v", err)
	}
}

// The name "nocloud" is a default and proves nothing: a machine whose seed is gone, but for ds=nocloud on the kernel
// command line, keeps its users and host keys.
func TestNoCloudDefaultIDIsNoProof(t *testing.T) {
	w := newWorld(t, "-- /proc/cmdline --\nds=nocloud", "")
	if in, err := fetchNoCloud(context.Background(), w.env); err != nil || in.ID != "nocloud" {
		t.Fatalf("at a first boot it gives %v, %v", in, err)
	}
	w.env.Last = &instance.Instance{Source: "NoCloudNet", ID: "i-1"}
	if _, err := fetchNoCloud(context.Background(), w.env); isOneOf(err) != "silent" || !strings.Contains(err.Error(), "i-1") {
		t.Errorf("later it gives %v", err)
	}
	w.env.Last.ID = "nocloud"
	if in, err := fetchNoCloud(context.Background(), w.env); err != nil || in.ID != "nocloud" {
		t.Errorf("for the same name it gives %v, %v", in, err)
	}
}

// What is left of a seed that is broken in part: the network's description is said and left out, the rest counts.
func TestNoCloudBrokenNetwork(t *testing.T) {
	for text, said := range map[string]string{"version: [": "network-config:", "- a": "network-config:1:1: the network's description should be a mapping, but is a list"} {
		files := both()
		files["network-config"] = text
		w := newWorld(t, seedFiles("/var/lib/cloud/seed/nocloud", files), "")
		in, err := fetchNoCloud(context.Background(), w.env)
		if err != nil || in.Network != nil || !w.has("WARNING", said) {
			t.Errorf("%q gives %+v, %v, %q", text, in, err, w.logged)
		}
	}
}

// Row D16. The network's description is handed on as it was written, and which kind it is.
func TestNoCloudNetwork(t *testing.T) {
	for text, kind := range map[string]string{
		"version: 1\nconfig: []":       "v1",
		"version: 2\nethernets: {}":    "v2",
		"network: {version: 2}":        "v2",
		"network: {config: disabled}":  "v1",
		`{"version": 1, "config": []}`: "v1",
	} {
		files := both()
		files["network-config"] = text
		in, err := fetchNoCloud(context.Background(), newWorld(t, seedFiles("/var/lib/cloud/seed/nocloud", files), "").env)
		if err != nil || in.Network == nil || in.Network.Kind != kind || strings.TrimSpace(string(in.Network.Document)) != text {
			t.Errorf("%q gives %+v, %v", text, in.Network, err)
		}
	}
	files := both()
	files["meta-data"] = meta + "network-interfaces: |\n  auto eth0\n  iface eth0 inet dhcp\n"
	w := newWorld(t, seedFiles("/var/lib/cloud/seed/nocloud", files), "")
	in, err := fetchNoCloud(context.Background(), w.env)
	if err != nil || in.Network == nil || in.Network.Kind != "eni" || string(in.Network.Document) != "auto eth0\niface eth0 inet dhcp\n" {
		t.Errorf("network-interfaces give %+v, %v", in.Network, err)
	}
	if !w.has("DEPRECATED Eni network configuration in NoCloud is deprecated in 24.3 and scheduled to be removed in 29.3.") {
		t.Errorf("not said: %q", w.logged)
	}
	files["network-config"] = "version: 2"
	if in, _ = fetchNoCloud(context.Background(), newWorld(t, seedFiles("/var/lib/cloud/seed/nocloud", files), "").env); in.Network.Kind != "v2" {
		t.Errorf("network-config does not win over network-interfaces: %+v", in.Network)
	}
}

// dsmode decides in which stage the data is used, or that it is not.
func TestNoCloudMode(t *testing.T) {
	for text, want := range map[string]string{"dsmode: local": "local", "dsmode: net": "net", "": "net", "dsmode: pass": "net", "dsmode:": "net"} {
		w := newWorld(t, seedFiles("/var/lib/cloud/seed/nocloud", map[string]string{"meta-data": text, "user-data": ""}), "")
		in, err := fetchNoCloud(context.Background(), w.env)
		if err != nil || in.Mode != want {
			t.Errorf("%q gives %v, %v; want %q", text, in, err, want)
		}
		if said := w.has("WARNING invalid dsmode 'pass', using default=net"); said != (text == "dsmode: pass") {
			t.Errorf("%q logs %q", text, w.logged)
		}
	}
	w := newWorld(t, "-- /proc/cmdline --\nds=nocloud;dsmode=disabled", "")
	if _, err := fetchNoCloud(context.Background(), w.env); isOneOf(err) != "absent" {
		t.Errorf("dsmode=disabled gives %v", err)
	}
}

// What tools read of the source: cloud-id, instance-data.json, previous-datasource.
func TestNoCloudDescription(t *testing.T) {
	files := seedFiles("/var/lib/cloud/seed/nocloud", both())
	in, err := fetchNoCloud(context.Background(), newWorld(t, files, "").at(Local).env)
	if err != nil {
		t.Fatal(err)
	}
	if in.Source != "NoCloud" || in.Cloud != "unknown" || in.Platform != "nocloud" || in.CloudID() != "nocloud" ||
		in.Subplatform != "seed-dir (/var/lib/cloud/seed/nocloud)" || in.Metadata["dsmode"] != "net" {
		t.Errorf("it is %+v", in)
	}
	in, err = fetchNoCloud(context.Background(), newWorld(t, files+"-- /dev/lxd/sock --\n", "").at(Local).env)
	if err != nil || in.Platform != "lxd" {
		t.Errorf("in LXD it is %+v, %v", in, err)
	}
}

// Whatever YAML can hold, the instance can be written down and read again: it is how one stage tells the next.
func TestNoCloudAnyMetadataCanBeKept(t *testing.T) {
	w := newWorld(t, seedFiles("/var/lib/cloud/seed/nocloud", map[string]string{"user-data": "",
		"meta-data": "a: .nan\nb: [.inf, -.inf]\nc: {1: 2, yes: no}\nd: 99999999999999999999999\ne: 2020-01-01\nf: !!binary aGk="}), "")
	in, err := fetchNoCloud(context.Background(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(in); err != nil {
		t.Error(err)
	}
}

// Row B10. What the kernel command line and DMI may say.
func TestSeedArguments(t *testing.T) {
	for line, want := range map[string]string{
		"root=/dev/sda1 ro":         "-",
		"ds=nocloudy":               "-",
		"ds=foo;s=SEED":             "-",
		"xds=nocloud":               "-",
		"ds=nocloud":                "dsmode=local",
		"ds=nocloud; root=/dev/foo": "dsmode=local",
		"ds=nocloud-net":            "dsmode=net",
		"ds=NoCloud;i=x":            "dsmode=local instance-id=x",
		"ds=nocloud;h=xhost;i=IID":  "dsmode=local instance-id=IID local-hostname=xhost",
		"ds=nocloud;seedfrom=/SEED;local-hostname=xhost": "dsmode=local local-hostname=xhost seedfrom=/SEED",
		"ds=nocloud-net;s=file:///SEED":                  "dsmode=local seedfrom=file:///SEED",
		"ds=nocloud;s=http://a/?b=c&d=e":                 "dsmode=net seedfrom=http://a/?b=c&d=e",
		"ds=nocloud;s=ftps://a/;dsmode=local":            "dsmode=local seedfrom=ftps://a/",
		"ds=nocloud;s=SEED":                              "seedfrom=SEED",
		"ds=nocloud;;a;b=;c=d=e":                         "a=None b= c=d=e dsmode=local",
		"ds=nocloud;i=1 ds=nocloud;i=2":                  "dsmode=local instance-id=2",
		`"ds=nocloud;s=http://a/ b/" quiet`:              "dsmode=net seedfrom=http://a/ b/",
	} {
		got := "-"
		if meta := seedArguments(line, "x"); meta != nil {
			var pairs []string
			for _, p := range meta.Pairs {
				pairs = append(pairs, p.Key.Text+"="+p.Value.Text)
			}
			slices.Sort(pairs)
			got = strings.Join(pairs, " ")
		}
		if got != want {
			t.Errorf("%q gives %q, want %q", line, got, want)
		}
	}
}

// The cheap check spares a crawl at each boot, and must not hide a new id.
func TestNoCloudCheck(t *testing.T) {
	last := &instance.Instance{Source: "NoCloud", ID: "i-1"}
	folder := seedFiles("/var/lib/cloud/seed/nocloud", both())
	for name, c := range map[string]struct {
		files string
		want  bool
	}{
		"the same in the folder":      {folder, true},
		"another on the line":         {folder + "-- /proc/cmdline --\nds=nocloud;i=i-2", false},
		"the same on the line":        {"-- /proc/cmdline --\nds=nocloud;i=i-1;s=http://a/", true},
		"nothing at all":              {"", false},
		"meta-data that is no YAML":   {seedFiles("/var/lib/cloud/seed/nocloud", map[string]string{"meta-data": "a: ["}), false},
		"a number that is not the id": {seedFiles("/var/lib/cloud/seed/nocloud", map[string]string{"meta-data": "instance-id: 1"}), false},
	} {
		if got := checkNoCloud(context.Background(), newWorld(t, c.files, "").env, last); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// FuzzSeedArguments: whatever stands on a kernel command line, it becomes texts that can be merged and kept.
func FuzzSeedArguments(f *testing.F) {
	for _, line := range []string{"ds=nocloud;s=http://a/;i=b;h=c", `"ds=nocloud;a`, "ds=nocloud-net;=;==", "ds=nocloud;i;i=1;dsmode"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		meta := seedArguments(line, "kernel command line")
		if meta == nil {
			return
		}
		merged := conf.DefaultMerger().Merge(meta, &conf.Value{Kind: conf.Map})
		if _, err := json.Marshal(merged.Data()); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	})
}
