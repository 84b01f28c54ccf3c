package source

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"openguest/internal/instance"
)

// askedOverHTTP are the sources that ask a server, and the configuration that makes them ask ours; %[1]s is its address.
var askedOverHTTP = map[string]struct {
	fetch  func(context.Context, *Env) (*instance.Instance, error)
	config string
}{
	"DigitalOcean": {digitalOcean().Fetch, `datasource: {DigitalOcean: {metadata_url: "%[1]s/metadata/v1.json", timeout: 0.3, max_wait: 0.3, retries: 1, sec_between_retries: 0.01}}`},
	"Hetzner":      {fetchHetzner, `datasource: {Hetzner: {metadata_url: "%[1]s/hetzner/v1", timeout: 0.3, max_wait: 0.3, retries: 1, sec_between_retries: 0.01}}`},
	"NWCS":         {nwcs().Fetch, `datasource: {NWCS: {metadata_url: "%[1]s/api/v1/metadata", timeout: 0.3, max_wait: 0.3, retries: 1, sec_between_retries: 0.01}}`},
	"CloudCIX":     {fetchCloudCIX, `datasource: {CloudCIX: {metadata_urls: ["%[1]s"], timeout: 0.3, max_wait: 0.3, retries: 1, sec_between_retries: 0.01}}`},
	"UpCloud":      {upCloud().Fetch, `datasource: {UpCloud: {metadata_url: "%[1]s/metadata/v1.json", timeout: 0.3, max_wait: 0.3, retries: 1, sec_between_retries: 0.01}}`},
	"Vultr":        {vultr().Fetch, `datasource: {Vultr: {metadata_url: "%[1]s/v1.json", timeout: 0.3, max_wait: 0.3, retries: 1, sec_between_retries: 0.01}}`},
	"Scaleway":     {fetchScaleway, `datasource: {Scaleway: {metadata_urls: ["%[1]s"], timeout: 0.3, max_wait: 0.3, retries: 1, sec_between_retries: 0.01}}`},
	"Azure":        {fetchAzure, `datasource: {Azure: {timeout: 0.3, retries: 1, sec_between_retries: 0.01}} # %[1]s`},
	"Oracle":       {fetchOracle, `datasource: {Oracle: {timeout: 0.3, max_wait: 0.3, retries: 1, sec_between_retries: 0.01}} # %[1]s`},
	"Akamai":       {fetchAkamai, `datasource: {Akamai: {allow_ipv6: false, timeout: 0.3, max_wait: 0.3, retries: 1, sec_between_retries: 0.01}} # %[1]s`},
	"GCE":          {fetchGCE, `datasource: {GCE: {metadata_url: "%[1]s/computeMetadata/v1/", timeout: 0.3, max_wait: 0.3, retries: 1, sec_between_retries: 0.01}}`},
	"AliYun":       {fetchAliYun, `datasource: {AliYun: {metadata_urls: ["%[1]s"], timeout: 0.3, max_wait: 0.3, retries: 1, sec_between_retries: 0.01}}`},
	"Ec2 on AWS":   {fetchOnAWS, `datasource: {Ec2: {metadata_urls: ["%[1]s"], timeout: 0.3, max_wait: 0.3, retries: 1, sec_between_retries: 0.01}}`},
	"Ec2":          {fetchEC2, `datasource: {Ec2: {metadata_urls: ["%[1]s"], timeout: 0.3, max_wait: 0.3, retries: 1, sec_between_retries: 0.01}}`},
	"OpenStack":    {fetchOpenStack, `datasource: {OpenStack: {metadata_urls: ["%[1]s"], timeout: 0.3, retries: 1, sec_between_retries: 0.01}}`},
	"MAAS":         {fetchMAAS, `datasource: {MAAS: {metadata_url: "%[1]s/MAAS/metadata", token_key: a, token_secret: b, consumer_key: c, timeout: 0.3, max_wait: 0.3, retries: 1, sec_between_retries: 0.01}}`},
	"Exoscale":     {fetchExoscale, `datasource: {Exoscale: {metadata_url: "%[1]s", timeout: 0.3, max_wait: 0.3, retries: 1, sec_between_retries: 0.01}}`},
}

// faults are what a server may do wrong.
var faults = map[string]http.HandlerFunc{
	"hangs":           func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	"403":             status(http.StatusForbidden),
	"404":             status(http.StatusNotFound),
	"500":             status(http.StatusInternalServerError),
	"a slow body":     slowBody,
	"a cut body":      cutBody,
	"wrong JSON":      page(`{"id": 1,`),
	"JSON of another": page(`["` + strings.Repeat("a", 2000) + `"]`),
	"nothing":         page(""),
	"an HTML page":    page("<!DOCTYPE html><html><body>Please log in</body></html>"),
	"100 MB":          endlessBody,
	"503 with Retry-After": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
	},
	"a redirect elsewhere": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
	},
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func page(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

func slowBody(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, "{")
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

func cutBody(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, `{"id": "i-1`)
}

func endlessBody(w http.ResponseWriter, _ *http.Request) {
	zeros := make([]byte, 1<<20)
	for range 100 {
		if _, err := w.Write(zeros); err != nil {
			return
		}
	}
}

// A machine whose cloud is in trouble stays who it was: whatever the server does wrong, the source says that it has no
// good answer, in a line that names the address, and ends. Else a bad minute of a cloud would make new host keys.
func TestFaults(t *testing.T) {
	for name, source := range askedOverHTTP {
		for fault, handler := range faults {
			t.Run(name+" "+fault, func(t *testing.T) {
				t.Parallel()
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Metadata-Flavor", "Google")
					handler(w, r)
				}))
				defer server.Close()
				wantSilent(t, source.fetch, fmt.Sprintf(source.config, server.URL), server.URL)
			})
		}
		t.Run(name+" refused", func(t *testing.T) {
			server := httptest.NewServer(http.NotFoundHandler())
			server.Close()
			wantSilent(t, source.fetch, fmt.Sprintf(source.config, server.URL), server.URL)
		})
	}
}

// wantSilent fetches, and wants an error that leaves the last instance in its place.
func wantSilent(t *testing.T, fetch func(context.Context, *Env) (*instance.Instance, error), config, address string) {
	t.Helper()
	w := newWorld(t, azureUUID, config)
	w.env.Machine.Net = elsewhere{liveNet(t), address}
	w.env.Last = &instance.Instance{ID: "i-1"}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	in, err := fetch(ctx, w.env)
	if kind := isOneOf(err); in != nil || kind != "silent" && kind != "absent" {
		t.Fatalf("it gives %+v, %v", in, err)
	}
	if ctx.Err() != nil {
		t.Error("it does not end by itself")
	}
	text := err.Error()
	if !strings.Contains(text, address) && !strings.Contains(text, linkLocalBase) || strings.Contains(text, "\n") {
		t.Errorf("the reason is %q; it should be a line that names %s", text, address)
	}
}
