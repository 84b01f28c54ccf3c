package metadata

import (
	"net/http"
	"strconv"
	"strings"
)

// DigitalOcean: https://docs.digitalocean.com/reference/api/metadata-api/.
//
//	request                                  answer
//	/metadata/v1.json                        everything as JSON
//	/metadata/v1 and folders below           names, folders with a slash
//	a value below                            text
//	what is not there                        404

func digitaloceanMine(r *request) bool {
	_, ours := below(r.path, "/metadata/v1")
	return ours || r.path == "/metadata/v1.json"
}

func digitaloceanReply(r *request) reply {
	if !r.reads() {
		return answer(http.StatusMethodNotAllowed, "method not allowed", "text/plain; charset=utf-8")
	}
	if r.path == "/metadata/v1.json" {
		return answer(http.StatusOK, compact(digitaloceanJSON(r.view)), "application/json")
	}
	rest, _ := below(r.path, "/metadata/v1")
	n := digitaloceanTree(r.view).find(rest)
	switch {
	case n == nil:
		return answer(http.StatusNotFound, "not found", "text/plain; charset=utf-8")
	case n.folder:
		return answer(http.StatusOK, n.listing(), "text/plain; charset=utf-8")
	}
	return answer(http.StatusOK, n.plain(), "text/plain; charset=utf-8")
}

// digitaloceanTree is what the paths tell.
func digitaloceanTree(v View) *node {
	i := v.Instance
	public, private := folder(), folder()
	for n := range i.NICs {
		place := public
		if digitaloceanKind(n) == "private" {
			place = private
		}
		place.entries = append(place.entries, at(strconv.Itoa(len(place.entries)), digitaloceanNIC(&i.NICs[n], digitaloceanKind(n))))
	}
	interfaces := folder()
	for _, e := range []entry{at("private", private), at("public", public)} {
		if len(e.node.entries) > 0 {
			interfaces.entries = append(interfaces.entries, e)
		}
	}
	return folder(
		text("id", i.numberID("digitalocean", 32)), text("hostname", i.hostname()), text("user-data", string(i.UserData)),
		text("vendor-data", string(i.VendorData)), at("public-keys", words(v.publicKeys())), text("region", i.region()), at("interfaces", interfaces),
		at("dns", folder(at("nameservers", words(i.nic().DNS)))), at("floating_ip", folder(at("ipv4", folder(text("active", "false"))))),
		at("tags", words(i.Tags)),
	)
}

// digitaloceanKind is the first interface's public, the others' private.
func digitaloceanKind(n int) string {
	if n == 0 {
		return "public"
	}
	return "private"
}

func digitaloceanNIC(nic *NIC, kind string) *node {
	all := folder(text("mac", strings.ToLower(nic.MAC)), text("type", kind))
	if ip := nic.firstIP(false); ip != "" {
		all.entries = append(all.entries, at("ipv4", folder(text("address", ip), text("netmask", mask(nic)), text("gateway", nic.Gateway))))
	}
	if v6 := nic.prefixes(true); len(v6) > 0 {
		all.entries = append(all.entries, at("ipv6", folder(text("address", v6[0].Addr().String()), text("cidr", strconv.Itoa(v6[0].Bits())), text("gateway", nic.Gateway6))))
	}
	return all
}

// digitaloceanJSON is the whole as a document; its names differ from the paths'.
func digitaloceanJSON(v View) map[string]any {
	i := v.Instance
	id, _ := strconv.ParseInt(i.numberID("digitalocean", 32), 10, 64) // numberID gives digits
	m := map[string]any{
		"droplet_id": id, "hostname": i.hostname(), "public_keys": append([]string{}, v.publicKeys()...), "region": i.region(),
		"dns": map[string]any{"nameservers": append([]string{}, i.nic().DNS...)}, "tags": append([]string{}, i.Tags...),
		"floating_ip": map[string]any{"ipv4": map[string]bool{"active": false}}, "features": map[string]bool{"dhcp_enabled": false},
	}
	for name, data := range map[string]Blob{"user_data": i.UserData, "vendor_data": i.VendorData} {
		if len(data) > 0 {
			m[name] = string(data)
		}
	}
	interfaces := map[string][]any{}
	for n := range i.NICs {
		kind := digitaloceanKind(n)
		interfaces[kind] = append(interfaces[kind], digitaloceanInterface(&i.NICs[n], kind))
	}
	m["interfaces"] = interfaces
	return m
}

func digitaloceanInterface(nic *NIC, kind string) map[string]any {
	one := map[string]any{"mac": strings.ToLower(nic.MAC), "type": kind}
	if ip := nic.firstIP(false); ip != "" {
		one["ipv4"] = map[string]string{"ip_address": ip, "netmask": mask(nic), "gateway": nic.Gateway}
	}
	if v6 := nic.prefixes(true); len(v6) > 0 {
		one["ipv6"] = map[string]any{"ip_address": v6[0].Addr().String(), "cidr": v6[0].Bits(), "gateway": nic.Gateway6}
	}
	return one
}
