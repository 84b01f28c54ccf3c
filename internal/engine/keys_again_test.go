package engine

import (
	"context"
	"strings"
	"testing"

	"openguest/internal/machine"
)

// lateNet is a cloud in EC2's old form that has a key from the given question on.
type lateNet struct {
	files    machine.Files
	from     int // 0: never
	asked    int
	tooEarly bool // somebody asked before the results of the boot were written
}

func (n *lateNet) Fetch(_ context.Context, r machine.Request) (machine.Response, error) {
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
