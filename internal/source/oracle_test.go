package source

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"openguest/internal/instance"
)

const oracleInstance = `{"id": "ocid1.instance.oc1.phx.abc", "hostname": "web-1", "displayName": "Web 1", "ociAdName": "phx-ad-3",
	"metadata": {"ssh_authorized_keys": "` + oneKey + `\nssh-rsa AAAA b", "user_data": "I2Nsb3VkLWNvbmZpZwo="}}`

// onOracle is a machine beside a service that has pages and insists on the header, and what it was asked.
func onOracle(t *testing.T, files string, pages map[string]string) (*world, *[]string) {
	asked := &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.Path)
		page, ok := pages[r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
		case r.Header.Get("Authorization") != "Bearer Oracle":
			w.WriteHeader(http.StatusForbidden)
		case page == "403":
			w.WriteHeader(http.StatusForbidden)
		default:
			w.Write([]byte(page))
		}
	}))
	t.Cleanup(server.Close)
	w := newWorld(t, files, "datasource: {Oracle: {sec_between_retries: 0.01}}")
	w.env.Machine.Net = elsewhere{liveNet(t), server.URL}
	return w, asked
}

// Row D22, Oracle. Each version of the service says who the machine is, and what its cards are; what the initramfs set up is
// left to it, and a card that the disk is reached by is never switched off.
func TestOracle(t *testing.T) {
	vnics := `[{"macAddr": "02:00:17:05:d1:db", "privateIp": "10.0.0.2", "subnetCidrBlock": "10.0.0.0/24"}]`
	for name, c := range map[string]struct {
		files   string
		pages   map[string]string
		network string // a word of its description
		at      string
	}{
		"version 2": {"", map[string]string{"/opc/v2/instance/": oracleInstance, "/opc/v2/vnics/": vnics}, `"vnics"`, "v2"},
		"version 1": {"", map[string]string{"/opc/v1/instance/": oracleInstance, "/opc/v1/vnics/": vnics}, `"02:00:17:05:d1:db"`, "v1"},
		"a disk over the network": {"-- /sys/firmware/ibft/target0/flags --\n3\n", map[string]string{"/opc/v2/instance/": oracleInstance,
			"/opc/v2/vnics/": vnics}, `"keep_configuration": true`, "v2"},
		"a network of the initramfs": {"-- /run/net-ens3.conf --\nDEVICE=ens3\n", map[string]string{"/opc/v2/instance/": oracleInstance}, "", "v2"},
		"no network":                 {"", map[string]string{"/opc/v2/instance/": oracleInstance}, "", "v2"},
		"a broken network":           {"", map[string]string{"/opc/v2/instance/": oracleInstance, "/opc/v2/vnics/": "<html>"}, "", "v2"},
	} {
		t.Run(name, func(t *testing.T) {
			w, asked := onOracle(t, c.files, c.pages)
			in, err := fetchOracle(t.Context(), w.env)
			if err != nil {
				t.Fatal(err)
			}
			if in.ID != "ocid1.instance.oc1.phx.abc" || in.Hostname != "web-1" || in.Zone != "phx-ad-3" || string(in.UserData) != "#cloud-config\n" || *in.LaunchIndex != 0 {
				t.Errorf("it is %+v", in)
			}
			if in.Detail != "DataSourceOracleNet" || in.Subplatform != "metadata (http://169.254.169.254/opc/"+c.at+"/)" {
				t.Errorf("it calls itself %q, %q", in.Detail, in.Subplatform)
			}
			if !slices.Equal(in.PublicKeys(), []string{oneKey, "ssh-rsa AAAA b"}) {
				t.Errorf("its keys are %q", in.PublicKeys())
			}
			if in.Network == nil && c.network != "" || in.Network != nil && (c.network == "" || !strings.Contains(string(in.Network.Document), c.network)) {
				t.Errorf("its network is %+v", in.Network)
			}
			if w.warned() != (name == "a broken network") {
				t.Errorf("it says %q", w.logged)
			}
			if len(*asked) > 4 {
				t.Errorf("asked %q", *asked)
			}
		})
	}
}

// User-data that is not what it should be is not run, and a document without an id proves nothing.
func TestOracleInTrouble(t *testing.T) {
	for _, document := range []string{`{"hostname": "x"}`, `{"id": "a b"}`, `{"id": "i", "metadata": {"user_data": "###"}}`} {
		w, _ := onOracle(t, "", map[string]string{"/opc/v2/instance/": document})
		wantSilentFrom(t, w, fetchOracle)
	}
	w, _ := onOracle(t, "", map[string]string{"/opc/v2/instance/": oracleInstance, "/opc/v2/vnics/": "403"})
	wantSilentFrom(t, w, fetchOracle)
}

// The cloud is asked once in the life of a machine, and again by a copy of it, which has another number.
func TestOracleIsTheSame(t *testing.T) {
	const uuid = "-- /sys/class/dmi/id/product_uuid --\n527C2691-029F-FE4C-B1F4-A4DA7EBAC2C"
	w, _ := onOracle(t, uuid+"F\n", map[string]string{"/opc/v2/instance/": oracleInstance})
	in, err := fetchOracle(t.Context(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	copied := newWorld(t, uuid+"0\n", "")
	if check := oracle().Check; !check(t.Context(), w.env, in) || check(t.Context(), copied.env, in) || check(t.Context(), newWorld(t, "", "").env, &instance.Instance{}) {
		t.Error("it is taken for another, or another for it")
	}
}
