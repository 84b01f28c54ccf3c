package source

import (
	"maps"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
)

// nwcs is the source of machines on NWCS.
func nwcs() *Source {
	p := onePage{source: "NWCS", cloud: "nwcs", address: linkLocalBase + "/api/v1/metadata", key: "metadata_url",
		limits: limits{timeout: 5 * time.Second, pause: 5 * time.Second, tries: 31}, instance: nwcsOf}
	return &Source{
		Name:  "NWCS",
		Doc:   "The metadata service of NWCS at 169.254.169.254: one page of JSON.",
		Match: anyOf(dmi("sys_vendor", "NWCS")),
		Fetch: p.fetch,
	}
}

// nwcsOf reads NWCS' document. Its names of interfaces give way to those that the interfaces have.
func nwcsOf(e *Env, doc map[string]any) *instance.Instance {
	network, _ := doc["network"].(map[string]any)
	network = maps.Clone(network)
	for i, item := range listAt(network, "config") {
		nic, _ := item.(map[string]any)
		if name := nameOf(e, strings.ToLower(textAt(nic, "mac_address"))); name != "" {
			network["config"].([]any)[i].(map[string]any)["name"] = name
		}
	}
	meta := map[string]any{"instance-id": doc["instance-id"], "public-keys": doc["public-keys"], "network": doc["network"], "local-hostname": doc["hostname"]}
	in := standard(e, conf.Of(meta, conf.Origin{Part: "NWCS"}))
	in.ID, in.UserData, in.VendorData, in.Metadata = textAt(doc, "instance-id"), bytesAt(doc, "userdata"), bytesAt(doc, "vendordata"), meta
	if network != nil {
		in.Network = described("v1", network)
	}
	return in
}
