package machine

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// roundTrip answers requests without a network.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func fakeNet(answer roundTrip) liveNet {
	return liveNet{files: Fake("", time.Unix(0, 0)).Files, transport: func() http.RoundTripper { return answer }}
}

// reply is an answer of "status", "status Header: value" or "status Header: value|body".
func reply(text string) *http.Response {
	head, body, _ := strings.Cut(text, "|")
	number, header, _ := strings.Cut(head, " ")
	name, value, _ := strings.Cut(header, ": ")
	status := 0
	for _, digit := range number {
		status = status*10 + int(digit-'0')
	}
	return &http.Response{StatusCode: status, Header: http.Header{http.CanonicalHeaderKey(name): {value}}, Body: io.NopCloser(strings.NewReader(body))}
}

func server(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func netOver(files string) liveNet {
	return newLiveNet(Fake(files, time.Unix(0, 0)).Files.(walked)).(liveNet)
}

// Metadata servers look at the headers, and log who asks.
func TestFetch(t *testing.T) {
	base := server(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		w.Header().Set("X-Seen", strings.Join([]string{r.UserAgent(), r.Header.Get("Metadata-Flavor"), user, password, r.URL.RawQuery}, ","))
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, "body")
	})
	answer, err := netOver("").Fetch(t.Context(), Request{URL: strings.Replace(base, "//", "//joe:pw@", 1) + "/a?b=c", Header: map[string]string{"metadata-flavor": "Google"}})
	if err != nil {
		t.Fatal(err)
	}
	if answer.Status != 202 || string(answer.Body) != "body" || answer.Header["X-Seen"] != "Cloud-Init/openguest,Google,joe,pw,b=c" || answer.URL != base+"/a" {
		t.Errorf("the answer is %+v", answer)
	}
	answer, err = netOver("").Fetch(t.Context(), Request{URL: strings.TrimPrefix(base, "http://"), Header: map[string]string{"User-Agent": "me"}})
	if err != nil || !strings.HasPrefix(answer.Header["X-Seen"], "me,") {
		t.Errorf("a URL without a scheme gives %+v, %v", answer, err)
	}
}

// A large answer must not use up the memory of a small machine.
func TestFetchLimit(t *testing.T) {
	base := server(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "12345678") })
	if answer, err := netOver("").Fetch(t.Context(), Request{URL: base, Limit: 8}); err != nil || len(answer.Body) != 8 {
		t.Errorf("a body as large as the limit: %+v, %v", answer, err)
	}
	_, err := netOver("").Fetch(t.Context(), Request{URL: base + "/?secret", Limit: 7, Tries: 3})
	if want := "get " + base + "/: the answer has more than 7 bytes"; err == nil || err.Error() != want {
		t.Errorf("the error is %q, want %q", err, want)
	}
}

func TestFetchFile(t *testing.T) {
	n := netOver("-- /seed/user-data --\nhello\n-- /seed/link -> user-data --\n")
	for _, raw := range []string{"/seed/user-data", "file:///seed/user-data", "FILE://localhost/seed/user-data", "file:///seed/link", " /seed/link", "file:///seed/link?x"} {
		if answer, err := n.Fetch(t.Context(), Request{URL: raw}); err != nil || string(answer.Body) != "hello\n" || answer.Status != 200 {
			t.Errorf("%s gives %+v, %v", raw, answer, err)
		}
	}
	errs := map[string]string{
		"/none":             "read /none: there is no such thing",
		"file:///seed":      "read /seed: it is a folder",
		"ftp://u:p@h/x?y":   "get ftp://h/x: ftp is not supported yet; use http, https or a file",
		"http://u:p ss@h/x": "get http:… (not a URL): this is not a URL",
		"http:///x":         "get http:///x: this is not a URL",
	}
	for raw, want := range errs {
		if _, err := n.Fetch(t.Context(), Request{URL: raw}); err == nil || err.Error() != want {
			t.Errorf("%s gives the error %v, want %s", raw, err, want)
		}
	}
	if _, err := n.Fetch(t.Context(), Request{URL: "/none"}); !errors.Is(err, ErrNone) {
		t.Errorf("a file that is missing is %v, not ErrNone", err)
	}
	if _, err := n.Fetch(t.Context(), Request{URL: "/seed/user-data", Limit: 5}); err == nil || !strings.Contains(err.Error(), "more than 5 bytes") {
		t.Errorf("a file over the limit: %v", err)
	}
}

// A metadata server that starts later than we do must be waited for, but never longer than was said; what is not there is asked for once.
// Rows D06 and D24, and row 5 of gce-linux.md §14.
func TestRetries(t *testing.T) {
	tests := []struct {
		name    string
		answers string // the last one is repeated
		tries   int
		asked   int
		took    time.Duration
		err     string
	}{
		{"at once", "200", 3, 1, 0, ""},
		{"later", "503,500,200", 5, 3, 10 * time.Second, ""},
		{"never", "503", 3, 3, 10 * time.Second, "get http://h/x: the server answered 503 Service Unavailable (3 tries)"},
		{"one try", "503", 1, 1, 0, "get http://h/x: the server answered 503 Service Unavailable"},
		{"none said", "503", 0, 1, 0, "get http://h/x: the server answered 503 Service Unavailable"},
		{"not there", "404", 3, 1, 0, "get http://h/x: the server answered 404 Not Found"},
		{"not for us", "403", 3, 1, 0, "get http://h/x: the server answered 403 Forbidden"},
		{"too many", "429,200", 3, 2, 5 * time.Second, ""},
		{"server timed out", "408,200", 3, 2, 5 * time.Second, ""},
		{"told to wait", "503 Retry-After: 20,200", 3, 2, 20 * time.Second, ""},
		{"told to wait forever", "503 Retry-After: 86400,200", 3, 2, time.Minute, ""},
		{"told nonsense", "503 Retry-After: soon,200", 3, 2, 5 * time.Second, ""},
		{"told to wait until a date", "503 Retry-After: Sat\x01 01 Jan 2000 00:00:30 GMT,200", 3, 2, 30 * time.Second, ""}, // a bubble's clock starts in 2000
		{"no connection", "0", 2, 2, 5 * time.Second, "get http://h/x: no route (2 tries)"},
		{"odd", "304", 3, 1, 0, "get http://h/x: the server answered 304 Not Modified"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers, asked := strings.Split(test.answers, ","), 0
				n := fakeNet(func(*http.Request) (*http.Response, error) {
					text := strings.ReplaceAll(answers[min(asked, len(answers)-1)], "\x01", ",")
					asked++
					if text == "0" {
						return nil, errors.New("no route")
					}
					return reply(text), nil
				})
				start := time.Now()
				_, err := n.Fetch(t.Context(), Request{URL: "http://u:p@h/x?y", Tries: test.tries, Wait: 5 * time.Second})
				if took := time.Since(start); asked != test.asked || took != test.took {
					t.Errorf("asked %d times in %v, want %d in %v", asked, took, test.asked, test.took)
				}
				if (err != nil || test.err != "") && (err == nil || err.Error() != test.err) {
					t.Errorf("the error is %v, want %s", err, test.err)
				}
				if strings.HasPrefix(test.answers, "404") != errors.Is(err, ErrNone) {
					t.Errorf("%v is ErrNone: %v", err, errors.Is(err, ErrNone))
				}
			})
		})
	}
}

// A server that takes the connection and says nothing must not stop the boot.
func TestFetchTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := fakeNet(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		_, err := n.Fetch(t.Context(), Request{URL: "http://h/", Tries: 2, Wait: time.Second, Timeout: 3 * time.Second})
		if want := "get http://h/: no answer within 3s (2 tries)"; err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
		if took := time.Since(start); took != 7*time.Second {
			t.Errorf("it took %v", took)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Second, errors.New("the stage's time is up"))
		defer cancel()
		_, err = n.Fetch(ctx, Request{URL: "http://h/", Tries: 100, Timeout: 3 * time.Second})
		if want := "get http://h/: the stage's time is up"; err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	})
}

// Whoever can answer a request must not be able to turn it into another one, or learn the token. Rows D24 and X10.
func TestRedirects(t *testing.T) {
	tests := []struct{ name, from, to, err string }{
		{"same host", "http://h/a?q", "/b", ""},
		{"another scheme and port", "http://h/a", "https://h:8443/b", ""},
		{"another host", "http://h/a?q", "http://i/b?r", ""},
		{"to a file", "http://h/a?q", "file:///etc/shadow", "get http://h/a: it was redirected to file:///etc/shadow, and that is refused: only http and https are followed"},
		{"to ftp", "http://h/a", "ftp://i/x", "get http://h/a: it was redirected to ftp://i/x, and that is refused: only http and https are followed"},
		{"away from the link", "http://169.254.169.254/a", "http://u:p@i/b?q", "get http://169.254.169.254/a: it was redirected to http://i/b, and that is refused: " +
			"a local address and another host may not send us to each other"},
		{"to the link", "http://h/a", "http://[fe80::a9fe:a9fe%25eth0]/b", "get http://h/a: it was redirected to http://[fe80::a9fe:a9fe%25eth0]/b, and that is refused: " +
			"a local address and another host may not send us to each other"},
		{"on the link", "http://169.254.169.254/a", "http://169.254.169.254:80/b", ""},
		{"to nonsense", "http://h/a?q", "http://u:p ss@i/?q", "get http://h/a: it was redirected to something that is not a URL"},
		{"in a circle", "http://h/a?q", "http://h/a?r", "get http://h/a: it was redirected more than 5 times"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			asked := 0
			n := fakeNet(func(r *http.Request) (*http.Response, error) {
				asked++
				if asked == 1 || test.name == "in a circle" {
					return reply("302 Location: " + test.to), nil
				}
				if r.Header.Get("Referer") != "" {
					t.Errorf("the query of the first URL is told to the second: %v", r.Header)
				}
				if told := r.Header.Get("Metadata-Token") != ""; told != (r.URL.Host == "h") {
					t.Errorf("%s is told the token: %v", r.URL.Host, told)
				}
				return reply("200"), nil
			})
			_, err := n.Fetch(t.Context(), Request{URL: test.from, Tries: 2, Header: map[string]string{"Metadata-Token": "t"}})
			if (err != nil || test.err != "") && (err == nil || err.Error() != test.err) {
				t.Errorf("the error is %v, want %s", err, test.err)
			}
			if test.err != "" && asked > 6 {
				t.Errorf("what is refused was asked for %d times", asked)
			}
		})
	}
}

// Row X10. A proxy would answer in the place of the metadata server.
func TestNoProxyNearby(t *testing.T) {
	for _, near := range []string{"169.254.169.254", "[fe80::1%25eth0]:80", "127.0.0.2", "localhost", "metadata.google.internal", "[fd00:ec2::254]", "168.63.129.16",
		"100.100.100.200", "169.254.42.42", "[fd00:42::42]", "[fd00:c1::a9fe:a9fe]", "[fd00:a9fe:a9fe::1]",
		"[::ffff:169.254.169.254]", "LOCALHOST.", "0.0.0.0"} {
		u, err := url.Parse("http://" + near + "/x")
		if err != nil {
			t.Fatal(err)
		}
		if !isNear(u.Hostname()) {
			t.Errorf("%s is not near", near)
		}
		if proxy, err := proxyFor(&http.Request{URL: u}); proxy != nil || err != nil {
			t.Errorf("%s is asked through %v, %v", near, proxy, err)
		}
	}
	for _, far := range []string{"example.com", "10.0.0.1", "2001:db8::1", "metadata"} {
		if isNear(far) {
			t.Errorf("%s is near", far)
		}
	}
}

// Companies give their machines a certificate to fetch user-data with. Row D24.
func TestClientCertificate(t *testing.T) {
	certificate, key := selfSigned(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) > 0 {
			io.WriteString(w, r.TLS.PeerCertificates[0].SerialNumber.String())
		}
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	const folder = "-- /var/lib/cloud/data/ssl/"
	for name, test := range map[string]struct{ files, want string }{
		"none":            {"", ""},
		"two files":       {folder + "cert.pem --\n" + certificate + folder + "key.pem --\n" + key, "4711"},
		"both in one":     {folder + "cert.pem --\n" + certificate + key, "4711"},
		"of the instance": {"-- /var/lib/cloud/instance/data/ssl/cert.pem --\n" + certificate + key + folder + "cert.pem --\nnonsense\n", "4711"},
	} {
		n := netOver(test.files)
		transport := n.newTransport().(*http.Transport)
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		transport.TLSClientConfig.RootCAs.AddCert(s.Certificate())
		n.transport = func() http.RoundTripper { return transport }
		if answer, err := n.Fetch(t.Context(), Request{URL: s.URL}); err != nil || string(answer.Body) != test.want {
			t.Errorf("%s: the server saw %q, %v", name, answer.Body, err)
		}
		transport.CloseIdleConnections()
	}
	if _, err := netOver("").Fetch(t.Context(), Request{URL: s.URL + "/?q"}); err == nil || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "?") {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
}

func selfSigned(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(4711), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: bytes}))
}

// Logs and status are read by others than those who may know the password.
func TestPublicURL(t *testing.T) {
	for raw, want := range map[string]string{
		"http://u:p@h:1/x?y#z":    "http://h:1/x",
		"https://u@h":             "https://h",
		"http://h/a@b":            "http://h/a@b",
		"/etc/x?y":                "/etc/x",
		"h/x?y":                   "h/x",
		"http://h/x?":             "http://h/x",
		"http://u:p#w@h/":         "http:… (not a URL)",
		"http://u:p/w@h/":         "http:… (not a URL)",
		"http://u:%zz@h/":         "http:… (not a URL)",
		"joe:secret@h/x":          "(not a URL)",
		"http://h/a%20b?c":        "http://h/a%20b",
		":":                       "(not a URL)",
		"http://[fe80::1%25e]/?x": "http://[fe80::1%25e]/",
		"//@//u:p@h":              "(not a URL)",
	} {
		if got := PublicURL(raw); got != want {
			t.Errorf("%s is shown as %s, want %s", raw, got, want)
		}
	}
}

func FuzzPublicURL(f *testing.F) {
	f.Add("http://u:p@h/x?y#z")
	f.Add("//u@h?x")
	f.Fuzz(func(t *testing.T, raw string) {
		shown := PublicURL(raw)
		if u, err := url.Parse(shown); err == nil && (u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "") {
			t.Errorf("%q is shown as %q", raw, shown)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("NaN")
	f.Add("Fri, 31 Dec 1999 23:59:59 GMT")
	f.Fuzz(func(t *testing.T, value string) {
		if wait := retryAfter(value); wait < 0 || wait > longestWait {
			t.Errorf("%q makes us wait %v", value, wait)
		}
	})
}

// A token is asked for with PUT, a container's host is asked over a Unix socket, and some clouds tell root by its port.
func TestFetchOtherWays(t *testing.T) {
	said := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, port, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, body, port)
	}
	socket := filepath.Join(t.TempDir(), "sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(said)}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	n := newLiveNet(walked{})
	answer, err := n.Fetch(t.Context(), Request{URL: "http://lxd/1.0", Method: "PUT", Body: []byte("x"), Socket: socket})
	if err != nil || string(answer.Body) != "PUT lxd x " {
		t.Errorf("over the socket: %q, %v", answer.Body, err)
	}
	if os.Getuid() != 0 {
		return
	}
	web := httptest.NewServer(http.HandlerFunc(said))
	t.Cleanup(web.Close)
	answer, err = n.Fetch(t.Context(), Request{URL: web.URL, Low: true})
	words := strings.Fields(string(answer.Body))
	if err != nil || len(words) != 3 {
		t.Fatalf("from a low port: %q, %v", answer.Body, err)
	}
	if port, _ := strconv.Atoi(words[2]); port == 0 || port >= 1024 {
		t.Errorf("it came from port %s; a cloud that wants root to ask refuses it", words[2])
	}
}

// A plan that told the cloud that the machine is ready would change something: Azure goes on when it hears that.
func TestPlanPostsNothing(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(server.Close)
	tree, err := Tree(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	planned, _ := Plan(tree)
	if _, err := planned.Net.Fetch(t.Context(), Request{URL: server.URL, Method: "POST"}); !errors.Is(err, ErrDeferred) || asked != 0 {
		t.Errorf("a POST of a plan: %v, and the server was asked %d times", err, asked)
	}
	told := Request{URL: server.URL + "/keys?secret", Method: "PUT", Tells: "a key"}
	if _, err := planned.Net.Fetch(t.Context(), told); err != nil || asked != 0 {
		t.Errorf("telling something in a plan: %v, and the server was asked %d times", err, asked)
	}
	wantTold(t, planned.Ledger, server.URL)
	planned.Ledger = nil
	if _, err := planned.Quiet().Net.Fetch(t.Context(), told); err != nil || asked != 0 {
		t.Errorf("telling something in a quiet plan: %v, and the server was asked %d times", err, asked)
	}
	if _, err := planned.Net.Fetch(t.Context(), Request{URL: server.URL}); err != nil || asked != 1 {
		t.Errorf("a GET of a plan: %v, and the server was asked %d times", err, asked)
	}
}

// wantTold wants a ledger with one line, about the key that was told.
func wantTold(t *testing.T, l *Ledger, address string) {
	t.Helper()
	if all := l.Entries(); len(all) != 1 || all[0].String() != "tell  ("+address+"/keys a key)" {
		t.Errorf("the ledger has %v", all)
	}
}

// Rule 1. What a cloud is told is a change: a second run that tells it again would not look like one.
func TestTellingIsAChange(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	tree, err := Tree(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []Machine{tree, tree.Quiet()} {
		if _, err := m.Net.Fetch(t.Context(), Request{URL: server.URL + "/keys?secret", Method: "PUT", Tells: "a key"}); err != nil {
			t.Error(err)
		}
		wantTold(t, tree.Ledger, server.URL)
	}
	server.Close()
	if _, err := tree.Net.Fetch(t.Context(), Request{URL: server.URL, Tells: "a key"}); err == nil || tree.Ledger.Len() != 1 {
		t.Errorf("what was not told counts: %v, %v", err, tree.Ledger.Entries())
	}
}
