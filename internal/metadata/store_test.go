package metadata

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

type jsonRaw = json.RawMessage

// What was acknowledged must be there after the process died at any moment: an operator who revoked a key relies on it.
func TestKillLosesNothing(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]int{} // instance, its last value
	for round := range 6 {
		c := startChild(t, dir, "127.0.0.1:0")
		for name, want := range acknowledged {
			value, _, err := c.admin.Get(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			var i Instance
			if err := json.Unmarshal(value, &i); err != nil || i.LaunchIndex < want {
				t.Fatalf("round %d: %s has %d, though %d was acknowledged (%v)", round, name, i.LaunchIndex, want, err)
			}
		}
		writeUntilKilled(t, c, round, acknowledged)
	}
}

// writeUntilKilled has four writers at work when the process is killed, after so many writes.
func writeUntilKilled(t *testing.T, c *child, round int, acknowledged map[string]int) {
	var mu sync.Mutex
	var writers sync.WaitGroup
	written := 0
	for w := range 4 {
		writers.Go(func() {
			name := fmt.Sprintf("vm%d", w)
			for n := round * 1_000_000; ; n++ {
				if c.admin.Import(t.Context(), importOf(name, fmt.Sprintf(`{"launch-index": %d}`, n))) != nil {
					return
				}
				mu.Lock()
				acknowledged[name] = n
				if written++; written == 20+round*7 {
					c.kill()
				}
				mu.Unlock()
			}
		})
	}
	writers.Wait()
	if written == 0 {
		t.Fatal("nothing was written")
	}
}

func TestStore(t *testing.T) {
	s, err := OpenFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var conflict *ConflictError
	steps := []struct {
		what     string
		changes  []Change
		revision int64 // 0: a conflict
	}{
		{"make", []Change{{"a", []byte("1"), Absent}}, 1},
		{"make again", []Change{{"a", []byte("2"), Absent}}, 0},
		{"change what was seen", []Change{{"a", []byte("2"), 1}}, 2},
		{"change what was changed", []Change{{"a", []byte("3"), 1}}, 0},
		{"one of two does not hold", []Change{{"b", []byte("1"), Any}, {"a", []byte("3"), 1}}, 0},
		{"two at once", []Change{{"b", []byte("1"), Absent}, {"a", []byte("3"), Any}}, 3},
		{"remove", []Change{{"a", nil, 3}}, 4},
		{"remove what is not there", []Change{{"a", nil, 3}}, 0},
	}
	for _, step := range steps {
		revision, err := s.Write(t.Context(), step.changes...)
		if step.revision == 0 && !errors.As(err, &conflict) || step.revision != 0 && (err != nil || revision != step.revision) {
			t.Errorf("%s: revision %d, %v; want %d", step.what, revision, err, step.revision)
		}
	}
	all, revision, err := s.Load(t.Context())
	if err != nil || revision != 4 || len(all) != 1 || all[0].Key != "b" || all[0].Revision != 3 {
		t.Errorf("%v at %d, %v", all, revision, err)
	}
}

// A folder that another server has must be refused with what to do, not waited for.
func TestStoreInUse(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := OpenFile(dir); err == nil || !strings.Contains(err.Error(), "in use by another openguest-host") {
		t.Error(err)
	}
}

// What could not be told later is refused when it is written.
func TestRefused(t *testing.T) {
	s := serveIn(t, t.TempDir(), 1, map[string]string{"instance/a": `{"addresses": ["10.0.0.1"], "token": "token-of-a"}`})
	for value, want := range map[string]string{
		`{"addresses": ["10.0.0.1"]}`: "both have the address 10.0.0.1", `{"token": "token-of-a"}`: "both have the same token",
		`{"token": "x"}`: "token", `{"clouds": ["aws"]}`: `there is no dialect "aws"`, `{"nics": [{"mac": "x"}]}`: "no hardware address",
		`{"nics": [{"mac": "52:54:00:00:00:01", "ips": ["1.2.3"]}]}`: "no IP address", `{"token-rule": "maybe"}`: "token-rule", `{"name": "c"}`: "cannot be renamed",
		`{"hostnam": "x"}`: `there is no field "hostnam"`, `{"attributes": {"a": true}}`: "quotes", `{"attributes": {"a/b": "x"}}`: "no name",
		`{} {}`: "more than one document", `{"user-data": "` + strings.Repeat("x", maxUserData+1) + `"}`: "at most",
	} {
		_, err := s.catalog.Write(t.Context(), Change{Key: "instance/b", Value: []byte(value), IfMatch: Any})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", value, err, want)
		}
	}
	if _, there := s.catalog.View("b"); there {
		t.Error("a refused instance is there")
	}
}
