package source

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const aliYunToken = "X-Aliyun-Ecs-Metadata-Token"

// aliYunTree is what AliYun serves in version 2016-01-01, and all of meta-data as one document where it has that.
func aliYunTree(withAll bool) map[string]any {
	meta := map[string]any{
		"instance-id": "i-bp1", "hostname": "harbour", "zone-id": "cn-hangzhou-i", "region-id": "cn-hangzhou",
		"dns-conf":    map[string]any{"nameservers": []any{"100.100.2.136", "100.100.2.138"}},
		"network":     map[string]any{"interfaces": map[string]any{"macs": map[string]any{"00:16:3e:30:3e:ca": map[string]any{"netmask": "255.255.255.0"}}}},
		"disks":       map[string]any{"bp1": map[string]any{"id": "d-1"}},
		"public-keys": map[string]any{"desk": map[string]any{"openssh-key": "ssh-ed25519 AAAAC3 desk"}},
	}
	if withAll {
		meta["all"] = `{"instance-id": "i-bp1", "hostname": "harbour", "zone-id": "cn-hangzhou-i", "region-id": "cn-hangzhou",
			"dns-conf": {"nameservers": "100.100.2.136\r\n100.100.2.138"}, "disks": {"bp1": {"id": "d-1"}},
			"network": {"interfaces": {"macs": {"00:16:3e:30:3e:ca": {"netmask": "255.255.255.0"}}}},
			"public-keys": {"0": {"openssh-key": "ssh-ed25519 AAAAC3 desk"}}}`
	}
	return map[string]any{"2016-01-01": map[string]any{"meta-data": meta, "user-data": "#cloud-config\n{}\n", "vendor-data": "#cloud-config\nv: 1\n"}}
}

// Row D18. What AliYun says is the same instance, in one document or in a tree; four requests are enough for the first.
func TestAliYun(t *testing.T) {
	for _, withAll := range []bool{true, false} {
		s := &treeServer{root: aliYunTree(withAll), header: aliYunToken, expires: 2}
		if !withAll {
			s.expires = 0
			s.root["2016-01-01"].(map[string]any)["meta-data"].(map[string]any)["public-keys"] = map[string]any{"desk": "ssh-ed25519 AAAAC3 desk"}
		}
		address := s.start(t)
		w := atAddress(t, "", "AliYun", address, "")
		in, err := fetchAliYun(t.Context(), w.env)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{in.Source, in.Detail, in.Cloud, in.Platform, in.Subplatform, in.Mode, in.ID, in.Hostname, in.Region, in.Zone, string(in.UserData), string(in.VendorData)}
		want := []string{"AliYun", "DataSourceAliYun", "aliyun", "aliyun", "metadata (" + address + ")", "net", "i-bp1", "harbour", "", "", "#cloud-config\n{}\n", "#cloud-config\nv: 1\n"}
		if !slices.Equal(got, want) {
			t.Errorf("it is %q, want %q", got, want)
		}
		if keys := in.PublicKeys(); !slices.Equal(keys, []string{"ssh-ed25519 AAAAC3 desk"}) {
			t.Errorf("the keys are %q", keys)
		}
		if names := fmt.Sprint(in.Metadata["dns-conf"]); names != "map[nameservers:[100.100.2.136 100.100.2.138]]" {
			t.Errorf("the name servers are %s", names)
		}
		if in.Network == nil || in.Network.Kind != "aliyun" || !strings.Contains(string(in.Network.Document), `"00:16:3e:30:3e:ca"`) {
			t.Errorf("the network is %+v", in.Network)
		}
		if withAll && s.count("GET /2016-01-01/meta-data/all") == 0 || s.count("PUT") > 2 || w.warned() {
			t.Errorf("asked %q, logged %q", s.asked, w.logged)
		}
	}
}

// Row D18. Four requests are all that it takes.
func TestAliYunRequests(t *testing.T) {
	s := &treeServer{root: aliYunTree(true), header: aliYunToken}
	if _, err := fetchAliYun(t.Context(), atAddress(t, "", "AliYun", s.start(t), "").env); err != nil || len(s.asked) != 4 {
		t.Errorf("%v; asked %q", err, s.asked)
	}
}

// Row D18. Without a token nothing else is asked for, and an answer without an id names nobody.
func TestAliYunSilent(t *testing.T) {
	off := &treeServer{root: aliYunTree(true), status: 403}
	if _, err := fetchAliYun(t.Context(), atAddress(t, "", "AliYun", off.start(t), "").env); isOneOf(err) != "silent" || len(off.asked) != 1 {
		t.Errorf("it gives %v; asked %q", err, off.asked)
	}
	for _, text := range []string{`{}`, `{"instance-id": 5}`, `{"instance-id": "<html>"}`, `[]`, `<html>`, `{"instance-id": "i-1"`} {
		s := &treeServer{root: aliYunTree(true), header: aliYunToken}
		s.root["2016-01-01"].(map[string]any)["meta-data"].(map[string]any)["all"] = text
		if in, err := fetchAliYun(t.Context(), atAddress(t, "", "AliYun", s.start(t), "").env); isOneOf(err) != "silent" {
			t.Errorf("%s gives %+v, %v", text, in, err)
		}
	}
}

// Row D18. The project's own metadata server, which shares no code with us, is understood.
func TestAliYunOfTheLab(t *testing.T) {
	in, err := fetchAliYun(t.Context(), atAddress(t, "", "AliYun", labServer(t, "aliyun"), "").env)
	if err != nil {
		t.Fatal(err)
	}
	if in.ID != "i-0123456789abcdef0" || in.Hostname != "web1.lab.example" || string(in.UserData) != "#cloud-config\n{}\n" || string(in.VendorData) != "#cloud-config\nv: 1\n" ||
		!slices.Equal(in.PublicKeys(), []string{"ssh-ed25519 AAAAC3 alice@desk"}) {
		t.Errorf("it is %+v", in)
	}
}
