package network

import (
	"slices"
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
	slices.SortStableFunc(entries, func(a, b entry) int {
		return machine.CompareNatural(host.named(strings.ToLower(a.key)), host.named(strings.ToLower(b.key)))
	})
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
