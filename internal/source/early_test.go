package source

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// silent is a wire on which nobody answers.
type silent struct{}

func (silent) Broadcast([]byte) error { return nil }
func (silent) Close() error           { return nil }
func (silent) Receive(ctx context.Context, _ []byte) (int, bool, error) {
	<-ctx.Done()
	return 0, false, context.Cause(ctx)
}

// offNICs are interfaces that are switched off. They get an address of IPv6 when they are switched on.
func offNICs(names ...string) *machine.FakeLinks {
	var s machine.LinkState
	for i, name := range names {
		s.Links = append(s.Links, machine.NetLink{NIC: machine.NIC{Name: name, MAC: fmt.Sprintf("52:54:00:00:00:%02x", i+1), Operstate: "down"},
			Index: i + 2, MTU: 1500, Settled: true})
	}
	links := machine.NewFakeLinks(s)
	links.Wire = func(string) (machine.Packets, error) { return silent{}, nil }
	links.Then = func(s *machine.LinkState, done machine.LinkChange) {
		for i := range s.Links {
			if l := &s.Links[i]; l.Name == done.Link && done.Do == machine.LinkUp {
				l.Addresses = []machine.Address{{Prefix: netip.MustParsePrefix("fe80::1/64")}}
			} else if l.Name == done.Link && done.Do == machine.LinkDown {
				l.Addresses = nil
			}
		}
	}
	return links
}

// inLocal is the local stage of a machine with links, and a configuration.
func inLocal(t *testing.T, links machine.Links, config string) *Env {
	t.Helper()
	value, _, err := conf.Parse("test", []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	m := machine.Fake("", time.Unix(0, 0))
	m.Links = links
	return &Env{Machine: m, Config: value, Stage: Local, Warn: func(format string, args ...any) { t.Errorf(format, args...) }}
}

// Where the machine has a network, a source must not touch it: someone may be working over it.
func TestEarlyDoesNothing(t *testing.T) {
	online := machine.NewFakeLinks(machine.LinkState{
		Links:  []machine.NetLink{{NIC: machine.NIC{Name: "eth0", MAC: "52:54:00:00:00:01", Carrier: true}, Index: 2, Up: true, Settled: true}},
		Routes: []machine.Route{{Link: "eth0", To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.0.0.1")}},
	})
	later := inLocal(t, offNICs("eth0"), "")
	later.Stage = Network
	for name, e := range map[string]*Env{"online": inLocal(t, online, ""), "the network stage": later} {
		n, err := e.early(t.Context(), want{Source: "Ec2"})
		if err != nil || n.Link != "" || n.Lease != nil {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
		n.close()
		if done := e.Machine.Links.(*machine.FakeLinks).Done(); len(done) != 0 {
			t.Errorf("%s: it did %q", name, done)
		}
	}
}

// A machine without a network card boots as fast as one that nobody asked; an image that is not running has none either.
func TestEarlyWithoutNIC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := inLocal(t, offNICs(), "").early(t.Context(), want{Source: "Ec2"})
		if !errors.Is(err, ErrNotYet) || !strings.Contains(err.Error(), "no network interface") || time.Since(start) > 0 {
			t.Errorf("the error is %v, after %v", err, time.Since(start))
		}
	})
	e := inLocal(t, nil, "")
	e.Machine = machine.Fake("-- /sys/class/net/eth0/address --\n52:54:00:12:34:56\n-- /sys/class/net/eth0/operstate --\ndown\n", time.Unix(0, 0))
	if _, err := e.early(t.Context(), want{Source: "Ec2"}); !errors.Is(err, ErrNotYet) {
		t.Errorf("the error is %v", err)
	}
}

// A network on which nobody answers costs what it may cost, once, and is left as it was. Row D25.
func TestEarlyWithoutServer(t *testing.T) {
	for config, limit := range map[string]time.Duration{
		"":                                       15 * time.Second,
		"datasource: {Ec2: {dhcp_timeout: 2.5}}": 2500 * time.Millisecond,
		"datasource: {Ec2: {dhcp_timeout: 7, max_wait: 4}}":     4 * time.Second,
		"datasource: {Ec2: {dhcp_timeout: soon, max_wait: -1}}": 15 * time.Second,
		"datasource: {Other: {dhcp_timeout: 2}}":                15 * time.Second,
	} {
		t.Run(config, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				links := offNICs("eth0", "eth1")
				links.Unplugged = []string{"eth1"}
				start := time.Now()
				_, err := inLocal(t, links, config).early(t.Context(), want{Source: "Ec2"})
				if !errors.Is(err, ErrNotYet) || time.Since(start) != limit {
					t.Errorf("the error is %v, after %v, want %v", err, time.Since(start), limit)
				}
				for _, part := range []string{"eth0: it got no answer", "eth1: it has no carrier", limit.String() + " are over"} {
					if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
						t.Errorf("the error %q does not say %q in a line", err, part)
					}
				}
				done := links.Done()
				slices.Sort(done)
				if fmt.Sprint(done) != "[eth0: down eth0: up eth1: down eth1: up]" {
					t.Errorf("it did %q", done)
				}
			})
		})
	}
}

// Row D04. Where only IPv6 leads to the cloud, its address is there long before DHCP is given up; it is used at once
// where the cloud can be asked, else when there is no lease.
func TestEarlyOverIPv6(t *testing.T) {
	answers := func(context.Context, *Early) error { return nil }
	for name, test := range map[string]struct {
		want want
		took time.Duration
	}{
		"alone":               {want{NoIPv4: true, IPv6: true}, 0},
		"nobody can tell":     {want{IPv6: true}, leaseTime},
		"the cloud can tell":  {want{IPv6: true, Works: answers}, 0},
		"alone, and it tells": {want{NoIPv4: true, IPv6: true, Works: answers}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				links := offNICs("eth0")
				start := time.Now()
				n, err := inLocal(t, links, "").early(t.Context(), test.want)
				if err != nil || n.Link != "eth0" || n.LinkLocal.String() != "fe80::1%eth0" || n.Lease != nil {
					t.Fatalf("the network is %+v, %v", n, err)
				}
				if took := time.Since(start); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				n.close()
				n.close()
				if done := fmt.Sprint(links.Done()); done != "[eth0: up eth0: down]" {
					t.Errorf("it did %s", done)
				}
			})
		})
	}
}

// Row D11. A cloud of IPv6 may be behind a router, which speaks some time after the link is up.
func TestEarlyOverRouter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		links := offNICs("eth0")
		e := inLocal(t, links, "")
		go func() {
			machine.Pause(t.Context(), 3*time.Second)
			links.Apply(machine.LinkChange{Do: machine.RouteAdd, Route: machine.Route{Link: "eth0", To: netip.MustParsePrefix("::/0"), Via: netip.MustParseAddr("fe80::2")}})
		}()
		n, err := e.early(t.Context(), want{IPv6: true, Works: func(context.Context, *Early) error {
			if s, _ := links.State(); !s.IsOnline() {
				return errors.New("no route to host")
			}
			return nil
		}})
		if err != nil || !n.LinkLocal.IsValid() {
			t.Fatalf("the network is %+v, %v", n, err)
		}
		n.close()
	})
}

// A router of IPv6 does not lead to a cloud that is asked over IPv4 alone.
func TestEarlyBesideIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		links := offNICs("eth0")
		if _, err := links.Apply(machine.LinkChange{Link: "eth0", Do: machine.LinkUp},
			machine.LinkChange{Do: machine.RouteAdd, Route: machine.Route{Link: "eth0", To: netip.MustParsePrefix("::/0"), Via: netip.MustParseAddr("fe80::2")}}); err != nil {
			t.Fatal(err)
		}
		e := inLocal(t, links, "")
		if n, err := e.early(t.Context(), want{IPv6: true}); err != nil || n.Link != "" {
			t.Errorf("with IPv6 it brought up %+v, %v", n, err)
		}
		if _, err := e.early(t.Context(), want{}); !errors.Is(err, ErrNotYet) {
			t.Errorf("it took IPv6 for IPv4: %v", err)
		}
	})
}

// DigitalOcean has one address for all to ask from.
func TestEarlyStatic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		links := offNICs("eth1", "eth0")
		e := inLocal(t, links, "")
		n, err := e.early(t.Context(), want{Static: netip.MustParsePrefix("169.254.1.2/16")})
		if err != nil || n.Link != "eth0" || n.Lease != nil {
			t.Fatalf("the network is %+v, %v", n, err)
		}
		n.close()
		if done := fmt.Sprint(links.Done()); done != "[eth0: up eth0: address 169.254.1.2/16 eth0: remove address 169.254.1.2/16 eth0: down]" {
			t.Errorf("it did %s", done)
		}
		if e.Machine.Ledger.Len() != 0 {
			t.Errorf("what leaves no trace is in the ledger: %v", e.Machine.Ledger.Entries())
		}
	})
}

// The cloud answers on one interface of several: the others are tried in order, and left as they were.
func TestEarlyOnTheRightNIC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		links := offNICs("ens3", "ens4", "ens10")
		n, err := inLocal(t, links, "").early(t.Context(), want{
			Static: netip.MustParsePrefix("169.254.1.2/16"),
			Prefer: func(a, b machine.NIC) int { return len(a.Name) - len(b.Name) },
			Works: func(_ context.Context, n *Early) error {
				if n.Link != "ens4" {
					return errors.New("nobody is there")
				}
				return nil
			},
		})
		if err != nil || n.Link != "ens4" {
			t.Fatalf("the network is %+v, %v", n, err)
		}
		defer n.close()
		for _, done := range links.Done() {
			if strings.HasPrefix(done, "ens10") {
				t.Errorf("it did %s, though ens4 answered", done)
			}
		}
		s, _ := links.State()
		if ens3, _ := s.Named("ens3"); ens3.Up || len(ens3.Addresses) != 0 {
			t.Errorf("ens3 was left as %+v", ens3)
		}
	})
}

// A plan shows what would be, and asks nobody for an address.
func TestEarlyInPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		links := offNICs("eth0")
		e := inLocal(t, links, "")
		var changes *machine.Changes
		e.Machine, changes = machine.Plan(e.Machine)
		_, err := e.early(t.Context(), want{Source: "Ec2"})
		if !errors.Is(err, ErrNotYet) || len(links.Done()) != 0 || len(changes.List()) != 0 {
			t.Errorf("the error is %v; it did %q and planned %v", err, links.Done(), changes.List())
		}
	})
}
