package source

import (
	"errors"
	"reflect"
	"testing"

	"openguest/internal/machine"
)

// Rows D23, D26. Machines on RHEV and vSphere find their user-data on the medium of their platform, whether the image or the
// firmware names that; Deltacloud's file comes first.
func TestAltCloudMedia(t *testing.T) {
	const both = "-- deltacloud-user-data.txt --\n#!/bin/sh\n\n-- user-data.txt --\nother\n"
	floppy := fakeDevice{Device: machine.Device{Path: "/dev/fd0", Type: "vfat"}, files: both}
	disc := fakeDevice{Device: machine.Device{Path: "/dev/sr0", Label: "CDROM", Type: "iso9660"}, files: "-- user-data.txt --\n#!/bin/sh\n"}
	const image, product = "-- etc/sysconfig/cloud-info --\n", "-- sys/class/dmi/id/product_name --\n"
	for name, c := range map[string]struct {
		files  string
		device fakeDevice
		place  string
		want   string // the error
	}{
		"RHEV by the image":        {image + "rhev\n", floppy, "rhev (/dev/fd0)", ""},
		"RHEV by its firmware":     {product + "RHEV Hypervisor\n", floppy, "rhev (/dev/fd0)", ""},
		"vSphere by the image":     {image + "VSPHERE\n", disc, "vsphere (/dev/sr0)", ""},
		"vSphere by firmware":      {product + "VMware Virtual Platform\n", disc, "vsphere (/dev/sr0)", ""},
		"another machine":          {product + "KVM\n", disc, "", "absent"},
		"an empty medium":          {image + "vsphere\n", fakeDevice{Device: disc.Device, files: "-- a --\n"}, "", "absent"},
		"a medium that is broken":  {image + "rhev\n", fakeDevice{Device: floppy.Device, err: errors.New("no medium")}, "", "absent"},
		"a disc that is another's": {image + "vsphere\n", fakeDevice{Device: machine.Device{Path: "/dev/sr0", Label: "cidata"}, files: disc.files}, "", "absent"},
	} {
		w := newWorld(t, c.files, "").withDevices(c.device)
		in, err := fetchAltCloud(t.Context(), w.env)
		if isOneOf(err) != c.want || (err == nil) != (in != nil) {
			t.Errorf("%s: it is %+v, %v", name, in, err)
		}
		if in == nil {
			continue
		}
		want := map[string]any{"block-device-mapping": map[string]any{}, "instance-id": 455, "local-hostname": "localhost", "placement": map[string]any{}}
		if string(in.UserData) != "#!/bin/sh" || in.ID != "455" || !reflect.DeepEqual(in.Metadata, want) {
			t.Errorf("%s: it is %+v", name, in)
		}
		if in.Detail != "DataSourceAltCloud [seed=None]" || in.Cloud != "altcloud" || in.Platform != "altcloud" || in.Subplatform != c.place {
			t.Errorf("%s: it calls itself %q, %q, %q, %q", name, in.Detail, in.Cloud, in.Platform, in.Subplatform)
		}
	}
}
