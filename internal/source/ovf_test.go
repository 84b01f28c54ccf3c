package source

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

// ovfOf is an environment with properties, as VMware writes it.
func ovfOf(properties ...string) string {
	var text strings.Builder
	text.WriteString(`<?xml version="1.0" encoding="UTF-8"?><Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"
		xmlns:oe="http://schemas.dmtf.org/ovf/environment/1" oe:id=""><PlatformSection><Kind>VMware ESXi</Kind></PlatformSection><PropertySection>`)
	for i := 0; i < len(properties); i += 2 {
		text.WriteString(`<Property oe:key="` + properties[i] + `" oe:value="` + escapeXML(properties[i+1]) + `"/>`)
	}
	return text.String() + "</PropertySection></Environment>"
}

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// Rows D22 and D26. The same environment in each of its places makes the same instance.
func TestOVF(t *testing.T) {
	environment := ovfOf("instance-id", "vm-1", "hostname", "web1", "public-keys", "ssh-rsa A", "user-data", b64("#!/bin/sh\n"),
		"password", "a&b", "network-config", b64("network: {version: 2, ethernets: {}}"), "unknown", "x")
	disc := fakeDevice{Device: machine.Device{Path: "/dev/sr0", Type: "iso9660"}, files: seedFiles("/", map[string]string{"OVF_ENV.XML": environment})}
	guest := withGuestInfo(t, "", map[string]string{"ovfEnv": environment})
	for place, w := range map[string]*world{
		"/var/lib/cloud/seed/ovf/ovf-env.xml": newWorld(t, seedFiles("/var/lib/cloud/seed/ovf", map[string]string{"ovf-env.xml": environment}), ""),
		"iso":                                 newWorld(t, "", "").withDevices(disc),
		"com.vmware.guestInfo":                guest,
	} {
		in, err := fetchOVF(context.Background(), w.env)
		if err != nil {
			t.Errorf("%s: %v", place, err)
			continue
		}
		if in.ID != "vm-1" || in.Hostname != "web1" || string(in.UserData) != "#!/bin/sh\n" || !slices.Equal(in.PublicKeys(), []string{"ssh-rsa A"}) ||
			in.Network == nil || in.Network.Kind != "v2" || in.Metadata["password"] != nil {
			t.Errorf("%s: it is %+v", place, in)
		}
		wantJSON(t, "the configuration", in.Config, `{"password": "a&b"}`)
		if in.Detail != "DataSourceOVF [seed="+place+"]" || in.CloudID() != "ovf" || in.Subplatform != "ovf ("+place+")" || w.warned() {
			t.Errorf("it calls itself %q, %q, %q; %q", in.Detail, in.CloudID(), in.Subplatform, w.logged)
		}
	}
}

// The environment may send us to a seed; what it says itself stays.
func TestOVFSeed(t *testing.T) {
	seed := seedFiles("/mnt/seed", map[string]string{"meta-data": "instance-id: seed\nrole: web\n", "user-data": "theirs"})
	environment := func(from string) string {
		return seedFiles("/var/lib/cloud/seed/ovf", map[string]string{"ovf-env.xml": ovfOf("instance-id", "own", "seedfrom", from, "user-data", b64("own"))})
	}
	in, err := fetchOVF(t.Context(), newWorld(t, seed+environment("/mnt/seed/"), "").env)
	if err != nil || in.ID != "own" || in.Metadata["role"] != "web" || strings.TrimSpace(string(in.UserData)) != "theirs" {
		t.Errorf("it is %+v, %v", in, err)
	}
	for from, want := range map[string]string{"http://192.0.2.1/": "not yet", "/nowhere/": "silent", "gopher://x": "silent"} {
		if _, err := fetchOVF(t.Context(), newWorld(t, environment(from), "").at(Local).env); isOneOf(err) != want {
			t.Errorf("%s gives %v", from, err)
		}
	}
}

// A name that every machine has is no proof of who this one is; what is no environment changes nothing.
func TestOVFIdentity(t *testing.T) {
	unnamed := seedFiles("/var/lib/cloud/seed/ovf", map[string]string{"ovf-env.xml": ovfOf("user-data", "#!/bin/sh")})
	w := newWorld(t, unnamed, "")
	if in, err := fetchOVF(t.Context(), w.env); err != nil || in.ID != "iid-dsovf" || string(in.UserData) != "#!/bin/sh" {
		t.Errorf("at a first boot it is %+v, %v", in, err)
	}
	w.env.Last = &instance.Instance{Source: "OVF", ID: "vm-1"}
	if in, err := fetchOVF(t.Context(), w.env); isOneOf(err) != "silent" {
		t.Errorf("later it is %+v, %v", in, err)
	}
	broken := seedFiles("/var/lib/cloud/seed/ovf", map[string]string{"ovf-env.xml": "<Environment><PropertySection>"})
	if in, err := fetchOVF(t.Context(), newWorld(t, broken, "").env); isOneOf(err) != "silent" {
		t.Errorf("a cut environment gives %+v, %v", in, err)
	}
	if in, err := fetchOVF(t.Context(), newWorld(t, "", "").env); isOneOf(err) != "absent" {
		t.Errorf("no environment gives %+v, %v", in, err)
	}
}
