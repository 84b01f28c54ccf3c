package engine

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"openguest/internal/machine"
)

// lateNet is a cloud in EC2's old form that has a key from the given question on.
type lateNet struct {
	mutex    sync.Mutex // the addresses are asked at the same time
	files    machine.Files
	from     int // 0: never
	asked    int
	tooEarly bool // somebody asked before the results of the boot were written
}

func (n *lateNet) Fetch(_ context.Context, r machine.Request) (machine.Response, error) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.asked++
	n.tooEarly = n.tooEarly || !machine.Exists(n.files, "/run/cloud-init/result.json")
	if n.from == 0 || n.asked < n.from || !strings.HasSuffix(r.URL, "/2009-04-04/meta-data/public-keys/0/openssh-key") {
		return machine.Response{}, &machine.StatusError{URL: r.URL, Status: 404}
	}
	return machine.Response{Status: 200, Body: []byte(lateKey + "\n"), URL: r.URL}, nil
}

const lateKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGfC3kz2Zr1x0m0Kf0w8nq0m0cQ2nJ3m0cQ2nJ3m0cQ ada@laptop"

// Row M29. A machine on a cloud that serves only the old path, and has the key a moment later than the machine is up, could
// never be logged in to. The boot must not wait for it either: sshd, and whoever waits for the results, come first.
func TestKeyThatComesLater(t *testing.T) {
	for name, c := range map[string]struct {
		from, asked int
		found       bool
		log         string
	}{
		"at the third try": {from: 3, asked: 3, found: true, log: "no key for this machine yet (try 2 of 4)"},
		"at once":          {from: 1, asked: 1, found: true, log: "the cloud's keys are there now: 1"},
		"never":            {asked: 4, log: "the cloud gave this machine no key in 4 tries"},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine.Fake(debian+`-- etc/cloud/cloud.cfg --
datasource: {Ec2: {metadata_urls: ["http://192.0.2.1"], key_retries: 4, sec_between_key_retries: 0.001}}
disable_root: false
cloud_init_modules: [ssh]
ssh_genkeytypes: [ed25519]
cloud_config_modules: []
cloud_final_modules: [final_message]
`, noon)
			net := &lateNet{files: m.Files, from: c.from}
			m.Net, m.Kernel = net, running{m.Kernel}
			in := given("i-1", "")
			in.Source, in.AwaitsKeys = "Ec2", true
			boot(t, m, Options{Given: in})
			if net.asked != c.asked || net.tooEarly {
				t.Errorf("the cloud was asked %d times, want %d; before the results: %v", net.asked, c.asked, net.tooEarly)
			}
			keys, _ := m.Files.Read("/root/.ssh/authorized_keys")
			if strings.Contains(keys, lateKey) != c.found {
				t.Errorf("root's keys are %q", keys)
			}
			if log := read(t, m, "/var/log/cloud-init.log"); !strings.Contains(log, c.log) {
				t.Errorf("the log does not say %q:\n%s", c.log, log)
			}
			kept, err := readKept(read(t, m, OwnState+"/instance.json"))
			if err != nil || kept.Instance.AwaitsKeys || (len(kept.Instance.Keys) == 1) != c.found {
				t.Errorf("what is remembered is %+v, %v", kept.Instance, err)
			}
			if shown := read(t, m, "/run/cloud-init/instance-data.json"); strings.Contains(shown, lateKey) != c.found {
				t.Errorf("a query sees %s", shown)
			}
		})
	}
}

// A person who plans is not kept waiting: one question is enough to show what would come.
func TestKeyThatComesLaterInPlan(t *testing.T) {
	m := machine.Fake(debian+"-- etc/cloud/cloud.cfg --\ncloud_init_modules: [ssh]\nssh_genkeytypes: [ed25519]\n", noon)
	net := &lateNet{files: m.Files}
	m.Net, m.Kernel = net, running{m.Kernel}
	in := given("i-1", "")
	in.Source, in.AwaitsKeys = "Ec2", true
	boot(t, m, Options{Given: in, Terminal: true})
	if net.asked != 2 { // at each of the source's two addresses
		t.Errorf("the cloud was asked %d times, want 2", net.asked)
	}
}

// toldNet is a cloud that takes host keys, or refuses them with a status.
type toldNet struct {
	status int
	told   []string
}

func (n *toldNet) Fetch(_ context.Context, r machine.Request) (machine.Response, error) {
	if n.status != 0 {
		return machine.Response{}, &machine.StatusError{URL: r.URL, Status: n.status}
	}
	n.told = append(n.told, r.Method+" "+r.URL+" "+r.Header["Metadata-Flavor"]+" "+string(r.Body)+" "+r.Tells)
	return machine.Response{Status: 200}, nil
}

// Row D17, and row 6 of gce-linux.md §14. Google shows a machine's host keys to who may see the project, where the machine tells them: without that nobody
// knows whether it is the right machine that answers. A project that does not take them is no fault of the boot.
func TestHostKeysForTheCloud(t *testing.T) {
	const at = "PUT http://169.254.169.254/computeMetadata/v1/instance/guest-attributes/hostkeys/"
	both := []string{at + "ssh-ed25519 Google AAAAC3 the host key ssh-ed25519", at + "ssh-rsa Google AAAAB3 the host key ssh-rsa"}
	for name, c := range map[string]struct {
		config, source string
		status         int
		want           []string
		log            string
	}{
		"both":                 {source: "GCE", want: both},
		"one kind is left out": {source: "GCE", config: "ssh_publish_hostkeys: {blacklist: [rsa]}", want: both[:1]},
		"dsa is left out":      {source: "GCE", config: "ssh_publish_hostkeys: {enabled: yes}", want: both},
		"not wanted":           {source: "GCE", config: "ssh_publish_hostkeys: {enabled: false}"},
		"not taken":            {source: "GCE", status: 403, log: "[DEBUG]: Unable to write ssh-ed25519 host key to guest attributes"},
		"the cloud is broken":  {source: "GCE", status: 503, log: "[WARNING]: Publishing host keys failed!"},
		"another cloud":        {source: "Hetzner"},
	} {
		m := machine.Fake(debian+`-- etc/ssh/ssh_host_ed25519_key.pub --
ssh-ed25519 AAAAC3 root@web1
-- etc/ssh/ssh_host_rsa_key.pub --
ssh-rsa AAAAB3 root@web1
-- etc/ssh/ssh_host_dsa_key.pub --
ssh-dss AAAAD3 root@web1
-- etc/ssh/ssh_host_ed25519_key --
x
-- etc/cloud/cloud.cfg --
cloud_init_modules: [ssh]
cloud_config_modules: []
cloud_final_modules: []
ssh_deletekeys: false
ssh_genkeytypes: [ed25519]
`+c.config+"\n", noon)
		net := &toldNet{status: c.status}
		m.Net, m.Kernel = net, running{m.Kernel}
		in := given("i-1", "")
		in.Source = c.source
		boot(t, m, Options{Given: in})
		if !slices.Equal(net.told, c.want) {
			t.Errorf("%s: the cloud was told %q, want %q", name, net.told, c.want)
		}
		log := read(t, m, "/var/log/cloud-init.log")
		if !strings.Contains(log, c.log) || strings.Contains(log, "Publishing") && c.status != 503 {
			t.Errorf("%s: the log is %s", name, log)
		}
	}
}
