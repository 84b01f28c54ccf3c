package source

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"openguest/internal/machine"
	"openguest/internal/metadata"
)

// gceAt is a machine that finds Google's metadata at an address.
func gceAt(t *testing.T, address string) *world {
	w := newWorld(t, "", fmt.Sprintf("users: [default]\nsystem_info: {default_user: {name: debian}}\n"+
		"datasource: {GCE: {metadata_url: %q, retries: 0, timeout: 5}}", address+"/computeMetadata/v1/"))
	w.env.Machine.Net = liveNet(t)
	return w
}

// gceSays is what becomes of attributes of an instance and its project.
func gceSays(t *testing.T, own, project map[string]string) *world {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"instance": map[string]any{"id": json.Number("4520031799277581759"), "hostname": "web1.c.lab.internal", "zone": "projects/1/zones/lab1-north-a", "attributes": own},
		"project":  map[string]any{"attributes": project},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Metadata-Flavor") != "Google" || r.URL.Query().Get("recursive") != "true" {
			w.WriteHeader(http.StatusForbidden)
		}
		w.Header().Set("Metadata-Flavor", "Google")
		w.Write(body)
	}))
	t.Cleanup(server.Close)
	return gceAt(t, server.URL)
}

// notingNet notes what is asked.
type notingNet struct {
	machine.Net
	asked *[]machine.Request
}

func (n notingNet) Fetch(ctx context.Context, r machine.Request) (machine.Response, error) {
	*n.asked = append(*n.asked, r)
	return n.Net.Fetch(ctx, r)
}

// Rows D17 and D26, and row 1 of gce-linux.md §14. What our metadata server tells in Google's way makes an instance, with one request
// for all there is; a guest that asks for each value alone waits for each.
func TestGCEAgainstServer(t *testing.T) {
	store, err := metadata.OpenFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	server, err := metadata.NewServer(t.Context(), store, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for key, value := range map[string]string{
		"project": `{"id": "lab", "number": 129303, "attributes": {"p": "1"}, "ssh-keys": ["debian:ssh-ed25519 AAAAC5 all@lab"]}`,
		"instance/web1": `{"id": "i-1", "ids": {"gce": "4520031799277581759"}, "hostname": "web1.lab.example", "zone": "lab1-a",
			"ssh-keys": ["debian:ssh-ed25519 AAAAC3 d@desk", "bob:ssh-ed25519 AAAAC4 bob"], "user-data": "#cloud-config\n{}\n"}`,
	} {
		if _, err := server.Catalog().Write(t.Context(), metadata.Change{Key: key, Value: []byte(value), IfMatch: metadata.Any}); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l, "web1") // its Close ends it
	w := gceAt(t, "http://"+l.Addr().String())
	var asked []machine.Request
	w.env.Machine.Net = notingNet{w.env.Machine.Net, &asked}
	in, err := fetchGCE(t.Context(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 || !strings.Contains(asked[0].URL, "recursive=true") || !strings.Contains(asked[0].URL, "alt=json") || asked[0].Header["Metadata-Flavor"] != "Google" {
		t.Errorf("it asked for %+v", asked)
	}
	if in.ID != "4520031799277581759" || in.Hostname != "web1" || in.Zone != "lab1-a" || in.Region != "lab1" || string(in.UserData) != "#cloud-config\n{}\n" {
		t.Errorf("it is %+v", in)
	}
	if keys := in.PublicKeys(); !slices.Equal(keys, []string{"ssh-ed25519 AAAAC3 d@desk", "ssh-ed25519 AAAAC5 all@lab"}) {
		t.Errorf("the keys are %q", keys)
	}
	if in.Detail != "DataSourceGCE" || in.CloudID() != "gce" || in.Platform != "gce" || in.Subplatform != "metadata ("+w.env.config("GCE").Get("metadata_url").Text+")" {
		t.Errorf("it calls itself %q, %q, %q, %q", in.Detail, in.CloudID(), in.Platform, in.Subplatform)
	}
	if w.warned() {
		t.Errorf("warned: %q", w.logged)
	}
}

// Row D17. Whose keys count, and until when. A key too many is a way in for somebody; one too few locks somebody out.
func TestGCEKeys(t *testing.T) {
	const past, future = `google-ssh {"userName":"a","expireOn":"1969-01-01T00:00:00+0000"}`, `google-ssh {"userName":"a","expireOn":"2100-01-01T00:00:00+0000"}`
	project := map[string]string{"ssh-keys": "debian:ssh-rsa P", "sshKeys": "debian:ssh-rsa Q"}
	for name, c := range map[string]struct {
		own  map[string]string
		want string
	}{
		"nothing of its own":   {nil, "ssh-rsa P,ssh-rsa Q"},
		"its own first":        {map[string]string{"ssh-keys": "debian:ssh-rsa A\r\ncloudinit:ssh-rsa B\n\nroot:ssh-rsa C"}, "ssh-rsa A,ssh-rsa B,ssh-rsa P,ssh-rsa Q"},
		"blocked":              {map[string]string{"ssh-keys": "debian:ssh-rsa A", "block-project-ssh-keys": "TRUE"}, "ssh-rsa A"},
		"not blocked":          {map[string]string{"block-project-ssh-keys": "false"}, "ssh-rsa P,ssh-rsa Q"},
		"the old attribute":    {map[string]string{"sshKeys": "debian:ssh-rsa O", "ssh-keys": "debian:ssh-rsa A"}, "ssh-rsa O,ssh-rsa A"},
		"expired":              {map[string]string{"sshKeys": "debian:ssh-rsa A " + past}, ""},
		"not expired":          {map[string]string{"sshKeys": "debian:ssh-rsa A " + future}, "ssh-rsa A " + future},
		"expired, colon in it": {map[string]string{"sshKeys": "debian:ssh-rsa A " + strings.Replace(past, "+0000", "+00:00", 1)}, ""},
		"no date":              {map[string]string{"sshKeys": `debian:ssh-rsa A google-ssh {"expireOn":"soon"}`}, `ssh-rsa A google-ssh {"expireOn":"soon"}`},
		"no JSON":              {map[string]string{"sshKeys": `debian:ssh-rsa A google-ssh {"expireOn`}, `ssh-rsa A google-ssh {"expireOn`},
		"no user":              {map[string]string{"sshKeys": "ssh-rsa A\n:ssh-rsa B"}, ""},
		"not ASCII":            {map[string]string{"sshKeys": "debian:ssh-rsa A é"}, ""},
	} {
		in, err := fetchGCE(t.Context(), gceSays(t, c.own, project).env)
		if err != nil || strings.Join(in.PublicKeys(), ",") != c.want {
			t.Errorf("%s: %q, %v; want %q", name, in.PublicKeys(), err, c.want)
		}
	}
}

// The keys are for the user whom the image makes, whatever the configuration calls it.
func TestDefaultUser(t *testing.T) {
	const image = "system_info: {default_user: {name: debian}}\n"
	for config, want := range map[string]string{
		"": "", "users: [default]": "debian", "users: {default: {}}": "debian", "users: [{name: default}, bob]": "debian",
		"users: bob,default": "debian", "users: [bob]": "", "users: [bob]\nuser: ann": "ann", "user: {name: ann}": "ann", "user: {shell: x}": "debian",
	} {
		if got := newWorld(t, "", image+config).env.defaultUser(); got != want {
			t.Errorf("%q gives %q, want %q", config, got, want)
		}
	}
}

// Rows D17 and U05. User-data that is no text comes as base64; what cannot be decoded costs itself, and no keys.
func TestGCEUserData(t *testing.T) {
	for encoding, c := range map[string]struct{ text, want, said string }{
		"":       {"#!/bin/sh\n", "#!/bin/sh\n", ""},
		"base64": {"H4sI\nAA==\n", "\x1f\x8b\x08\x00", ""},
		"rot13":  {"x", "x", "unknown user-data-encoding: rot13, ignoring"},
	} {
		w := gceSays(t, map[string]string{"user-data": c.text, "user-data-encoding": encoding}, nil)
		in, err := fetchGCE(t.Context(), w.env)
		if err != nil || string(in.UserData) != c.want || c.said != "" && !w.has("WARNING", c.said) {
			t.Errorf("%q gives %+v, %v, %q", encoding, in, err, w.logged)
		}
	}
	w := gceSays(t, map[string]string{"user-data": "%", "user-data-encoding": "base64", "ssh-keys": "cloudinit:ssh-rsa A"}, nil)
	if in, err := fetchGCE(t.Context(), w.env); err != nil || len(in.UserData) != 0 || len(in.Keys) != 1 || !w.has("WARNING", "base64") {
		t.Errorf("what is no base64 gives %+v, %v, %q", in, err, w.logged)
	}
}

// Row D26. What tools read of meta-data: texts, as cloud-init has them.
func TestGCEMetadata(t *testing.T) {
	w := gceSays(t, map[string]string{"ssh-keys": "a:b\nc:d", "kebab-case": "x"}, map[string]string{"p": "1"})
	in, err := fetchGCE(t.Context(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(in.Metadata)
	const want = `{"availability-zone":"lab1-north-a","instance-data":{"kebab-case":"x","ssh-keys":"a:b\nc:d"},"instance-id":"4520031799277581759",` +
		`"local-hostname":"web1.c.lab.internal","project-data":{"p":"1"},"public-keys-data":["a:b","c:d"]}`
	if string(got) != want || in.Region != "lab1-north" {
		t.Errorf("it is %s in %s", got, in.Region)
	}
}

// An answer that is not Google's names nobody: a stranger in the network may serve the same page.
func TestGCEOnlyFromGoogle(t *testing.T) {
	server := httptest.NewServer(page(`{"instance": {"id": 1}}`))
	defer server.Close()
	if _, err := fetchGCE(t.Context(), gceAt(t, server.URL).env); isOneOf(err) != "silent" || !strings.Contains(err.Error(), "Metadata-Flavor") {
		t.Errorf("the error is %v", err)
	}
	for _, id := range []string{`0`, `""`, `null`, `"a/b"`, `[1]`, `-1`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Metadata-Flavor", "Google")
			fmt.Fprintf(w, `{"instance": {"id": %s}}`, id)
		}))
		if in, err := fetchGCE(t.Context(), gceAt(t, server.URL).env); isOneOf(err) != "silent" {
			t.Errorf("the id %s gives %+v, %v", id, in, err)
		}
		server.Close()
	}
}

// FuzzHasExpired: whatever stands behind a key, it is read without harm.
func FuzzHasExpired(f *testing.F) {
	for _, key := range []string{`ssh-rsa A google-ssh {"expireOn":"2020-01-01T00:00:00+0000"}`, "a b google-ssh {", "a b google-ssh [1]", ""} {
		f.Add(key)
	}
	f.Fuzz(func(_ *testing.T, key string) { hasExpired(key, time.Unix(0, 0)) })
}
