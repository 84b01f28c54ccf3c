package metadata

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"openguest/test/peer"
)

// insideTree runs in namespaces of its own: an overlay over the peer's tree, the addresses of metadata servers on lo, two
// interfaces, and our server.
const insideTree = `
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$WORK"; mkdir "$WORK"/u "$WORK"/w "$WORK"/root
mount -t overlay overlay -o lowerdir="$TREE",upperdir="$WORK/u",workdir="$WORK/w" "$WORK/root"
r=$WORK/root
ip link set lo up; ip addr add 169.254.169.254/32 dev lo; ip addr add 100.100.100.200/32 dev lo
ip link add eth0 address 52:54:00:ab:cd:01 type veth peer name far0
ip link add eth1 address 52:54:00:ab:cd:02 type veth peer name far1
mount -t tmpfs -o mode=755 tmpfs "$r/dev"
for n in null zero random urandom tty full; do cp -a /dev/$n "$r/dev/"; done
ln -s /proc/self/fd "$r/dev/fd"; mkdir "$r/dev/pts" "$r/dev/shm"; : > "$r/dev/console"
mount -t proc proc "$r/proc"; mount -t sysfs sysfs "$r/sys"; mount -t tmpfs tmpfs "$r/run"; mkdir -p "$r/run/systemd/system" "$r/run/lock" "$r/run/sshd"
printf '127.0.0.1 localhost\n169.254.169.254 metadata.google.internal\n' > "$r/etc/hosts"
mkfifo "$WORK/ready"
OPENGUEST_METADATA_CHILD="$DATA 0.0.0.0:80 web1" "$SELF" > "$WORK/ready" &
read -r addr < "$WORK/ready"
hostname base
`

// insideCloudInit is the stage of the real cloud-init that asks our server. What it found is left in OUT.
const insideCloudInit = `
printf '%s\n' "$CONFIG" > "$r/etc/cloud/cloud.cfg.d/99-lab.cfg"
printf '#!/bin/sh\ncase $2 in\n%s\nesac\n' "$DMI" > "$r/usr/sbin/dmidecode"; chmod 755 "$r/usr/sbin/dmidecode"
printf '#!/bin/sh\necho none; exit 1\n' > "$r/usr/bin/systemd-detect-virt"; chmod 755 "$r/usr/bin/systemd-detect-virt"
PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 timeout 120 chroot "$r" /usr/bin/cloud-init init < /dev/null > "$OUT/output" 2>&1 || echo "init ended with $?" >> "$OUT/output"
cp "$r/run/cloud-init/instance-data-sensitive.json" "$OUT/instance.json" || true
cp "$r/var/log/cloud-init.log" "$OUT/log" || true
cp "$r"/var/lib/cloud/instances/*/user-data.txt "$OUT/user-data" || true
cp "$r/etc/network/interfaces.d/50-cloud-init" "$OUT/interfaces" || true
`

// A peerCase is a source of the real cloud-init, and what it must find.
type peerCase struct {
	dmi    string // the machine's identity, as cases of a shell
	want   map[string]string
	config map[string]any // of the source, beside its times
}

var peerCases = map[string]peerCase{
	"GCE": {
		dmi: `system-product-name) echo Google Compute Engine;;`,
		want: map[string]string{
			"v1.instance_id": "4520031799277581759", "v1.local_hostname": "web1", "v1.availability_zone": "lab1-a", "v1.region": "lab1", "v1.cloud_name": "gce",
			"ds.meta_data.public-keys-data.0": "bob:ssh-ed25519 AAAAC4 bob",
		},
	},
	"Ec2": {
		dmi: "system-uuid) echo ec2e1916-9099-7caf-fd21-012345abcdef;;\nsystem-serial-number) echo ec2e1916-9099-7caf-fd21-012345abcdef;;",
		want: map[string]string{
			"v1.instance_id": "i-0123456789abcdef0", "v1.local_hostname": "web1", "v1.availability_zone": "lab1-a", "v1.region": "lab1", "v1.cloud_name": "aws",
			"v1.public_ssh_keys.0": "ssh-ed25519 AAAAC3 alice@desk", "ds.meta-data.block-device-mapping.ephemeral0": "/dev/sdb",
			"ds.meta-data.network.interfaces.macs.52:54:00:ab:cd:01.local-ipv4s": "10.0.0.5", "ds.meta-data.tags.instance.role": "web",
			"ds.dynamic.instance-identity.document.accountId": "123456789012",
		},
	},
	"AliYun": {
		dmi: `system-product-name) echo Alibaba Cloud ECS;;`,
		want: map[string]string{
			"v1.instance_id": "i-0123456789abcdef0", "v1.local_hostname": "web1.lab.example", "v1.cloud_name": "aliyun", "v1.public_ssh_keys.0": "ssh-ed25519 AAAAC3 alice@desk",
			"ds.meta-data.region-id": "lab1", "ds.meta-data.network-type": "vpc",
		},
	},
	"NoCloud": {
		config: map[string]any{"seedfrom": "http://169.254.169.254/nocloud/seed-token-1/"},
		want: map[string]string{
			"v1.instance_id": "i-0123456789abcdef0", "v1.local_hostname": "web1", "v1.platform": "nocloud", "v1.public_ssh_keys.0": "ssh-ed25519 AAAAC3 alice@desk",
		},
	},
	"OpenStack": {
		dmi: `system-product-name) echo OpenStack Nova;;`,
		want: map[string]string{
			"v1.instance_id": "83679162-1378-4288-a2d4-70e13ec132aa", "v1.local_hostname": "web1", "v1.availability_zone": "lab1-a", "v1.cloud_name": "openstack",
			"v1.public_ssh_keys.0": "ssh-ed25519 AAAAC3 alice@desk\n", "ds.meta_data.meta.role": "web", "ds.meta_data.name": "web1",
		},
	},
}

// The real cloud-init must find the same instance in our answers as in its cloud's.
func TestRealCloudInit(t *testing.T) {
	tree := peer.Tree(t, "usr/bin/cloud-init")
	for source, c := range peerCases {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			out, data := bootPeer(t, tree, source, c)
			for key, want := range c.want {
				if got := dig(fields(t, out["instance.json"]), key); got != want {
					t.Errorf("%s is %q, want %q", key, got, want)
				}
			}
			if got := string(out["user-data"]); got != "#cloud-config\n{}\n" {
				t.Errorf("user-data is %q", got)
			}
			checkPeer(t, source, out, data)
			if t.Failed() {
				t.Logf("%s\n%s", out["output"], tail(out["log"], 40))
			}
		})
	}
}

// checkPeer looks at what only one source does.
func checkPeer(t *testing.T, source string, out map[string][]byte, data string) {
	t.Helper()
	switch source {
	case "OpenStack":
		if !strings.Contains(string(out["log"]), "/openstack/content/0000 (200, 5b)") {
			t.Error("it did not read the file that meta_data.json names")
		}
		for _, want := range []string{"address 10.0.0.5/24", "default gw 10.0.0.1", "address 2001:db8::5/64", "iface eth1 inet dhcp", "dns-nameservers 10.0.0.2"} {
			if !strings.Contains(string(out["interfaces"]), want) {
				t.Errorf("%q is not in the network that it set up:\n%s", want, out["interfaces"])
			}
		}
	case "NoCloud":
		if !strings.Contains(string(out["log"]), "/nocloud/seed-token-1/vendor-data (200, ") {
			t.Error("it did not read the vendor-data")
		}
	case "Ec2":
		if !strings.Contains(string(out["log"]), "Fetching Ec2 IMDSv2 API Token") || strings.Contains(string(out["log"]), "endpoint is probably disabled") {
			t.Error("it read without a token")
		}
	case "GCE":
		s := serveIn(t, data, 1, nil)
		v, ok := s.catalog.View("web1")
		if key := v.Written.GuestAttributes["hostkeys"]["ssh-ed25519"]; !ok || !strings.HasPrefix(key, "AAAA") {
			t.Errorf("the host key that it published is %q", key)
		}
	}
}

// bootPeer runs the stage and gives the files that it left, and the server's data folder.
func bootPeer(t *testing.T, tree, source string, c peerCase) (out map[string][]byte, data string) {
	t.Helper()
	network := map[string]any{} // the source's own
	if source != "OpenStack" {
		network["config"] = "disabled" // it would wait for DHCP, and nobody answers here
	}
	settings := map[string]any{"max_wait": 20, "timeout": 5, "retries": 1}
	maps.Copy(settings, c.config)
	config, err := json.Marshal(map[string]any{
		"network": network, "datasource_list": []string{source, "None"}, "ssh_genkeytypes": []string{"ed25519"},
		"datasource": map[string]any{source: settings},
	})
	if err != nil {
		t.Fatal(err)
	}
	found, data := inSandbox(t, tree, insideCloudInit, "CONFIG="+string(config), "DMI="+c.dmi)
	out = map[string][]byte{}
	for _, name := range []string{"instance.json", "log", "output", "user-data", "interfaces"} {
		out[name], _ = os.ReadFile(filepath.Join(found, name)) // what is missing fails a comparison
	}
	if out["instance.json"] == nil {
		t.Fatalf("it left no instance data\n%s\n%s", out["output"], tail(out["log"], 40))
	}
	return out, data
}

// inSandbox runs the rest of a script in the sandbox, and gives the folders of what it left and of the server's data.
func inSandbox(t *testing.T, tree, script string, env ...string) (out, data string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, data, out := t.TempDir(), t.TempDir(), t.TempDir()
	if err := serveAndClose(t, data); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("unshare", "-m", "-n", "-p", "-f", "-u", "-i", "--kill-child", "bash", "-c", insideTree+script)
	command.Env = append(append(os.Environ(), "WORK="+dir, "TREE="+tree, "OUT="+out, "SELF="+self, "DATA="+data), env...)
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("the sandbox: %v\n%s", err, said)
	}
	return out, data
}

// insideReaders calls the readers of cloud-init's sources that look for their cloud before there is a network, with what they make
// of the answers.
const insideReaders = `
ip link set eth0 up; ip link set eth1 up
cat > "$r/readers.py" <<'END'
import json
from cloudinit.sources import DataSourceAzure as azure
from cloudinit.sources.helpers import digitalocean, hetzner
at = "http://169.254.169.254"
found = {}
md = azure.get_metadata_from_imds(0, api_version=azure.IMDS_VER_WANT)
network = azure.generate_network_config_from_instance_network_metadata(md["network"])
found["azure"] = {"md": md, "network": network, "old": azure.get_metadata_from_imds(0, api_version=azure.IMDS_VER_MIN)}
found["hetzner"] = hetzner.read_metadata(at + "/hetzner/v1/metadata", retries=0)
found["hetzner"]["userdata"] = hetzner.read_userdata(at + "/hetzner/v1/userdata", retries=0).decode()
md = digitalocean.read_metadata(at + "/metadata/v1.json", retries=0)
found["digitalocean"] = {"md": md, "network": digitalocean.convert_network_configuration(md["interfaces"], md["dns"]["nameservers"])}
json.dump(found, open("/found", "w"))
END
PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$r" python3 /readers.py < /dev/null > "$OUT/output" 2>&1 || true
cp "$r/found" "$OUT/found" || true
`

// What cloud-init's own readers make of the clouds that it asks before the network is up.
func TestRealCloudInitReads(t *testing.T) {
	out, _ := inSandbox(t, peer.Tree(t, "usr/bin/cloud-init"), insideReaders)
	data, err := os.ReadFile(filepath.Join(out, "found"))
	if err != nil {
		said, _ := os.ReadFile(filepath.Join(out, "output")) // it says why, where it is there
		t.Fatalf("%v\n%s", err, said)
	}
	found := fields(t, data)
	for key, want := range map[string]string{
		"azure.md.compute.name": "web1", "azure.md.compute.userData": "I2Nsb3VkLWNvbmZpZwp7fQo=", "azure.md.compute.publicKeys.0.keyData": "ssh-ed25519 AAAAC3 alice@desk",
		"azure.network.ethernets.eth0.match.macaddress": "52:54:00:ab:cd:01", "azure.network.ethernets.eth0.dhcp6": "true", "azure.old.compute.vmSize": "small",
		"hetzner.instance-id": "42", "hetzner.hostname": "web1.lab.example", "hetzner.userdata": "#cloud-config\n{}\n", "hetzner.vendor_data": "#cloud-config\nv: 1\n",
		"hetzner.network-config.config.0.mac_address": "52:54:00:ab:cd:01",
		"digitalocean.md.droplet_id":                  "2756294", "digitalocean.md.user_data": "#cloud-config\n{}\n", "digitalocean.md.public_keys.0": "ssh-ed25519 AAAAC3 alice@desk",
		"digitalocean.network.config.0.subnets.0.address": "172.16.0.5", "digitalocean.network.config.0.name": "eth1",
	} {
		if got := dig(found, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if t.Failed() {
		t.Logf("%s", data)
	}
}

// serveAndClose fills a store for the server in the sandbox.
func serveAndClose(t *testing.T, data string) error {
	store, err := OpenFile(data)
	if err != nil {
		return err
	}
	defer store.Close()
	_, err = store.Write(t.Context(), Change{Key: "project", Value: []byte(lab), IfMatch: Any}, Change{Key: "instance/web1", Value: []byte(web1), IfMatch: Any})
	return err
}

// dig follows names through maps, and numbers through lists. Names may have dots of their own in no key of ours.
func dig(at any, key string) string {
	for name := range strings.SplitSeq(key, ".") {
		switch in := at.(type) {
		case map[string]any:
			at = in[name]
		case []any:
			if name != "0" || len(in) == 0 {
				return ""
			}
			at = in[0]
		}
	}
	switch v := at.(type) {
	case string:
		return v
	case nil:
		return ""
	}
	text, err := json.Marshal(at)
	if err != nil {
		return ""
	}
	return string(text)
}

func tail(log []byte, n int) string {
	lines := strings.Split(string(log), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
