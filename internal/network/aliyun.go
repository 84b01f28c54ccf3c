package network

import (
	"sort"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// readAliYun reads what Alibaba's metadata says of the machine's interfaces: as EC2 has it, but in the order of their names
// and with DHCP alone. It becomes version 2.
func readAliYun(document *conf.Value, host Host) (*Model, []conf.Problem) {
	r := newReading(2, document, host)
	root := r.root(unwrapped(document))
	entries := root.at("interfaces").at("macs").entries()
	name := func(i int) string { return host.named(strings.ToLower(entries[i].key)) }
	sort.SliceStable(entries, func(i, j int) bool { return machine.CompareNatural(name(i), name(j)) < 0 })
	macs := mapping{}
	for i, e := range entries {
		if !e.IsNull() {
			macs[e.key] = mapping{"ipv6s": e.at("ipv6s").isSaid(), "network-card": i}
		}
	}
	return readEC2(conf.Of(mapping{
		"interfaces": mapping{"macs": macs}, "apply_full_imds_network_config": root.Get("apply_full_imds_network_config"),
	}, root.origin), host)
}
