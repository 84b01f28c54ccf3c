package source

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/internal/machine/dhcp"
)

// A cloud is a metadata service that notes what it was asked.
type cloud struct {
	address string
	mutex   sync.Mutex
	asked   []string
}

// serveCloud serves pages by path. What is not there is a 404; a page that is a number is that status.
func serveCloud(t *testing.T, pages map[string]string) *cloud {
	c := &cloud{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mutex.Lock()
		c.asked = append(c.asked, r.RequestURI)
		c.mutex.Unlock()
		page, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if status, err := strconv.Atoi(page); err == nil && status >= 400 {
			w.WriteHeader(status)
			return
		}
		w.Write([]byte(page))
	}))
	t.Cleanup(server.Close)
	c.address = server.URL
	return c
}

// onOpenStack is a machine whose configuration names the address of a metadata service.
func onOpenStack(t *testing.T, address, more string) *world {
	w := newWorld(t, "", "datasource: {OpenStack: {metadata_urls: ["+address+"], timeout: 5, sec_between_retries: 0.01, retries: 1"+more+"}}")
	w.env.Machine.Net = liveNet(t)
	return w
}

const (
	novaID   = "e9f15094-5cbc-4f9b-9c4b-0d1b2a3c4d5e"
	novaMeta = `{"uuid": "` + novaID + `", "hostname": "web1.novalocal", "name": "web1", "availability_zone": "nova", "launch_index": 0,
		"random_seed": "c2VlZA==", "public_keys": {"a": "ssh-ed25519 AAAA a\n", "b": "ssh-ed25519 BBBB b"}, "meta": {"role": "web"},
		"files": [{"path": "/etc/motd", "content_path": "/content/0000"}]}`
	novaNetwork = `{"links": [], "networks": [], "services": []}`
)

// novaTree is the service's tree of a version.
func novaTree(versions, version string, more map[string]string) map[string]string {
	pages := map[string]string{
		"/openstack": versions, "/openstack/" + version + "/meta_data.json": novaMeta, "/openstack/" + version + "/user_data": "#cloud-config\n{}\n",
		"/openstack/" + version + "/vendor_data.json": `{"cloud-init": "#!/bin/sh\n"}`, "/openstack/" + version + "/vendor_data2.json": `["a", "b"]`,
		"/openstack/" + version + "/network_data.json": novaNetwork,
	}
	for name, page := range more {
		pages[name] = page
	}
	return pages
}

// Row D01, row D26. What the service says is what the machine is: cloud-init took 11 seconds for this, one request after
// the other.
func TestOpenStack(t *testing.T) {
	c := serveCloud(t, novaTree("2012-08-10\n2018-08-27\n2020-10-14\nlatest", "2018-08-27", nil))
	w := onOpenStack(t, c.address, "")
	in, err := fetchOpenStack(context.Background(), w.env)
	if err != nil || w.warned() {
		t.Fatal(err, w.logged)
	}
	for what, pair := range map[string][2]string{
		"id": {in.ID, novaID}, "detail": {in.Detail, "DataSourceOpenStack [net,ver=2]"}, "hostname": {in.Hostname, "web1.novalocal"},
		"zone": {in.Zone, "nova"}, "cloud": {in.Cloud, "openstack"}, "platform": {in.Platform, "openstack"}, "seed": {string(in.RandomSeed), "seed"},
		"subplatform": {in.Subplatform, "metadata (" + c.address + ")"}, "user-data": {string(in.UserData), "#cloud-config\n{}\n"},
		"vendor-data": {string(in.VendorData), "#!/bin/sh\n"}, "network": {in.Network.Kind + string(in.Network.Document), "network_data" + novaNetwork},
		"keys": {strings.Join(in.PublicKeys(), "|"), "ssh-ed25519 AAAA a\n|ssh-ed25519 BBBB b"}, "name": {in.Metadata["name"].(string), "web1"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
	if !strings.HasPrefix(string(in.VendorData2), "#cloud-config-archive\n[") {
		t.Errorf("vendor-data 2 is %q", in.VendorData2)
	}
	if len(c.asked) > 8 || len(slices.Compact(slices.Sorted(slices.Values(c.asked)))) != len(c.asked) {
		t.Errorf("it asked %d times: %q", len(c.asked), c.asked)
	}
	if len(in.Files) != 0 {
		t.Error("files of the service were taken; cloud-init writes those of config drives only")
	}
}

// Row D03. The newest version that we know is read, whatever else a cloud has.
func TestOpenStackVersions(t *testing.T) {
	for versions, version := range map[string]string{
		"2012-08-10\n2013-04-04\n2017-02-22\n":   "2017-02-22",
		"latest":                                 "latest",
		"2020-10-14\n2025-04-04\nlatest":         "latest",
		"1.0\r\n2013-10-17 \r\n2012-08-10\r\n":   "2013-10-17",
		"<html>Welcome to the hotel's network":   "latest",
		"2018-08-27-rc1\n2015-10-15\n2013-04-04": "2015-10-15",
	} {
		c := serveCloud(t, novaTree(versions, version, nil))
		in, err := fetchOpenStack(context.Background(), onOpenStack(t, c.address, "").env)
		if err != nil || in.ID != novaID {
			t.Errorf("of %q not %s was read: %v; %q", versions, version, err, c.asked)
		}
	}
}

// Row D05. Vendor-data may have each form, and one that makes no sense costs itself alone.
func TestOpenStackVendorData(t *testing.T) {
	for given, want := range map[string]string{
		`"#!/bin/sh"`:              "#!/bin/sh",
		`{"cloud-init": "x"}`:      "x",
		`{"other": "x"}`:           "",
		`{}`:                       "",
		`null`:                     "",
		`{"cloud-init": {"a": 1}}`: "warning",
		`7`:                        "warning",
		`{"cloud-init": `:          "warning",
	} {
		c := serveCloud(t, novaTree("latest", "latest", map[string]string{"/openstack/latest/vendor_data.json": given}))
		w := onOpenStack(t, c.address, "")
		in, err := fetchOpenStack(context.Background(), w.env)
		if err != nil {
			t.Errorf("%s: %v", given, err)
			continue
		}
		if warned := want == "warning"; w.warned() != warned || !warned && string(in.VendorData) != want {
			t.Errorf("%s became %q; logged %q", given, in.VendorData, w.logged)
		}
	}
}

// What the instance's owner and the image say of how the data is used.
func TestOpenStackMode(t *testing.T) {
	for mode, want := range map[string]string{"local": "local", "net": "net", "pass": "pass", "disabled": "absent", "odd": "net"} {
		meta := strings.Replace(novaMeta, `"role": "web"`, `"dsmode": "`+mode+`"`, 1)
		c := serveCloud(t, novaTree("latest", "latest", map[string]string{"/openstack/latest/meta_data.json": meta}))
		w := onOpenStack(t, c.address, ", apply_network_config: 'off'").at(Local)
		w.env.Machine.Links = machine.NewFakeLinks(machine.LinkState{
			Links:  []machine.NetLink{{NIC: machine.NIC{Name: "eth0", Carrier: true}, Index: 2, Up: true, Settled: true}},
			Routes: []machine.Route{{Link: "eth0", To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.0.0.1")}},
		})
		in, err := fetchOpenStack(context.Background(), w.env)
		switch {
		case err != nil:
			if isOneOf(err) != want {
				t.Errorf("%s: %v", mode, err)
			}
		case in.Mode != want || in.Network != nil || in.Detail != "DataSourceOpenStackLocal ["+want+",ver=2]":
			t.Errorf("%s: %q, network %v", mode, in.Detail, in.Network)
		case w.has("invalid dsmode 'odd'") != (mode == "odd"):
			t.Errorf("%s: logged %q", mode, w.logged)
		}
	}
}

// Only who needs EC2's tree pays for it.
func TestOpenStackWithEC2(t *testing.T) {
	c := serveCloud(t, novaTree("latest", "latest", map[string]string{
		"/openstack/latest/user_data": "## template: jinja\n#cloud-config\nfqdn: {{ ds.ec2_metadata.ami_id }}\n",
		"/latest/meta-data/":          "ami-id\nblock-device-mapping/\niam/", "/latest/meta-data/ami-id": "ami-1",
		"/latest/meta-data/block-device-mapping/": "ephemeral0", "/latest/meta-data/block-device-mapping/ephemeral0": "/dev/vdb",
		"/latest/meta-data/iam/": "security-credentials/", "/latest/meta-data/iam/security-credentials/": "role",
	}))
	in, err := fetchOpenStack(context.Background(), onOpenStack(t, c.address, "").env)
	if err != nil {
		t.Fatal(err)
	}
	tree, _ := in.Tree["ec2_metadata"].(map[string]any)
	devices, _ := tree["block-device-mapping"].(map[string]any)
	if tree["ami-id"] != "ami-1" || devices["ephemeral0"] != "/dev/vdb" {
		t.Errorf("the tree is %v", tree)
	}
	if slices.ContainsFunc(c.asked, func(name string) bool { return strings.Contains(name, "security-credentials") }) {
		t.Errorf("it asked for credentials: %q", c.asked)
	}
}

// Row D06. What the user wants is had, or there is none for sure; a fault in what the provider adds costs that alone.
func TestOpenStackInTrouble(t *testing.T) {
	for fault, want := range map[string]string{
		"user_data 403": "", "user_data 404": "", "user_data 500": "silent", "user_data 503": "silent", "user_data 429": "silent",
		"vendor_data.json 404": "", "vendor_data.json 500": "warning", "vendor_data2.json 502": "warning", "network_data.json 403": "", "network_data.json 500": "warning",
		"network_data.json <html>": "warning", "meta_data.json 404": "silent",
	} {
		name, page, _ := strings.Cut(fault, " ")
		c := serveCloud(t, novaTree("latest", "latest", map[string]string{"/openstack/latest/" + name: page}))
		w := onOpenStack(t, c.address, "")
		in, err := fetchOpenStack(context.Background(), w.env)
		got := isOneOf(err)
		if w.warned() {
			got = "warning"
			if !w.has(c.address + "/openstack/latest/" + name) {
				t.Errorf("%s: no warning names it: %q", fault, w.logged)
			}
		}
		if got != want || err == nil && in.ID != novaID {
			t.Errorf("%s: %v; logged %q, want %q", fault, err, w.logged, want)
		}
		if n := len(c.asked); strings.Contains(fault, " 50") && n != 7 || strings.Contains(fault, " 40") && n != 6 {
			t.Errorf("%s: it asked %d times: %q", fault, n, c.asked)
		}
	}
}

// Row U05, OpenStack. User-data is what it is: a person's text that looks like base64 stays so.
func TestOpenStackUserDataAsItIs(t *testing.T) {
	const text = "I2Nsb3VkLWNvbmZpZwo="
	c := serveCloud(t, novaTree("latest", "latest", map[string]string{"/openstack/latest/user_data": text}))
	if in, err := fetchOpenStack(t.Context(), onOpenStack(t, c.address, "").env); err != nil || string(in.UserData) != text {
		t.Errorf("it is %+v, %v", in, err)
	}
}

// A machine is another instance only with a uuid.
func TestOpenStackWithoutUUID(t *testing.T) {
	for _, meta := range []string{`{}`, `{"uuid": ""}`, `{"uuid": 7}`, `{"uuid": null}`, `[]`, `"text"`, ``, `{"uuid": "a"`, "<html></html>"} {
		c := serveCloud(t, novaTree("latest", "latest", map[string]string{"/openstack/latest/meta_data.json": meta}))
		if in, err := fetchOpenStack(context.Background(), onOpenStack(t, c.address, "").env); isOneOf(err) != "silent" {
			t.Errorf("%q: %v, %v", meta, in, err)
		}
	}
	c := serveCloud(t, novaTree("latest", "latest", map[string]string{"/openstack/latest/meta_data.json": `{"uuid": "a", "meta": [], "public_keys": 7,
		"random_seed": 7, "files": {}, "hostname": {}, "availability_zone": [1]}`}))
	if in, err := fetchOpenStack(context.Background(), onOpenStack(t, c.address, "").env); err != nil || in.ID != "a" {
		t.Errorf("odd values beside a good id: %v", err)
	}
}

// Row S21. The hardware's number is the instance's: no request tells it more.
func TestCheckUUID(t *testing.T) {
	for uuid, want := range map[string]bool{novaID: true, strings.ToUpper(novaID): true, "9450f1e9-bc5c-9b4f-9c4b-0d1b2a3c4d5e": true, "": false, "e9f15094": false} {
		w := newWorld(t, "-- /sys/class/dmi/id/product_uuid --\n"+uuid+"\n", "")
		if got := checkUUID(context.Background(), w.env, &instance.Instance{ID: novaID}); got != want {
			t.Errorf("on the hardware %q it is %v", uuid, got)
		}
	}
}

// Row D04. The service is asked where the network leads: over IPv4 with a lease, over the link's own address where the link
// has one, at both where the machine was online already.
func TestOpenStackAddresses(t *testing.T) {
	const four, six = "http://169.254.169.254", "http://[fe80::a9fe:a9fe%25eth0]"
	for name, c := range map[string]struct {
		early  Early
		config string
		want   []string
	}{
		"online":       {Early{}, "{}", []string{four, six}},
		"a lease":      {Early{Link: "eth0", Lease: &dhcp.Lease{}}, "{}", []string{four}},
		"IPv6":         {Early{Link: "eth0", LinkLocal: netip.MustParseAddr("fe80::1%eth0")}, "{}", []string{six}},
		"the operator": {Early{}, "datasource: {OpenStack: {metadata_urls: ['http://a', 'http://b/']}}", []string{"http://a", "http://b/"}},
	} {
		w := newWorld(t, "-- /sys/class/net/eth0/address --\n52:54:00:12:34:56\n-- /sys/class/net/eth0/carrier --\n1\n", c.config)
		if got := w.env.addresses("OpenStack", w.env.nearAddresses(&c.early)...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Row B05, row X10. A machine that names OpenStack nowhere does not ask the link's addresses, which anybody could answer from.
func TestOpenStackIsNotAskedBlindly(t *testing.T) {
	net := &fakeNet{}
	w := newWorld(t, "-- /proc/sys/kernel/arch --\naarch64\n", "")
	w.env.Machine.Net = net
	if _, _, _, err := Find(context.Background(), w.env, []string{"OpenStack", "Ec2"}); err == nil || len(net.asked) != 0 {
		t.Errorf("it asked %q: %v", net.asked, err)
	}
}
