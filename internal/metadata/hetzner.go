package metadata

import (
	"net/http"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Hetzner Cloud: https://docs.hetzner.cloud/reference/cloud#server-metadata.
//
//	request                                  answer
//	/hetzner/v1/metadata                     everything as YAML
//	/hetzner/v1/metadata/NAME                one value as text; private-networks as YAML
//	/hetzner/v1/userdata                     as it is; empty where there is none
//	what is not there                        404

func hetznerMine(r *request) bool {
	_, ours := below(r.path, "/hetzner/v1")
	return ours
}

func hetznerReply(r *request) reply {
	rest, _ := below(r.path, "/hetzner/v1")
	if !r.reads() {
		return hetznerText(http.StatusMethodNotAllowed, "method not allowed\n")
	}
	if strings.Trim(rest, "/") == "userdata" {
		return hetznerText(http.StatusOK, string(r.view.Instance.UserData))
	}
	name, ours := below(rest, "metadata")
	if !ours {
		return hetznerText(http.StatusNotFound, "not found\n")
	}
	all := hetznerMetadata(r.view)
	if name = strings.TrimSuffix(name, "/"); name == "" {
		return hetznerYAML(all)
	}
	if name == "private-networks" {
		return hetznerYAML(hetznerPrivate(r.view.Instance))
	}
	switch value := all[name].(type) {
	case string:
		return hetznerText(http.StatusOK, value)
	case uint64:
		return hetznerText(http.StatusOK, strconv.FormatUint(value, 10))
	}
	return hetznerText(http.StatusNotFound, "not found\n")
}

func hetznerText(status int, body string) reply {
	return answer(status, body, "text/plain; charset=utf-8")
}

func hetznerYAML(v any) reply {
	body, err := yaml.Marshal(v)
	if err != nil {
		return hetznerText(http.StatusInternalServerError, err.Error()+"\n")
	}
	return hetznerText(http.StatusOK, string(body))
}

func hetznerMetadata(v View) map[string]any {
	i, nic := v.Instance, v.Instance.nic()
	id, _ := strconv.ParseUint(i.numberID("hetzner", 32), 10, 64) // numberID gives digits
	m := map[string]any{
		"availability-zone": i.Zone, "hostname": i.hostname(), "instance-id": id, "local-ipv4": "", "region": i.region(),
		"public-ipv4": or(nic.PublicIP, nic.firstIP(false)), "public-keys": append([]string{}, v.publicKeys()...),
		"network-config": hetznerNetwork(nic),
	}
	if len(i.VendorData) > 0 {
		m["vendor_data"] = string(i.VendorData)
	}
	if len(i.NICs) > 1 {
		m["local-ipv4"] = i.NICs[1].firstIP(false)
	}
	return m
}

// hetznerNetwork is the first interface in cloud-init's version 1.
func hetznerNetwork(nic *NIC) map[string]any {
	subnets := []any{map[string]any{"ipv4": true, "type": "dhcp"}}
	if v6 := nic.prefixes(true); len(v6) > 0 {
		subnets = append(subnets, map[string]any{
			"ipv6": true, "type": "static", "address": v6[0].String(), "gateway": or(nic.Gateway6, "fe80::1"), "dns_nameservers": append([]string{}, nic.DNS...),
		})
	}
	one := map[string]any{"type": "physical", "name": "eth0", "mac_address": strings.ToLower(nic.MAC), "subnets": subnets}
	return map[string]any{"version": 1, "config": []any{one}}
}

// hetznerPrivate lists the other interfaces.
func hetznerPrivate(i *Instance) []any {
	all := []any{}
	for n := 1; n < len(i.NICs); n++ {
		nic := &i.NICs[n]
		one := map[string]any{"ip": nic.firstIP(false), "alias_ips": append([]string{}, nic.Aliases...), "interface_num": n, "mac_address": strings.ToLower(nic.MAC),
			"network_name": or(nic.Network, "default"), "gateway": nic.Gateway}
		if nets := nic.networks(false); len(nets) > 0 {
			one["subnet"], one["network"] = nets[0], nets[0]
		}
		all = append(all, one)
	}
	return all
}
