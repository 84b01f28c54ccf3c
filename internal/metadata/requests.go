package metadata

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// keptRequests is how many requests are remembered.
const keptRequests = 4096

// A Request is what a guest asked, and what it was told.
type Request struct {
	Number   uint64    `json:"number"`
	Time     time.Time `json:"time"`
	Instance string    `json:"instance,omitempty"` // empty: nobody knows who asked
	From     string    `json:"from"`
	Dialect  string    `json:"dialect,omitempty"`
	Method   string    `json:"method"`
	Path     string    `json:"path"`
	Agent    string    `json:"agent,omitempty"`
	Status   int       `json:"status"` // 499: the guest went before it was answered
	Bytes    int       `json:"bytes"`
	Seconds  float64   `json:"seconds"`
	Waited   bool      `json:"waited,omitempty"` // it was held back until there was something to tell
	Fault    string    `json:"fault,omitempty"`
}

// detach copies the texts that are part of larger ones, so that a note does not keep those in memory.
func (r *Request) detach() {
	for _, s := range []*string{&r.From, &r.Method, &r.Path, &r.Agent} {
		*s = strings.Clone(*s)
	}
}

// A requestLog is a ring of the last requests.
type requestLog struct {
	mu   sync.Mutex
	next uint64
	ring []Request
}

func (l *requestLog) add(r Request) {
	const longest = 1024
	r.Path, r.Agent = r.Path[:min(len(r.Path), longest)], r.Agent[:min(len(r.Agent), longest)]
	r.detach()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	r.Number = l.next
	if len(l.ring) < keptRequests {
		l.ring = append(l.ring, r)
		return
	}
	l.ring[(l.next-1)%keptRequests] = r
}

// list gives the requests of an instance (all where it is empty) after a number, oldest first.
func (l *requestLog) list(instance string, after uint64) []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := []Request{}
	for _, r := range l.ring {
		if r.Number > after && (instance == "" || r.Instance == instance) {
			kept = append(kept, r)
		}
	}
	slices.SortFunc(kept, func(a, b Request) int { return int(a.Number) - int(b.Number) })
	return kept
}

// metrics are the numbers that Prometheus asks for.
type metrics struct {
	mu     sync.Mutex
	counts map[[2]string]uint64 // dialect, status
	waited uint64
	faults uint64
}

func (m *metrics) count(r Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		m.counts = map[[2]string]uint64{}
	}
	m.counts[[2]string{or(r.Dialect, "unknown"), fmt.Sprint(r.Status)}]++
	if r.Waited {
		m.waited++
	}
	if r.Fault != "" {
		m.faults++
	}
}

// writeMetrics writes the text format of Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/.
func (s *Server) writeMetrics(out io.Writer) {
	const prefix = "openguest_metadata_"
	one := func(name, kind, help string, value any) {
		fmt.Fprintf(out, "# HELP %[1]s%[2]s %[3]s\n# TYPE %[1]s%[2]s %[4]s\n%[1]s%[2]s %[5]v\n", prefix, name, help, kind, value)
	}
	instances, revision := s.catalog.counts()
	waiting, limit, woken := s.lobby.counts()
	one("instances", "gauge", "Instances in the store.", instances)
	one("revision", "counter", "Writes to the store since it was made.", revision)
	one("waiting", "gauge", "Requests that are held back until something changes.", waiting)
	one("waiting_limit", "gauge", "Requests that may be held back.", limit)
	one("woken_total", "counter", "Requests that a change woke, told or not.", woken)
	s.metrics.mu.Lock()
	defer s.metrics.mu.Unlock()
	one("waited_total", "counter", "Requests that were answered after they were held back.", s.metrics.waited)
	one("faults_total", "counter", "Requests that met a fault set by an operator.", s.metrics.faults)
	fmt.Fprintf(out, "# HELP %[1]srequests_total Requests answered.\n# TYPE %[1]srequests_total counter\n", prefix)
	keys := slices.SortedFunc(maps.Keys(s.metrics.counts), func(a, b [2]string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) })
	for _, k := range keys {
		fmt.Fprintf(out, "%srequests_total{dialect=%q,status=%q} %d\n", prefix, k[0], k[1], s.metrics.counts[k])
	}
}
