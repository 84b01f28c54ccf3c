package source

import (
	"strings"
	"time"

	"openguest/internal/instance"
)

// vultr is the source of machines on Vultr. Its document has cloud-init's own names for most things.
func vultr() *Source {
	p := onePage{source: "Vultr", cloud: "vultr", address: linkLocalBase + "/v1.json", key: "metadata_url",
		limits: limits{timeout: 10 * time.Second, pause: 5 * time.Second, tries: 31}, instance: vultrOf}
	return &Source{
		Name:  "Vultr",
		Doc:   "The metadata service of Vultr at 169.254.169.254: one page of JSON.",
		Match: anyOf(dmi("sys_vendor", "Vultr"), word("vultr"), file("/etc/vultr")),
		Fetch: p.fetch,
		Check: isSerial,
	}
}

// vultrOf reads Vultr's document. cloud_interfaces is a network's description of version 1 or 2, but for the names.
func vultrOf(e *Env, doc map[string]any) *instance.Instance {
	region := textAt(doc, "region", "countrycode")
	if region == "" {
		region = textAt(doc, "region", "regioncode")
	}
	name := textAt(doc, "hostname")
	if name == "" {
		name = "guest"
	}
	doc["instance-id"], doc["local-hostname"], doc["region"] = textAt(doc, "instance-v2-id"), name, strings.ToLower(region)
	in := &instance.Instance{
		ID: textAt(doc, "instance-v2-id"), Hostname: name, Region: strings.ToLower(region), Keys: keyLines(e, "public-keys", doc["public-keys"]),
		UserData: bytesAt(doc, "user-data"), VendorData: vendorData(e, "vendor-data", doc["vendor-data"]),
		Metadata: doc, Sensitive: []string{"ds/meta_data/startup-script"},
	}
	switch inside, _ := doc["cloud_interfaces"].(map[string]any); {
	case inside != nil:
		in.Network = described("v"+textAt(inside, "version"), vultrNames(e, inside))
	case doc["interfaces"] != nil:
		in.Network = described("vultr", map[string]any{"interfaces": doc["interfaces"]})
	}
	return in
}

// vultrNames gives the interfaces of a description of version 1 the names that this machine has for them.
func vultrNames(e *Env, network map[string]any) map[string]any {
	items, _ := network["config"].([]any)
	for _, item := range items {
		if card, _ := item.(map[string]any); card["type"] == "physical" {
			card["name"] = nameOf(e, strings.ToLower(textAt(card, "mac_address")))
		}
	}
	return network
}
