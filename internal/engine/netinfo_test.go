package engine

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"openguest/internal/machine"
)

// said are commands that keep what is printed.
type said struct {
	machine.Commands
	text string
}

func (s *said) Say(_ machine.Output, text string) error { s.text += text; return nil }

// Row N21: the table is printed once a boot. Where the network stage runs beside what brings the network up, it would show no
// address; then the config stage prints it.
func TestNetInfoHasAddresses(t *testing.T) {
	const row = "ci-info: |  ens3  | True | 10.0.2.15 | 255.255.255.0 | global | 52:54:00:00:00:01 |\n"
	for name, c := range map[string]struct {
		await  bool
		online Stage // the stage before which there is an address
		want   []Stage
	}{
		"after the network":             {false, Network, []Stage{Network}},
		"after what is no network":      {false, Config, []Stage{Network}},
		"beside the network":            {true, Config, []Stage{Config}},
		"beside the network, but later": {true, Network, []Stage{Network}},
	} {
		m := machine.Fake(debian, noon)
		card := netLink("ens3", "52:54:00:00:00:01")
		card.Up, card.Carrier = true, true
		links := machine.NewFakeLinks(machine.LinkState{Links: []machine.NetLink{card}})
		m.Links = links
		var got []Stage
		for _, stage := range Stages() {
			if stage == c.online {
				links.Apply(machine.LinkChange{Do: machine.AddressAdd, Link: "ens3", Address: netip.MustParsePrefix("10.0.2.15/24")})
			}
			console := &said{Commands: m.Commands}
			m.Commands = console
			stages(t, m, Options{Given: given("i", ""), Await: c.await && stage == Network}, stage)
			if strings.Contains(console.text, "Net device info") {
				got = append(got, stage)
				if stage == c.online && !strings.Contains(console.text, row) {
					t.Errorf("%s: it says\n%s", name, console.text)
				}
			}
			m.Commands = console.Commands
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: the table is printed in %q, not in %q", name, got, c.want)
		}
	}
}
