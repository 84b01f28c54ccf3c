package source

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"openguest/internal/machine"
)

// webServer serves pages by path and query, and notes what it was asked. A page that is a number is that status.
func webServer(t *testing.T, pages map[string]string) (address string, asked *[]string) {
	asked = &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.RequestURI)
		page, ok := pages[r.RequestURI]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte(page))
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

// liveNet is the part of the door that asks real servers.
func liveNet(t *testing.T) machine.Net {
	m, err := machine.Tree(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return m.Net
}

// Row D15. Each document is asked for at its own address: below a folder, behind a query, in place of %s, and with what
// the firmware says of this machine. A server that hands out seeds by serial number gets the number.
func TestNoCloudWebSeed(t *testing.T) {
	dmi := "-- /sys/class/dmi/id/chassis_serial --\nABC-1\n-- /sys/class/dmi/id/product_name --\nStandard PC (Q35)\n"
	for name, c := range map[string]struct {
		seedfrom string
		pages    map[string]string
		asked    []string
	}{
		"folder":         {"/s/", map[string]string{"/s/meta-data": meta, "/s/user-data": user}, []string{"/s/meta-data", "/s/user-data", "/s/network-config", "/s/vendor-data"}},
		"without slash":  {"/s", map[string]string{"/s/meta-data": meta, "/s/user-data": user}, []string{"/s/meta-data", "/s/user-data", "/s/network-config", "/s/vendor-data"}},
		"query":          {"/q?f=", map[string]string{"/q?f=meta-data": meta, "/q?f=user-data": user}, []string{"/q?f=meta-data", "/q?f=user-data", "/q?f=network-config", "/q?f=vendor-data"}},
		"%s":             {"/%s?x=%s", map[string]string{"/meta-data?x=meta-data": meta, "/user-data?x=user-data": user}, []string{"/meta-data?x=meta-data", "/user-data?x=user-data", "/network-config?x=network-config", "/vendor-data?x=vendor-data"}},
		"serial number":  {"/__dmi.chassis-serial-number__/", map[string]string{"/ABC-1/meta-data": meta, "/ABC-1/user-data": user}, []string{"/ABC-1/meta-data", "/ABC-1/user-data", "/ABC-1/network-config", "/ABC-1/vendor-data"}},
		"spaces in DMI":  {"/__dmi.system-product-name__/", map[string]string{"/Standard%20PC%20(Q35)/meta-data": meta, "/Standard%20PC%20(Q35)/user-data": user}, []string{"/Standard%20PC%20(Q35)/meta-data", "/Standard%20PC%20(Q35)/user-data", "/Standard%20PC%20(Q35)/network-config", "/Standard%20PC%20(Q35)/vendor-data"}},
		"nothing in DMI": {"/x__dmi.system-version__/", map[string]string{"/x/meta-data": meta, "/x/user-data": user}, []string{"/x/meta-data", "/x/user-data", "/x/network-config", "/x/vendor-data"}},
	} {
		t.Run(name, func(t *testing.T) {
			address, asked := webServer(t, c.pages)
			w := newWorld(t, dmi+"-- /proc/cmdline --\n\"ds=nocloud;s="+address+c.seedfrom+"\"", "")
			w.env.Machine.Net = liveNet(t)
			in, err := fetchNoCloud(context.Background(), w.env)
			if err != nil {
				t.Fatal(err)
			}
			if in.ID != "i-1" || string(in.UserData) != user || in.Source != "NoCloudNet" || in.Mode != "net" {
				t.Errorf("it is %+v", in)
			}
			if !slices.Equal(*asked, c.asked) {
				t.Errorf("asked %q, want %q", *asked, c.asked)
			}
			if w.warned() {
				t.Errorf("warned: %q", w.logged)
			}
		})
	}
}

// The documents of an address take the place of those found before; its meta-data only fills in.
func TestNoCloudWebSeedPrecedence(t *testing.T) {
	address, _ := webServer(t, map[string]string{"/meta-data": "instance-id: web\nlocal-hostname: web", "/user-data": "web", "/network-config": "version: 2"})
	w := newWorld(t, "-- /proc/cmdline --\nds=nocloud;i=line;s="+address, "").
		withDevices(cdrom(map[string]string{"meta-data": meta, "user-data": "disk", "vendor-data": "disk"}))
	w.env.Machine.Net = liveNet(t)
	in, err := fetchNoCloud(context.Background(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	if in.ID != "line" || in.Hostname != "harbour" || string(in.UserData) != "web" || len(in.VendorData) != 0 || in.Network.Kind != "v2" {
		t.Errorf("it is %+v", in)
	}
	if want := "DataSourceNoCloudNet [seed=cmdline,/dev/sr0," + address + "]"; in.Detail != want {
		t.Errorf("detail is %q, want %q", in.Detail, want)
	}
}

// Before the network is up nobody is asked: the stage ends, and the next one asks.
func TestNoCloudWebSeedWaitsForTheNetwork(t *testing.T) {
	w := newWorld(t, "-- /proc/cmdline --\nds=nocloud;s=https://user:pass@seed.example/x?token=secret", "").at(Local)
	net := &fakeNet{}
	w.env.Machine.Net = net
	_, err := fetchNoCloud(context.Background(), w.env)
	if isOneOf(err) != "not yet" || len(net.asked) != 0 {
		t.Errorf("the error is %v, asked %q", err, net.asked)
	}
	if w.warned() {
		t.Errorf("warned: %q", w.logged)
	}
}

// A seed that is named and does not answer, or something else answers in its place, is silent: the machine stays what it
// was. No text shows the user and the query of the address.
func TestNoCloudWebSeedSilent(t *testing.T) {
	for name, pages := range map[string]map[string]string{
		"not found":       {},
		"no user-data":    {"https://u:pass@seed.example/meta-data": meta},
		"a sign-in page":  {"https://u:pass@seed.example/meta-data": "<html><b>Sign in: here</b>", "https://u:pass@seed.example/user-data": "<html>"},
		"broken YAML":     {"https://u:pass@seed.example/meta-data": "a: [", "https://u:pass@seed.example/user-data": ""},
		"a list of words": {"https://u:pass@seed.example/meta-data": "- a", "https://u:pass@seed.example/user-data": ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "-- /proc/cmdline --\nds=nocloud;s=https://u:pass@seed.example/", "")
			w.env.Machine.Net = &fakeNet{pages: pages}
			in, err := fetchNoCloud(context.Background(), w.env)
			if isOneOf(err) != "silent" {
				t.Fatalf("it gives %v, %v", in, err)
			}
			if all := err.Error() + strings.Join(w.logged, "\n"); strings.Contains(all, "pass@") || !strings.Contains(all, "https://seed.example/") {
				t.Errorf("texts are %q", all)
			}
		})
	}
	w := newWorld(t, "-- /proc/cmdline --\nds=nocloud;s=https://seed.example/?token=secret&f=", "")
	w.env.Machine.Net = &fakeNet{err: &machine.StatusError{URL: "https://seed.example/", Status: 503}}
	_, err := fetchNoCloud(context.Background(), w.env)
	if isOneOf(err) != "silent" || strings.Contains(err.Error()+strings.Join(w.logged, ""), "secret") {
		t.Errorf("503 gives %v, logged %q", err, w.logged)
	}
}

// The address of a seed may hold a password: templates of everybody must not see it.
func TestNoCloudWebSeedSecret(t *testing.T) {
	w := newWorld(t, "-- /proc/cmdline --\nds=nocloud;s=https://u:pass@seed.example/", "")
	w.env.Machine.Net = &fakeNet{pages: map[string]string{"https://u:pass@seed.example/meta-data": meta, "https://u:pass@seed.example/user-data": ""}}
	in, err := fetchNoCloud(context.Background(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(in.Detail+in.Subplatform, "pass") || !slices.Contains(in.Sensitive, "ds/meta_data/seedfrom") {
		t.Errorf("it is %+v", in)
	}
}

// A server that is refused what is optional, or is broken for it, still gave the seed.
func TestNoCloudWebSeedOptional(t *testing.T) {
	r := reader{newWorld(t, "", "").env, func(name string) string { return name }, nil}
	for status, warns := range map[int]bool{404: false, 403: false, 500: true} {
		w := newWorld(t, "", "")
		r.e, r.read = w.env, func(string) ([]byte, error) { return nil, &machine.StatusError{URL: "x", Status: status} }
		if got := r.optional("vendor-data"); got != nil || w.warned() != warns {
			t.Errorf("%d gives %q, logged %q", status, got, w.logged)
		}
	}
}

// What seedfrom may not be is said, and is no reason to become somebody else.
func TestNoCloudSeedfromThatIsNoAddress(t *testing.T) {
	for _, line := range []string{"ds=nocloud;s", "ds=nocloud;s=", "ds=nocloud;s=SEED", "ds=nocloud;s=tftp://a/"} {
		w := newWorld(t, "-- /proc/cmdline --\n"+line, "")
		if _, err := fetchNoCloud(context.Background(), w.env); isOneOf(err) != "silent" || !strings.Contains(err.Error(), "kernel command line: seedfrom") {
			t.Errorf("%q gives %v", line, err)
		}
	}
}

// A path that is named and is not there is silent too: a disk that is mounted late is no new machine.
func TestNoCloudPathThatIsGone(t *testing.T) {
	w := newWorld(t, "-- /proc/cmdline --\nds=nocloud;s=/mnt/seed", "")
	if _, err := fetchNoCloud(context.Background(), w.env); isOneOf(err) != "silent" || !strings.Contains(err.Error(), "/mnt/seed/meta-data is missing") {
		t.Errorf("it gives %v", err)
	}
}

// A name that dmidecode does not know stays as it is, and is said: the server's log shows what was meant.
func TestExpandDMI(t *testing.T) {
	w := newWorld(t, "-- /sys/class/dmi/id/product_uuid --\n5a-b\n-- /sys/class/dmi/id/product_name --\na b\n", "")
	for address, want := range map[string]string{
		"http://a/":                     "http://a/",
		"http://a/__dmi.system-uuid__/": "http://a/5a-b/",
		"http://a/__dmi.system-uuid__x__dmi.system-uuid__": "http://a/5a-bx5a-b",
		"http://a/__dmi.nonesuch__/":                       "http://a/__dmi.nonesuch__/",
		"http://a/__dmi.system-uuid":                       "http://a/__dmi.system-uuid",
		"/a/__dmi.system-product-name__":                   "/a/a b",
		"http://a/__dmi.system-product-name__":             "http://a/a%20b",
	} {
		if got := w.env.expandDMI(address); got != want {
			t.Errorf("%q gives %q, want %q", address, got, want)
		}
	}
	if !w.has("WARNING Ignoring invalid __dmi.nonesuch__") {
		t.Errorf("not said: %q", w.logged)
	}
}
