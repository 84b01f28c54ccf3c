package engine

import (
	"net/netip"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"

	"openguest/internal/machine"
	"openguest/internal/module"
)

// showNetwork prints the tables of network devices and routes that cloud-init's network stage prints, and that people and
// tools read addresses from. While the network is still on its way the config stage does it, which comes after that.
func (e *Engine) showNetwork() {
	if e.options.Terminal || e.stage != Network && e.stage != Config {
		return
	}
	later := path.Join(e.paths.Run, "sem/netinfo.later")
	if e.stage == Config && !machine.Exists(e.state.Files, later) {
		return
	}
	s, err := e.machine.Links.State()
	if err != nil {
		e.log.Log(module.Warning, "show the network's devices on the console: %v", err)
		return
	}
	if e.options.Await && !hasAddress(s) {
		e.put(later, 0o644, "")
		return
	}
	e.state.Files.Remove(later)
	e.say(netInfo(s))
}

// netInfo are the tables, in the form of cloud-init's netinfo.py.
func netInfo(s machine.LinkState) string {
	text := module.InfoTable("Net device info", []string{"Device", "Up", "Address", "Mask", "Scope", "Hw-Address"}, deviceRows(s))
	if rows, some := routeRows(s, false); some {
		text += module.InfoTable("Route IPv4 info", []string{"Route", "Destination", "Gateway", "Genmask", "Interface", "Flags"}, rows)
	}
	if rows, some := routeRows(s, true); some {
		text += module.InfoTable("Route IPv6 info", []string{"Route", "Destination", "Gateway", "Interface", "Flags"}, rows)
	}
	return text
}

// deviceRows has a row for each address, and one for a device without any, by name.
func deviceRows(s machine.LinkState) (rows [][]string) {
	links := slices.Clone(s.Links)
	sort.SliceStable(links, func(i, j int) bool { return links[i].Name < links[j].Name })
	for _, l := range links {
		mac := l.MAC
		if l.Loopback || len(mac) != len("00:00:00:00:00:00") { // not of Ethernet
			mac = "."
		}
		for _, is6 := range []bool{false, true} {
			for _, a := range l.Addresses {
				if a.Addr().Is6() == is6 {
					rows = append(rows, append(append([]string{l.Name, pythonBool(l.Up && l.Carrier)}, addressCells(a)...), mac))
				}
			}
		}
		if len(l.Addresses) == 0 {
			rows = append(rows, []string{l.Name, pythonBool(l.Up && l.Carrier), ".", ".", ".", mac})
		}
	}
	return rows
}

// addressCells are address, mask and scope.
func addressCells(a machine.Address) []string {
	scope := a.Scope
	if scope == "" {
		scope = "global"
	}
	if a.Addr().Is6() {
		return []string{a.String(), ".", scope}
	}
	return []string{a.Addr().String(), dottedMask(a.Bits()), scope}
}

// dottedMask is the netmask of a prefix of IPv4.
func dottedMask(bits int) string {
	ones, err := netip.AddrFrom4([4]byte{255, 255, 255, 255}).Prefix(bits)
	if err != nil {
		return "."
	}
	return ones.Addr().String()
}

// routeRows are the routes of a family: of IPv4 those of the main table, of IPv6 all, without those of the loopback, which
// are counted all the same. some says that there is any.
func routeRows(s machine.LinkState, is6 bool) (rows [][]string, some bool) {
	number := 0
	for _, r := range append(slices.Clip(s.Routes), s.Own...) {
		if r.To.Addr().Is6() != is6 || !is6 && r.Table != mainTable {
			continue
		}
		id := strconv.Itoa(number)
		number++
		switch {
		case !is6:
			rows = append(rows, append([]string{id}, routeCells4(r)...))
		case r.Link != "lo":
			rows = append(rows, append([]string{id}, routeCells6(r)...))
		}
	}
	return rows, number > 0
}

// mainTable is the kernel's number for the table of routes that counts where no rule says otherwise.
const mainTable = 254

// routeCells4 are destination, gateway, mask, interface and flags.
func routeCells4(r machine.Route) []string {
	to, via, mask, flags := r.To.Addr().String(), "0.0.0.0", dottedMask(r.To.Bits()), "U"
	if r.Via.IsValid() {
		via, flags = r.Via.String(), "UG"
	} else if r.IsDefault() { // cloud-init leaves it empty here
		via = ""
	}
	if r.To.Bits() == 32 {
		flags += "H"
	}
	if r.Type != "" {
		to, mask = r.Type, "255.255.255.255"
	}
	return []string{to, via, mask, r.Link, flags}
}

// routeCells6 are destination, gateway, interface and flags. Of a route that is not to others cloud-init has the type where
// the destination should be.
func routeCells6(r machine.Route) []string {
	to, via, flags := strings.TrimSuffix(r.To.String(), "/128"), "::", "U"
	if r.Via.IsValid() {
		via, flags = r.Via.String(), "UG"
	} else if r.IsDefault() {
		flags = "UG"
	}
	if r.Type != "" {
		to = r.Type
	}
	if r.Expires {
		flags += "e"
	}
	return []string{to, via, r.Link, flags}
}
