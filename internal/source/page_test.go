package source

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"openguest/internal/instance"
)

const oneKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ me@home"

// onePages are clouds that say all in one document, or in a few with cloud-init's own names, and what is made of it.
var onePages = map[string]struct {
	fetch    func(context.Context, *Env) (*instance.Instance, error)
	facts    string
	pages    map[string]string
	at       string // what follows the server's address in metadata_url
	id, host string
	region   string
	network  string
	asked    int
}{
	"DigitalOcean": {
		fetch: digitalOcean().Fetch, facts: "-- /sys/class/dmi/id/product_serial --\n3164494\n", at: "/metadata/v1.json",
		pages: map[string]string{"/metadata/v1.json": `{"droplet_id": 3164494, "hostname": "web-1", "region": "nyc3", "public_keys": ["` + oneKey + `"],
			"user_data": "#cloud-config\n", "vendor_data": "#!/bin/sh\n", "dns": {"nameservers": ["192.0.2.53"]},
			"interfaces": {"public": [{"mac": "04:01:58:27:7f:01", "ipv4": {"ip_address": "192.0.2.2", "netmask": "255.255.255.0", "gateway": "192.0.2.1"}}]}}`},
		id: "3164494", host: "web-1", network: "digitalocean", asked: 1,
	},
	"UpCloud": {
		fetch: upCloud().Fetch, at: "/metadata/v1.json",
		pages: map[string]string{"/metadata/v1.json": `{"instance_id": "00322b68-0096-4042-9406-faad61922128", "hostname": "web-1", "region": "fi-hel1",
			"public_keys": ["` + oneKey + `"], "user_data": "#cloud-config\n", "vendor_data": "#!/bin/sh\n",
			"network": {"interfaces": [{"index": 1, "ip_addresses": [{"address": "192.0.2.2", "dhcp": true, "family": "IPv4"}], "mac": "7a:3f:53:fa:92:a1"}]}}`},
		id: "00322b68-0096-4042-9406-faad61922128", host: "web-1", network: "upcloud", asked: 1,
	},
	"Vultr": {
		fetch: vultr().Fetch, at: "/v1.json",
		pages: map[string]string{"/v1.json": `{"instance-v2-id": "29bea708-2e6e-480a-90ad-0e6b5d5ad62f", "instanceid": "42872224", "hostname": "web-1",
			"region": {"regioncode": "EWR", "countrycode": "US"}, "public-keys": "` + oneKey + `\n", "user-data": "#cloud-config\n",
			"vendor-data": "#!/bin/sh\n", "interfaces": [{"mac": "56:00:03:15:c4:65"}], "startup-script": "echo"}`},
		id: "29bea708-2e6e-480a-90ad-0e6b5d5ad62f", host: "web-1", region: "us", network: "vultr", asked: 1,
	},
	"NWCS": {
		fetch: nwcs().Fetch, at: "/api/v1/metadata", facts: "-- /sys/class/net/ens3/address --\n96:00:00:08:19:da\n",
		pages: map[string]string{"/api/v1/metadata": `{"instance-id": "i-77", "hostname": "web-1", "public-keys": ["` + oneKey + `"], "userdata": "#cloud-config\n",
			"vendordata": "#!/bin/sh\n", "network": {"version": 1, "config": [{"type": "physical", "name": "eth0", "mac_address": "96:00:00:08:19:DA", "subnets": [{"type": "dhcp"}]}, 1]}}`},
		id: "i-77", host: "web-1", network: "v1", asked: 1,
	},
	"Hetzner": {
		fetch: hetzner().Fetch, at: "/hetzner/v1",
		facts: "-- /sys/class/dmi/id/product_serial --\n123456\n-- /sys/class/net/ens10/address --\n86:00:00:12:34:56\n",
		pages: map[string]string{"/hetzner/v1/metadata": "instance-id: 123456\nhostname: web-1\nregion: eu-central\navailability-zone: fsn1-dc14\npublic-keys: ['" + oneKey + "']\n" +
			"vendor_data: '#!/bin/sh\n\n  '\nnetwork-config: {version: 1, config: [{type: physical, name: eth0, mac_address: '96:00:00:08:19:da', subnets: [{type: dhcp}]}]}\n",
			"/hetzner/v1/metadata/private-networks": "- {mac_address: '86:00:00:12:34:56', ip: 10.0.0.2}\n",
			"/hetzner/v1/userdata":                  "I2Nsb3VkLWNvbmZpZwo="},
		id: "123456", host: "web-1", region: "eu-central", network: "v1", asked: 3,
	},
}

// Row D22, for these clouds. A machine on one of them is who the cloud says it is, has the keys and the data of its person, and asks
// for nothing twice.
func TestOnePageClouds(t *testing.T) {
	for name, c := range onePages {
		t.Run(name, func(t *testing.T) {
			address, asked := webServer(t, c.pages)
			w := newWorld(t, c.facts, fmt.Sprintf("datasource: {%s: {metadata_url: '%s%s'}}", name, address, c.at))
			w.env.Machine.Net = liveNet(t)
			in, err := c.fetch(context.Background(), w.env)
			if err != nil {
				t.Fatal(err)
			}
			if in.Source != name || in.ID != c.id || in.Hostname != c.host || in.Region != c.region || in.Detail != "DataSource"+name || in.Cloud != strings.ToLower(name) {
				t.Errorf("it is %+v", in)
			}
			if !slices.Equal(in.PublicKeys(), []string{oneKey}) {
				t.Errorf("its keys are %q", in.PublicKeys())
			}
			if string(in.UserData) != "#cloud-config\n" || !strings.HasPrefix(string(in.VendorData), "#!/bin/sh\n") {
				t.Errorf("it was given %q and %q", in.UserData, in.VendorData)
			}
			if in.Network == nil || in.Network.Kind != c.network {
				t.Errorf("its network is %+v", in.Network)
			}
			if len(*asked) != c.asked {
				t.Errorf("asked %q", *asked)
			}
		})
	}
}

// The private networks of Hetzner are in a document of their own: an interface without its name would get no address.
func TestHetznerPrivateNetworks(t *testing.T) {
	c := onePages["Hetzner"]
	address, _ := webServer(t, c.pages)
	w := newWorld(t, c.facts, "datasource: {Hetzner: {metadata_url: '"+address+"/hetzner/v1'}}")
	w.env.Machine.Net = liveNet(t)
	in, err := c.fetch(context.Background(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(in.Network.Document); !strings.Contains(text, `"name": "ens10"`) || !strings.Contains(text, `"name": "eth0"`) {
		t.Errorf("the network is %s", text)
	}
}

// A server that calls the machine by another's number does not speak for it: its keys would be another's.
func TestHetznerSerial(t *testing.T) {
	c := onePages["Hetzner"]
	address, _ := webServer(t, c.pages)
	w := newWorld(t, "-- /sys/class/dmi/id/product_serial --\n654321\n", "datasource: {Hetzner: {metadata_url: '"+address+"/hetzner/v1'}}")
	w.env.Machine.Net = liveNet(t)
	wantSilentFrom(t, w, c.fetch)
}

// A document without an id proves nothing, whatever else is in it.
func TestOnePageWithoutID(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"hostname": "x"}`) }))
	defer server.Close()
	for _, name := range []string{"DigitalOcean", "UpCloud", "Vultr"} {
		w := newWorld(t, "", "datasource: {"+name+": {metadata_url: '"+server.URL+"'}}")
		w.env.Machine.Net = liveNet(t)
		wantSilentFrom(t, w, onePages[name].fetch)
	}
}

func wantSilentFrom(t *testing.T, w *world, fetch func(context.Context, *Env) (*instance.Instance, error)) {
	t.Helper()
	if in, err := fetch(t.Context(), w.env); in != nil || isOneOf(err) != "silent" {
		t.Errorf("it gives %+v, %v", in, err)
	}
}

// Each description of the network by Vultr is one that the machine can use: a list by itself would be none, and an interface
// without a name would be left out.
func TestVultrNetwork(t *testing.T) {
	for said, want := range map[string]string{
		`"interfaces": [{"mac": "56:00:03:15:c4:65"}]`: `{"interfaces": [{"mac": "56:00:03:15:c4:65"}]}`,
		`"cloud_interfaces": {"version": 1, "config": [{"type": "physical", "mac_address": "56:00:03:15:C4:65"}, {"type": "nameserver"}]}`: `{"config": ` +
			`[{"mac_address": "56:00:03:15:C4:65", "name": "ens3", "type": "physical"}, {"type": "nameserver"}], "version": 1}`,
	} {
		address, _ := webServer(t, map[string]string{"/v1.json": `{"instance-v2-id": "i", ` + said + `}`})
		w := newWorld(t, "-- /sys/class/net/ens3/address --\n56:00:03:15:c4:65\n", "datasource: {Vultr: {metadata_url: '"+address+"/v1.json'}}")
		w.env.Machine.Net = liveNet(t)
		in, err := vultr().Fetch(t.Context(), w.env)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(strings.Fields(string(in.Network.Document)), ""); got != strings.ReplaceAll(want, " ", "") {
			t.Errorf("the network is %s", got)
		}
	}
}
