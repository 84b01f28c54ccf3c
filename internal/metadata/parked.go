package metadata

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Guests keep requests open for minutes, and there may be as many as the process may have descriptors. One that is held back
// is therefore taken out of net/http and costs a connection and one small goroutine, which reads: so it learns that the guest
// has gone. To wake it, its read is told that its time is over.

// A parked request is one that is held back.
type parked struct {
	conn  net.Conn
	until time.Time // zero: for ever
	etag  string    // as long as the answer has it, there is nothing to tell
	url   string
	host  string
	local netip.Addr
	fault Fault
	note  Request
}

// The lobby is where parked requests wait, by instance.
type lobby struct {
	mu      sync.Mutex
	limit   int
	waiting map[string]map[*parked]bool
	count   int
	woken   uint64
	closed  bool
}

func newLobby(limit int) *lobby { return &lobby{limit: limit, waiting: map[string]map[*parked]bool{}} }

// enter lets a request wait; false where there is no room, or the server stops.
func (l *lobby) enter(p *parked) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.count >= l.limit {
		return false
	}
	if l.waiting[p.note.Instance] == nil {
		l.waiting[p.note.Instance] = map[*parked]bool{}
	}
	l.waiting[p.note.Instance][p] = true
	l.count++
	return true
}

func (l *lobby) leave(p *parked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.waiting[p.note.Instance]
	if delete(all, p); len(all) == 0 {
		delete(l.waiting, p.note.Instance)
	}
	l.count--
}

// ring wakes who waits for an instance; for all of them where the name is empty.
func (l *lobby) ring(instance string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if instance != "" {
		l.wake(l.waiting[instance])
		return
	}
	for _, all := range l.waiting {
		l.wake(all)
	}
}

func (l *lobby) wake(all map[*parked]bool) {
	for p := range all {
		p.conn.SetReadDeadline(time.Unix(1, 0)) // a connection that is closed needs no waking
		l.woken++
	}
}

// close lets nobody in any more, and ends who waits.
func (l *lobby) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, all := range l.waiting {
		for p := range all {
			p.conn.Close() // it is given up
		}
	}
}

func (l *lobby) counts() (count, limit int, woken uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count, l.limit, l.woken
}

// hold takes a request out of net/http and answers it when there is something to tell.
func (s *Server) hold(w http.ResponseWriter, hr *http.Request, r *request, a reply, note Request, f Fault) {
	if a.wait.etag != a.header("ETag") {
		note.Status, note.Bytes = a.status, f.send(w, hr, a)
		s.finish(note)
		return
	}
	p := &parked{etag: a.wait.etag, url: strings.Clone(hr.URL.RequestURI()), host: strings.Clone(hr.Host), local: r.local, fault: f, note: note}
	p.note.detach()
	if a.wait.limit > 0 {
		p.until = time.Now().Add(a.wait.limit)
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // the guest has gone
	}
	p.conn = conn
	s.park(p)
}

// park lets a request wait. The order matters: whoever writes after the request has entered wakes it, and what was written
// before is seen by the look that follows.
func (s *Server) park(p *parked) {
	p.conn.SetReadDeadline(p.until) // the read will say it
	if !s.lobby.enter(p) {
		s.tell(p, gceError(http.StatusServiceUnavailable, "As many requests are held back as this server may have connections."))
		return
	}
	if a := s.look(p); a.header("ETag") != p.etag {
		s.lobby.leave(p)
		s.tell(p, a)
		return
	}
	go s.wait(p)
}

// wait sleeps until there is something to tell, the time is over, or the guest has gone.
func (s *Server) wait(p *parked) {
	defer s.lobby.leave(p)
	for {
		if _, err := p.conn.Read(make([]byte, 1)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			p.conn.Close() // it is gone
			p.note.Status = statusGone
			s.finish(p.note)
			return
		}
		p.conn.SetReadDeadline(p.until) // before the look, as in park
		a := s.look(p)
		if over := !p.until.IsZero() && !time.Now().Before(p.until); over || a.header("ETag") != p.etag {
			s.tell(p, a)
			return
		}
	}
}

// look makes the answer anew.
func (s *Server) look(p *parked) reply {
	view, ok := s.catalog.View(p.note.Instance)
	if !ok {
		return gceError(http.StatusNotFound, "The instance was removed.")
	}
	key := looked{p.note.Instance, p.url, view.Revision}
	a, known := s.recent.get(key)
	if !known {
		a = lookAnew(p, view)
		s.recent.put(key, a)
	}
	return a
}

func lookAnew(p *parked, view View) reply {
	u, err := url.ParseRequestURI(p.url)
	if err != nil {
		return gceError(http.StatusBadRequest, html.EscapeString(err.Error())) // net/http read it before
	}
	r := &request{method: http.MethodGet, path: u.Path, query: u.Query(), header: http.Header{"Metadata-Flavor": {"Google"}}, host: p.host, local: p.local, view: view}
	return gceReply(r)
}

// looked is all that an answer depends on.
type looked struct {
	instance, url string
	revision      int64
}

// keptAnswers is how many bytes of answers are kept for the others who wait for the same; they are woken at nearly the same time.
const keptAnswers = 32 << 20

// recent keeps the last answers to those who wait.
type recent struct {
	mu   sync.Mutex
	all  map[looked]reply
	size int // about, in bytes
}

func (r *recent) get(key looked) (reply, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.all[key]
	return a, ok
}

func (r *recent) put(key looked, a reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	const besides = 1 << 10 // bytes of an answer that are not its body
	if r.size += len(a.body) + besides; r.all == nil || r.size > keptAnswers {
		r.all, r.size = map[looked]reply{}, len(a.body)+besides
	}
	r.all[key] = a
}

// tell sends an answer on a connection that is no longer net/http's, and closes it.
func (s *Server) tell(p *parked, a reply) {
	defer p.conn.Close()                               // it has been answered
	p.conn.SetWriteDeadline(time.Now().Add(writeTime)) // the write will say it
	p.note.Waited, p.note.Status, p.note.Bytes = true, a.status, p.fault.write(p.conn, a, p.note.Method == http.MethodHead)
	s.finish(p.note)
}

// statusGone is noted where the guest went before it was answered, as nginx does.
const statusGone = 499

// head is an answer's status line and headers.
func (a reply) head() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	for _, h := range a.headers {
		out.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	out.WriteString("Date: " + time.Now().UTC().Format(http.TimeFormat) + "\r\nContent-Length: " + strconv.Itoa(len(a.body)) + "\r\nConnection: close\r\n\r\n")
	return out.Bytes()
}

// raw writes an answer as it goes over the wire.
func (a reply) raw(out io.Writer, noBody bool) int {
	message := a.head()
	if !noBody {
		message = append(message, a.body...)
	}
	n, _ := out.Write(message) // a guest that has gone is no fault of ours; the count tells
	return n
}
