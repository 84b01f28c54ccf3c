package source

import "testing"

// onBigstep is a machine with the address of a page.
func onBigstep(t *testing.T, address string) *world {
	w := newWorld(t, "-- var/lib/cloud/data/seed/bigstep/url --\n"+address+"\n", "datasource: {Bigstep: {retries: 0, timeout: 5}}")
	w.env.Machine.Net = liveNet(t)
	return w
}

// Rows D23, D26. A machine of Bigstep learns who it is from the page whose address it was given.
func TestBigstep(t *testing.T) {
	s := serveCloud(t, map[string]string{"/page": `{"metadata": {"instance-id": "instance-301", "local-hostname": "web1.bigstep.io", "public-keys": ["ssh-ed25519 AAAA a"]},
		"userdata_raw": "#!/bin/sh\n", "vendordata_raw": "#cloud-config\n{}\n"}`})
	w := onBigstep(t, s.address+"/page")
	in, err := fetchBigstep(t.Context(), w.env)
	if err != nil || in.ID != "instance-301" || in.Hostname != "web1.bigstep.io" || string(in.UserData) != "#!/bin/sh\n" || string(in.VendorData) != "#cloud-config\n{}\n" || len(in.Keys) != 1 || len(s.asked) != 1 {
		t.Errorf("it is %+v, %v; asked %q", in, err, s.asked)
	}
	if in.Detail != "DataSourceBigstep" || in.Cloud != "bigstep" || in.Platform != "bigstep" || in.Subplatform != "metadata ("+s.address+"/page)" || in.Mode != modeNet {
		t.Errorf("it calls itself %q, %q, %q, %q", in.Detail, in.Cloud, in.Platform, in.Subplatform)
	}
	if _, err := fetchBigstep(t.Context(), w.at(Local).env); isOneOf(err) != "not yet" {
		t.Errorf("before the network is up it says %v", err)
	}
}

// A page that names no instance, or is none, makes no machine a new one; without an address nobody is asked.
func TestBigstepInTrouble(t *testing.T) {
	for name, body := range map[string]string{"no metadata": `{"userdata_raw": "x"}`, "no id": `{"metadata": {}}`, "a list": `[]`, "a list of metadata": `{"metadata": []}`, "a page": "<html>", "500": "500"} {
		s := serveCloud(t, map[string]string{"/": body})
		if in, err := fetchBigstep(t.Context(), onBigstep(t, s.address).env); isOneOf(err) != "silent" {
			t.Errorf("%s: it is %+v, %v", name, in, err)
		}
	}
	if _, err := fetchBigstep(t.Context(), newWorld(t, "", "").env); isOneOf(err) != "absent" {
		t.Errorf("without an address it says %v", err)
	}
}
