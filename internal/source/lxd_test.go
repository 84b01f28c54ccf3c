package source

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

// otherSocket is a socket of ours in the place of LXD's.
type otherSocket struct {
	machine.Net
	name string
}

func (n otherSocket) Fetch(ctx context.Context, r machine.Request) (machine.Response, error) {
	if r.Socket == lxdSocket {
		r.Socket = n.name
	}
	return n.Net.Fetch(ctx, r)
}

const lxdMetaData = "#cloud-config\ninstance-id: 4f0d1d4c\nlocal-hostname: box\n"

// inLXD is an instance whose LXD answers with pages, and what it was asked.
func inLXD(t *testing.T, config string, pages map[string]string) (*world, func() []string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "lxd") // a socket's name must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	var mutex sync.Mutex
	var asked []string
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		asked = append(asked, r.URL.Path)
		page, ok := pages[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, page)
	})}}
	server.Start()
	t.Cleanup(server.Close)
	w := newWorld(t, "-- /dev/lxd/sock --\n", config)
	w.env.Machine.Net = otherSocket{liveNet(t), l.Addr().String()}
	return w, func() []string {
		mutex.Lock()
		defer mutex.Unlock()
		return slices.Sorted(slices.Values(asked))
	}
}

// lxdPages are the pages for a configuration.
func lxdPages(config map[string]string) map[string]string {
	pages := map[string]string{"/1.0/meta-data": lxdMetaData, "/1.0/devices": `{"eth0": {"type": "nic"}}`}
	var list []string
	for _, key := range slices.Sorted(maps.Keys(config)) {
		list = append(list, lxdConfig+key)
		pages[lxdConfig+key] = config[key]
	}
	text, _ := json.Marshal(list)
	pages["/1.0/config"] = string(text)
	return pages
}

// Rows D22 and D26. What the socket says makes the instance; what is asked for is asked for once.
func TestLXD(t *testing.T) {
	w, asked := inLXD(t, "", lxdPages(map[string]string{"cloud-init.user-data": "#cloud-config\n{}\n", "user.vendor-data": "#!/bin/sh\n",
		"user.meta-data": "local-hostname: mine\nrole: web\n", "cloud-init.network-config": "version: 2\nethernets: {}\n", "user.other": "x"}))
	in, err := fetchLXD(t.Context(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	if in.ID != "4f0d1d4c" || in.Hostname != "mine" || string(in.UserData) != "#cloud-config\n{}\n" || string(in.VendorData) != "#!/bin/sh\n" || in.Network == nil || in.Network.Kind != "v2" {
		t.Errorf("it is %+v", in)
	}
	if in.Detail != "DataSourceLXD" || in.CloudID() != "lxd" || in.Subplatform != "LXD socket API v. 1.0 (/dev/lxd/sock)" {
		t.Errorf("it calls itself %q, %q, %q", in.Detail, in.CloudID(), in.Subplatform)
	}
	tree, _ := json.Marshal(in.Tree)
	wantJSON(t, "the tree", tree, `{"_metadata_api_version": "1.0", "devices": {"eth0": {"type": "nic"}}, "meta-data": "#cloud-config\ninstance-id: 4f0d1d4c\nlocal-hostname: box\n",
		"config": {"cloud-init.network-config": "version: 2\nethernets: {}\n", "cloud-init.user-data": "#cloud-config\n{}\n", "user.meta-data": "local-hostname: mine\nrole: web\n",
		"user.other": "x", "user.vendor-data": "#!/bin/sh\n"}}`)
	if want := []string{"ds/config/user.meta-data", "ds/config/user.vendor-data", "ds/config/cloud-init.user-data"}; !slices.Equal(in.Sensitive, want) {
		t.Errorf("hidden is %q", in.Sensitive)
	}
	if all := asked(); len(all) != 8 || len(slices.Compact(all)) != 8 {
		t.Errorf("asked %q", all)
	}
	if w.warned() {
		t.Errorf("warned: %q", w.logged)
	}
	if !checkLXD(t.Context(), w.env, &instance.Instance{ID: "4f0d1d4c"}) || checkLXD(t.Context(), w.env, &instance.Instance{ID: "other"}) {
		t.Error("the check is wrong")
	}
}

// The new keys count more than the old ones, and who set both is told.
func TestLXDOldKeys(t *testing.T) {
	w, _ := inLXD(t, "", lxdPages(map[string]string{"cloud-init.user-data": "new", "user.user-data": "old"}))
	in, err := fetchLXD(t.Context(), w.env)
	if err != nil || string(in.UserData) != "new" || !w.has("WARNING", "Ignoring LXD config user.user-data in favor of cloud-init.user-data value.") {
		t.Errorf("it is %+v, %v, %q", in, err, w.logged)
	}
}

// Whatever goes wrong on the socket, the machine stays who it was.
func TestLXDFaults(t *testing.T) {
	const quick = "datasource: {LXD: {retries: 0, timeout: 1}}"
	for name, pages := range map[string]map[string]string{
		"nothing":        {},
		"no id":          {"/1.0/meta-data": "local-hostname: x"},
		"a web page":     {"/1.0/meta-data": "<html></html>"},
		"no YAML":        {"/1.0/meta-data": "a: ["},
		"an id of words": {"/1.0/meta-data": "instance-id: a b c"},
	} {
		w, _ := inLXD(t, quick, pages)
		if in, err := fetchLXD(t.Context(), w.env); isOneOf(err) != "silent" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s gives %+v, %v", name, in, err)
		}
	}
	w, _ := inLXD(t, quick, map[string]string{"/1.0/meta-data": lxdMetaData, "/1.0/config": `["/1.0/config/../x", 1, null, "/2.0/config/a", "/1.0/config/"]`, "/1.0/devices": "["})
	if in, err := fetchLXD(t.Context(), w.env); err != nil || in.ID != "4f0d1d4c" || !w.has("WARNING", "LXD lists") {
		t.Errorf("a strange list gives %+v, %v", in, err)
	}
	for stage, want := range map[Stage]string{Local: "not yet", Network: "silent"} {
		if _, err := fetchLXD(t.Context(), newWorld(t, "", "").at(stage).env); isOneOf(err) != want {
			t.Errorf("without a socket in the %s stage it gives %v", stage, err)
		}
	}
}
