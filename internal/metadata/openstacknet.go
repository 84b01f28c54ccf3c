package metadata

import (
	"fmt"
	"strconv"
	"strings"
)

// openstackNetwork is network_data.json: given, or made from the interfaces. Its schema is in Nova's doc/api_schemas/network_data.json.
func openstackNetwork(v View) string {
	if len(v.Instance.NetworkData) > 0 {
		return string(v.Instance.NetworkData)
	}
	links, networks, services := []any{}, []any{}, []any{}
	seen := map[string]bool{}
	for n := range v.Instance.NICs {
		nic := &v.Instance.NICs[n]
		id := fmt.Sprintf("tap%x", numberOf(nic.MAC))[:14]
		links = append(links, map[string]any{
			"id": id, "vif_id": v.Instance.Name + "-" + strconv.Itoa(n), "type": "ovs", "mtu": nic.mtu(1500), "ethernet_mac_address": strings.ToLower(nic.MAC),
		})
		for _, one := range openstackAddresses(nic) {
			one["id"], one["link"], one["network_id"] = "network"+strconv.Itoa(len(networks)), id, or(nic.Network, "default")
			networks = append(networks, one)
		}
		for _, server := range nic.DNS {
			if !seen[server] {
				seen[server] = true
				services = append(services, map[string]string{"type": "dns", "address": server})
			}
		}
	}
	return compact(map[string]any{"links": links, "networks": networks, "services": services})
}

func openstackAddresses(nic *NIC) (all []map[string]any) {
	if nic.DHCP {
		return []map[string]any{{"type": "ipv4_dhcp"}}
	}
	for _, p := range nic.prefixes(false) {
		routes := []any{}
		if nic.Gateway != "" && len(all) == 0 {
			routes = append(routes, map[string]string{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": nic.Gateway})
		}
		all = append(all, map[string]any{"type": "ipv4", "ip_address": p.Addr().String(), "netmask": maskOf(p), "routes": routes})
	}
	for n, p := range nic.prefixes(true) {
		routes := []any{}
		if nic.Gateway6 != "" && n == 0 {
			routes = append(routes, map[string]string{"network": "::", "netmask": "::", "gateway": nic.Gateway6})
		}
		all = append(all, map[string]any{"type": "ipv6", "ip_address": p.Addr().String(), "netmask": maskOf(p), "routes": routes})
	}
	return all
}
