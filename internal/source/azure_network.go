package source

import (
	"strconv"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/instance"
)

// azureNetwork is the network that Azure describes, as version 2: the first address of each kind comes by DHCP, the others are
// given. It is nil where the configuration's apply_network_config does not want it, or where nothing is described.
func (e *Env) azureNetwork(network *conf.Value) *instance.Network {
	c := e.config("Azure")
	if !c.Get("apply_network_config").Truth(true) {
		return nil
	}
	links := map[string]any{}
	if all := network.Get("interface"); all != nil {
		for i, nic := range all.Items {
			name, link := e.azureLink(i, nic, c)
			if link == nil {
				e.debug("Azure describes no address of interface %d; it is left out", i)
				continue
			}
			links[name] = link
		}
	}
	if len(links) == 0 {
		return nil
	}
	return &instance.Network{Kind: "v2", Document: []byte(conf.JSON(map[string]any{"version": 2, "ethernets": links}))}
}

// azureLink is one interface; nil where it has no address. Names do not resolve through the others than the first.
func (e *Env) azureLink(index int, nic, c *conf.Value) (name string, link map[string]any) {
	mac := colons(strings.ToLower(scalar(nic.Get("macAddress"))))
	overrides := map[string]any{"route-metric": (index + 1) * 100}
	if index > 0 {
		overrides["use-dns"] = false
	}
	link = map[string]any{"dhcp4": true, "dhcp4-overrides": overrides, "dhcp6": false, "match": e.azureMatch(mac)}
	if name = "enx" + strings.ReplaceAll(mac, ":", ""); c.Get("apply_network_config_set_name").Truth(true) {
		name = "eth" + strconv.Itoa(index)
		link["set-name"] = name
	}
	more, has4 := azureAddresses(nic.Get("ipv4"), "24")
	more6, has6 := azureAddresses(nic.Get("ipv6"), "128")
	if mac == "" || !has4 && !has6 {
		return name, nil
	}
	if has6 {
		link["dhcp6"], link["dhcp6-overrides"] = true, overrides
	}
	if more = append(more, more6...); len(more) > 0 && c.Get("apply_network_config_for_secondary_ips").Truth(true) {
		link["addresses"] = more
	}
	return name, link
}

// azureMatch says which interface is meant: a fast path has the same MAC as the one of Hyper-V that it belongs to.
func (e *Env) azureMatch(mac string) map[string]any {
	match := map[string]any{"macaddress": mac}
	for _, n := range e.Machine.Facts.NICs() {
		if n.MAC == mac && n.Driver != "" && match["driver"] != "hv_netvsc" {
			match["driver"] = n.Driver
		}
	}
	return match
}

// azureAddresses are the addresses of one kind behind the first one, and whether there is any.
func azureAddresses(kind *conf.Value, prefix string) (more []any, some bool) {
	all := kind.Get("ipAddress")
	if all == nil || len(all.Items) == 0 {
		return nil, false
	}
	if subnets := kind.Get("subnet"); subnets != nil && len(subnets.Items) > 0 {
		if text := scalar(subnets.Items[0].Get("prefix")); text != "" {
			prefix = text
		}
	}
	for _, a := range all.Items[1:] {
		if address := scalar(a.Get("privateIpAddress")); address != "" {
			more = append(more, address+"/"+prefix)
		}
	}
	return more, true
}

// colons writes a MAC of twelve digits with colons.
func colons(mac string) string {
	if len(mac) != 12 {
		return mac
	}
	parts := make([]string, 0, 6)
	for i := 0; i < len(mac); i += 2 {
		parts = append(parts, mac[i:i+2])
	}
	return strings.Join(parts, ":")
}
