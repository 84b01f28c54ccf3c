package metadata

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A Fault is what the server does wrong on purpose, to see whether a guest stands it. Faults live as long as the server.
type Fault struct {
	ID       int      `json:"id"`
	Path     string   `json:"path"`               // as in the URL; a star stands for any part of it
	Instance string   `json:"instance,omitempty"` // empty: all
	Times    int      `json:"times,omitempty"`    // how often; 0: always
	Latency  Duration `json:"latency,omitempty"`  // wait before anything else
	Status   int      `json:"status,omitempty"`   // answer this status, and do nothing of what was asked
	Reset    bool     `json:"reset,omitempty"`    // break the connection off instead of answering
	Slow     int      `json:"slow,omitempty"`     // bytes of the body in a second
	Truncate *int     `json:"truncate,omitempty"` // send this much of the body, then close
	Used     int      `json:"used"`               // how often it was done
}

// A Duration is a time.Duration that is written as 1.5s in JSON.
type Duration time.Duration

// MarshalText writes it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads it.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no duration; write 500ms or 2s", text)
	}
	*d = Duration(v)
	return nil
}

func (f *Fault) check() error {
	switch {
	case f.Path == "" || f.Path[0] != '/' && f.Path[0] != '*':
		return fmt.Errorf("path is %q; it begins with a slash, and a star stands for any part of it", f.Path)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status is %d; it may be 200 to 599", f.Status)
	case f.Times < 0 || f.Slow < 0 || f.Truncate != nil && *f.Truncate < 0:
		return errors.New("times, slow and truncate are not negative")
	case f.Latency == 0 && f.Status == 0 && !f.Reset && f.Slow == 0 && f.Truncate == nil:
		return errors.New("a fault does one of latency, status, reset, slow and truncate")
	}
	return nil
}

// String names a fault in the list of requests.
func (f Fault) String() string {
	var does []string
	for _, d := range []struct {
		on   bool
		text string
	}{
		{f.Latency > 0, "latency " + time.Duration(f.Latency).String()}, {f.Status > 0, fmt.Sprintf("status %d", f.Status)}, {f.Reset, "reset"},
		{f.Slow > 0, fmt.Sprintf("slow %d B/s", f.Slow)}, {f.Truncate != nil, "truncate"},
	} {
		if d.on {
			does = append(does, d.text)
		}
	}
	return strings.Join(does, ", ")
}

// faults are all that are set.
type faults struct {
	mu   sync.Mutex
	last int
	all  []*Fault
}

func (fs *faults) add(f Fault) Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.last++
	f.ID, f.Used = fs.last, 0
	fs.all = append(fs.all, &f)
	return f
}

func (fs *faults) list() (all []Fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.all {
		all = append(all, *f)
	}
	return all
}

func (fs *faults) clear() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.all = nil
}

// take gives the first fault that a request meets, and counts it. A zero Fault does nothing.
func (fs *faults) take(instance, path string) Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.all {
		spent := f.Times > 0 && f.Used >= f.Times
		if !spent && (f.Instance == "" || f.Instance == instance) && matches(f.Path, path) {
			f.Used++
			return *f
		}
	}
	return Fault{}
}

// matches compares a path with a pattern in which a star stands for anything, slashes too.
func matches(pattern, path string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == path
	}
	rest, ok := strings.CutPrefix(path, parts[0])
	for _, part := range parts[1 : len(parts)-1] {
		if ok {
			_, rest, ok = strings.Cut(rest, part)
		}
	}
	return ok && strings.HasSuffix(rest, parts[len(parts)-1])
}

// pause waits as long as the fault says; false where the guest went meanwhile.
func (f Fault) pause(ctx context.Context) bool {
	if f.Latency == 0 {
		return true
	}
	select {
	case <-time.After(time.Duration(f.Latency)):
		return true
	case <-ctx.Done():
		return false
	}
}

func (f Fault) reply() reply {
	return answer(f.Status, http.StatusText(f.Status)+"\n", "text/plain; charset=utf-8")
}

// send answers through net/http, or past it where the answer is to be a bad one. It returns the size of what was sent.
func (f Fault) send(w http.ResponseWriter, hr *http.Request, a reply) int {
	if f.Reset || f.Slow > 0 || f.Truncate != nil {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return 0
		}
		defer conn.Close() // it has been answered
		return f.write(conn, a, hr.Method == http.MethodHead)
	}
	for _, h := range a.headers {
		w.Header()[h[0]] = []string{h[1]} // names as the clouds write them: ETag, not Etag
	}
	w.WriteHeader(a.status)
	n, _ := w.Write(a.body) // a guest that has gone is no fault of ours; the count tells
	return n
}

// write answers on a bare connection.
func (f Fault) write(conn net.Conn, a reply, noBody bool) int {
	if f.Reset {
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0) // without it the guest sees a close, which is as bad
		}
		return 0
	}
	if f.Slow == 0 && f.Truncate == nil {
		return a.raw(conn, noBody)
	}
	return f.drip(conn, a)
}

// drip sends the body slowly, or not all of it.
func (f Fault) drip(conn net.Conn, a reply) int {
	conn.SetWriteDeadline(time.Time{}) // it may take long, on purpose
	if _, err := conn.Write(a.head()); err != nil {
		return 0
	}
	body := a.body
	if f.Truncate != nil {
		body = body[:min(*f.Truncate, len(body))]
	}
	step := len(body)
	if f.Slow > 0 {
		step = max(1, f.Slow/10)
	}
	sent := 0
	for sent < len(body) {
		n, err := conn.Write(body[sent:min(sent+step, len(body))])
		if sent += n; err != nil {
			break
		}
		if f.Slow > 0 {
			<-time.After(time.Second * time.Duration(n) / time.Duration(f.Slow))
		}
	}
	return sent
}
