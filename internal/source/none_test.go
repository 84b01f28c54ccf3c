package source

import (
	"context"
	"reflect"
	"testing"

	"openguest/internal/conf"
)

// Row D20. A machine without a cloud is told what its image says, or nothing, and boots.
func TestNone(t *testing.T) {
	w := newWorld(t, "", "")
	in, err := fetchNone(context.Background(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	if in.ID != "iid-datasource-none" || in.Detail != "DataSourceNone" || in.Source != "None" || in.CloudID() != "none" ||
		in.Platform != "none" || in.Subplatform != "config" || in.Mode != "net" || len(in.UserData) != 0 {
		t.Errorf("it is %+v", in)
	}
	w = newWorld(t, "", `datasource: {None: {userdata_raw: "#!/bin/sh\n", metadata: {local-hostname: h, instance-id: other, public-keys: [k]}}}`)
	in, err = fetchNone(context.Background(), w.env)
	if err != nil || string(in.UserData) != "#!/bin/sh\n" || in.Hostname != "h" || in.ID != "iid-datasource-none" || in.Keys[0].Line != "k" {
		t.Errorf("it is %+v, %v", in, err)
	}
}

// In the local stage a cloud may still turn up: whoever answers then must not be None.
func TestNoneWaits(t *testing.T) {
	if _, err := fetchNone(context.Background(), newWorld(t, "", "").at(Local).env); isOneOf(err) != "not yet" {
		t.Errorf("it gives %v", err)
	}
}

// What the image says wrongly is said with its place, and the machine boots without it.
func TestNoneSaysWhatIsWrong(t *testing.T) {
	w := newWorld(t, "", "datasource:\n  None:\n    metadata: [a]\n    userdata_raw: {a: b}\n")
	in, err := fetchNone(context.Background(), w.env)
	if err != nil || len(in.UserData) != 0 {
		t.Errorf("it is %+v, %v", in, err)
	}
	if !w.has("WARNING /etc/cloud/cloud.cfg:3:15:", "metadata") || !w.has("WARNING /etc/cloud/cloud.cfg:4:19:", "userdata_raw") {
		t.Errorf("logged %q", w.logged)
	}
}

// Keys come in every form that clouds ever gave them; one that is missed locks somebody out.
func TestKeysOf(t *testing.T) {
	for text, want := range map[string][]string{
		"":                              nil,
		"''":                            nil,
		"ssh-rsa A":                     {"ssh-rsa A"},
		"|\n  ssh-rsa A\n  ssh-rsa B\n": {"ssh-rsa A", "ssh-rsa B"},
		"[ssh-rsa A, ssh-rsa B]":        {"ssh-rsa A", "ssh-rsa B"},
		"{a: ssh-rsa A, b: [ssh-rsa B, '', ssh-rsa C]}": {"ssh-rsa A", "ssh-rsa B", "ssh-rsa C"},
		"{0: {openssh-key: ssh-rsa A}}":                 nil,
		"17":                                            nil,
	} {
		v, _, err := conf.Parse("x", []byte("k: "+text))
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, "", "")
		var got []string
		for _, key := range keysOf(w.env, v.Get("k")) {
			got = append(got, key.Line)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
		if w.warned() != (text == "{0: {openssh-key: ssh-rsa A}}") {
			t.Errorf("%q logs %q", text, w.logged)
		}
	}
}

// What all clouds that use cloud-init's own names may say.
func TestStandard(t *testing.T) {
	v, _, err := conf.Parse("x", []byte("cloud-name: ACME\nregion: r\nplacement: {availability-zone: z}\nlaunch-index: '3'\nlocal-hostname: 12"))
	if err != nil {
		t.Fatal(err)
	}
	in := standard(newWorld(t, "", "").env, v)
	if in.Cloud != "acme" || in.Region != "r" || in.Zone != "z" || in.LaunchIndex == nil || *in.LaunchIndex != 3 || in.Hostname != "12" {
		t.Errorf("it is %+v", in)
	}
	v, _, _ = conf.Parse("x", []byte("cloud-name: [a]\nplacement: p\navailability_zone: z2\nlaunch-index: x"))
	in = standard(newWorld(t, "", "").env, v)
	if in.Cloud != "" || in.Zone != "z2" || in.LaunchIndex != nil {
		t.Errorf("it is %+v", in)
	}
}
