package source

import (
	"context"
	"fmt"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// hetzner is the source of machines on Hetzner.
func hetzner() *Source {
	return &Source{
		Name:  "Hetzner",
		Doc:   "The metadata service of Hetzner Cloud at 169.254.169.254 and fe80::a9fe:a9fe: YAML, in cloud-init's own names.",
		Match: anyOf(dmi("sys_vendor", "Hetzner")),
		Fetch: fetchHetzner,
		Check: isSerial,
	}
}

// hetznerPath is where the metadata is below an address.
const hetznerPath = "/hetzner/v1"

// fetchHetzner asks for the three documents. The id must be the serial number that the firmware has.
func fetchHetzner(ctx context.Context, e *Env) (*instance.Instance, error) {
	c := &client{e: e, limits: e.limits("Hetzner", limits{wait: 2 * time.Minute, timeout: 2 * time.Second, pause: 2 * time.Second, tries: 61})}
	ctx, cancel := context.WithTimeout(ctx, c.limits.all())
	defer cancel()
	var answer machine.Response
	n, err := e.reach(ctx, want{Source: "Hetzner", Limits: c.limits, IPv6: true}, func(ctx context.Context, n *Early) (err error) {
		answer, err = c.first(ctx, "metadata", hetznerBases(e, n)...)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer n.close()
	meta, _, err := conf.Parse(machine.PublicURL(join(c.base, "metadata")), answer.Body)
	if err != nil || meta.Kind != conf.Map {
		return nil, fmt.Errorf("%w: read %s: it should be a mapping in YAML", ErrSilent, machine.PublicURL(join(c.base, "metadata")))
	}
	more, err := c.all(ctx, "userdata", "metadata/private-networks")
	if err != nil {
		return nil, err
	}
	return hetznerInstance(e, c, meta, more)
}

// hetznerBases are the addresses to ask at.
func hetznerBases(e *Env, n *Early) []string {
	if address := scalar(e.config("Hetzner").Get("metadata_url")); address != "" {
		return []string{address}
	}
	bases := e.nearAddresses(n)
	for i := range bases {
		bases[i] += hetznerPath
	}
	return bases
}

func hetznerInstance(e *Env, c *client, meta *conf.Value, more map[string][]byte) (*instance.Instance, error) {
	id, serial := scalar(meta.Get("instance-id")), e.Machine.Facts.DMI("product_serial")
	switch {
	case id == "":
		return nil, fmt.Errorf("%w: %s names no instance-id", ErrSilent, machine.PublicURL(c.base))
	case serial != "" && serial != id:
		return nil, fmt.Errorf("%w: %s says the instance is %s, but this machine's serial number is %s", ErrSilent, machine.PublicURL(c.base), id, serial)
	}
	private, _, err := conf.Parse("private-networks", more["metadata/private-networks"])
	if err != nil {
		e.warn("the private networks are left out: %v", err)
	}
	meta = with(meta, "local-hostname", meta.Get("hostname"))
	if private != nil {
		meta = with(meta, "private-networks", private)
	}
	in := standard(e, meta)
	in.ID, in.Source, in.Detail, in.Mode = id, "Hetzner", "DataSourceHetzner", modeNet
	in.Cloud, in.Platform, in.Subplatform = "hetzner", "hetzner", "unknown"
	in.UserData, in.VendorData = unbase64(more["userdata"]), []byte(scalar(meta.Get("vendor_data")))
	in.Network = hetznerNetwork(e, meta, private)
	return in, nil
}

// hetznerNetwork is the description of version 1 that the cloud gives, with the private networks behind it.
func hetznerNetwork(e *Env, meta, private *conf.Value) *instance.Network {
	network, _ := meta.Get("network-config").Data().(map[string]any)
	if network == nil {
		return nil
	}
	items, _ := network["config"].([]any)
	if private != nil {
		for _, p := range private.Items {
			mac := strings.ToLower(scalar(p.Get("mac_address")))
			items = append(items, map[string]any{"type": "physical", "mac_address": mac, "name": nameOf(e, mac),
				"subnets": []any{map[string]any{"type": "dhcp", "ipv4": true}}})
		}
	}
	network["config"] = items
	return described("v"+scalar(meta.At("network-config", "version")), network)
}

// nameOf is the name of the interface with a MAC; empty where there is none.
func nameOf(e *Env, mac string) string {
	for _, n := range e.Machine.Facts.NICs() {
		if n.MAC == mac {
			return n.Name
		}
	}
	return ""
}
