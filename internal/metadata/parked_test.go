package metadata

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// waiters is how many requests are held back in the test; OPENGUEST_WAITERS asks for more, at most the limit of descriptors.
func waiters(t *testing.T) int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	n := 4000
	if text := os.Getenv("OPENGUEST_WAITERS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	return min(n, int(l.Cur)-500)
}

// A hall is a server in another process with many requests held back.
type hall struct {
	*child
	waiting map[string][]net.Conn
}

// maxWaiter is how much memory a request that is held back may cost, in bytes.
const maxWaiter = 16 << 10

// One change must wake its own instance only, a project's change all of them, each once, and nobody may be forgotten: a guest that
// is not woken keeps a revoked key. What a waiter costs bounds how many guests a host can serve.
func TestManyWait(t *testing.T) {
	const instances = 100
	n := waiters(t) / instances * instances
	c := startChild(t, t.TempDir(), "127.0.0.1:0")
	in := Import{Project: []byte(`{"id": "lab"}`), Instances: map[string]jsonRaw{}}
	for i := range instances {
		in.Instances[fmt.Sprintf("vm%d", i)] = jsonRaw(fmt.Sprintf(`{"addresses": ["127.0.1.%d"]}`, i+1))
	}
	if err := c.admin.Import(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	h := &hall{child: c, waiting: map[string][]net.Conn{}}
	before := h.resident(t)
	for i := range n {
		h.enter(t, i%instances)
	}
	h.expect(t, n)
	cost := (h.resident(t) - before) / n
	t.Logf("%d requests are held back, with %d bytes of memory each", n, cost)
	if cost > maxWaiter {
		t.Errorf("a request that is held back costs %d bytes of memory, more than %d", cost, maxWaiter)
	}

	began := time.Now()
	h.change(t, "vm7", `{"addresses": ["127.0.1.8"], "attributes": {"k": "own"}}`)
	h.hear(t, "vm7", `"k":"own"`)
	t.Logf("one instance's %d were told after %v", n/instances, time.Since(began))
	h.expect(t, n-n/instances)
	h.woken(t, n/instances)

	began = time.Now()
	h.change(t, "project", `{"id": "lab", "attributes": {"k": "all"}}`)
	h.expect(t, 0)
	t.Logf("all others were told after %v", time.Since(began))
	h.woken(t, n)
	for name := range h.waiting {
		h.hear(t, name, `"k":"all"`)
	}
}

// enter sends one request that is held back, from the instance's own address.
func (h *hall) enter(t *testing.T, instance int) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(instance+1))}}
	conn, err := d.DialContext(t.Context(), "tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprint(conn, "GET /computeMetadata/v1/?recursive=true&alt=json&wait_for_change=true HTTP/1.1\r\nHost: metadata\r\nMetadata-Flavor: Google\r\n\r\n")
	name := fmt.Sprintf("vm%d", instance)
	h.waiting[name] = append(h.waiting[name], conn)
}

// hear reads the answers of all who wait for an instance.
func (h *hall) hear(t *testing.T, name, want string) {
	t.Helper()
	for _, conn := range h.waiting[name] {
		conn.SetReadDeadline(time.Now().Add(patience))
		a, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s was not told: %v", name, err)
		}
		body, err := io.ReadAll(a.Body)
		if err != nil || !strings.Contains(string(body), want) {
			t.Fatalf("%s was told %s (%v), want %s", name, body, err, want)
		}
		conn.Close()
	}
	delete(h.waiting, name)
}

func (h *hall) change(t *testing.T, name, value string) {
	t.Helper()
	if err := h.admin.Import(t.Context(), importOf(name, value)); err != nil {
		t.Fatal(err)
	}
}

func importOf(name, value string) Import {
	if name == projectKey {
		return Import{Project: []byte(value)}
	}
	return Import{Instances: map[string]jsonRaw{name: jsonRaw(value)}}
}

// expect waits until so many are held back.
func (h *hall) expect(t *testing.T, want int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	for {
		text, err := h.admin.Metrics(ctx)
		if err != nil {
			t.Fatalf("not %d are held back: %v", want, err)
		}
		if metric(t, text, "waiting") == want {
			return
		}
	}
}

// woken is how many the changes woke: each that waited, and once.
func (h *hall) woken(t *testing.T, want int) {
	t.Helper()
	text, err := h.admin.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := metric(t, text, "woken_total"); got != want {
		t.Errorf("the changes woke %d, want %d", got, want)
	}
}

// metric is one of the server's numbers.
func metric(t *testing.T, text []byte, name string) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^openguest_metadata_` + name + ` (\d+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("there is no %s in\n%s", name, text)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// resident is the server's memory in bytes.
func (h *hall) resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.command.Process.Pid))
	if err != nil {
		t.Skip("this system has no /proc, so a process's memory is not known: ", err)
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	kib, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// A request that waits for one value must not be answered when another changes, must be answered when its time is over, and
// must not be left behind when its guest goes.
func TestWaiting(t *testing.T) {
	s := serveIn(t, t.TempDir(), 2, map[string]string{"instance/a": `{"attributes": {"x": "1", "y": "1"}}`})
	url := listenFor(t, s, "a") + "/computeMetadata/v1/instance/attributes/x?wait_for_change=true"
	first, _ := ask(t, "GET", url+"&timeout_sec=0", flavor, "")
	told := make(chan string)
	go func() {
		_, body := ask(t, "GET", url+"&last_etag="+first.Header.Get("ETag"), flavor, "")
		told <- body
	}()
	until(t, s, 1)
	write(t, s, `{"attributes": {"x": "1", "y": "2"}}`)
	write(t, s, `{"attributes": {"x": "2", "y": "2"}}`)
	if got := <-told; got != "2" {
		t.Errorf("told %q", got)
	}
	if a, body := ask(t, "GET", url+"&timeout_sec=1", flavor, ""); a.StatusCode != http.StatusOK || body != "2" {
		t.Errorf("after its time: %d %q", a.StatusCode, body)
	}
	leave(t, url)
	until(t, s, 0)
	if r := s.requests.list("a", 0); r[len(r)-1].Status != statusGone {
		t.Errorf("who left is noted with %d", r[len(r)-1].Status)
	}
}

// leave asks and goes.
func leave(t *testing.T, url string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Metadata-Flavor", "Google")
	if a, err := http.DefaultTransport.RoundTrip(r); err == nil {
		t.Errorf("answered %d, though nothing changed", a.StatusCode)
		a.Body.Close()
	}
}

// Beyond the limit a guest is refused, and the server stays reachable.
func TestNoRoom(t *testing.T) {
	s := serveIn(t, t.TempDir(), 0, map[string]string{"instance/a": `{}`})
	url := listenFor(t, s, "a") + "/computeMetadata/v1/instance/name"
	if a, _ := ask(t, "GET", url+"?wait_for_change=true", flavor, ""); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("beyond the limit: %d", a.StatusCode)
	}
	if a, _ := ask(t, "GET", url, flavor, ""); a.StatusCode != http.StatusOK {
		t.Errorf("a plain request: %d", a.StatusCode)
	}
}

func write(t *testing.T, s *Server, value string) {
	t.Helper()
	if _, err := s.catalog.Write(t.Context(), Change{Key: "instance/a", Value: []byte(value), IfMatch: Any}); err != nil {
		t.Fatal(err)
	}
}

// until waits until so many are held back.
func until(t *testing.T, s *Server, want int) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if count, _, _ := s.lobby.counts(); count == want {
			return
		}
	}
	t.Fatalf("there are never %d held back", want)
}
