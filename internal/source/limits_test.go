package source

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"openguest/internal/machine"
)

// deadNet is a network on which nobody answers, but for the pages that it holds by the end of their address.
type deadNet struct{ pages map[string]string }

func (n deadNet) Fetch(ctx context.Context, r machine.Request) (machine.Response, error) {
	for end, page := range n.pages {
		if strings.HasSuffix(r.URL, end) {
			return machine.Response{Status: 200, Body: []byte(page), URL: r.URL}, nil
		}
	}
	for try := range max(1, r.Tries) {
		if try > 0 && machine.Pause(ctx, r.Wait) != nil {
			break
		}
		if machine.Pause(ctx, r.Timeout) != nil {
			break
		}
	}
	return machine.Response{}, fmt.Errorf("get %s: no answer", r.URL)
}

// onlineLinks are links over which the machine is online before it is configured.
func onlineLinks() machine.Links {
	return machine.NewFakeLinks(machine.LinkState{
		Links:  []machine.NetLink{{NIC: machine.NIC{Name: "eth0", MAC: "52:54:00:00:00:01", Carrier: true}, Index: 2, Up: true, Settled: true}},
		Routes: []machine.Route{{Link: "eth0", To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.0.0.1")}},
	})
}

// searches looks for a source in both stages of a boot, and returns how long each takes.
func searches(t *testing.T, name, facts, config string, links machine.Links, net machine.Net) (local, later time.Duration) {
	t.Helper()
	w := newWorld(t, facts, config)
	w.env.Machine.Net, w.env.Machine.Links, w.env.Spent = net, links, map[string]time.Duration{}
	search := func(stage Stage) time.Duration {
		start := time.Now()
		if in, _, _, err := Find(t.Context(), w.at(stage).env, []string{name}); in != nil || err == nil {
			t.Errorf("%s in the %s stage gives %+v, %v", name, stage, in, err)
		}
		return time.Since(start)
	}
	return search(Local), search(Network)
}

// deadClouds are sources, what they may cost where nobody answers, and how much of that before the network is up.
var deadClouds = map[string]struct {
	facts      string
	all, local time.Duration
}{
	"OpenStack":    {"", 12500 * time.Millisecond, 10 * time.Second},
	"Ec2":          {onAWS, 240 * time.Second, 192 * time.Second},
	"AliYun":       {"", 240 * time.Second, 192 * time.Second},
	"GCE":          {"", 66 * time.Second, 52800 * time.Millisecond},
	"Azure":        {azureUUID, 310 * time.Second, 248 * time.Second},
	"Oracle":       {"", 30 * time.Second, 24 * time.Second},
	"Hetzner":      {"", 120 * time.Second, 96 * time.Second},
	"DigitalOcean": {"", 124 * time.Second, 99200 * time.Millisecond},
	"UpCloud":      {"", 124 * time.Second, 99200 * time.Millisecond},
	"Vultr":        {"", 465 * time.Second, 372 * time.Second},
	"NWCS":         {"", 310 * time.Second, 248 * time.Second},
	"Scaleway":     {"", 2 * time.Second, 1600 * time.Millisecond},
	"Akamai":       {"", 30 * time.Second, 24 * time.Second},
	"CloudStack":   {"", 120 * time.Second, 96 * time.Second},
	"CloudCIX":     {"", 40 * time.Second, 0},
	"Exoscale":     {"", 120 * time.Second, 0}, // asked once the network is up
}

// Row D25. A dead cloud costs its time once and not once in each stage; max_wait is the most that it costs. A machine that is
// started where the metadata is down would else be without its network for twice as long, and nobody can log in meanwhile.
func TestDeadCloudCostsOnce(t *testing.T) {
	for name, c := range deadClouds {
		for config, all := range map[string]time.Duration{"": c.all, ", max_wait: 20": 20 * time.Second} {
			t.Run(name+config, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					local := c.local
					if config != "" && local > 0 {
						local = all / 5 * 4
					}
					first, then := searches(t, name, c.facts, "datasource: {"+name+": {dhcp_timeout: 3"+config+"}}", onlineLinks(), deadNet{})
					if first != local || first+then > all || then > all-local || then == 0 {
						t.Errorf("it took %v and %v, want %v and what is left of %v", first, then, local, all)
					}
				})
			})
		}
	}
}

// Row D25. Where there was no network before, nobody was asked: a cloud that comes with the network has all the time that it may need.
func TestBudgetIsLeftForLateNetwork(t *testing.T) {
	for name, c := range deadClouds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				links := offNICs("eth0")
				links.Unplugged = []string{"eth0"}
				first, then := searches(t, name, c.facts, "datasource: {"+name+": {dhcp_timeout: 3}}", links, deadNet{})
				if want := c.all - 3*time.Second; first > 6*time.Second || then < min(want, 10*time.Second) || then > c.all {
					t.Errorf("it took %v and %v, want up to %v in the second stage", first, then, c.all)
				}
			})
		})
	}
}

// Row D25. A service that says which versions it has, and then nothing more, is as dead.
func TestHalfDeadCloudCostsOnce(t *testing.T) {
	for name, page := range map[string]string{"OpenStack": "/openstack", "Ec2": "/latest/api/token", "Hetzner": "/metadata"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := deadNet{map[string]string{page: "latest"}}
				if name == "Hetzner" {
					net.pages[page] = "instance-id: 1"
				}
				first, then := searches(t, name, onAWS, "datasource: {"+name+": {timeout: 10, max_wait: 30, retries: 5}}", onlineLinks(), net)
				if all := 30*time.Second + 6*(10+2)*time.Second; first == 0 || first+then > all || then > all/5*2 {
					t.Errorf("it took %v and %v", first, then)
				}
			})
		})
	}
}

// Row D25. Two networks, and the cloud is behind the second: the first, on which nobody answers, keeps nobody from asking there.
// Where the cloud is behind neither, both together cost what one may cost.
func TestNetworksTakeTurns(t *testing.T) {
	for name, c := range map[string]struct {
		answers string
		after   time.Duration // as long as it takes to answer
		took    time.Duration
	}{
		"the second answers":               {"eth1", 0, headStart + turnTime},
		"the first, slowly":                {"eth0", 2500 * time.Millisecond, 2500 * time.Millisecond},
		"the second, slower than its turn": {"eth1", 5 * time.Second, headStart + turnTime*(1+1+2+2+4) + 5*time.Second},
		"neither":                          {"", 0, 40 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := inLocal(t, offNICs("eth0", "eth1"), "datasource: {X: {max_wait: 50}}")
				way := want{Source: "X", Limits: e.limits("X", defaultLimits()), Static: netip.MustParsePrefix("169.254.1.2/16")}
				start := time.Now()
				n, err := e.reach(t.Context(), way, func(ctx context.Context, n *Early) error {
					if n.Link != c.answers {
						<-ctx.Done()
						return context.Cause(ctx)
					}
					return machine.Pause(ctx, c.after)
				})
				took := time.Since(start)
				if (err == nil) != (c.answers != "") || err == nil && n.Link != c.answers {
					t.Fatalf("the network is %+v, %v", n, err)
				}
				n.close()
				if took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
				if err != nil && (!errors.Is(err, ErrNotYet) || strings.Contains(err.Error(), "\n")) {
					t.Errorf("the error is %v", err)
				}
			})
		})
	}
}
