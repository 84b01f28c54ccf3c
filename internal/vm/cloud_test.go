package vm

import (
	"strings"
	"testing"
)

// The same user-data twice is the same instance; other user-data is another one, or nobody could try a change.
func TestSeedsNameTheInstance(t *testing.T) {
	id := func(user string) string { return string(Seed{UserData: []byte(user)}.NoCloud().Files[0].Data) }
	first, again, other := id("a"), id("a"), id("b")
	if first != again || first == other || !strings.HasPrefix(first, "instance-id: vm-") {
		t.Errorf("%q, %q, %q", first, again, other)
	}
}

// A document that is not on the medium is one that the guest is never given.
func TestMediaHoldTheSeed(t *testing.T) {
	s := Seed{UserData: []byte("u"), VendorData: []byte("v"), NetworkConfig: []byte("n")}
	for cloud, want := range map[string]string{
		"nocloud":     "cidata: /meta-data /user-data /vendor-data /network-config",
		"configdrive": "config-2: /openstack/latest/meta_data.json /openstack/latest/user_data /openstack/latest/network_data.json /openstack/latest/vendor_data.json",
	} {
		var c Config
		if err := c.InCloud(cloud, s); err != nil {
			t.Fatal(err)
		}
		got := c.Media[0].Label + ":"
		for _, f := range c.Media[0].Files {
			got += " " + f.Name
		}
		if got != want || c.Instance != nil {
			t.Errorf("%s: got %s, want %s", cloud, got, want)
		}
	}
}

// Every cloud that has a metadata server gets an instance in it, and firmware by which a guest knows it.
func TestCloudsHaveFirmware(t *testing.T) {
	for _, cloud := range Clouds() {
		var c Config
		if err := c.InCloud(cloud, Seed{UserData: []byte("u")}); err != nil {
			t.Fatal(err)
		}
		if c.Instance != nil && (len(c.SMBIOS) == 0 || string(c.Instance.UserData) != "u") {
			t.Errorf("%s: %v, %+v", cloud, c.SMBIOS, c.Instance)
		}
	}
}
