package boot

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"openguest/internal/metadata"
)

// web1 is what the cloud says in these tests, in whatever dialect.
const web1 = `{
	"id": "i-0123456789abcdef0", "ids": {"openstack": "83679162-1378-4288-a2d4-70e13ec132aa", "gce": "4520031799277581759", "digitalocean": "2756294", "hetzner": "42"},
	"hostname": "web1.lab.example", "zone": "lab1-a", "labels": {"role": "web"},
	"ssh-keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGkc4ICx3Td8MSJnZGvsuWtqLZ6DkJjWcTHO3HvCTK2h alice@desk",
		"debian:ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGkc4ICx3Td8MSJnZGvsuWtqLZ6DkJjWcTHO3HvCTK2h alice@gce"],
	"user-data": "#cloud-config\nusers:\n- default\n- name: ada\n  groups: [adm]\nwrite_files:\n- path: /srv/one\n  content: from user-data\n  permissions: '0640'\n",
	"vendor-data": "#cloud-config\nruncmd: [[touch, /srv/two]]\n",
	"files": [{"path": "/srv/three", "content": "put in"}],
	"nics": [{"mac": "52:54:00:ab:cd:01", "ips": ["10.0.0.5/24"], "gateway": "10.0.0.1"}]
}`

// A cloudCase is a cloud.
type cloudCase struct {
	address string            // where its machines ask our metadata server, on port 80; empty: they do not
	dmi     string            // what its firmware says: NAME=VALUE, one a line
	files   string            // what lies in the machine: a shell's lines
	options string            // more of its configuration
	local   bool              // the peer asks it in its local stage, and nowhere else
	has     string            // what our machine must have at least, as words
	lacks   map[string]string // what the peer has otherwise, by what is looked at: why
}

// excuses says whether there is a reason why the peer has something otherwise.
func (c cloudCase) excuses(what string) bool {
	for at := range c.lacks {
		if what == at || strings.HasPrefix(what, at+".") {
			return true
		}
	}
	return false
}

// Why what we have is not what Debian's cloud-init 22.4 has.
const (
	isOld    = "26 has what we have"
	redacted = "the peer lets everybody read user-data there; see docs/differences.md"
)

var cloudCases = map[string]cloudCase{
	"OpenStack":   {address: "169.254.169.254", dmi: "product_name=OpenStack Nova", has: "/srv/two"},
	"ConfigDrive": {files: configDrive, local: true, has: "/srv/two /srv/three"},
	"Ec2":         {address: "169.254.169.254", dmi: "product_uuid=ec2e1916-9099-7caf-fd21-012345abcdef\nproduct_serial=ec2e1916-9099-7caf-fd21-012345abcdef"},
	"GCE": {address: "169.254.169.254", dmi: "product_name=Google Compute Engine",
		lacks: map[string]string{"ds.meta_data.instance-data": redacted, "ds.meta_data.project-data": redacted},
		files: "echo 169.254.169.254 metadata.google.internal >> /etc/hosts"}, // the peer asks for the name
	"AliYun": {address: "100.100.100.200", dmi: "product_name=Alibaba Cloud ECS", has: "/srv/two",
		lacks: map[string]string{"files": isOld, "ds._metadata_api_version": isOld, "v1.platform": isOld}},
	"Hetzner": {address: "169.254.169.254", dmi: "sys_vendor=Hetzner\nproduct_serial=42", local: true, has: "/srv/two",
		lacks: map[string]string{"ds.meta_data": isOld, "v1.availability_zone": isOld, "v1.region": isOld, "v1.subplatform": isOld}},
	"DigitalOcean": {address: "169.254.169.254", dmi: "sys_vendor=DigitalOcean\nproduct_serial=2756294", local: true, has: "/srv/two",
		options: ", use_ip4LL: false"}, // the peer would take an address of its own, with programs that are not in the tree
}

// configDrive are lines that make a config drive of a folder.
const configDrive = `d=/var/lib/cloud/seed/config_drive/openstack; mkdir -p $d/2018-08-27 $d/content
cat > $d/2018-08-27/meta_data.json <<'end'
{"uuid": "83679162-1378-4288-a2d4-70e13ec132aa", "hostname": "web1.lab.example", "random_seed": "c2VlZA==",
 "public_keys": {"mine": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGkc4ICx3Td8MSJnZGvsuWtqLZ6DkJjWcTHO3HvCTK2h alice@desk\n"},
 "files": [{"path": "/srv/three", "content_path": "/content/0000"}, {"path": "srv/new/four", "content_path": "/content/0001"}]}
end
printf 'put in' > $d/content/0000; printf '\001\377' > $d/content/0001
cat > $d/2018-08-27/user_data <<'end'
#cloud-config
users: [default, {name: ada, groups: [adm]}]
write_files: [{path: /srv/one, content: "from user-data", permissions: '0640'}]
end
cat > $d/2018-08-27/vendor_data.json <<'end'
{"cloud-init": "#cloud-config\nruncmd: [[touch, /srv/two]]\n"}
end
`

// serveCloud answers for web1 at an address inside the sandbox, with faults as "openguest-host faults" has them.
func (s *sandbox) serveCloud(address string, faults ...string) {
	s.t.Helper()
	s.sh(": > /etc/resolv.conf; ip link set lo up && ip addr add " + address + "/32 dev lo && ip link add eth0 address 52:54:00:ab:cd:01 type veth peer name far0 && " +
		"ip link set eth0 up && ip link set far0 up && ip addr add 10.0.0.5/24 dev eth0 && ip route add default via 10.0.0.1")
	store, err := metadata.OpenFile(s.t.TempDir())
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := store.Write(s.t.Context(), metadata.Change{Key: "instance/web1", Value: []byte(web1), IfMatch: metadata.Any}); err != nil {
		s.t.Fatal(err)
	}
	server, err := metadata.NewServer(s.t.Context(), store, 100)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, fault := range faults {
		w := httptest.NewRecorder()
		if server.Admin().ServeHTTP(w, httptest.NewRequest("POST", "/v1/faults", strings.NewReader(fault))); w.Code/100 != 2 {
			s.t.Fatalf("the server does not take the fault %s: %s", fault, w.Body)
		}
	}
	l, err := s.listen(address + ":80")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		server.Close()
		store.Close()
	})
	go server.Serve(l, "web1") // the test's end closes it
}

// listen listens in the sandbox's network. The thread that goes there comes back: were it to end, the sandboxes that it
// started would end with it.
func (s *sandbox) listen(address string) (net.Listener, error) {
	runtime.LockOSThread()
	here, err1 := os.Open("/proc/thread-self/ns/net")
	there, err2 := os.Open(fmt.Sprintf("/proc/%d/ns/net", s.pid))
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	defer here.Close()
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); err != nil {
		s.t.Fatal(err) // with the thread locked, so that nobody else runs in the wrong place
	}
	runtime.UnlockOSThread()
	return l, err
}

// otherFirmware is /sys with the firmware's words in $DMI.
const otherFirmware = `mkdir /sys.new && mount -t tmpfs sys /sys.new && cd /sys
for d in *; do mkdir /sys.new/$d && test $d = class || mount --rbind $d /sys.new/$d; done
for d in class/*; do mkdir /sys.new/$d && test $d = class/dmi || mount --bind $d /sys.new/$d; done
mkdir -p /sys.new/class/dmi/id && cd /sys.new/class/dmi/id
echo "$DMI" | while IFS='=' read -r name value; do echo "$value" > $name; done
cd / && umount -l /sys && mount --move /sys.new /sys && rmdir /sys.new`

// onCloud is a machine on a cloud. What its firmware says is all that names it.
func onCloud(t *testing.T, name string, faults ...string) *sandbox {
	c := cloudCases[name]
	s := open(t, "")
	s.sh("rm -r /var/lib/cloud/seed/nocloud")
	s.sh("DMI='" + c.dmi + "'\n" + otherFirmware)
	s.write("/usr/bin/systemd-detect-virt", "#!/bin/sh\necho none; exit 1\n")
	s.write("/usr/bin/udevadm", "#!/bin/sh\n") // there is no udev that could read its rules again
	s.sh("chmod 755 /usr/bin/systemd-detect-virt /usr/bin/udevadm")
	s.config("99-cloud", fmt.Sprintf("datasource: {%s: {max_wait: 20, timeout: 5%s}}\n", name, c.options))
	s.sh(c.files)
	if c.address != "" {
		s.serveCloud(c.address, faults...)
	}
	return s
}

// Row B10, its second half: a source that the kernel command line names is asked though no firmware names the cloud. Who
// boots an image where the firmware is silent has no other way to say where it is.
func TestCloudOnCommandLine(t *testing.T) {
	s := open(t, "")
	s.sh("rm -r /var/lib/cloud/seed/nocloud")
	s.config("99-cloud", "datasource: {OpenStack: {max_wait: 20, timeout: 5}}\n")
	s.serveCloud("169.254.169.254")
	s.commandLine("ds=openstack")
	s.mustBoot()
	if id := s.read("/var/lib/cloud/data/instance-id"); id != "83679162-1378-4288-a2d4-70e13ec132aa\n" {
		t.Errorf("the instance is %q", id)
	}
	if text := s.read("/srv/one"); text != "from user-data" {
		t.Errorf("what user-data says is not done: %q", text)
	}
}

// seen is what a person would look at on the machine afterwards.
func (s *sandbox) seen() map[string]string {
	s.t.Helper()
	out := map[string]string{"hostname": s.sh("hostname"), "passwd": s.sh("cut -d: -f1,6,7 /etc/passwd"), "groups": s.sh("id ada; id debian"),
		"files": s.sh("find /srv -printf '%p %m %u:%g\\n' | sort")}
	for _, name := range []string{"/home/debian/.ssh/authorized_keys", "/root/.ssh/authorized_keys", "/etc/hostname", "/srv/one", "/srv/three", "/srv/new/four",
		"/var/lib/cloud/data/instance-id", "/run/cloud-init/cloud-id"} {
		text, there := s.look(name)
		out[name] = cmp.Or(text, fmt.Sprint("there: ", there))
	}
	out["datasource"] = strings.ReplaceAll(s.read("/var/lib/cloud/instance/datasource"), "Local", "") // the peer is not asked there
	var data struct {
		V1 map[string]any `json:"v1"`
		DS map[string]any `json:"ds"`
	}
	if err := json.Unmarshal([]byte(s.read("/run/cloud-init/instance-data.json")), &data); err != nil {
		s.t.Fatal(err)
	}
	for _, key := range strings.Fields("cloud_name cloud_id instance_id local_hostname availability_zone platform subplatform region public_ssh_keys") {
		out["v1."+key] = fmt.Sprint(data.V1[key])
	}
	delete(data.DS, "_doc")
	delete(data.DS, "ec2_metadata") // ours is read only where somebody needs it
	flatten(out, "ds", data.DS)
	return out
}

// flatten are the values below one, each by the path to it.
func flatten(out map[string]string, at string, value any) {
	below, ok := value.(map[string]any)
	if !ok {
		text, _ := json.Marshal(value)
		out[at] = string(text)
	}
	for key, value := range below {
		flatten(out, at+"."+key, value)
	}
}

// Rows B05, D01, D07, D10, D17, D18, D22, D26, S02 and S13. On each cloud, which its firmware alone names, a machine gets the users, keys, name and files that the real cloud-init gives it, and its
// templates the same data.
func TestClouds(t *testing.T) {
	for name := range cloudCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peer := onCloud(t, name)
			peer.config("99-list", "datasource_list: ["+name+", None]\n") // detection is not among its commands
			first := 0
			if !cloudCases[name].local {
				first = 1 // in the local stage it would need a DHCP server
			}
			for _, stage := range stages[first:] {
				if r := peer.run(append([]string{"/usr/bin/cloud-init"}, stage...)...); r.code != 0 {
					t.Fatalf("the peer's %v ended with %d: %s%s", stage, r.code, r.stdout, r.stderr)
				}
			}
			us := onCloud(t, name)
			us.mustBoot()
			got, want := us.seen(), peer.seen()
			for what := range got {
				if _, there := want[what]; !there {
					want[what] = ""
				}
			}
			for what := range want {
				if got[what] != want[what] && !cloudCases[name].excuses(what) {
					t.Errorf("%s is %q, the peer's %q", what, got[what], want[what])
				}
			}
			for line := range strings.Lines(us.read("/var/log/cloud-init.log")) {
				if strings.Contains(line, "WARNING") {
					t.Errorf("it warned: %s", line)
				}
			}
			for file := range strings.FieldsSeq(cloudCases[name].has + " /srv/one") {
				if !strings.Contains(got["files"], file+" ") {
					t.Errorf("there is no %s", file)
				}
			}
			if !strings.Contains(got["passwd"], "ada") || !strings.Contains(got["/home/debian/.ssh/authorized_keys"], "alice@") {
				t.Errorf("the cloud's data was not used: %q", got)
			}
			if data := us.read("/run/cloud-init/status.json"); !strings.Contains(data, "DataSource"+name) {
				t.Errorf("the status names no %s: %s", name, data)
			}
		})
	}
}
