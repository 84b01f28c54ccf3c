package machine

import (
	"slices"
	"sort"
	"strconv"
	"strings"
)

// FallbackNICs are the interfaces that a machine may have its network on where nothing says which it is, the most likely
// one first: those with a carrier, then those that may get one when they are switched on; "eth0" first in each, then
// by name, numbers by their value. It is cloud-init's choice, see find_candidate_nics.
func FallbackNICs(all []NIC) []NIC {
	var connected, perhaps []NIC
	for _, n := range all {
		switch {
		case !n.isOwn(all):
		case n.Carrier:
			connected = append(connected, n)
		case n.Dormant, slices.Contains([]string{"dormant", "down", "lowerlayerdown", "unknown"}, n.Operstate):
			perhaps = append(perhaps, n)
		}
	}
	sort.SliceStable(connected, func(i, j int) bool { return connected[i].isBefore(connected[j]) })
	sort.SliceStable(perhaps, func(i, j int) bool { return perhaps[i].isBefore(perhaps[j]) })
	return append(connected, perhaps...)
}

// HasPCICard says that a network card is on the PCI bus, whether its driver has been loaded or not. The first byte of a device's class
// is 02 for network controllers; see https://pcisig.com/pci-code-and-id-assignment-specification.
func (f *Facts) HasPCICard() bool {
	const devices = "/sys/bus/pci/devices/"
	names, _ := f.files.List(devices)
	return slices.ContainsFunc(names, func(name string) bool {
		class, err := f.files.Read(devices + name + "/class")
		return err == nil && strings.HasPrefix(class, "0x02")
	})
}

// isOwn says that an interface may be configured by itself, and is no part of another one and not made of others.
func (n NIC) isOwn(all []NIC) bool {
	if n.Loopback || n.MAC == "" || n.Bridge || n.Bond || strings.HasPrefix(n.Name, "veth") {
		return false
	}
	return !n.isFailover(all) && !n.isShadowed(all)
}

// isFailover says that an interface is one of the two that virtio's failover joins.
func (n NIC) isFailover(all []NIC) bool {
	if n.Master == "" {
		return false
	}
	if n.Driver == "virtio_net" {
		return n.Standby
	}
	return slices.ContainsFunc(all, func(m NIC) bool { return m.Name == n.Master && m.Driver == "virtio_net" && m.Standby })
}

// isShadowed says that an interface is the fast path of one of Hyper-V's: both have one address, and the other is
// to be configured.
func (n NIC) isShadowed(all []NIC) bool {
	return n.Driver != "hv_netvsc" &&
		slices.ContainsFunc(all, func(m NIC) bool { return m.Driver == "hv_netvsc" && m.MAC == n.MAC })
}

func (n NIC) isBefore(other NIC) bool {
	if n.Name == "eth0" || other.Name == "eth0" {
		return other.Name != "eth0"
	}
	return CompareNatural(n.Name, other.Name) < 0
}

// CompareNatural orders names as people do: "ens3" before "ens10", and letters of any case alike.
func CompareNatural(a, b string) int {
	return slices.CompareFunc(chunks(a), chunks(b), func(x, y string) int {
		n, errN := strconv.ParseUint(x, 10, 64)
		m, errM := strconv.ParseUint(y, 10, 64)
		if errN == nil && errM == nil && n != m {
			if n < m {
				return -1
			}
			return 1
		}
		return strings.Compare(x, y)
	})
}

// chunks splits a name into digits and what is between them.
func chunks(name string) (all []string) {
	name = strings.ToLower(name)
	isDigit := func(c byte) bool { return c >= '0' && c <= '9' }
	start := 0
	for i := 1; i <= len(name); i++ {
		if i == len(name) || isDigit(name[i]) != isDigit(name[i-1]) {
			all = append(all, name[start:i])
			start = i
		}
	}
	return all
}
