package source

import (
	"slices"
	"testing"
)

// Rows D23, D26. A machine on CloudCIX is who the cloud says it is, by two questions.
func TestCloudCIX(t *testing.T) {
	pages := map[string]string{"/v1/metadata": `{"instance_id": "12_34", "local-hostname": "web1", "network": {"version": 2, "ethernets": {"eth0": {"set-name": "eth0"}}}}`,
		"/v1/userdata": "I2Nsb3VkLWNvbmZpZwo="}
	s := serveCloud(t, pages)
	w := atAddress(t, "", "CloudCIX", s.address, "")
	in, err := fetchCloudCIX(t.Context(), w.env)
	if err != nil || in.ID != "12_34" || in.Hostname != "web1" || string(in.UserData) != "#cloud-config\n" || in.Network == nil || in.Network.Kind != "v2" {
		t.Errorf("it is %+v, %v", in, err)
	}
	if in.Detail != "DataSourceCloudCIX" || in.CloudID() != "cloudcix" || in.Subplatform != "unknown" || !slices.Equal(s.asked, []string{"/v1/metadata", "/v1/userdata"}) {
		t.Errorf("it calls itself %q, %q, %q; asked %q", in.Detail, in.CloudID(), in.Subplatform, s.asked)
	}
	if _, err := fetchCloudCIX(t.Context(), w.at(Local).env); isOneOf(err) != "not yet" {
		t.Errorf("before the network is up it says %v", err)
	}
	for name, page := range map[string]string{"no id": `{}`, "a sentence": `{"instance_id": "not here"}`, "a list": `[]`} {
		pages["/v1/metadata"] = page
		if in, err := fetchCloudCIX(t.Context(), atAddress(t, "", "CloudCIX", s.address, "").env); isOneOf(err) != "silent" {
			t.Errorf("%s: it is %+v, %v", name, in, err)
		}
	}
}
