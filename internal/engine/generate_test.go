package engine

import (
	"testing"

	"openguest/internal/machine"
)

const (
	early      = "/run/systemd/generator.early"
	targetLink = early + "/multi-user.target.wants/cloud-init.target"
	seeded     = debian + "-- var/lib/cloud/seed/nocloud/meta-data --\ninstance-id: i-1\n-- var/lib/cloud/seed/nocloud/user-data --\n"
)

// Rows B05, B08 and B24: a boot that is configured though nobody is there to ask waits for nothing; one that is not,
// though a cloud is there, leaves a machine that nobody can log in to.
func TestGenerate(t *testing.T) {
	cases := map[string]struct {
		files, environment string
		status             int
		config             string
	}{
		"a seed":          {files: seeded, config: "datasource_list: [ NoCloud, None ]\n"},
		"nothing":         {files: debian, status: 1, config: "di_report:\n  datasource_list: [  ]\n  # reporting not found result. notfound=disabled.\n"},
		"marker":          {files: seeded + "-- etc/cloud/cloud-init.disabled --\n", status: 2},
		"environment":     {files: seeded, environment: "cloud-init=disabled", status: 2},
		"the policy says": {files: debian + "-- etc/cloud/ds-identify.cfg --\npolicy: enabled\n"},
		"stale result":    {files: seeded + "-- run/cloud-init/.ds-identify.result --\n1\n", config: "datasource_list: [ NoCloud, None ]\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := machine.Fake(c.files, noon)
			status, err := Generate(m, Generation{Early: early, KernelCommandLine: c.environment})
			if err != nil || status != c.status {
				t.Fatalf("status %d, %v; want %d", status, err, c.status)
			}
			config, _ := m.Files.Read("/run/cloud-init/cloud.cfg")
			if config != c.config {
				t.Errorf("cloud.cfg holds %q, want %q", config, c.config)
			}
			checkGenerated(t, m, status == 0)
		})
	}
}

// What follows the cloud runs where there is something to follow: elsewhere it would be one more program in memory.
func TestGenerateWatch(t *testing.T) {
	const link = early + "/multi-user.target.wants/openguest-watch.service"
	m := machine.Fake(debian+"-- sys/class/dmi/id/product_name --\nGoogle Compute Engine\n", noon)
	for range 2 { // the second time as at a daemon-reload
		if status, err := Generate(m, Generation{Early: early}); status != 0 || err != nil || !machine.Exists(m.Files, link) {
			t.Errorf("on Google: status %d, %v, and the link is there: %v", status, err, machine.Exists(m.Files, link))
		}
	}
	m = machine.Fake(seeded, noon)
	if _, err := Generate(m, Generation{Early: early}); err != nil || machine.Exists(m.Files, link) {
		t.Errorf("with a seed: %v, and the link is there: %v", err, machine.Exists(m.Files, link))
	}
}

func checkGenerated(t *testing.T, m machine.Machine, on bool) {
	t.Helper()
	for name, want := range map[string]bool{targetLink: on, "/run/cloud-init/enabled": on, "/run/cloud-init/disabled": !on} {
		if machine.Exists(m.Files, name) != want {
			t.Errorf("%s is there: %v, want %v", name, !want, want)
		}
	}
}

// Row B06: a generator runs again at every daemon-reload; it must not change its mind in the middle of a boot.
func TestGenerateAgain(t *testing.T) {
	m := machine.Fake(seeded, noon)
	if status, err := Generate(m, Generation{Early: early}); status != 0 || err != nil {
		t.Fatal(status, err)
	}
	if err := machine.RemoveAll(m.Files, "/var/lib/cloud/seed"); err != nil {
		t.Fatal(err)
	}
	if status, err := Generate(m, Generation{Early: early}); status != 0 || err != nil {
		t.Errorf("at a daemon-reload: %d, %v", status, err)
	}
	checkGenerated(t, m, true)
	if status, err := Generate(m, Generation{Early: early, Force: true}); status != 1 || err != nil {
		t.Errorf("with --force: %d, %v", status, err)
	}
	checkGenerated(t, m, false)
	if machine.Exists(m.Files, "/var/log") {
		t.Error("/var is not there yet when generators run; nothing may be written to it")
	}
}
