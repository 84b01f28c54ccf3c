package engine

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"openguest/internal/machine"
)

// hangingNet counts the requests that nobody answers, and how long they were waited for.
type hangingNet struct {
	asked  int
	waited time.Duration
}

func (n *hangingNet) Fetch(ctx context.Context, r machine.Request) (machine.Response, error) {
	start := time.Now()
	for try := 0; try < max(1, r.Tries) && ctx.Err() == nil; try++ {
		n.asked++
		machine.Pause(ctx, r.Timeout)
	}
	n.waited += time.Since(start)
	return machine.Response{}, fmt.Errorf("get %s: no answer within %v", machine.PublicURL(r.URL), r.Timeout)
}

// Row D25. The stages are processes of their own: what the local stage spent on a dead cloud is known to the network stage. The machine
// that was somebody stays it, and one that was nobody is nobody; both boot.
func TestDeadCloudCostsOnce(t *testing.T) {
	for _, last := range []string{"", "i-1"} {
		synctest.Test(t, func(t *testing.T) {
			net := &hangingNet{}
			m := machine.Fake(debian+"-- etc/cloud/cloud.cfg --\ndatasource_list: [AliYun, None]\ndatasource: {AliYun: {max_wait: 50, timeout: 7}}\n", noon)
			m.Net = net
			m.Links = machine.NewFakeLinks(machine.LinkState{
				Links:  []machine.NetLink{{NIC: machine.NIC{Name: "eth0", MAC: "52:54:00:00:00:01", Carrier: true}, Index: 2, Up: true, Settled: true}},
				Routes: []machine.Route{{Link: "eth0", To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.0.0.1")}},
			})
			want := "iid-datasource-none"
			if last != "" {
				boot(t, m, Options{Given: given(last, "")})
				want = last
				if _, err := m.Files.Remove("/run/cloud-init/.instance-id"); err != nil { // as a restart does
					t.Fatal(err)
				}
			}
			var waited []time.Duration
			for _, stage := range []Stage{Local, Network} {
				before := net.waited
				if _, err := New(m, Options{Version: "test"}).Run(t.Context(), stage); err != nil {
					t.Fatal(err)
				}
				waited = append(waited, net.waited-before)
			}
			if waited[0] != 40*time.Second || waited[1] != 10*time.Second {
				t.Errorf("it waited %v, with %d requests", waited, net.asked)
			}
			if id := strings.TrimSpace(read(t, m, "/var/lib/cloud/data/instance-id")); id != want {
				t.Errorf("it is %q, want %q", id, want)
			}
		})
	}
}
