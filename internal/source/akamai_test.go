package source

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"openguest/internal/machine"
)

const akamaiSerial = "-- /sys/class/dmi/id/product_serial --\n12345\n"

// onAkamai is a machine beside a service that tells only who has its token, and what it was asked.
func onAkamai(t *testing.T, files string, pages map[string]string) (*world, *[]string) {
	asked := &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.Method+" "+r.URL.Path)
		page, ok := pages[r.URL.Path]
		switch {
		case r.Method == "PUT" && r.URL.Path == "/v1/token" && r.Header.Get("Metadata-Token-Expiry-Seconds") == "300" && pages != nil:
			io.WriteString(w, "secret\n")
		case !ok:
			http.NotFound(w, r)
		case r.Header.Get("Metadata-Token") != "secret":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			io.WriteString(w, page)
		}
	}))
	t.Cleanup(server.Close)
	w := newWorld(t, files, "datasource: {Akamai: {allow_ipv6: false, base_urls: {ipv4: '"+server.URL+"'}, sec_between_retries: 0.01, max_wait: 0.3, timeout: 5}}")
	w.env.Machine.Net = liveNet(t)
	return w, asked
}

// Row D22, Akamai. A machine there gets what its person gave it, encoded or not; where the service is not there it is still
// one machine, by its serial number.
func TestAkamai(t *testing.T) {
	about := `{"id": 12345, "label": "web-1", "region": "us-east"}`
	for name, c := range map[string]struct {
		files    string
		pages    map[string]string
		userData string
		region   string
		warned   bool
		asked    []string
	}{
		"all":            {"", map[string]string{"/v1/instance": about, "/v1/user-data": "I2Nsb3VkLWNvbmZpZwo=\n"}, "#cloud-config\n", "us-east", false, []string{"PUT /v1/token", "GET /v1/instance", "GET /v1/user-data"}},
		"no user-data":   {"", map[string]string{"/v1/instance": about}, "", "us-east", false, []string{"PUT /v1/token", "GET /v1/instance", "GET /v1/user-data"}},
		"not encoded":    {"", map[string]string{"/v1/instance": about, "/v1/user-data": "#cloud-config\n"}, "#cloud-config\n", "us-east", true, []string{"PUT /v1/token", "GET /v1/instance", "GET /v1/user-data"}},
		"no id":          {akamaiSerial, map[string]string{"/v1/instance": "{}"}, "", "", false, []string{"PUT /v1/token", "GET /v1/instance", "GET /v1/user-data"}},
		"no service":     {akamaiSerial, nil, "", "", true, []string{"PUT /v1/token"}},
		"it may not ask": {akamaiSerial + "-- /sys/class/dmi/id/board_serial --\nais=0;v6=1\n", nil, "", "", false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w, asked := onAkamai(t, c.files, c.pages)
			in, err := fetchAkamai(t.Context(), w.env)
			if err != nil {
				t.Fatal(err)
			}
			if in.ID != "12345" || in.Region != c.region || string(in.UserData) != c.userData || in.Detail != "DataSourceAkamai" || in.Metadata["instance-id"] != "12345" {
				t.Errorf("it is %+v", in)
			}
			if !slices.Equal(*asked, c.asked) || w.warned() != c.warned {
				t.Errorf("asked %q, and says %q", *asked, w.logged)
			}
		})
	}
}

// Before the network is up a silent service is asked again later: what a person gave the machine must not be lost to a slow
// start of the cloud's.
func TestAkamaiLocal(t *testing.T) {
	w, asked := onAkamai(t, akamaiSerial+"-- /sys/class/dmi/id/board_serial --\nals=0\n", nil)
	if in, err := fetchAkamai(t.Context(), w.at(Local).env); isOneOf(err) != "not yet" || in != nil || len(*asked) != 0 {
		t.Errorf("it gives %+v, %v, and asks %q", in, err, *asked)
	}
	w, _ = onAkamai(t, akamaiSerial, nil)
	if in, err := fetchAkamai(t.Context(), w.at(Local).env); isOneOf(err) != "not yet" || in != nil {
		t.Errorf("it gives %+v, %v", in, err)
	}
}

// The interface that the cloud's metadata is behind is tried first.
func TestAkamaiPrefers(t *testing.T) {
	w := newWorld(t, "-- /sys/class/dmi/id/board_serial --\npmp=f2:4,52:54\n", "")
	p := w.env.akamaiPolicy()
	nics := []machine.NIC{{Name: "a", MAC: "f2:30:00:00:00:01"}, {Name: "b", MAC: "52:54:00:00:00:01"}}
	if slices.SortStableFunc(nics, p.prefer); nics[0].Name != "b" {
		t.Errorf("the order is %+v", nics)
	}
}
