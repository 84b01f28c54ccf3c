package source

import (
	"context"
	"testing"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

// Row D22. Both disks of IBM's, and what must not be taken for one.
func TestIBMCloud(t *testing.T) {
	files := seedFiles("openstack/latest", map[string]string{"meta_data.json": novaMeta, "user_data": "#cloud-config", "network_data.json": novaNetwork,
		"vendor_data.json": `{"cloud-init": "#!/bin/bash"}`})
	disk := func(label, uuid string) fakeDevice {
		return fakeDevice{machine.Device{Path: "/dev/xvdh", Label: label, Type: "vfat", UUID: uuid}, files, nil}
	}
	for name, c := range map[string]struct {
		machine string
		disk    fakeDevice
		want    string
	}{
		"ordered":      {"", disk("config-2", "9796-932E"), "DataSourceIBMCloud [OS-Code/Live /dev/xvdh] OS-Code/Live (/dev/xvdh) network_data"},
		"template":     {"", disk("METADATA", ""), "DataSourceIBMCloud [Template/Live/Metadata /dev/xvdh] Template/Live/Metadata (/dev/xvdh) v1"},
		"provisioning": {"-- /root/provisioningConfiguration.cfg --\nx\n", disk("METADATA", ""), "absent"},
		"OpenStack's":  {"", disk("config-2", "1234-5678"), "absent"},
		"broken":       {"", fakeDevice{disk("METADATA", "").Device, "", nil}, "silent"},
	} {
		w := newWorld(t, c.machine, "").at(Local).withDevices(c.disk)
		in, err := fetchIBMCloud(context.Background(), w.env)
		got := isOneOf(err)
		if err == nil {
			got = in.Detail + " " + in.Subplatform + " " + in.Network.Kind
			wantIBM(t, in)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func wantIBM(t *testing.T, in *instance.Instance) {
	t.Helper()
	if in.ID != novaID || in.Hostname != "web1.novalocal" || len(in.Keys) != 2 || in.Cloud != "ibmcloud" || in.Platform != "ibmcloud" || in.Zone != "" {
		t.Errorf("the instance is %+v", in)
	}
	if in.Metadata["instance-id"] != novaID || in.Metadata["name"] != nil || len(in.Metadata) != 4 {
		t.Errorf("the metadata are %v", in.Metadata)
	}
}
