package source

import (
	"context"
	"fmt"
	"strings"
	"time"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

// scaleway is the source of machines on Scaleway.
func scaleway() *Source {
	return &Source{
		Name:  "Scaleway",
		Doc:   "The metadata service of Scaleway at 169.254.42.42 and fd00:42::42. What a person gave the machine is asked for from a port that only root can use.",
		Match: anyOf(dmi("sys_vendor", "Scaleway"), word("scaleway"), file("/var/run/scaleway")),
		Fetch: fetchScaleway,
	}
}

// fetchScaleway asks for the description of the machine at both addresses, and where one answers, for user-data and
// vendor-data.
func fetchScaleway(ctx context.Context, e *Env) (*instance.Instance, error) {
	c := &client{e: e, limits: e.limits("Scaleway", limits{wait: 2 * time.Second, timeout: 10 * time.Second, pause: time.Second, tries: 4})}
	bases := e.addresses("Scaleway", "http://169.254.42.42", "http://[fd00:42::42]")
	var answer machine.Response
	n, err := e.reach(ctx, want{Source: "Scaleway", Limits: c.limits, IPv6: true}, func(ctx context.Context, _ *Early) (err error) {
		answer, err = c.first(ctx, "conf?format=json", bases...)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer n.close()
	ctx, cancel := context.WithTimeout(ctx, c.limits.all())
	defer cancel()
	meta, err := object(machine.PublicURL(join(c.base, "conf")), answer.Body)
	if err != nil {
		return nil, err
	}
	c.low = true
	more, err := c.all(ctx, "user_data/cloud-init", "vendor_data/cloud-init")
	if err != nil {
		return nil, err
	}
	in := scalewayOf(e, n, meta)
	if in.ID == "" {
		return nil, fmt.Errorf("%w: read %s: it names no instance", ErrSilent, machine.PublicURL(c.base))
	}
	in.UserData, in.VendorData = more["user_data/cloud-init"], more["vendor_data/cloud-init"]
	meta["net_in_use"] = "ipv4"
	if strings.Contains(c.base, "[") {
		meta["net_in_use"] = "ipv6"
	}
	return in, nil
}

// scalewayOf reads the description.
func scalewayOf(e *Env, n *Early, meta map[string]any) *instance.Instance {
	in := &instance.Instance{
		Source: "Scaleway", Detail: "DataSourceScaleway", Mode: modeNet, Cloud: "scaleway", Platform: "scaleway", Subplatform: "unknown",
		ID: textAt(meta, "id"), Hostname: textAt(meta, "hostname"), IsWholeName: true, Zone: textAt(meta, "zone"), Network: scalewayNetwork(e, n, meta), Metadata: meta,
	}
	if end := strings.LastIndex(in.Zone, "-"); end > 0 {
		in.Region = in.Zone[:end]
	}
	for _, key := range listAt(meta, "ssh_public_keys") {
		in.Keys = append(in.Keys, keyLines(e, "ssh_public_keys", textAt(key, "key"))...)
	}
	for _, tag := range listAt(meta, "tags") { // a tag has no spaces
		if key, ok := strings.CutPrefix(fmt.Sprint(tag), "AUTHORIZED_KEY="); ok {
			in.Keys = append(in.Keys, instance.Key{Line: strings.ReplaceAll(key, "_", " ")})
		}
	}
	return in
}

// scalewayNetwork is version 2 with all public addresses on the first interface. DHCP gives the one that it gave before,
// and the metadata is reached by a route of its own.
func scalewayNetwork(e *Env, n *Early, meta map[string]any) *instance.Network {
	link := e.firstLink(n)
	if link == "" || meta["public_ips"] == nil {
		return nil
	}
	card := map[string]any{}
	var addresses, routes []any
	for _, ip := range listAt(meta, "public_ips") {
		address := textAt(ip, "address")
		if e.isLeased(n, address) {
			card["dhcp4"] = true
			routes = append(routes, map[string]any{"on-link": true, "to": "169.254.42.42/32", "via": "62.210.0.1"})
			continue
		}
		addresses = append(addresses, address+"/"+textAt(ip, "netmask"))
		if textAt(ip, "family") == "inet6" {
			routes = append(routes, map[string]any{"via": textAt(ip, "gateway"), "to": "::/0"})
		}
	}
	if addresses != nil {
		card["addresses"] = addresses
	}
	if routes != nil {
		card["routes"] = routes
	}
	return described("v2", map[string]any{"version": 2, "ethernets": map[string]any{link: card}})
}

// isLeased says whether an address is the one that DHCP gave: to us just now, or to the machine, which has it for a while.
func (e *Env) isLeased(n *Early, address string) bool {
	if n.Lease != nil {
		return n.Lease.Address.Addr().String() == address
	}
	state, _ := e.Machine.Quiet().Links.State()
	for _, l := range state.Links {
		for _, a := range l.Addresses {
			if a.Dynamic && a.Addr().Is4() && a.Addr().String() == address {
				return true
			}
		}
	}
	return false
}

// firstLink is the interface that the cloud was asked through, or that is asked first; empty where there is none.
func (e *Env) firstLink(n *Early) string {
	if nics := machine.FallbackNICs(e.Machine.Facts.NICs()); n.Link == "" && len(nics) > 0 {
		return nics[0].Name
	}
	return n.Link
}
