package engine

import (
	"strings"
	"testing"

	"openguest/internal/machine"
)

// Row B11: what the kernel command line says counts more than the image; a boot loader can write no quotes and no lines.
func TestCommandLineConfig(t *testing.T) {
	for line, want := range map[string]string{
		"ro cc: {timezone: UTC} end_cc quiet":                "UTC",
		"ro cc:%7Btimezone%3A%20UTC%7D end_cc":               "UTC",
		`ro cc: timezone: UTC\nlocale: C end_cc`:             "UTC",
		"cc: locale: C end_cc ro cc: timezone: UTC end_cc x": "UTC",
		"cc:timezone: UTC":                                   "UTC",
		"ro ccx: {timezone: UTC}":                            "Europe/Lisbon",
		"ro":                                                 "Europe/Lisbon",
	} {
		config := BaseConfig(machine.Fake(debian+"-- etc/cloud/cloud.cfg --\ntimezone: Europe/Lisbon\n-- proc/cmdline --\n"+line+"\n", noon))
		if got := config.Get("timezone").Str(""); got != want {
			t.Errorf("%q: the time zone is %q, want %q", line, got, want)
		}
	}
}

// Row B12: a machine that is netbooted is told by its boot loader where its configuration is. It must follow the address at
// every boot, must not take a page that is none, and must keep what may be secret to root.
func TestCommandLineAddress(t *testing.T) {
	const image = debian + "-- proc/cmdline --\nro cloud-config-url=http://user:secret@boot.example/config?token=secret\n"
	const address = "http://user:secret@boot.example/config?token=secret"
	m := machine.Fake(image, noon)
	m.Net = seeds{address: "#cloud-config\ntimezone: UTC\n"}
	if e := boot(t, m, Options{Given: given("i", "")}); e.config.Get("timezone").Str("") != "UTC" {
		t.Error("the configuration is not used")
	}
	n, err := machine.Get(m.Files, addressConfig)
	if err != nil || n.Mode.Perm() != 0o600 || n.Data != "#cloud-config\ntimezone: UTC\n" {
		t.Errorf("kept is %v, %v", n, err)
	}
	if log := read(t, m, "/var/log/cloud-init.log"); strings.Contains(log, "secret") || !strings.Contains(log, "wrote cloud-config data from cloud-config-url='http://boot.example/config'") {
		t.Errorf("the log says nothing of it, or too much:\n%s", log)
	}
	m.Net = seeds{address: "#cloud-config\ntimezone: Asia/Tokyo\n"}
	if e := boot(t, m, Options{Given: given("i", "")}); e.config.Get("timezone").Str("") != "Asia/Tokyo" {
		t.Error("the next boot does not ask again")
	}
	m.Net = seeds{address: "<html>sign in</html>"}
	e := boot(t, m, Options{Given: given("i", "")})
	if log := read(t, m, "/var/log/cloud-init.log"); e.config.Get("timezone").Str("") != "Asia/Tokyo" || !strings.Contains(log, "did not start with #cloud-config") {
		t.Errorf("another page counts, or nothing is said:\n%s", log)
	}
	m.Net = seeds{}
	if e := boot(t, m, Options{Given: given("i", "")}); e.config.Get("timezone").Str("") != "Asia/Tokyo" {
		t.Error("a silent server takes away what was given")
	}
}

// Row B12: a file of the machine is read once, and the old key url saves nothing and asks nobody.
func TestCommandLineFile(t *testing.T) {
	m := machine.Fake(debian+"-- proc/cmdline --\ncloud-config-url=file:///media/config\n-- media/config --\n#cloud-config\ntimezone: UTC\n", noon)
	for range 2 {
		if e := boot(t, m, Options{Given: given("i", "")}); e.config.Get("timezone").Str("") != "UTC" {
			t.Error("the file is not used")
		}
		if _, err := m.Files.Put("/media/config", machine.File(0o644, "#cloud-config\ntimezone: Asia/Tokyo\n")); err != nil {
			t.Fatal(err)
		}
	}
	old := machine.Fake(debian+"-- proc/cmdline --\nurl=http://boot.example/config\n", noon)
	net := &askedNet{}
	old.Net = net
	boot(t, old, Options{Given: given("i", "")})
	if net.asked != nil || machine.Exists(old.Files, addressConfig) {
		t.Errorf("asked was %q, kept: %v", net.asked, machine.Exists(old.Files, addressConfig))
	}
}
