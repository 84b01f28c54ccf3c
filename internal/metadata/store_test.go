package metadata

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

type jsonRaw = json.RawMessage

// What was acknowledged must be there after the process died at any moment: an operator who revoked a key relies on it.
func TestKillLosesNothing(t *testing.T) {
	dir := t.TempDir()
	k := &kills{acknowledged: map[string]int{}}
	for range 20 {
		killWhileItStarts(t, dir)
		c := startChild(t, dir, "127.0.0.1:0")
		k.check(t, c)
		k.writeUntilKilled(t, c)
	}
	if k.writes == 0 {
		t.Fatal("nothing was ever acknowledged")
	}
	t.Logf("%d writes were acknowledged before 20 deaths", k.writes)
}

// kills remembers what was acknowledged.
type kills struct {
	mu           sync.Mutex
	acknowledged map[string]int // who wrote, its last number
	writes       int
	number       int // the last one written, over all deaths
}

// moment is how long the process may live: any moment of a write comes up.
func moment() time.Duration { return rand.N(60 * time.Millisecond) }

// killWhileItStarts has the store opened, or nearly.
func killWhileItStarts(t *testing.T, dir string) {
	t.Helper()
	c := childCommand(t, dir, "127.0.0.1:0")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	dead := time.AfterFunc(moment(), func() { c.Process.Kill() }) // it is waited for
	defer dead.Stop()
	c.Wait() // that it was killed is known
}

// operators write two instances at once, each the same number; one of them is the guest that writes of itself.
const operators = 3

// check compares a process with what those before it acknowledged.
func (k *kills) check(t *testing.T, c *child) {
	t.Helper()
	for n := range operators {
		name := fmt.Sprintf("vm%d", n)
		first, second := launchIndex(t, c, name+"-a"), launchIndex(t, c, name+"-b")
		if first != second || first < k.acknowledged[name] {
			t.Fatalf("%s-a has %d and %s-b %d, though both were written together and %d was acknowledged", name, first, name, second, k.acknowledged[name])
		}
	}
	var w Written
	if value, err := c.admin.Written(t.Context(), "guest"); err == nil && json.Unmarshal(value, &w) != nil {
		t.Fatalf("what the guest wrote is %s", value)
	}
	if got, _ := strconv.Atoi(w.GuestAttributes["ns"]["n"]); got < k.acknowledged["guest"] {
		t.Fatalf("the guest attribute is %d, though %d was acknowledged", got, k.acknowledged["guest"])
	}
	text, err := c.admin.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if revision := metric(t, text, "revision"); revision < k.writes {
		t.Fatalf("the revision is %d, though %d writes were acknowledged: a guest would take an old state for a new one", revision, k.writes)
	}
}

// launchIndex is an instance's number; 0 where the instance is not there.
func launchIndex(t *testing.T, c *child, name string) int {
	t.Helper()
	value, _, err := c.admin.Get(t.Context(), name)
	if err != nil {
		return 0
	}
	var i Instance
	if err := json.Unmarshal(value, &i); err != nil {
		t.Fatalf("%s is %s: %v", name, value, err)
	}
	return i.LaunchIndex
}

// writeUntilKilled has operators and a guest at work when the process is killed.
func (k *kills) writeUntilKilled(t *testing.T, c *child) {
	guest := importOf("guest", `{"addresses": ["127.0.0.1"], "attributes": {"enable-guest-attributes": "true"}}`)
	if err := c.admin.Import(t.Context(), guest); err != nil {
		t.Fatal(err)
	}
	k.writes++
	var writers sync.WaitGroup
	for n := range operators {
		name := fmt.Sprintf("vm%d", n)
		writers.Go(func() {
			k.write(name, func(n int) bool {
				value := jsonRaw(fmt.Sprintf(`{"launch-index": %d}`, n))
				return c.admin.Import(t.Context(), Import{Instances: map[string]jsonRaw{name + "-a": value, name + "-b": value}}) == nil
			})
		})
	}
	writers.Go(func() { k.write("guest", func(n int) bool { return putAttribute(t, c.addr, n) }) })
	dead := time.AfterFunc(moment(), func() { c.command.Process.Kill() }) // the child's own end waits for it
	defer dead.Stop()
	writers.Wait()
	c.kill()
}

// write goes on until the server is dead.
func (k *kills) write(who string, one func(n int) bool) {
	for {
		k.mu.Lock()
		k.number++
		n := k.number
		k.mu.Unlock()
		if !one(n) {
			return
		}
		k.mu.Lock()
		k.acknowledged[who] = n
		k.writes++
		k.mu.Unlock()
	}
}

// putAttribute says whether the server took a guest attribute.
func putAttribute(t *testing.T, addr string, n int) bool {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+addr+"/computeMetadata/v1/instance/guest-attributes/ns/n", strings.NewReader(strconv.Itoa(n)))
	if err != nil {
		t.Error(err)
		return false
	}
	r.Header.Set("Metadata-Flavor", "Google")
	a, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return false
	}
	defer a.Body.Close()
	return a.StatusCode == http.StatusOK
}

func TestStore(t *testing.T) {
	file, err := OpenFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Store{"file": file, "shared": newSharedStore()} {
		t.Run(name, func(t *testing.T) { checkStore(t, s) })
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// checkStore is what every store must do.
func checkStore(t *testing.T, s Store) {
	t.Helper()
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
