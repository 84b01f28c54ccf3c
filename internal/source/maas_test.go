package source

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

const maasConfig = "datasource: {MAAS: {metadata_url: '%s/MAAS/metadata/', consumer_key: ckey, token_key: tkey, token_secret: 't&sec', timeout: 5, max_wait: 5, retries: 0, sec_between_retries: 0.01%s}}"

// maasServer is a MAAS that takes each nonce once and no timestamp that is more than five minutes off, as the real one.
type maasServer struct {
	pages  map[string]string
	now    time.Time
	mutex  sync.Mutex
	nonces map[string]bool
	asked  []string
	wrong  []string
}

var oauthHeader = regexp.MustCompile(`^OAuth oauth_nonce="([^"]{16,})", oauth_timestamp="(\d+)", oauth_version="1.0", oauth_signature_method="PLAINTEXT", ` +
	`oauth_consumer_key="ckey", oauth_token="tkey", oauth_signature="%26t%2526sec"$`)

func (s *maasServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.asked = append(s.asked, r.URL.Path)
	words := oauthHeader.FindStringSubmatch(r.Header.Get("Authorization"))
	if words == nil || s.nonces[words[1]] {
		s.wrong = append(s.wrong, r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.nonces[words[1]] = true
	seconds, _ := strconv.ParseInt(words[2], 10, 64)
	if off := s.now.Sub(time.Unix(seconds, 0)).Abs(); off > 5*time.Minute {
		w.Header().Set("Date", s.now.UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	page, there := s.pages[strings.TrimPrefix(r.URL.Path, "/MAAS/metadata/2012-03-01/")]
	if !there {
		w.WriteHeader(http.StatusNotFound)
	}
	fmt.Fprint(w, page)
}

// onMAAS is a machine with keys for a MAAS that has pages, whose clock is hours ahead of the machine's.
func onMAAS(t *testing.T, pages map[string]string, hours int, more string) (*world, *maasServer) {
	s := &maasServer{pages: pages, now: time.Unix(0, 0).Add(time.Duration(hours) * time.Hour), nonces: map[string]bool{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	w := newWorld(t, "", fmt.Sprintf(maasConfig, server.URL, more))
	w.env.Machine.Net = liveNet(t)
	return w, s
}

func maasPages() map[string]string {
	return map[string]string{"meta-data/instance-id": "node-4y3h7n", "meta-data/local-hostname": "sun.maas", "meta-data/public-keys": "ssh-ed25519 AAAA a\nssh-ed25519 BBBB b",
		"meta-data/vendor-data": "cloud-init: |\n  #cloud-config\n  runcmd: [a]\n", "user-data": "#!/bin/sh\n"}
}

// Rows D23, D26. A machine that MAAS deployed proves itself with its keys, with each request anew, and learns who it is.
func TestMAAS(t *testing.T) {
	w, s := onMAAS(t, maasPages(), 0, "")
	in, err := fetchMAAS(t.Context(), w.env)
	if err != nil || len(s.wrong) > 0 || len(s.asked) != 5 || w.warned() {
		t.Fatalf("%v; asked %q, wrong were %q; %q", err, s.asked, s.wrong, w.logged)
	}
	if in.ID != "node-4y3h7n" || in.Hostname != "sun.maas" || string(in.UserData) != "#!/bin/sh\n" || string(in.VendorData) != "#cloud-config\nruncmd: [a]\n" || len(in.Keys) != 2 {
		t.Errorf("it is %+v", in)
	}
	address := scalar(w.env.config("MAAS").Get("metadata_url"))
	if in.Detail != "DataSourceMAAS ["+address+"]" || in.Cloud != "maas" || in.Platform != "maas" || in.Subplatform != "seed-dir ("+address+")" || in.Mode != modeNet {
		t.Errorf("it calls itself %q, %q, %q, %q", in.Detail, in.Cloud, in.Platform, in.Subplatform)
	}
	want := map[string]any{"instance-id": "node-4y3h7n", "local-hostname": "sun.maas", "public-keys": "ssh-ed25519 AAAA a\nssh-ed25519 BBBB b"}
	if !reflect.DeepEqual(in.Metadata, want) {
		t.Errorf("ds.meta_data is %v", in.Metadata)
	}
	if strings.Contains(strings.Join(w.logged, "\n"), "t&sec") {
		t.Errorf("the log shows a secret: %q", w.logged)
	}
}

// A machine of MAAS often has a wrong clock at its first boot. MAAS refuses it, and says what time it is.
func TestMAASWithAWrongClock(t *testing.T) {
	w, s := onMAAS(t, maasPages(), 10000, "")
	in, err := fetchMAAS(t.Context(), w.env)
	if err != nil || in.ID != "node-4y3h7n" || len(s.wrong) > 0 || len(s.asked) != 6 || !w.has("WARNING", "oauth clockskew", "36000000") {
		t.Errorf("it is %+v, %v; asked %q, wrong were %q; %q", in, err, s.asked, s.wrong, w.logged)
	}
}

// The signature is that of oauthlib 3.2.2 for the same secrets, time and nonce.
func TestMAASSignature(t *testing.T) {
	k := maasKeys{consumer: "ckey", consumerSecret: "c s/+~", token: "tkey", tokenSecret: "t&sec"}
	const want = `OAuth oauth_nonce="n1", oauth_timestamp="1700000000", oauth_version="1.0", oauth_signature_method="PLAINTEXT", ` +
		`oauth_consumer_key="ckey", oauth_token="tkey", oauth_signature="c%2520s%252F%252B~%26t%2526sec"`
	if got := k.signed(time.Unix(1700000000, 0), "n1")["Authorization"]; got != want {
		t.Errorf("it is %s\nwant  %s", got, want)
	}
}

// What must be there and is not makes no machine a new one; what may be missing is no fault.
func TestMAASDocuments(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]string)
		want   string
	}{
		"only what must be there": {func(p map[string]string) {
			delete(p, "user-data")
			delete(p, "meta-data/vendor-data")
			delete(p, "meta-data/public-keys")
		}, ""},
		"no id":                      {func(p map[string]string) { delete(p, "meta-data/instance-id") }, "silent"},
		"an empty id":                {func(p map[string]string) { p["meta-data/instance-id"] = "" }, "silent"},
		"no name":                    {func(p map[string]string) { delete(p, "meta-data/local-hostname") }, "silent"},
		"vendor-data that is broken": {func(p map[string]string) { p["meta-data/vendor-data"] = "{" }, "silent"},
	} {
		pages := maasPages()
		c.change(pages)
		w, _ := onMAAS(t, pages, 0, "")
		in, err := fetchMAAS(t.Context(), w.env)
		if isOneOf(err) != c.want || (err == nil) != (in != nil) || w.warned() {
			t.Errorf("%s: it is %+v, %v; %q", name, in, err, w.logged)
		}
	}
}

// The seed folder comes first; without an address, or before there is a network, nobody is asked.
func TestMAASPlaces(t *testing.T) {
	seed := seedFiles("/var/lib/cloud/seed/maas", map[string]string{"meta-data/instance-id": "i-1", "meta-data/local-hostname": "moon", "user-data": "#!/bin/sh"})
	w := newWorld(t, seed, "")
	in, err := fetchMAAS(t.Context(), w.at(Local).env)
	if err != nil || in.ID != "i-1" || in.Hostname != "moon" || in.Detail != "DataSourceMAASLocal [/var/lib/cloud/seed/maas]" {
		t.Errorf("of the seed folder it is %+v, %v", in, err)
	}
	for name, c := range map[string]struct{ files, config, want string }{
		"nothing is configured":        {want: "absent"},
		"a key is missing":             {config: "datasource: {MAAS: {metadata_url: http://192.0.2.1, token_key: a, consumer_key: b}}", want: "silent"},
		"the network is not there yet": {config: fmt.Sprintf(maasConfig, "http://192.0.2.1", ""), want: "not yet"},
	} {
		w := newWorld(t, c.files, c.config).at(Local)
		if _, err := fetchMAAS(t.Context(), w.env); isOneOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	w, _ = onMAAS(t, maasPages(), 0, "")
	w.env.Machine.Files = machine.Fake("-- run/net-eth0.conf --\nx\n", time.Unix(0, 0)).Files
	if in, err := fetchMAAS(t.Context(), w.at(Local).env); err != nil || in.ID != "node-4y3h7n" {
		t.Errorf("with the initramfs' network: %+v, %v", in, err)
	}
}

// Row S21. A machine whose keys are those that it was deployed with is the same one, without a question to MAAS.
func TestMAASKnowsItsMachine(t *testing.T) {
	w, _ := onMAAS(t, maasPages(), 0, "")
	in, err := fetchMAAS(t.Context(), w.env)
	if err != nil || !maas().Check(t.Context(), w.env, in) {
		t.Errorf("it is not known again: %+v, %v", in, err)
	}
	for name, other := range map[string]*world{"other keys": newWorld(t, "", "datasource: {MAAS: {consumer_key: a, token_key: b, token_secret: c}}"), "no keys": newWorld(t, "", "")} {
		if maas().Check(t.Context(), other.env, in) || maas().Check(t.Context(), other.env, &instance.Instance{}) {
			t.Errorf("with %s it is the same machine", name)
		}
	}
}
