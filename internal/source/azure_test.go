package source

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

const (
	azureUUID = "-- /sys/class/dmi/id/product_uuid --\n527C2691-029F-FE4C-B1F4-A4DA7EBAC2CF\n"
	azureIMDS = `{"compute": {"location": "eastus2", "platformFaultDomain": "0", "userData": "IyEvYmluL3NoCg==",
		"osProfile": {"adminUsername": "ann", "computerName": "web1", "disablePasswordAuthentication": "true"},
		"publicKeys": [{"keyData": "ssh-rsa AAAA\r\nBBBB ann\r\n", "path": "/home/ann/.ssh/authorized_keys"}]},
		"extended": {"compute": {"hasCustomData": false, "ppsType": "None"}},
		"network": {"interface": [
			{"macAddress": "000D3A047598", "ipv4": {"ipAddress": [{"privateIpAddress": "10.0.0.4"}, {"privateIpAddress": "10.0.0.5"}],
				"subnet": [{"address": "10.0.0.0", "prefix": "16"}]}, "ipv6": {"ipAddress": []}},
			{"macAddress": "000D3A047599", "ipv4": {"ipAddress": [{"privateIpAddress": "10.1.0.4"}], "subnet": []},
				"ipv6": {"ipAddress": [{"privateIpAddress": "fd00::4"}, {"privateIpAddress": "fd00::5"}]}},
			{"macAddress": "000D3A047600"}]}}`
	azureGoal = `<?xml version="1.0" encoding="utf-8"?><GoalState xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Version>2012-11-30</Version>
		<Incarnation>1</Incarnation><Machine><ExpectedState>Started</ExpectedState></Machine><Container><ContainerId>c-&amp;1</ContainerId>
		<RoleInstanceList><RoleInstance><InstanceId>r1</InstanceId><State>Started</State></RoleInstance></RoleInstanceList></Container></GoalState>`
)

// azureDiscFile is ovf-env.xml with something in its Linux set, and in the settings of its platform.
func azureDiscFile(set, settings string) string {
	return `<?xml version="1.0" encoding="utf-8"?><ns0:Environment xmlns:ns0="http://schemas.dmtf.org/ovf/environment/1" xmlns:wa="http://schemas.microsoft.com/windowsazure">
<wa:ProvisioningSection><wa:Version>1.0</wa:Version><wa:LinuxProvisioningConfigurationSet><wa:HostName>disc</wa:HostName>` + set +
		`</wa:LinuxProvisioningConfigurationSet></wa:ProvisioningSection><wa:PlatformSettingsSection><wa:Version>1.0</wa:Version><wa:PlatformSettings>` +
		settings + `</wa:PlatformSettings></wa:PlatformSettingsSection></ns0:Environment>`
}

// elsewhere asks a server of ours where a source asks an address of its cloud.
type elsewhere struct {
	machine.Net
	address string
}

func (n elsewhere) Fetch(ctx context.Context, r machine.Request) (machine.Response, error) {
	for _, cloud := range []string{"http://169.254.169.254", "http://168.63.129.16", "http://[fd00:c1::a9fe:a9fe]"} {
		if rest, ok := strings.CutPrefix(r.URL, cloud); ok {
			r.URL = n.address + rest
		}
	}
	return n.Net.Fetch(ctx, r)
}

// onAzure is a machine beside services that answer with imds and the goal state, and what these were asked.
func onAzure(t *testing.T, files, config, imds string) (*world, *[]string) {
	t.Helper()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.URL.String()+" "+r.Header.Get("Metadata")+r.Header.Get("x-ms-version")+r.Header.Get("Content-Type")+string(body))
		switch {
		case strings.HasPrefix(r.URL.Path, "/metadata/instance") && imds != "":
			fmt.Fprint(w, imds)
		case r.URL.String() == "/machine/?comp=goalstate":
			fmt.Fprint(w, azureGoal)
		case r.URL.String() != "/machine?comp=health":
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	w := newWorld(t, azureUUID+"-- /var/lib/dpkg/status --\n"+files, config)
	w.env.Machine.Net = elsewhere{liveNet(t), server.URL}
	return w, &asked
}

// Rows D19 and D26. The metadata service alone, as on a machine whose kernel cannot read Azure's disc: who, what and where, and
// the report without which Azure takes the machine away.
func TestAzure(t *testing.T) {
	w, asked := onAzure(t, "-- /dev/disk/cloud/azure_resource --\n-- /sys/firmware/acpi/tables/OEM0 --\nseed", "", azureIMDS)
	in, err := fetchAzure(t.Context(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	if in.ID != "527c2691-029f-fe4c-b1f4-a4da7ebac2cf" || in.Hostname != "web1" || in.Region != "eastus2" || in.Zone != "0" || string(in.UserData) != "#!/bin/sh\n" {
		t.Errorf("it is %+v", in)
	}
	if in.Detail != "DataSourceAzure [seed=IMDS]" || in.CloudID() != "azure" || in.Platform != "azure" || in.Subplatform != "imds (IMDS)" {
		t.Errorf("it calls itself %q, %q, %q, %q", in.Detail, in.CloudID(), in.Platform, in.Subplatform)
	}
	if keys := in.PublicKeys(); !slices.Equal(keys, []string{"ssh-rsa AAAABBBB ann"}) {
		t.Errorf("the keys are %q", keys)
	}
	wantJSON(t, "the configuration", in.Config, `{"disk_setup": {"ephemeral0": {"layout": [100], "overwrite": true, "table_type": "gpt"}},
		"fs_setup": [{"device": "ephemeral0.1", "filesystem": "ext4"}], "ssh_pwauth": false, "system_info": {"default_user": {"name": "ann"}}}`)
	if want := base64.StdEncoding.EncodeToString([]byte("seed\n")); string(in.RandomSeed) != want {
		t.Errorf("the random seed is %q, want %q", in.RandomSeed, want)
	}
	report, _ := azureReport("", []byte(azureGoal))
	want := []string{"GET /metadata/instance/?api-version=2021-08-01&extended=true true", "GET /machine/?comp=goalstate 2012-11-30", "POST /machine?comp=health 2012-11-30text/xml; charset=utf-8" + report}
	if !slices.Equal(*asked, want) || !strings.Contains(report, "<ContainerId>c-&amp;1</ContainerId>") {
		t.Errorf("asked %q, want %q", *asked, want)
	}
	kept, err := w.env.Machine.Files.Read("/var/lib/waagent/ovf-env.xml")
	if m, err2 := readAzureMedia("", kept); err != nil || err2 != nil || m.name != "web1" || m.user != "ann" || m.noPasswords != "true" {
		t.Errorf("Azure's agent waits for %q, %v, %v", kept, err, err2)
	}
	if w.warned() {
		t.Errorf("warned: %q", w.logged)
	}
}

func wantJSON(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Errorf("%s is no JSON: %v", what, err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	left, _ := json.Marshal(a)
	right, _ := json.Marshal(b)
	if string(left) != string(right) {
		t.Errorf("%s is %s, want %s", what, left, right)
	}
}

// Row D19. The network: first addresses by DHCP, further ones given, later interfaces with dearer routes and no DNS.
func TestAzureNetwork(t *testing.T) {
	const nic = "-- /sys/class/net/eth0/address --\n00:0d:3a:04:75:98\n-- /sys/class/net/eth0/device/driver -> ../../../bus/vmbus/drivers/hv_netvsc --\n"
	w, _ := onAzure(t, nic, "", azureIMDS)
	in, err := fetchAzure(t.Context(), w.env)
	if err != nil || in.Network == nil || in.Network.Kind != "v2" {
		t.Fatalf("it is %+v, %v", in, err)
	}
	wantJSON(t, "the network", in.Network.Document, `{"version": 2, "ethernets": {
		"eth0": {"dhcp4": true, "dhcp4-overrides": {"route-metric": 100}, "dhcp6": false, "addresses": ["10.0.0.5/16"],
			"match": {"macaddress": "00:0d:3a:04:75:98", "driver": "hv_netvsc"}, "set-name": "eth0"},
		"eth1": {"dhcp4": true, "dhcp4-overrides": {"route-metric": 200, "use-dns": false}, "dhcp6": true, "dhcp6-overrides": {"route-metric": 200, "use-dns": false},
			"addresses": ["fd00::5/128"], "match": {"macaddress": "00:0d:3a:04:75:99"}, "set-name": "eth1"}}}`)
	w, _ = onAzure(t, "", "datasource: {Azure: {apply_network_config_set_name: false, apply_network_config_for_secondary_ips: false}}", azureIMDS)
	if in, err = fetchAzure(t.Context(), w.env); err != nil || !strings.Contains(string(in.Network.Document), `"enx000d3a047598"`) || strings.Contains(string(in.Network.Document), "10.0.0.5") {
		t.Errorf("it is %+v, %v", in, err)
	}
	w, _ = onAzure(t, "", "datasource: {Azure: {apply_network_config: false}}", azureIMDS)
	if in, err = fetchAzure(t.Context(), w.env); err != nil || in.Network != nil {
		t.Errorf("it is %+v, %v", in, err)
	}
}

// Row D19. The disc: user-data, password and keys come with it; what the service says as well counts more. Nobody finds the
// password in the file that stays.
func TestAzureDisc(t *testing.T) {
	file := azureDiscFile(`<wa:UserName>bob</wa:UserName><wa:UserPassword>s&amp;cret</wa:UserPassword><wa:CustomData>
		I2Nsb3Vk LWNvbmZpZwo=</wa:CustomData><wa:SSH><wa:PublicKeys><wa:PublicKey><wa:Fingerprint>AB</wa:Fingerprint><wa:Path>p</wa:Path>
		<wa:Value>ssh-rsa D</wa:Value></wa:PublicKey></wa:PublicKeys></wa:SSH>`, "<wa:PreprovisionedVm>false</wa:PreprovisionedVm>")
	disc := fakeDevice{Device: machine.Device{Path: "/dev/sr0", Type: "udf"}, files: seedFiles("/", map[string]string{"ovf-env.xml": file})}
	w, asked := onAzure(t, "", "datasource: {Azure: {retries: 0}}", "")
	w.withDevices(disc)
	in, err := fetchAzure(t.Context(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	if in.Hostname != "disc" || string(in.UserData) != "#cloud-config\n" || !slices.Equal(in.PublicKeys(), []string{"ssh-rsa D"}) ||
		in.Detail != "DataSourceAzure [seed=/dev/sr0]" || in.Subplatform != "config-disk (/dev/sr0)" {
		t.Errorf("it is %+v", in)
	}
	wantJSON(t, "the configuration", in.Config, `{"ssh_pwauth": true, "system_info": {"default_user": {"name": "bob", "lock_passwd": false, "plain_text_passwd": "s&cret"}}}`)
	if kept, _ := w.env.Machine.Files.Read("/var/lib/waagent/ovf-env.xml"); strings.Contains(kept, "cret") || !strings.Contains(kept, "REDACTED") {
		t.Errorf("kept is %q", kept)
	}
	if !w.has("WARNING", "Ignoring IMDS metadata") || len(*asked) != 3 {
		t.Errorf("logged %q, asked %q", w.logged, *asked)
	}
	w, _ = onAzure(t, "", "", azureIMDS)
	in, err = fetchAzure(t.Context(), w.withDevices(disc).env)
	if err != nil || in.Hostname != "web1" || string(in.UserData) != "#cloud-config\n" || !strings.Contains(string(in.Config), `"ann"`) {
		t.Errorf("with the service it is %+v, %v", in, err)
	}
	w, _ = onAzure(t, seedFiles("/var/lib/waagent", map[string]string{"ovf-env.xml": azureDiscFile("", "")}), "", azureIMDS)
	if in, err = fetchAzure(t.Context(), w.env); err != nil || in.Subplatform != "seed-dir (/var/lib/waagent)" {
		t.Errorf("at the second boot it is %+v, %v", in, err)
	}
}

// Keys that are certificates are not understood: that is said, and the other keys are taken.
func TestAzureCertificates(t *testing.T) {
	file := azureDiscFile(`<wa:SSH><wa:PublicKeys><wa:PublicKey><wa:Fingerprint>AB</wa:Fingerprint><wa:Path>p</wa:Path></wa:PublicKey></wa:PublicKeys></wa:SSH>`, "")
	w, _ := onAzure(t, seedFiles("/var/lib/cloud/seed/azure", map[string]string{"ovf-env.xml": file}), "", strings.Replace(azureIMDS, "ssh-rsa AAAA", "-----BEGIN CERTIFICATE-----", 1))
	in, err := fetchAzure(t.Context(), w.env)
	if err != nil || len(in.Keys) != 0 || !w.has("WARNING", "1 keys are given as fingerprints of certificates") {
		t.Errorf("it is %+v, %v, %q", in, err, w.logged)
	}
}

// The machine is the same whichever way firmware and kernel write its id. A machine that
// became a new one by that would make new host keys.
func TestAzureIdentity(t *testing.T) {
	for _, last := range []string{"527c2691-029f-fe4c-b1f4-a4da7ebac2cf", "527C2691-029F-FE4C-B1F4-A4DA7EBAC2CF", "91267C52-9F02-4CFE-B1F4-A4DA7EBAC2CF"} {
		w, _ := onAzure(t, "", "", azureIMDS)
		w.env.Last = &instance.Instance{ID: last}
		in, err := fetchAzure(t.Context(), w.env)
		if err != nil || in.ID != last || !azure().Check(t.Context(), w.env, w.env.Last) {
			t.Errorf("%s became %+v, %v", last, in, err)
		}
	}
	w := newWorld(t, "", "")
	if _, err := fetchAzure(t.Context(), w.env); isOneOf(err) != "silent" || azure().Check(t.Context(), w.env, &instance.Instance{}) {
		t.Errorf("without a uuid it gives %v", err)
	}
}

// FuzzAzureMedia: whatever is on the disc, it is read or refused, and what is kept of it can be read again without the password.
func FuzzAzureMedia(f *testing.F) {
	f.Add(azureDiscFile("<wa:UserPassword>s&amp;cret</wa:UserPassword>", ""))
	f.Add("<Environment>")
	f.Add("<a b='c'>&lt;</a>")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := readAzureMedia("x", text)
		if err != nil {
			return
		}
		if again, err := readAzureMedia("x", m.minimal()); err != nil || again.name != m.name {
			t.Errorf("%q becomes %q: %v", text, m.minimal(), err)
		}
	})
}
