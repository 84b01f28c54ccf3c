package engine

import (
	"context"
	"slices"
	"strings"
	"testing"

	"openguest/internal/machine"
)

const (
	lateKeyFile = OwnState + "/host-keys.json"
	rsaKeyFile  = "/etc/ssh/ssh_host_rsa_key"
	startsUnit  = "systemctl start --no-block openguest-hostkeys.service"
)

// withSSH is a machine with a ssh server, an image's key and systemd, of which it is known what was started.
func withSSH(config string) (machine.Machine, *recorded) {
	m := machine.Fake(debian+"-- run/systemd/system/ --\n-- root/ 700 0:0 --\n-- etc/ssh/ssh_host_rsa_key 600 0:0 --\nof the image\n-- etc/cloud/cloud.cfg --\n"+
		"cloud_init_modules: [ssh]\ncloud_config_modules: []\ncloud_final_modules: [final_message]\n"+config+"\n", noon)
	ran := &recorded{Commands: m.Commands}
	m.Commands, m.Kernel = ran, running{m.Kernel}
	return m, ran
}

// lateHostKeys is what the unit runs.
func lateHostKeys(m machine.Machine) error {
	return New(m, Options{Version: "test"}).HostKeys(context.Background())
}

// has says whether a machine has a file.
func has(m machine.Machine, name string) bool { return machine.Exists(m.Files, name) }

// Row X08: the network stage ends without the RSA key, and the config stage begins with it. The cloud is told all keys, once.
func TestHostKeyIsMadeLate(t *testing.T) {
	m, ran := withSSH("")
	net := &toldNet{}
	m.Net = net
	in := given("i-1", "")
	in.Source = "GCE"
	o := Options{Given: in, Unit: true}
	stages(t, m, o, Local, Network)
	if has(m, rsaKeyFile) || !has(m, lateKeyFile) || !has(m, "/etc/ssh/ssh_host_ed25519_key") || !slices.Equal(ran.argv, []string{startsUnit}) || len(net.told) > 0 {
		t.Fatalf("after the network stage: the RSA key is there: %v, it is noted: %v; it ran %q and told %q", has(m, rsaKeyFile), has(m, lateKeyFile), ran.argv, net.told)
	}
	for range 2 { // a second run has nothing to do
		if err := lateHostKeys(m); err != nil {
			t.Fatal(err)
		}
	}
	if !has(m, rsaKeyFile) || !has(m, rsaKeyFile+".pub") || has(m, lateKeyFile) || len(net.told) != 3 || len(ran.argv) != 1 {
		t.Fatalf("after the unit: the RSA key is there: %v, it is noted: %v; it ran %q and told %q", has(m, rsaKeyFile), has(m, lateKeyFile), ran.argv, net.told)
	}
	stages(t, m, o, Config, Final)
	if result := read(t, m, "/run/cloud-init/result.json"); !strings.Contains(result, `"errors": []`) {
		t.Errorf("the boot's result is %s", result)
	}
	log := read(t, m, "/var/log/cloud-init.log")
	for _, want := range []string{"changed: create " + rsaKeyFile, "finish: host-keys: SUCCESS"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
}

// Row X08. A machine that lost its power before the key was made would have none for good, for the module never runs twice. Another
// instance is asked anew what it wants; and a boot that has nothing to make starts nothing.
func TestHostKeyThatAPowerCutLeft(t *testing.T) {
	for name, c := range map[string]struct {
		id, userData string
		starts       int
		left         bool
	}{
		"the same instance":        {"i-1", "", 1, true},
		"another, which wants RSA": {"i-2", "", 2, true}, // the module starts it, and so does who goes on: systemd does it once
		"another, which does not":  {"i-2", "#cloud-config\nssh_genkeytypes: [ed25519]\n", 0, false},
		"another, without keys":    {"i-2", "#cloud-config\nssh_genkeytypes: []\n", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			m, ran := withSSH("")
			stages(t, m, Options{Given: given("i-1", ""), Unit: true}, Local, Network)
			m.Files.Remove("/run/cloud-init/.instance-id") // as a restart does
			ran.argv = nil
			stages(t, m, Options{Given: given(c.id, c.userData), Unit: true}, Local, Network)
			if len(ran.argv) != c.starts || has(m, lateKeyFile) != c.left || has(m, rsaKeyFile) {
				t.Errorf("it ran %q; the key is still to be made: %v", ran.argv, has(m, lateKeyFile))
			}
		})
	}
}

func TestNoHostKeyIsLeft(t *testing.T) {
	m, ran := withSSH("ssh_genkeytypes: [ed25519]")
	for range 2 {
		stages(t, m, Options{Given: given("i-1", ""), Unit: true}, Stages()...)
	}
	if len(ran.argv) > 0 || has(m, lateKeyFile) {
		t.Errorf("it ran %q", ran.argv)
	}
}

// A key that could not be made must not hide behind a boot that looks well, and is tried again.
func TestHostKeyThatCannotBeMade(t *testing.T) {
	m, _ := withSSH("")
	o := Options{Given: given("i-1", ""), Unit: true}
	stages(t, m, o, Local, Network)
	m.Files.Put(rsaKeyFile, machine.Folder(0o755))
	if err := lateHostKeys(m); err == nil || !has(m, lateKeyFile) {
		t.Errorf("%v; the key is still to be made: %v", err, has(m, lateKeyFile))
	}
	m.Files.Remove(rsaKeyFile)
	if err := lateHostKeys(m); err != nil || has(m, lateKeyFile) || !has(m, rsaKeyFile) {
		t.Errorf("once that can be made: %v", err)
	}
	stages(t, m, o, Config, Final)
	if result := read(t, m, "/run/cloud-init/result.json"); strings.Count(result, rsaKeyFile) != 1 {
		t.Errorf("the boot's result is %s", result)
	}
}
