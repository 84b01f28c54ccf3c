package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"openguest/internal/machine"
)

// passing are links that are in one state after the other.
type passing struct {
	machine.Links
	states []machine.LinkState
	seen   int
}

func (p *passing) State() (machine.LinkState, error) { return p.states[p.seen], nil }

func (p *passing) Wait(_ context.Context, until func(machine.LinkState) bool) (machine.LinkState, error) {
	for ; p.seen < len(p.states); p.seen++ {
		if until(p.states[p.seen]) {
			return p.states[p.seen], nil
		}
	}
	p.seen = len(p.states) - 1
	return machine.LinkState{}, errNothingMore
}

var errNothingMore = errors.New("nothing happens any more")

// plugged is a machine with cards that are plugged in or not.
func plugged(cards map[string]bool) machine.LinkState {
	s := machine.LinkState{Routes: []machine.Route{{Link: "eth0", To: netip.MustParsePrefix("0.0.0.0/0")}}}
	for name, carrier := range cards {
		s.Links = append(s.Links, machine.NetLink{NIC: machine.NIC{Name: name, Carrier: carrier}})
	}
	return s
}

// counting is an init system that would end a stage.
type counting struct{ until time.Duration }

func (c *counting) TakesLonger(d time.Duration) error {
	c.until = d
	return nil
}

// A pool is Azure around a machine in stock: it has an owner when the machine has said that it is ready.
type pool struct {
	kind, wants string
	mutex       sync.Mutex
	ready       int
	asked       []string
	refuses     bool // the first report
}

func (p *pool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	io.Copy(io.Discard, r.Body)
	p.asked = append(p.asked, strings.TrimPrefix(r.URL.Path, "/"))
	switch {
	case r.URL.Path == "/metadata/instance/" || r.URL.Path == "/metadata/instance":
		kind := p.kind
		if slices.Contains(p.asked, "metadata/reprovisiondata") {
			kind = "None"
		}
		fmt.Fprint(w, strings.Replace(azureIMDS, `"None"`, `"`+kind+`"`, 1))
	case r.URL.Path == "/metadata/reprovisiondata" && slices.Index(p.asked, "metadata/reprovisiondata") == len(p.asked)-1:
		w.WriteHeader(http.StatusNotFound) // the first time: it is not ready
	case r.URL.Path == "/metadata/reprovisiondata":
		fmt.Fprint(w, p.wants)
	case r.URL.RawQuery == "comp=goalstate":
		fmt.Fprint(w, azureGoal)
	case p.refuses && p.ready == 0:
		p.ready++
		w.WriteHeader(http.StatusForbidden)
	default:
		p.ready++
	}
}

// inStock is a machine of Azure's that waits for its owner.
func inStock(t *testing.T, p *pool, files string, states ...machine.LinkState) *world {
	p.wants = azureDiscFile("<wa:UserName>bob</wa:UserName><wa:CustomData>IyEvYmluL3NoCg==</wa:CustomData>", "")
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	w := newWorld(t, azureUUID+"-- /var/lib/cloud/data/x --\n"+files, "datasource: {Azure: {sec_between_retries: 0.01, retries: 0}}")
	w.env.Machine.Net = elsewhere{liveNet(t), server.URL}
	w.env.Machine.Links = &passing{Links: w.env.Machine.Links, states: states}
	return w
}

// Row D19. Most machines of Azure are made before somebody wants them, and wait. One that took itself for its owner's at once
// would have nobody's name and nobody's keys, and would stay so.
func TestAzureStock(t *testing.T) {
	in, out := plugged(map[string]bool{"eth0": true}), plugged(map[string]bool{"eth0": false})
	for name, c := range map[string]struct {
		pool   *pool
		files  string
		states []machine.LinkState
		ready  int
	}{
		"one that runs":            {pool: &pool{kind: "Running"}, states: []machine.LinkState{in, in, out, out, in}, ready: 2},
		"one that sleeps":          {pool: &pool{kind: "Savable"}, states: []machine.LinkState{in, plugged(nil), plugged(map[string]bool{"eth1": true})}, ready: 2},
		"one that hears nothing":   {pool: &pool{kind: "Savable", refuses: true}, states: []machine.LinkState{in, plugged(nil), in}, ready: 2},
		"one that was booted then": {pool: &pool{kind: "Running"}, files: "-- /var/lib/cloud/data/reported_ready --\n1\n", states: []machine.LinkState{in}, ready: 1},
		"one by its disc": {pool: &pool{kind: "None"}, states: []machine.LinkState{in, out, in}, ready: 2,
			files: seedFiles("/var/lib/cloud/seed/azure", map[string]string{"ovf-env.xml": azureDiscFile("", "<wa:PreprovisionedVm>true</wa:PreprovisionedVm>")})},
	} {
		w := inStock(t, c.pool, c.files, c.states...)
		init := &counting{}
		w.env.Machine.Init = init
		is, err := fetchAzure(t.Context(), w.env)
		if err != nil || is.Hostname != "web1" || string(is.UserData) != "#!/bin/sh\n" || is.Subplatform != "imds (IMDS)" || w.warned() {
			t.Errorf("%s: it is %+v, %v, %q", name, is, err, w.logged)
			continue
		}
		if c.pool.ready != c.ready || !slices.Contains(c.pool.asked, "metadata/reprovisiondata") {
			t.Errorf("%s: it reported %d times, want %d: %q", name, c.pool.ready, c.ready, c.pool.asked)
		}
		if init.until <= stockStep {
			t.Errorf("%s: systemd may end the stage after %v, and hears of it again after %v at the earliest", name, init.until, stockStep)
		}
		if machine.Exists(w.env.Machine.Files, w.env.stockMark()) {
			t.Errorf("%s: it would wait for an owner again at the next boot", name)
		}
	}
}

// A machine in stock that cannot leave it has no instance: it must not become one that nobody wanted.
func TestAzureStockInTrouble(t *testing.T) {
	up := plugged(map[string]bool{"eth0": true})
	for name, c := range map[string]struct {
		pool   *pool
		states []machine.LinkState
		mark   bool
	}{
		"nothing happens":              {&pool{kind: "Running"}, []machine.LinkState{up}, true},
		"only its disk is wanted":      {&pool{kind: "PreprovisionedOSDisk"}, []machine.LinkState{up}, false},
		"Azure does not take a report": {&pool{kind: "Running", refuses: true}, []machine.LinkState{up}, false},
	} {
		w := inStock(t, c.pool, "", c.states...)
		if is, err := fetchAzure(t.Context(), w.env); isOneOf(err) != "silent" || slices.Contains(c.pool.asked, "metadata/reprovisiondata") {
			t.Errorf("%s: it is %+v, %v, asked %q", name, is, err, c.pool.asked)
		}
		if machine.Exists(w.env.Machine.Files, w.env.stockMark()) != c.mark {
			t.Errorf("%s: that Azure knows of it is remembered: %v", name, !c.mark)
		}
	}
}
