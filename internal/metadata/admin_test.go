package metadata

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func fetch(t *testing.T, url string) (status int, body string, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true // so that the transport does not ask again where the connection broke
	a, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer a.Body.Close()
	got, err := io.ReadAll(a.Body)
	return a.StatusCode, string(got), err
}

// Two operators who change the same object must not undo each other's work.
func TestAdmin(t *testing.T) {
	s := serveIn(t, t.TempDir(), 5, nil)
	api := httptest.NewServer(s.Admin())
	defer api.Close()
	for _, e := range []exchange{
		{request: "GET /v1/project", status: 200, want: "{}\n", header: `ETag: "0"`},
		{request: "GET /v1/instances", status: 200, want: "[]\n"},
		{request: "GET /v1/instances/a", status: 404, want: "{\"error\":\"instance/a is not there\"}\n"},
		{request: "PUT /v1/instances/a", body: `{"zone": "z"}`, headers: "If-None-Match: *", status: 200, want: `~{"revision":2}`, header: `ETag: "2"`},
		{request: "PUT /v1/instances/a", body: `{}`, headers: "If-None-Match: *", status: 412, want: "~is there already"},
		{request: "PUT /v1/instances/a", body: `{"zone": "y"}`, headers: `If-Match: "2"`, status: 200, want: `~{"revision":3}`},
		{request: "PUT /v1/instances/a", body: `{}`, headers: `If-Match: "2"`, status: 412, want: "~was changed meanwhile"},
		{request: "PUT /v1/instances/a", body: `{}`, headers: `If-Match: W/x`, status: 400, want: "~If-Match"},
		{request: "PUT /v1/instances/a", body: `{`, status: 400, want: "~a: "},
		{request: "GET /v1/instances/a", status: 200, want: `{"zone":"y"}` + "\n", header: `ETag: "3"`},
		{request: "GET /v1/instances/a/written", status: 200, want: "{}\n"},
		{request: "POST /v1/import", body: `{"instances": {"b": {}, "c": {"zone": 1}}}`, status: 400, want: "~c: zone"},
		{request: "GET /v1/instances", status: 200, want: `[{"name":"a","revision":3}]` + "\n"},
		{request: "POST /v1/faults", body: `{"path": "/x", "status": 503}`, status: 200, want: `~"id":1`},
		{request: "POST /v1/faults", body: `{"path": "/x"}`, status: 400, want: "~one of latency"},
		{request: "GET /v1/faults", status: 200, want: `~"status":503`},
		{request: "DELETE /v1/faults", status: 204, want: ""},
		{request: "GET /v1/requests?after=x", status: 400, want: "~number of a request"},
		{request: "GET /metrics", status: 200, want: "~openguest_metadata_instances 1\n"},
		{request: "DELETE /v1/instances/a", headers: `If-Match: "1"`, status: 412, want: "~changed"},
		{request: "DELETE /v1/instances/a", status: 200, want: `~{"revision":4}`},
		{request: "DELETE /v1/instances/a", status: 404, want: "~not there"},
	} {
		e.run(t, api.URL)
	}
}

// Who follows the store must see what is there, and then each change.
func TestAdminWatch(t *testing.T) {
	s := serveIn(t, t.TempDir(), 5, map[string]string{"instance/a": `{"zone": "1"}`})
	api := httptest.NewServer(s.Admin())
	defer api.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api.URL+"/v1/watch?since=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	lines := bufio.NewReader(a.Body)
	for _, want := range []string{`{"key":"instance/a","revision":1,"value":{"zone":"1"}}`, `{"key":"instance/a","revision":2,"value":{"zone":"2"}}`} {
		if line, err := lines.ReadString('\n'); err != nil || strings.TrimSpace(line) != want {
			t.Errorf("%q, %v; want %s", line, err, want)
		}
		write(t, s, `{"zone": "2"}`)
	}
}

// Whoever may reach the socket may read every secret: it is its owner's alone, from the first moment.
func TestAdminSocketIsPrivate(t *testing.T) {
	name := filepath.Join(t.TempDir(), "admin.sock")
	for range 2 { // the second finds the first's socket, as after a kill
		l, err := ListenAdmin(name)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if u, ok := l.(interface{ SetUnlinkOnClose(bool) }); ok {
			u.SetUnlinkOnClose(false)
		}
		l.Close()
	}
	if _, err := NewClient(name).Instances(t.Context()); err == nil || !strings.Contains(err.Error(), "start `openguest-host serve`") {
		t.Error(err)
	}
}

// A guest's write must survive another's at the same time, and go with its instance.
func TestWriteBack(t *testing.T) {
	s := serveIn(t, t.TempDir(), 5, map[string]string{"instance/a": `{}`})
	for _, key := range []string{"k1", "k2"} {
		if err := s.catalog.WriteBack(t.Context(), "a", func(w *Written) error { return w.set("ns", key, []byte("v"), true) }); err != nil {
			t.Fatal(err)
		}
	}
	if v, _ := s.catalog.View("a"); len(v.Written.GuestAttributes["ns"]) != 2 {
		t.Errorf("%+v", v.Written)
	}
	if _, err := s.catalog.Write(t.Context(), Change{Key: "instance/a", IfMatch: Any}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.catalog.Get("written/a"); !errors.Is(err, errNotThere) {
		t.Errorf("what it wrote is left: %v", err)
	}
}
