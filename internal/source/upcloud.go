package source

import (
	"cmp"
	"strings"

	"openguest/internal/instance"
)

// upCloud is the source of machines on UpCloud.
func upCloud() *Source {
	p := onePage{source: "UpCloud", cloud: "upcloud", address: linkLocalBase + "/metadata/v1.json", key: "metadata_url", limits: patient(31), instance: upCloudOf}
	return &Source{
		Name:  "UpCloud",
		Doc:   "The metadata service of UpCloud at 169.254.169.254: one page of JSON.",
		Match: anyOf(dmi("sys_vendor", "UpCloud")),
		Fetch: p.fetch,
		Check: checkUUID,
	}
}

// upCloudOf reads UpCloud's document.
func upCloudOf(e *Env, doc map[string]any) *instance.Instance {
	id := cmp.Or(textAt(doc, "instance_id"), strings.ToLower(e.Machine.Facts.DMI("product_uuid")))
	zone := cmp.Or(textAt(doc, "region"), "default")
	return &instance.Instance{
		ID: id, Detail: e.detail("UpCloud"), Hostname: textAt(doc, "hostname"), Zone: zone, Keys: keyLines(e, "public_keys", doc["public_keys"]),
		UserData: bytesAt(doc, "user_data"), VendorData: bytesAt(doc, "vendor_data"), Network: described("upcloud", doc["network"]),
		Metadata: map[string]any{"instance-id": id, "local-hostname": doc["hostname"], "network": doc["network"], "public-keys": doc["public_keys"],
			"availability_zone": zone},
	}
}
