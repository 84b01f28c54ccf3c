package source

import (
	"testing"

	"openguest/internal/machine"
)

// Rows D23, D26. A machine on Rbx Cloud gets its user, its password, its keys and its addresses from its disk.
func TestRbxCloud(t *testing.T) {
	const doc = `{"vm": {"name": "web1", "_id": "5beab44f680cffd11f0e60fc"}, "additionalMetadata": {"username": "ann", "sshKeys": ["ssh-ed25519 AAAA a"], "password": {"sha512": "$6$x$y"}},
		"netadp": [{"ip": [{"address": "192.0.2.4"}, {"address": "192.0.2.5"}], "macaddress": "00:15:5D:FF:0F:03",
			"network": {"dns": {"nameservers": ["192.0.2.53"]}, "gateway": "192.0.2.1", "netmask": "255.255.248.0"}}]}`
	disk := machine.Device{Path: "/dev/sdb", Label: "CLOUDMD", Type: "vfat"}
	w := newWorld(t, "-- /etc/hosts --\n127.0.0.1 localhost\n", "").withDevices(fakeDevice{Device: disk, files: "-- cloud.json --\n" + doc + "\n-- user.data --\n#!/bin/sh\n"})
	in, err := fetchRbxCloud(t.Context(), w.env)
	if err != nil || in.ID != "5beab44f680cffd11f0e60fc" || in.Hostname != "web1" || string(in.UserData) != "#!/bin/sh\n" || w.warned() {
		t.Fatalf("it is %+v, %v, %q", in, err, w.logged)
	}
	if in.Detail != "DataSourceRbxCloud [seed=None]" || in.CloudID() != "rbxcloud" || in.Subplatform != "unknown" || in.Network.Kind != "v1" {
		t.Errorf("it calls itself %q, %q, %q", in.Detail, in.CloudID(), in.Subplatform)
	}
	wantJSON(t, "the configuration", in.Config, `{"ssh_pwauth": true, "disable_root": true, "manage_etc_hosts": false, "system_info": {"default_user": {"name": "ann", "gecos": "ann",
		"sudo": ["ALL=(ALL) NOPASSWD:ALL"], "passwd": "$6$x$y", "lock_passwd": false, "ssh_authorized_keys": ["ssh-ed25519 AAAA a"]}}}`)
	const subnet = `"netmask": "255.255.248.0", "control": "auto", "gateway": "192.0.2.1", "dns_nameservers": ["192.0.2.53"]}`
	wantJSON(t, "the network", in.Network.Document, `{"version": 1, "config": [{"type": "physical", "name": "eth0", "mac_address": "00:15:5d:ff:0f:03", "subnets": [
		{"type": "static", "address": "192.0.2.4", `+subnet+`, {"type": "static", "address": "192.0.2.5", `+subnet+`]}]}`)
	for files, want := range map[string]string{"-- a --\n": "silent", "-- cloud.json --\n{": "silent", "-- cloud.json --\n{\"vm\": {\"_id\": \"\"}, \"netadp\": 1}": "silent", "-- cloud.json --\n{\"vm\": 1}": "silent"} {
		w := newWorld(t, "", "").withDevices(fakeDevice{Device: disk, files: files})
		if in, err := fetchRbxCloud(t.Context(), w.env); isOneOf(err) != want {
			t.Errorf("%q: it is %+v, %v", files, in, err)
		}
	}
	if _, err := fetchRbxCloud(t.Context(), newWorld(t, "", "").withDevices().env); isOneOf(err) != "absent" {
		t.Errorf("without a disk it says %v", err)
	}
}
