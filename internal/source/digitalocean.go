package source

import (
	"cmp"
	"net/netip"

	"openguest/internal/instance"
)

// digitalOcean is the source of machines on DigitalOcean. The metadata is there for whoever has any address of the link's
// own; one of them is taken, since each machine is routed alone.
func digitalOcean() *Source {
	p := onePage{source: "DigitalOcean", cloud: "digitalocean", address: linkLocalBase + "/metadata/v1.json", key: "metadata_url",
		limits: patient(31), static: netip.MustParsePrefix("169.254.87.65/16"), instance: dropletOf}
	return &Source{
		Name:  "DigitalOcean",
		Doc:   "The metadata service of DigitalOcean at 169.254.169.254: one page of JSON.",
		Match: anyOf(dmi("sys_vendor", "DigitalOcean")),
		Fetch: p.fetch,
		Check: isSerial,
	}
}

// dropletOf reads DigitalOcean's document.
func dropletOf(e *Env, doc map[string]any) *instance.Instance {
	serial := e.Machine.Facts.DMI("product_serial")
	id, name := cmp.Or(textAt(doc, "droplet_id"), serial), cmp.Or(textAt(doc, "hostname"), serial)
	zone := cmp.Or(textAt(doc, "region"), "default")
	network := map[string]any{"interfaces": doc["interfaces"], "dns": doc["dns"]}
	return &instance.Instance{
		ID: id, Hostname: name, Zone: zone, Keys: keyLines(e, "public_keys", doc["public_keys"]),
		UserData: bytesAt(doc, "user_data"), VendorData: bytesAt(doc, "vendor_data"),
		Network: described("digitalocean", network),
		Metadata: map[string]any{"instance-id": cmp.Or(doc["droplet_id"], any(id)), "local-hostname": name, "interfaces": doc["interfaces"], "public-keys": doc["public_keys"],
			"availability_zone": zone},
	}
}
