package source

import (
	"context"
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"openguest/internal/machine"
	"openguest/internal/machine/dhcp"
)

// lowNet notes which questions would come from a low port, and asks them from any: tests need not be root's.
type lowNet struct {
	machine.Net
	mutex sync.Mutex
	low   []string
}

func (n *lowNet) Fetch(ctx context.Context, r machine.Request) (machine.Response, error) {
	if r.Low {
		n.mutex.Lock()
		n.low = append(n.low, r.URL[strings.LastIndex(r.URL, "//")+2:])
		n.mutex.Unlock()
	}
	r.Low = false
	return n.Net.Fetch(ctx, r)
}

const scalewayConf = `{"id": "11111111-1111-4111-8111-111111111111", "hostname": "scw-web", "zone": "fr-par-1", "tags": ["web", "AUTHORIZED_KEY=ssh-rsa_AAAA_tag"],
	"ssh_public_keys": [{"key": "` + oneKey + `", "fingerprint": "x"}], "public_ips": [
	{"address": "51.15.0.2", "netmask": "32", "gateway": "62.210.0.1", "family": "inet"},
	{"address": "51.15.0.3", "netmask": "32", "gateway": "62.210.0.1", "family": "inet"},
	{"address": "2001:db8::2", "netmask": "64", "gateway": "fe80::1", "family": "inet6"}]}`

// Row D22, Scaleway. What a person gave a machine there is told to root alone, who proves it by the port; a machine without
// any is one too.
func TestScaleway(t *testing.T) {
	for name, given := range map[string]map[string]string{
		"nothing given": {},
		"both given":    {"/user_data/cloud-init": "#cloud-config\n", "/vendor_data/cloud-init": "#!/bin/sh\n"},
	} {
		t.Run(name, func(t *testing.T) {
			pages := map[string]string{"/conf": scalewayConf}
			for path, text := range given {
				pages[path] = text
			}
			service := serveCloud(t, pages)
			w := newWorld(t, "-- /sys/class/net/ens2/address --\nde:00:00:00:00:01\n", "datasource: {Scaleway: {metadata_urls: ['"+service.address+"']}}")
			net := &lowNet{Net: liveNet(t)}
			w.env.Machine.Net = net
			in, err := fetchScaleway(t.Context(), w.env)
			if err != nil {
				t.Fatal(err)
			}
			if in.ID != "11111111-1111-4111-8111-111111111111" || in.Hostname != "scw-web" || in.Zone != "fr-par-1" || in.Region != "fr-par" || in.Metadata["net_in_use"] != "ipv4" {
				t.Errorf("it is %+v", in)
			}
			if want := []string{oneKey, "ssh-rsa AAAA tag"}; !slices.Equal(in.PublicKeys(), want) {
				t.Errorf("its keys are %q", in.PublicKeys())
			}
			if string(in.UserData) != given["/user_data/cloud-init"] || string(in.VendorData) != given["/vendor_data/cloud-init"] {
				t.Errorf("it was given %q and %q", in.UserData, in.VendorData)
			}
			if len(service.asked) != 3 || len(net.low) != 2 || strings.Contains(strings.Join(net.low, " "), "conf") {
				t.Errorf("asked %q, and from a low port %q", service.asked, net.low)
			}
		})
	}
}

// The address that DHCP gave stays DHCP's, and the others are added to it: a machine that had only the first would be out of
// reach at the rest.
func TestScalewayNetwork(t *testing.T) {
	w := newWorld(t, "", "")
	var meta map[string]any
	if err := json.Unmarshal([]byte(scalewayConf), &meta); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		early *Early
		want  string
	}{
		{"with a lease", &Early{Link: "ens2", Lease: &dhcp.Lease{Address: netip.MustParsePrefix("51.15.0.2/32")}}, `{"version": 2, "ethernets": {"ens2": {"dhcp4": true,
			"addresses": ["51.15.0.3/32", "2001:db8::2/64"],
			"routes": [{"on-link": true, "to": "169.254.42.42/32", "via": "62.210.0.1"}, {"to": "::/0", "via": "fe80::1"}]}}}`},
		{"without", &Early{Link: "ens2"}, `{"version": 2, "ethernets": {"ens2": {
			"addresses": ["51.15.0.2/32", "51.15.0.3/32", "2001:db8::2/64"], "routes": [{"to": "::/0", "via": "fe80::1"}]}}}`},
	} {
		var got, want any
		if err := json.Unmarshal(scalewayNetwork(w.env, c.early, meta).Document, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the network is %v", c.name, got)
		}
	}
}
