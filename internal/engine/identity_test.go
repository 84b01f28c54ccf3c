package engine

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
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

// onlineLinks are those of a machine that has its network before we come.
func onlineLinks() machine.Links {
	return machine.NewFakeLinks(machine.LinkState{
		Links:  []machine.NetLink{{NIC: machine.NIC{Name: "eth0", MAC: "52:54:00:00:00:01", Carrier: true}, Index: 2, Up: true, Settled: true}},
		Routes: []machine.Route{{Link: "eth0", To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.0.0.1")}},
	})
}

// Rows D06 and D25. The stages are processes of their own: what the local stage spent on a dead cloud is known to the network stage. The machine
// that was somebody stays it, and one that was nobody is nobody; both boot.
func TestDeadCloudCostsOnce(t *testing.T) {
	for _, last := range []string{"", "i-1"} {
		synctest.Test(t, func(t *testing.T) {
			net := &hangingNet{}
			m := machine.Fake(debian+"-- etc/cloud/cloud.cfg --\ndatasource_list: [AliYun, None]\ndatasource: {AliYun: {max_wait: 50, timeout: 7}}\n", noon)
			m.Net = net
			m.Links = onlineLinks()
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

// pageNet is a cloud that counts the requests.
type pageNet struct {
	pages map[string]string // by path
	asked atomic.Int32
}

func (n *pageNet) Fetch(_ context.Context, r machine.Request) (machine.Response, error) {
	n.asked.Add(1)
	for path, page := range n.pages {
		if strings.HasSuffix(r.URL, path) {
			return machine.Response{Status: 200, Header: map[string]string{}, Body: []byte(page), URL: r.URL}, nil
		}
	}
	return machine.Response{}, &machine.StatusError{URL: r.URL, Status: 404}
}

// rebooted are clouds, and whether a machine there knows by itself who it is.
var rebooted = map[string]struct {
	files string
	pages map[string]string
	knows bool
}{
	"Ec2": {"-- /sys/class/dmi/id/product_uuid --\nec2e1916-9099-7caf-fd21-012345abcdef\n", map[string]string{"/latest/api/token": "t",
		"/2021-03-23/meta-data/": "instance-id", "/2021-03-23/meta-data/instance-id": "i-1", "/2021-03-23/user-data": writesOnce}, false},
	"OpenStack": {"-- /sys/class/dmi/id/product_name --\nOpenStack Nova\n-- /sys/class/dmi/id/product_uuid --\n83679162-1378-4288-a2d4-70e13ec132aa\n",
		map[string]string{"/openstack": "latest", "/openstack/latest/meta_data.json": `{"uuid": "83679162-1378-4288-a2d4-70e13ec132aa"}`, "/openstack/latest/user_data": writesOnce}, true},
}

const writesOnce = "#cloud-config\nwrite_files: [{path: /x, content: the cloud's}]\n"

// Rows S19 and S21. At a reboot a machine on OpenStack knows by its hardware who it is, and asks nobody: a cloud whose metadata is down
// stops no reboot. One on EC2 asks, and being the same instance does nothing again: what its person changed stays.
func TestSameInstanceAgain(t *testing.T) {
	for name, c := range rebooted {
		net := &pageNet{pages: c.pages}
		m := machine.Fake(debian+c.files+"-- etc/cloud/cloud.cfg.d/9.cfg --\ndatasource_list: ["+name+", None]\n", noon)
		m.Net, m.Links = net, onlineLinks()
		boot(t, m, Options{})
		if net.asked.Load() == 0 || read(t, m, "/x") != "the cloud's" {
			t.Fatalf("%s: the first boot made %d requests, and /x is %q", name, net.asked.Load(), read(t, m, "/x"))
		}
		first := net.asked.Swap(0)
		if _, err := m.Files.Put("/x", machine.File(0o644, "mine")); err != nil {
			t.Fatal(err)
		}
		if err := machine.RemoveAll(m.Files, "/run/cloud-init"); err != nil {
			t.Fatal(err)
		}
		boot(t, m, Options{})
		if again := net.asked.Load(); (again == 0) != c.knows || again > first {
			t.Errorf("%s: the second boot made %d requests, the first %d", name, again, first)
		}
		if text := read(t, m, "/x"); text != "mine" {
			t.Errorf("%s: what is done once was done again: /x is %q", name, text)
		}
	}
}
