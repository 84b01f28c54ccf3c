package network

import (
	"fmt"
	"slices"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// Expected are the interfaces that the model wants to be there under a name, because it knows their MAC.
func (m *Model) Expected() (links []*Link) {
	for _, l := range m.Links {
		if l.Renamed {
			links = append(links, l)
		}
	}
	return links
}

// Missing are the MACs of expected interfaces that the machine does not have (yet).
func (m *Model) Missing(state machine.LinkState) (macs []string) {
	for _, l := range m.Expected() {
		if !slices.ContainsFunc(state.Links, func(n machine.NetLink) bool { return isPhysical(n) && n.MAC == l.MAC }) {
			macs = append(macs, l.MAC)
		}
	}
	return macs
}

// Renames are the changes that give each interface the name that the model has for its MAC. Two may swap names: one of them
// has another name in between. An interface that is in use keeps its name, and so does who wants that name.
func (m *Model) Renames(state machine.LinkState) (changes []machine.LinkChange, problems []conf.Problem) {
	r := &renaming{links: slices.Clone(state.Links)}
	for _, l := range m.Expected() {
		if err := r.rename(l); err != nil {
			problems = append(problems, conf.Problem{Message: err.Error(), Level: conf.Warning})
		}
	}
	return r.changes, problems
}

// A renaming keeps track of who has which name.
type renaming struct {
	links   []machine.NetLink
	changes []machine.LinkChange
	aside   int // how many had to make room
}

func (r *renaming) rename(l *Link) error {
	at, err := r.find(l)
	if err != nil || r.links[at].Name == l.Name {
		return err
	}
	if isBusy(r.links[at]) {
		return fmt.Errorf("rename %s to %s: it is up and has an address; it keeps its name", r.links[at].Name, l.Name)
	}
	if other := r.named(l.Name); other >= 0 {
		if isBusy(r.links[other]) {
			return fmt.Errorf("rename %s to %s: another interface has that name, is up and has an address", r.links[at].Name, l.Name)
		}
		r.change(other, r.free())
	}
	r.change(at, l.Name)
	return nil
}

// find is the interface that a link of the model means.
func (r *renaming) find(l *Link) (at int, err error) {
	driver, device := l.Driver, l.DeviceID
	if named := r.named(l.Name); named >= 0 { // cloud-init takes these from who has the name
		driver, device = orElse(driver, r.links[named].Driver), orElse(device, r.links[named].DeviceID)
	}
	if found := r.matching(l.MAC, driver, device); len(found) == 1 {
		return found[0], nil
	}
	switch found := r.matching(l.MAC, l.Driver, l.DeviceID); len(found) {
	case 1:
		return found[0], nil
	case 0:
		return -1, fmt.Errorf("rename an interface to %s: none has the MAC %s", l.Name, l.MAC)
	}
	return -1, fmt.Errorf("rename an interface to %s: several have the MAC %s", l.Name, l.MAC)
}

func (r *renaming) matching(mac, driver, device string) (found []int) {
	for i, n := range r.links {
		if isPhysical(n) && n.MAC == mac && (driver == "" || n.Driver == driver) && (driver == "" || device == "" || n.DeviceID == device) {
			found = append(found, i)
		}
	}
	return found
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func (r *renaming) named(name string) int {
	return slices.IndexFunc(r.links, func(n machine.NetLink) bool { return n.Name == name })
}

// free is a name that nobody has.
func (r *renaming) free() string {
	for {
		name := fmt.Sprintf("cirename%d", r.aside)
		if r.aside++; r.named(name) < 0 {
			return name
		}
	}
}

func (r *renaming) change(at int, name string) {
	r.changes = append(r.changes, machine.LinkChange{Link: r.links[at].Name, Do: machine.LinkRename, Name: name})
	r.links[at].Name = name
}

// isPhysical says that a link may be meant by its MAC: what has the MAC of another, or is made of others, is not.
func isPhysical(n machine.NetLink) bool {
	isPart := n.Master != "" && n.Virtual
	return !n.Bridge && !n.Bond && !n.VLAN && !n.Loopback && !isPart && n.AddrAssignType != stolenMAC && n.MAC != ""
}

// stolenMAC is the kernel's NET_ADDR_STOLEN: the address is that of another link; see linux/netdevice.h.
const stolenMAC = 2

// isBusy says that something may be using a link: an address that did not come by itself.
func isBusy(n machine.NetLink) bool {
	return n.Up && slices.ContainsFunc(n.Addresses, func(a machine.Address) bool {
		return a.Addr().Is4() || !a.Dynamic && a.Addr().IsGlobalUnicast()
	})
}
