package source

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/internal/metadata"
	"openguest/internal/network"
)

// onAWS is firmware of AWS, ours with some numbers.
const onAWS = "-- /sys/class/dmi/id/product_uuid --\nec2e1916-9099-7caf-fd21-012345abcdef\n"

const awsToken = "X-Aws-Ec2-Metadata-Token"

// awsMeta is meta-data as AWS has it: what a machine with two keys, two interfaces and tags is told.
func awsMeta() map[string]any {
	return map[string]any{
		"ami-id": "ami-8b92b4ee", "ami-launch-index": "3", "block-device-mapping": map[string]any{"ami": "/dev/sda1", "ephemeral0": "sdb", "root": "/dev/sda1"},
		"hostname": "ip-10-0-0-5.eu-north-1.compute.internal", "instance-id": "i-0a33f80f09c96477f", "instance-type": "t3.small",
		"local-hostname": "ip-10-0-0-5.eu-north-1.compute.internal", "mac": "06:17:04:d7:26:09",
		"network": map[string]any{"interfaces": map[string]any{"macs": map[string]any{
			"06:17:04:d7:26:09": map[string]any{"device-number": "0", "local-ipv4s": []any{"10.0.0.5", "10.0.0.6"}, "ipv4-associations": map[string]any{"192.0.2.9": "10.0.0.5"}, "vpc-id": "vpc-1"},
			"06:17:04:d7:26:08": map[string]any{"device-number": "1", "local-ipv4s": "10.0.1.5", "ipv6s": ""},
		}}},
		"placement":   map[string]any{"availability-zone": "eu-north-1b", "region": "eu-north-1"},
		"public-keys": map[string]any{"desk": []any{"ssh-ed25519 AAAAC3 alice@desk"}, "lab": []any{"ssh-ed25519 AAAAC4 lab"}},
		"tags":        map[string]any{"instance": map[string]any{"Name": "web", "cost center": "1"}},
		"iam":         map[string]any{"info": map[string]any{"Code": "Success"}},
	}
}

// awsTree is what AWS serves: the version, and credentials that nobody of us should ask for.
func awsTree(version string, meta map[string]any) map[string]any {
	served := copied(meta)
	if iam, ok := served["iam"].(map[string]any); ok {
		iam["info"], iam["security-credentials"] = `{"Code": "Success"}`, map[string]any{"role": "secret"}
	}
	document := `{"instanceId": "i-0a33f80f09c96477f", "region": "eu-north-1", "availabilityZone": "eu-north-1b", "accountId": "123456789012"}`
	return map[string]any{version: map[string]any{"meta-data": served, "user-data": "#cloud-config\n{}\n",
		"dynamic": map[string]any{"instance-identity": map[string]any{"document": document, "pkcs7": []any{"MIIC", "AAAA"}}}}}
}

// copied is another copy of data.
func copied(data map[string]any) (other map[string]any) {
	text, _ := json.Marshal(data)
	json.Unmarshal(text, &other) // it was data before
	return other
}

// atAddress is a machine in the network stage that finds a source at an address.
func atAddress(t *testing.T, files, source, address, more string) *world {
	t.Helper()
	w := newWorld(t, files, "datasource: {"+source+": {metadata_urls: [\""+address+"\"], timeout: 5, max_wait: 5, retries: 1, sec_between_retries: 0.01"+more+"}}")
	w.env.Machine.Net = liveNet(t)
	return w
}

// Row D10. On AWS everything is asked for with a token, and comes out as cloud-init has it; credentials of roles stay where
// they are.
func TestEC2OnAWS(t *testing.T) {
	s := &treeServer{root: awsTree("2021-03-23", awsMeta()), header: awsToken}
	address := s.start(t)
	w := atAddress(t, onAWS, "Ec2", address, "")
	in, err := fetchEC2(t.Context(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	if want := awsMeta(); !reflect.DeepEqual(in.Metadata, want) {
		t.Errorf("meta-data is %v\nwant %v", in.Metadata, want)
	}
	checkAWS(t, in, address)
	if s.tokens != 1 || s.count("GET /2021-03-23/meta-data/iam/security-credentials") != 0 {
		t.Errorf("%d tokens; asked %q", s.tokens, s.asked)
	}
	slices.Sort(s.asked)
	if once := slices.Compact(slices.Clone(s.asked)); len(once) != len(s.asked) {
		t.Errorf("something was asked twice: %q", s.asked)
	}
	if w.warned() {
		t.Errorf("warned: %q", w.logged)
	}
}

// checkAWS checks what is made of awsMeta.
func checkAWS(t *testing.T, in *instance.Instance, address string) {
	t.Helper()
	for what, pair := range map[string][2]string{
		"source": {in.Source, "Ec2"}, "detail": {in.Detail, "DataSourceEc2"}, "cloud": {in.Cloud, "aws"}, "platform": {in.Platform, "ec2"}, "mode": {in.Mode, "net"},
		"subplatform": {in.Subplatform, "metadata (" + address + ")"}, "id": {in.ID, "i-0a33f80f09c96477f"}, "zone": {in.Zone, "eu-north-1b"},
		"region": {in.Region, "eu-north-1"}, "host name": {in.Hostname, "ip-10-0-0-5.eu-north-1.compute.internal"}, "user-data": {string(in.UserData), "#cloud-config\n{}\n"},
		"keys": {strings.Join(in.PublicKeys(), ","), "ssh-ed25519 AAAAC3 alice@desk,ssh-ed25519 AAAAC4 lab"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
	if in.LaunchIndex == nil || *in.LaunchIndex != 3 {
		t.Errorf("the launch index is %v", in.LaunchIndex)
	}
	if in.Network == nil || in.Network.Kind != "ec2" || !strings.Contains(string(in.Network.Document), `"06:17:04:d7:26:08"`) {
		t.Errorf("the network is %+v", in.Network)
	}
	if text, err := json.Marshal(in.Tree); err != nil || !strings.Contains(string(text), `"accountId":"123456789012"`) || in.Tree["_metadata_api_version"] != "2021-03-23" {
		t.Errorf("the tree is %s, %v", text, err)
	}
}

// Row D10. Who switched the service off on AWS gets one refusal and no second way: nobody else in the network is asked.
func TestEC2TokenRefused(t *testing.T) {
	for _, status := range []int{400, 403, 404, 405} {
		s := &treeServer{root: awsTree("2021-03-23", awsMeta()), status: status}
		w := atAddress(t, onAWS, "Ec2", s.start(t), "")
		in, err := fetchEC2(t.Context(), w.env)
		if isOneOf(err) != "silent" || len(s.asked) != 1 {
			t.Errorf("%d gives %v, %v; asked %q", status, in, err, s.asked)
		}
	}
}

// Row D10. A token that expires in the middle of the crawl is renewed, once.
func TestEC2TokenExpires(t *testing.T) {
	s := &treeServer{root: awsTree("2021-03-23", awsMeta()), header: awsToken, expires: 7}
	address := s.start(t)
	in, err := fetchEC2(t.Context(), atAddress(t, onAWS, "Ec2", address, "").env)
	if err != nil {
		t.Fatal(err)
	}
	checkAWS(t, in, address)
	if s.tokens != 2 {
		t.Errorf("%d tokens", s.tokens)
	}
}

// What is in the place of a token is sent to nobody and shown to nobody.
func TestEC2NoToken(t *testing.T) {
	for _, body := range []string{"", "<html>Sign in</html>", "a b", strings.Repeat("x", 5000), "a\nb"} {
		asked := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.Write([]byte(body))
		}))
		w := atAddress(t, onAWS, "Ec2", server.URL, "")
		_, err := fetchEC2(t.Context(), w.env)
		server.Close()
		if isOneOf(err) != "silent" || asked != 1 || !strings.Contains(err.Error(), "no token") || strings.Contains(err.Error(), "Sign in") {
			t.Errorf("%.20q gives %v; %d requests", body, err, asked)
		}
	}
}

// Row D12. Clouds that speak as EC2 does are asked without a token, in the newest version that they have.
func TestEC2Clones(t *testing.T) {
	for files, cloud := range map[string]string{
		"-- /sys/class/dmi/id/product_serial --\nx.brightbox.com\n":                                                 "brightbox",
		"-- /sys/class/dmi/id/chassis_asset_tag --\nx.zstack.io\n":                                                  "zstack",
		"-- /sys/class/dmi/id/sys_vendor --\ne24cloud\n":                                                            "e24cloud",
		"-- /sys/class/dmi/id/sys_vendor --\nTilaa\n":                                                               "tilaa",
		"-- /sys/class/dmi/id/sys_vendor --\n3DS Outscale\n-- /sys/class/dmi/id/product_name --\n3DS Outscale VM\n": "outscale",
	} {
		tree := awsTree("2009-04-04", awsMeta())
		s := &treeServer{root: tree}
		w := atAddress(t, files, "Ec2", s.start(t), "")
		in, err := fetchEC2(t.Context(), w.env)
		if err != nil {
			t.Errorf("%s: %v", cloud, err)
			continue
		}
		if in.Cloud != cloud || in.Platform != "ec2" || in.Region != "eu-north-1" || in.Zone != "eu-north-1b" || in.Tree["dynamic"] != nil || in.Tree["_metadata_api_version"] != "2009-04-04" {
			t.Errorf("%s: it is %+v", cloud, in)
		}
		if s.count("PUT") != 0 || w.warned() {
			t.Errorf("%s: asked %q, logged %q", cloud, s.asked, w.logged)
		}
	}
}

// Row D12. A person who lists Ec2 alone is believed, and told how to say so for good; strict_id: true asks nobody.
func TestEC2StrictID(t *testing.T) {
	for word, want := range map[string]string{"": "warned", "warn,10": "warned", "false": "quiet", "true": "absent"} {
		s := &treeServer{root: awsTree("2009-04-04", awsMeta())}
		more := ", strict_id: " + word
		if word == "" {
			more = ""
		}
		w := atAddress(t, "", "Ec2", s.start(t), strings.Replace(more, "warn,10", "'warn,10'", 1))
		in, err := fetchEC2(t.Context(), w.env)
		got := map[bool]string{true: "warned", false: "quiet"}[w.has("WARNING", "strict_id: false")]
		if err != nil {
			got = isOneOf(err)
		}
		if got != want || err == nil && in.Cloud != "unknown" || err != nil && len(s.asked) > 0 {
			t.Errorf("%q gives %s (%v), want %s; asked %q", word, got, err, want, s.asked)
		}
	}
}

// An answer without an id, or with something else in its place, makes no machine a new one.
func TestEC2WithoutID(t *testing.T) {
	for name, id := range map[string]any{"none": nil, "empty": "", "a sentence": "not here", "a page": "<html>", "lines": []any{"i-1", "i-2"}, "a folder": map[string]any{"a": "b"}} {
		meta := awsMeta()
		if meta["instance-id"] = id; id == nil {
			delete(meta, "instance-id")
		}
		s := &treeServer{root: awsTree("2021-03-23", meta), header: awsToken}
		w := atAddress(t, onAWS, "Ec2", s.start(t), "")
		if in, err := fetchEC2(t.Context(), w.env); isOneOf(err) != "silent" {
			t.Errorf("%s gives %+v, %v", name, in, err)
		}
	}
}

// Row U05, EC2. User-data may be base64, which is tried; what only looks like it stays as it is.
func TestEC2UserData(t *testing.T) {
	for text, want := range map[string]string{"I2Nsb3VkLWNvbmZpZwo=": "#cloud-config\n", "#!/bin/sh\n": "#!/bin/sh\n", "abcd\n": "abcd\n", "": ""} {
		tree := awsTree("2021-03-23", awsMeta())
		tree["2021-03-23"].(map[string]any)["user-data"] = text
		s := &treeServer{root: tree, header: awsToken}
		in, err := fetchEC2(t.Context(), atAddress(t, onAWS, "Ec2", s.start(t), "").env)
		if err != nil || string(in.UserData) != want {
			t.Errorf("%q gives %q, %v", text, in.UserData, err)
		}
	}
}

// Row D11. Of the two addresses the one that answers is used: a machine with IPv6 alone has no other.
func TestEC2OtherAddress(t *testing.T) {
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	s := &treeServer{root: awsTree("2021-03-23", awsMeta()), header: awsToken}
	address := s.start(t)
	w := atAddress(t, onAWS, "Ec2", dead.URL+`", "`+address, "")
	in, err := fetchEC2(t.Context(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	checkAWS(t, in, address)
}

// A seed takes the cloud's place, as detection has it.
func TestEC2Seed(t *testing.T) {
	w := newWorld(t, onAWS+seedFiles("/var/lib/cloud/seed/ec2", both()), "")
	w.env.Machine.Net = &fakeNet{}
	in, err := fetchEC2(t.Context(), w.env)
	if err != nil || in.ID != "i-1" || in.Cloud != "aws" || in.Subplatform != "seed-dir (/var/lib/cloud/seed/ec2)" || strings.TrimSpace(string(in.UserData)) != strings.TrimSpace(user) {
		t.Errorf("it is %+v, %v", in, err)
	}
}

// Before the network is up only AWS and Outscale are asked; without an interface they wait too.
func TestEC2InLocalStage(t *testing.T) {
	for _, files := range []string{"", onAWS, "-- /sys/class/dmi/id/sys_vendor --\nTilaa\n"} {
		w := newWorld(t, files, "").at(Local)
		cloud := &fakeNet{}
		w.env.Machine.Net, w.env.Machine.Links = cloud, machine.NewFakeLinks(machine.LinkState{})
		if _, err := fetchEC2(context.Background(), w.env); isOneOf(err) != "not yet" || len(cloud.asked) > 0 {
			t.Errorf("%q gives %v; asked %q", files, err, cloud.asked)
		}
	}
}

// fetchOnAWS is fetchEC2 on a machine whose firmware is AWS'.
func fetchOnAWS(ctx context.Context, e *Env) (*instance.Instance, error) {
	m := machine.Fake(onAWS, time.Unix(0, 0))
	m.Net = e.Machine.Net
	e.Machine = m
	return fetchEC2(ctx, e)
}

// A server in the cloud's place that answers at first and fails in the middle makes no half of an instance.
func TestEC2FaultInTheMiddle(t *testing.T) {
	for fault, handler := range faults {
		for _, at := range []string{"/2021-03-23/meta-data/", "/2021-03-23/meta-data/instance-id", "/2021-03-23/user-data", "/2021-03-23/meta-data/placement/"} {
			if fault == "404" || strings.HasSuffix(at, "data") && !strings.Contains(" hangs 500 a slow body a cut body 100 MB 503 with Retry-After ", " "+fault+" ") {
				continue // none of it is there, or is what somebody wrote
			}
			t.Run(fault+at, func(t *testing.T) {
				t.Parallel()
				s := &treeServer{root: awsTree("2021-03-23", awsMeta()), header: awsToken}
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == at {
						handler(w, r)
						return
					}
					s.ServeHTTP(w, r)
				}))
				defer server.Close()
				w := atAddress(t, onAWS, "Ec2", server.URL, ", timeout: 0.3")
				in, err := fetchEC2(t.Context(), w.env)
				if strings.HasSuffix(at, "placement/") && err == nil {
					return // what is left out there names nobody else
				}
				if isOneOf(err) != "silent" || !strings.Contains(err.Error(), server.URL) {
					t.Errorf("it gives %+v, %v", in, err)
				}
			})
		}
	}
}

// labMachine is what the project's own server tells, as an operator writes it.
const labMachine = `{"id": "i-0123456789abcdef0", "hostname": "web1.lab.example", "zone": "lab1-a", "machine-type": "small", "image": "ami-5fb8c835",
	"labels": {"role": "web"}, "ssh-keys": ["ssh-ed25519 AAAAC3 alice@desk"], "user-data": "#cloud-config\n{}\n", "vendor-data": "#cloud-config\nv: 1\n", "token-rule": "required",
	"nics": [{"mac": "52:54:00:AB:CD:01", "ips": ["10.0.0.5/24", "2001:db8::5/64"], "gateway": "10.0.0.1", "public-ip": "192.0.2.5"}, {"mac": "52:54:00:ab:cd:02", "ips": ["172.16.0.5/16"]}],
	"disks": [{"name": "boot", "device": "/dev/sda1"}, {"name": "scratch", "device": "/dev/sdb", "kind": "ephemeral0"}], "clouds": ["CLOUD"]}`

// labServer is the project's own metadata server with one machine, which is told in one dialect.
func labServer(t *testing.T, cloud string) (address string) {
	t.Helper()
	store, err := metadata.OpenFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := metadata.NewServer(t.Context(), store, 1<<10)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		store.Close()
	})
	web1 := metadata.Change{Key: "instance/web1", Value: []byte(strings.Replace(labMachine, "CLOUD", cloud, 1)), IfMatch: metadata.Any}
	if _, err := s.Catalog().Write(t.Context(), web1); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l, "web1") // the test's end closes it
	return "http://" + l.Addr().String()
}

// Row D10. The project's own metadata server, which shares no code with us, is understood.
func TestEC2OfTheLab(t *testing.T) {
	in, err := fetchEC2(t.Context(), atAddress(t, onAWS, "Ec2", labServer(t, "ec2"), "").env)
	if err != nil {
		t.Fatal(err)
	}
	if in.ID != "i-0123456789abcdef0" || in.Hostname != "web1.lab.example" || in.Zone != "lab1-a" || string(in.UserData) != "#cloud-config\n{}\n" ||
		!slices.Equal(in.PublicKeys(), []string{"ssh-ed25519 AAAAC3 alice@desk"}) {
		t.Errorf("it is %+v", in)
	}
	mapping, _ := in.Metadata["block-device-mapping"].(map[string]any)
	if mapping["ephemeral0"] != "/dev/sdb" {
		t.Errorf("the disks are %v", mapping)
	}
	if text := string(in.Network.Document); !strings.Contains(text, `"52:54:00:ab:cd:01"`) || !strings.Contains(text, "subnet-ipv4-cidr-block") {
		t.Errorf("the network is %s", text)
	}
}

// Rows D13 and D18. What is handed on as the network is what its reader takes: a machine with two interfaces gets both, or
// the first alone where a person says so.
func TestEC2NetworkIsRead(t *testing.T) {
	host := network.Host{NICs: []machine.NIC{{Name: "ens5", MAC: "06:17:04:d7:26:09"}, {Name: "ens6", MAC: "06:17:04:d7:26:08"}}}
	for more, want := range map[string]int{"": 2, ", apply_full_imds_network_config: false": 1} {
		for _, source := range []string{"Ec2", "AliYun"} {
			w := atAddress(t, onAWS, source, "http://127.0.0.1", more)
			in := told{meta: awsMeta()}.networkIn(w.env, source)
			document, _, err := conf.Parse("network", in.Document)
			if err != nil {
				t.Fatal(err)
			}
			m, problems, err := network.Read(in.Kind, document, host)
			if err != nil || len(problems) > 0 || len(m.Links) != want {
				t.Errorf("%s%s gives %+v, %v, %v; want %d interfaces", source, more, m, problems, err, want)
			}
		}
	}
}

// Rows D11 and D21. Before the network is up the cloud is asked through a link that is brought up for that, and switched off
// again. The token with which it was found is the one that is used; where nobody answers, the next stage asks. IPv6
// that leads nowhere does not cost the whole wait: a lease may be on its way.
func TestEC2OverEarlyNetwork(t *testing.T) {
	s := &treeServer{root: awsTree("2021-03-23", awsMeta()), header: awsToken}
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	for address, want := range map[string]string{s.start(t): "", dead.URL: "not yet"} {
		w := atAddress(t, onAWS, "Ec2", address, ", dhcp_timeout: 0.05").at(Local)
		links := offNICs("eth0")
		w.env.Machine.Links = links
		if want != "" {
			w.env.Config = newWorld(t, "", "datasource: {Ec2: {metadata_urls: [\""+address+"\"], timeout: 60, max_wait: 3600, dhcp_timeout: 0.05}}").env.Config
		}
		in, err := fetchEC2(t.Context(), w.env)
		if isOneOf(err) != want || err == nil && (in.Detail != "DataSourceEc2Local" || in.Source != "Ec2" || s.tokens != 1) {
			t.Errorf("it is %+v, %v; %d tokens", in, err, s.tokens)
		}
		if state, err := links.State(); err != nil || state.Links[0].Up {
			t.Errorf("afterwards the link is %+v, %v", state, err)
		}
	}
}
