package source

import (
	"path"
	"strings"
	"unicode/utf8"

	"openguest/internal/machine"
)

// smartFolder is where SmartOS' scripts look for what they are given.
const smartFolder = "/var/db"

// keepSmartFiles writes the scripts of the machine's operator and of its owner, and the owner's data for them, to where these look for
// them at each boot. Where there is a script and the cloud gives no vendor-data, which would run it, we see to that. Then the host is
// told that the machine has begun.
func (e *Env) keepSmartFiles(id string, meta map[string]any) {
	data := path.Join(path.Dir(e.Seed), "instances", strings.ReplaceAll(id, "/", "_"), "data")
	user, operator := path.Join(data, "user-script"), path.Join(data, "operator-script")
	text := textAt(meta, "user-script")
	if text != "" && !strings.HasPrefix(text, "#!") && utf8.ValidString(text) && !strings.ContainsRune(text, 0) {
		text = "#!/bin/bash\n" + text
	}
	e.keepSmartFile(user, machine.File(0o700, text))
	e.keepSmartFile(operator, machine.File(0o700, textAt(meta, "operator-script")))
	e.keepSmartFile(path.Join(smartFolder, "mdata-user-data"), machine.File(0o400, textAt(meta, "legacy-user-data")))
	link := machine.Link(user)
	if text == "" {
		link.Data = ""
	}
	e.keepSmartFile(path.Join(smartFolder, "user-script"), link)
	runner := ""
	if textAt(meta, "vendor-data") == "" {
		runner = "#!/bin/sh\n# SmartOS: the operator's script, then the owner's.\nfor script in " + operator + " " + user + "; do\n\tif [ -x \"$script\" ]; then \"$script\"; fi\ndone\n"
	}
	e.keepSmartFile(path.Join(path.Dir(e.Seed), "scripts/per-boot/01_smartos_vendor_data.sh"), machine.File(0o755, runner))
	const before, after = "/var/svc/provisioning", "/var/svc/provision_success"
	if n, err := machine.Get(e.Machine.Files, before); err == nil {
		e.keepSmartFile(after, n)
		e.Machine.Files.Remove(before)
	}
}

// keepSmartFile writes a file or a link; one without a content goes.
func (e *Env) keepSmartFile(name string, n machine.Node) {
	var err error
	if n.Data == "" && name != "/var/svc/provision_success" {
		_, err = e.Machine.Files.Remove(name)
	} else if err = machine.MakeFolders(e.Machine.Files, path.Dir(name), machine.Folder(0o755)); err == nil {
		_, err = e.Machine.Files.Put(name, n)
	}
	if err != nil && !isMissing(err) {
		e.warn("keep what SmartOS gave: %v", err)
	}
}

// smartNetwork is the network as version 1. Of all gateways the first of each kind of the primary card counts, and every
// route goes to every address: SmartOS says that a route's gateway is near.
func smartNetwork(nics []any, meta map[string]any) map[string]any {
	var config []any
	taken := map[bool]bool{}
	for _, item := range nics {
		nic, _ := item.(map[string]any)
		link := map[string]any{"type": "physical", "name": textAt(nic, "interface")}
		if mac := textAt(nic, "mac"); mac != "" {
			link["mac_address"] = mac
		}
		if mtu := nic["mtu"]; mtu != nil {
			link["mtu"] = mtu
		}
		subnets := []any{}
		for _, ip := range listAt(nic, "ips") {
			address, _ := ip.(string)
			subnets = append(subnets, smartSubnet(nic, address, taken, listAt(meta, "routes")))
		}
		link["subnets"] = subnets
		config = append(config, link)
	}
	if servers := oneOrMany(meta["dns_servers"]); len(servers) > 0 {
		config = append(config, map[string]any{"type": "nameserver", "address": servers, "search": oneOrMany(meta["dns_domain"])})
	}
	return map[string]any{"version": 1, "config": config}
}

// smartSubnet is one address of a card. taken says for IPv6, and for IPv4, that there is a way out already.
func smartSubnet(nic map[string]any, address string, taken map[bool]bool, routes []any) map[string]any {
	switch address {
	case "dhcp":
		return map[string]any{"type": "dhcp4"}
	case "addrconf":
		return map[string]any{"type": "dhcp6"}
	}
	subnet := map[string]any{"type": "static", "address": address}
	is6 := !strings.Contains(address, ".")
	if isPrimary, _ := nic["primary"].(bool); isPrimary && !taken[is6] {
		for _, item := range listAt(nic, "gateways") {
			if gateway, _ := item.(string); strings.Contains(gateway, map[bool]string{true: ":", false: "."}[is6]) {
				subnet["gateway"], taken[is6] = gateway, true
				break
			}
		}
	}
	var ways []any
	for _, route := range routes {
		ways = append(ways, map[string]any{"network": textAt(route, "dst"), "gateway": textAt(route, "gateway")})
	}
	putList(subnet, "routes", ways)
	return subnet
}

// oneOrMany is a list, of one where something stands alone.
func oneOrMany(data any) []any {
	switch data := data.(type) {
	case nil:
		return []any{}
	case []any:
		return data
	}
	return []any{data}
}
