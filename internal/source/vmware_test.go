package source

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"openguest/internal/instance"
)

// withGuestInfo is a machine on VMware, and what its tools answer by key.
func withGuestInfo(t *testing.T, files string, says map[string]string) *world {
	lines := map[string]string{}
	for key, text := range says {
		lines["/usr/bin/vmware-rpctool info-get guestinfo."+key] = text
	}
	return identifyCase{files: onVMware + rpctool + files, says: lines}.world(t)
}

// Rows D22 and D26. Each value in each encoding; cloud-init's documentation has templates for all of them.
func TestVMwareGuestInfo(t *testing.T) {
	const metadata = "instance-id: vm-1\nlocal-hostname: web1\npublic-keys-data: |\n  ssh-rsa A\n  ssh-rsa B\nnetwork:\n  version: 2\n  ethernets: {}\n"
	const packed = "H4sIAAAAAAAAA1NW1E/KzNMvzuACAB2d+wQKAAAA" // made by gzip(1): "#!/bin/sh\n"
	encoded := base64.StdEncoding.EncodeToString([]byte(metadata))
	for name, says := range map[string]map[string]string{
		"plain":  {"metadata": metadata, "userdata": "#!/bin/sh\n", "vendordata": "#cloud-config\n{}"},
		"base64": {"metadata": encoded + "\n", "metadata.encoding": "base64\n", "userdata": "IyEvYmluL3NoCg==", "userdata.encoding": "b64", "vendordata": "#cloud-config\n{}"},
		"packed": {"metadata": metadata, "userdata": packed, "userdata.encoding": "gzip+base64", "vendordata": "#cloud-config\n{}", "vendordata.encoding": "none"},
	} {
		w := withGuestInfo(t, "", says)
		in, err := fetchVMware(t.Context(), w.env)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if in.ID != "vm-1" || in.Hostname != "web1" || strings.TrimSpace(string(in.UserData)) != "#!/bin/sh" || string(in.VendorData) != "#cloud-config\n{}" ||
			in.Network == nil || in.Network.Kind != "v2" || !slices.Equal(in.PublicKeys(), []string{"ssh-rsa A", "ssh-rsa B"}) {
			t.Errorf("%s: it is %+v", name, in)
		}
		if in.Detail != "DataSourceVMware [seed=guestinfo]" || in.CloudID() != "vmware" || in.Subplatform != "guestinfo (guestinfo.metadata)" {
			t.Errorf("it calls itself %q, %q, %q", in.Detail, in.CloudID(), in.Subplatform)
		}
		if w.warned() {
			t.Errorf("%s warned: %q", name, w.logged)
		}
	}
}

// The network may be a text in a text; cloud-init keeps it below network/config, where templates look for it.
func TestVMwareNetwork(t *testing.T) {
	text := base64.StdEncoding.EncodeToString([]byte("version: 1\nconfig: []\n"))
	in, err := fetchVMware(t.Context(), withGuestInfo(t, "", map[string]string{"metadata": `{"instance-id": "a", "network": "` + text + `", "network.encoding": "base64"}`}).env)
	if err != nil || in.Network == nil || in.Network.Kind != "v1" {
		t.Fatalf("it is %+v, %v", in, err)
	}
	kept, _ := json.Marshal(in.Metadata["network"])
	wantJSON(t, "the network", kept, `{"config": {"version": 1, "config": []}}`)
	w := withGuestInfo(t, "", map[string]string{"metadata": "instance-id: a\nnetwork: '%'\nnetwork.encoding: base64"})
	if in, err = fetchVMware(t.Context(), w.env); err != nil || in.Network != nil || !w.has("WARNING", "the network's description is left out") {
		t.Errorf("a broken network gives %+v, %v, %q", in, err, w.logged)
	}
}

// Who gives user-data and no metadata has a machine that is named by its firmware, whichever way that writes it.
func TestVMwareIdentity(t *testing.T) {
	const uuid = "-- /sys/class/dmi/id/product_uuid --\n4216D9B4-0000-1111-2222-333344445555\n"
	says := map[string]string{"userdata": "#!/bin/sh"}
	for last, want := range map[string]string{"": "4216d9b4-0000-1111-2222-333344445555", "b4d91642-0000-1111-2222-333344445555": "b4d91642-0000-1111-2222-333344445555", "other": "4216d9b4-0000-1111-2222-333344445555"} {
		w := withGuestInfo(t, uuid, says)
		w.env.Last = &instance.Instance{ID: last}
		if in, err := fetchVMware(t.Context(), w.env); err != nil || in.ID != want {
			t.Errorf("%q becomes %+v, %v", last, in, err)
		}
	}
	for name, c := range map[string]map[string]string{"no id anywhere": says, "no base64": {"metadata": "a%", "metadata.encoding": "b64"}, "no gzip": {"userdata": "AAAA", "userdata.encoding": "gz+b64"},
		"no YAML": {"metadata": "a: ["}, "a list": {"metadata": "[a]"}} {
		if in, err := fetchVMware(t.Context(), withGuestInfo(t, "", c).env); isOneOf(err) != "silent" {
			t.Errorf("%s gives %+v, %v", name, in, err)
		}
	}
	if in, err := fetchVMware(t.Context(), withGuestInfo(t, "", map[string]string{"metadata": "---"}).env); isOneOf(err) != "absent" {
		t.Errorf("nothing gives %+v, %v", in, err)
	}
}

// A container on VMware is told by its environment.
func TestVMwareEnvironment(t *testing.T) {
	const variables = "VMX_GUESTINFO=1\x00VMX_GUESTINFO_METADATA=aW5zdGFuY2UtaWQ6IGM=\x00VMX_GUESTINFO_METADATA_ENCODING=base64\x00"
	w := newWorld(t, "-- /proc/self/environ --\n"+variables, "")
	in, err := fetchVMware(t.Context(), w.env)
	if err != nil || in.ID != "c" || in.Detail != "DataSourceVMware [seed=envvar]" || in.Subplatform != "envvar (VMX_GUESTINFO_METADATA)" {
		t.Errorf("it is %+v, %v", in, err)
	}
}
