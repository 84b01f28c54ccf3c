package source

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"openguest/internal/machine"
)

// routerNet is a network with CloudStack's router in it: what it answers, by host and path. The password is given until
// somebody says that it is saved.
type routerNet struct {
	fakeNet
	mutex    sync.Mutex
	password string
	wishes   []string
}

func (n *routerNet) Fetch(ctx context.Context, r machine.Request) (machine.Response, error) {
	wish := r.Header["DomU_Request"]
	if wish == "" {
		n.mutex.Lock()
		defer n.mutex.Unlock()
		return n.fakeNet.Fetch(ctx, r)
	}
	n.wishes = append(n.wishes, wish+" "+r.URL)
	answer := n.password
	switch {
	case n.password == "down":
		return machine.Response{}, errors.New("no answer")
	case wish == "saved_password":
		n.password, answer = "saved_password", ""
	}
	return machine.Response{Status: 200, Body: []byte(answer + "\n"), URL: r.URL}, nil
}

// routerPages is what a router says at an address.
func routerPages(address, version string) map[string]string {
	pages := map[string]string{}
	for name, text := range map[string]string{
		"/meta-data/": "instance-id\nlocal-hostname\navailability-zone\npublic-keys\n", "/meta-data/instance-id": "i-2-5-VM", "/meta-data/local-hostname": "harbour",
		"/meta-data/availability-zone": "zone1", "/meta-data/public-keys": "ssh-ed25519 AAAAC3 desk\n", "/user-data": "#cloud-config\n{}\n",
	} {
		pages[address+"/"+version+name] = text
	}
	return pages
}

func onCloudStack(t *testing.T, files, address, password string) (*world, *routerNet) {
	w := newWorld(t, files, "datasource: {CloudStack: {max_wait: 1, timeout: 1, sec_between_retries: 0.01}}")
	router := &routerNet{fakeNet: fakeNet{pages: routerPages(address, "latest")}, password: password}
	w.env.Machine.Net = router
	w.env.Machine.Links = machine.NewFakeLinks(machine.LinkState{Routes: []machine.Route{
		{Link: "ens3", To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.1.1.254")}}})
	return w, router
}

const networkdLease = "-- /run/systemd/netif/leases/2 --\nADDRESS=10.1.1.5\nSERVER_ADDRESS=10.1.1.1\nDOMAINNAME=cs1cloud.internal\n"

// Row D22. The router is found by its name, by the lease or as the way out; what it says is the instance.
func TestCloudStack(t *testing.T) {
	for _, c := range []struct{ files, address, hostname string }{
		{"", "http://data-server", "harbour"},
		{networkdLease, "http://10.1.1.1", "harbour.cs1cloud.internal"},
		{"", "http://10.1.1.254", "harbour"},
	} {
		w, router := onCloudStack(t, c.files, c.address, "saved_password")
		in, err := fetchCloudStack(t.Context(), w.env)
		if err != nil {
			t.Errorf("%s: %v", c.address, err)
			continue
		}
		got := []string{in.Source, in.Detail, in.Cloud, in.Platform, in.Subplatform, in.ID, in.Hostname, in.Region, in.Zone, string(in.UserData), strings.Join(in.PublicKeys(), ","), string(in.VendorData)}
		want := []string{"CloudStack", "DataSourceCloudStack", "cloudstack", "cloudstack", "metadata (" + c.address + "/)", "i-2-5-VM", c.hostname, "", "zone1", "#cloud-config\n{}\n", "ssh-ed25519 AAAAC3 desk", ""}
		if !slices.Equal(got, want) {
			t.Errorf("it is %q, want %q", got, want)
		}
		if !slices.Equal(router.wishes, []string{"send_my_password " + c.address + ":8080"}) || w.warned() {
			t.Errorf("asked %q, logged %q", router.wishes, w.logged)
		}
	}
}

// Row D22. A password that was set in the cloud's console is set once: the server is told, and no text shows it. What is no
// password, such as a page in its place, is none.
func TestCloudStackPassword(t *testing.T) {
	for password, want := range map[string]string{"s3\"cret": `"password": "s3\"cret"`, "": "", "saved_password": "", "bad_request": "warned", "<html>": "warned", "a\nb": "warned", "down": "warned"} {
		w, router := onCloudStack(t, "", "http://data-server", password)
		in, err := fetchCloudStack(t.Context(), w.env)
		if err != nil {
			t.Fatal(err)
		}
		got := string(in.VendorData)
		isSet := want != "" && want != "warned"
		if isSet && !strings.Contains(got, want) || !isSet && got != "" || w.warned() != (want == "warned") {
			t.Errorf("%q gives %q, logged %q", password, got, w.logged)
		}
		if saved := slices.Contains(router.wishes, "saved_password http://data-server:8080"); saved != isSet {
			t.Errorf("%q: asked %q", password, router.wishes)
		}
		if isSet && strings.Contains(strings.Join(w.logged, ""), "cret") {
			t.Errorf("logged %q", w.logged)
		}
	}
}

// Row D22. A router that does not answer, or names nobody, changes nothing.
func TestCloudStackSilent(t *testing.T) {
	for name, pages := range map[string]map[string]string{
		"nothing": {}, "no id": {"http://data-server/latest/meta-data/instance-id": "", "http://data-server/latest/meta-data/": "instance-id\n"},
		"a page": {"http://data-server/latest/meta-data/instance-id": "<html>", "http://data-server/latest/meta-data/": "<html>\n<body>\n"},
	} {
		w, router := onCloudStack(t, "", "", "secret")
		router.pages = pages
		if in, err := fetchCloudStack(t.Context(), w.env); isOneOf(err) != "silent" || len(router.wishes) > 0 {
			t.Errorf("%s gives %+v, %v; asked %q", name, in, err, router.wishes)
		}
	}
	w, _ := onCloudStack(t, seedFiles("/var/lib/cloud/seed/cs", both()), "", "")
	if in, err := fetchCloudStack(t.Context(), w.env); err != nil || in.ID != "i-1" || in.Cloud != "cloudstack" {
		t.Errorf("the seed gives %+v, %v", in, err)
	}
}

// Row D22. Exoscale is asked when the network is up, and has the same password server.
func TestExoscale(t *testing.T) {
	w := newWorld(t, "", "")
	router := &routerNet{fakeNet: fakeNet{pages: routerPages("http://169.254.169.254", "1.0")}, password: "secret"}
	w.env.Machine.Net = router
	in, err := fetchExoscale(t.Context(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{in.Source, in.Detail, in.Cloud, in.Platform, in.Subplatform, in.ID, in.Hostname, in.Zone, string(in.UserData), strings.Join(in.PublicKeys(), ",")}
	want := []string{"Exoscale", "DataSourceExoscale", "exoscale", "exoscale", "unknown", "i-2-5-VM", "harbour", "zone1", "#cloud-config\n{}\n", "ssh-ed25519 AAAAC3 desk"}
	if !slices.Equal(got, want) || !strings.Contains(string(in.VendorData), `"password": "secret"`) {
		t.Errorf("it is %q, want %q; vendor-data %q", got, want, in.VendorData)
	}
	const server = "http://169.254.169.254:8080/1.0/"
	if !slices.Equal(router.wishes, []string{"send_my_password " + server, "saved_password " + server}) {
		t.Errorf("asked %q", router.wishes)
	}
	if _, err := fetchExoscale(t.Context(), w.at(Local).env); isOneOf(err) != "not yet" {
		t.Errorf("before the network is up it gives %v", err)
	}
}
