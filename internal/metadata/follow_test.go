package metadata

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// A sharedStore is a store in memory that several servers have at the same time, as they would have one on the network.
type sharedStore struct {
	mu       sync.Mutex
	revision int64
	objects  map[string]Entry
	log      []Entry
	written  chan struct{} // closed at the next write
}

func newSharedStore() *sharedStore {
	return &sharedStore{objects: map[string]Entry{}, written: make(chan struct{})}
}

func (s *sharedStore) Load(context.Context) ([]Entry, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.objects), func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) }), s.revision, nil
}

func (s *sharedStore) Write(_ context.Context, changes ...Change) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		if have := s.objects[c.Key].Revision; c.IfMatch != Any && c.IfMatch != have {
			return 0, &ConflictError{Key: c.Key, Want: c.IfMatch, Have: have}
		}
	}
	s.revision++
	for _, c := range changes {
		e := Entry{Key: c.Key, Revision: s.revision, Value: c.Value}
		if s.objects[c.Key] = e; c.Value == nil {
			delete(s.objects, c.Key)
		}
		s.log = append(s.log, e)
	}
	close(s.written)
	s.written = make(chan struct{})
	return s.revision, nil
}

func (s *sharedStore) Watch(ctx context.Context, after int64, f func(Entry)) error {
	for seen := 0; ; {
		s.mu.Lock()
		fresh, next := s.log[seen:], s.written
		seen = len(s.log)
		s.mu.Unlock()
		for _, e := range fresh {
			if e.Revision > after {
				f(e)
			}
		}
		select {
		case <-next:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *sharedStore) Close() error { return nil }

// follower is one of several servers with the same store.
func follower(t *testing.T, store Store) *Server {
	t.Helper()
	s, err := NewServer(t.Context(), store, 10)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() { s.catalog.Follow(ctx) }) // it ends with the test
	t.Cleanup(func() {
		stop()
		following.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// What another server wrote just before we did must not be lost, and what it wrote at once must come whole.
func TestFollowMissesNothing(t *testing.T) {
	store := newSharedStore()
	c, err := NewCatalog(t.Context(), store, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, changes := range [][]Change{
		{{Key: "instance/a", Value: []byte(`{"zone": "1"}`)}, {Key: "instance/b", Value: []byte(`{"zone": "1"}`)}},
		{{Key: "instance/gone", Value: []byte(`{}`)}},
	} {
		if _, err := store.Write(t.Context(), changes...); err != nil { // another server
			t.Fatal(err)
		}
	}
	if _, err := c.Write(t.Context(), Change{Key: "instance/c", Value: []byte(`{}`)}, Change{Key: "instance/gone", IfMatch: Any}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	changes, end := c.watch()
	defer end()
	var following sync.WaitGroup
	following.Go(func() { c.Follow(ctx) }) // it ends with the context
	for {
		_, a := c.View("a")
		_, b := c.View("b")
		if a && b {
			break
		}
		<-changes
	}
	stop()
	following.Wait()
	if _, there := c.View("gone"); there || c.Revision() != 3 {
		t.Errorf("what we removed is there again (%v), at revision %d", there, c.Revision())
	}
}

// A guest that waits at one server must be told of what an operator writes at another.
func TestServersShareAStore(t *testing.T) {
	store := newSharedStore()
	one, other := follower(t, store), follower(t, store)
	write(t, one, `{"zone": "before"}`)
	url := listenFor(t, other, "a") + "/computeMetadata/v1/instance/zone?wait_for_change=true&last_etag="
	tag := ""
	for tag == "" { // until the other server has it
		a, _ := ask(t, http.MethodGet, url+"NONE", flavor, "")
		tag = a.Header.Get("ETag")
	}
	told := make(chan string)
	go func() {
		_, body := ask(t, http.MethodGet, url+tag, flavor, "")
		told <- body
	}()
	until(t, other, 1)
	write(t, one, `{"zone": "after"}`)
	if got := <-told; got != "projects/0/zones/after" {
		t.Errorf("told %q", got)
	}
	if err := one.catalog.WriteBack(t.Context(), "a", func(w *Written) error { w.Password = "p"; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := other.catalog.WriteBack(t.Context(), "a", func(w *Written) error { w.Password += "q"; return nil }); err != nil {
		t.Fatal(err)
	}
	if value, _, err := store.Load(t.Context()); err != nil || string(value[1].Value) != `{"password":"pq"}` {
		t.Errorf("what both wrote is %s (%v)", value[1].Value, err)
	}
}
