package metadata

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// An exchange is one request and what must come back.
type exchange struct {
	clouds  string // what the instance is told; empty: all
	request string // METHOD PATH
	headers string // "Name: value", separated by "; "
	body    string
	status  int
	want    string // the whole body; one that begins with ~ is a part of it
	header  string // a header that the answer must have: "Name: value"
}

const flavor = "Metadata-Flavor: Google"

// A client in the field compares these to the byte: what is a folder, what ends with a newline, what is refused and how.
var gceExchanges = []exchange{
	{request: "GET /", clouds: "gce", status: 200, want: "computeMetadata/\n", header: flavor},
	{request: "GET /computeMetadata/v1/", status: 403, want: "~Missing Metadata-Flavor:Google header.", header: flavor},
	{request: "GET /computeMetadata/v1/instance/name", headers: "Metadata-Flavor: google", status: 403, want: "~403"},
	{request: "GET /computeMetadata/v1/instance/name", headers: flavor + "; X-Forwarded-For: 10.0.0.9", status: 403, want: "~403"},
	{request: "GET /computeMetadata/v1/", headers: flavor, status: 200, want: "instance/\noslogin/\nproject/\nuniverse/\n", header: "Content-Type: application/text"},
	{request: "GET /computeMetadata/v1/instance", headers: flavor, status: 301, want: "", header: "Location: http://HOST/computeMetadata/v1/instance/"},
	{request: "GET /computeMetadata/v1/instance/disks?recursive=true", headers: flavor, status: 301, want: "", header: "Location: http://HOST/computeMetadata/v1/instance/disks/?recursive=true"},
	{request: "GET /computeMetadata/v1/instance/name", headers: flavor, status: 200, want: "web1", header: "Server: Metadata Server for VM"},
	{request: "GET /computeMetadata/v1/instance/name/", headers: flavor, status: 404, want: "~404"},
	{request: "GET /computeMetadata/v1/instance/id", headers: flavor, status: 200, want: "4520031799277581759"},
	{request: "GET /computeMetadata/v1/instance/zone", headers: flavor, status: 200, want: "projects/129303/zones/lab1-a"},
	{request: "GET /computeMetadata/v1/instance/name?alt=json", headers: flavor, status: 200, want: `"web1"`, header: "Content-Type: application/json"},
	{request: "GET /computeMetadata/v1/instance/id?alt=json", headers: flavor, status: 200, want: "4520031799277581759"},
	{request: "GET /computeMetadata/v1/instance/name?alt=xml", headers: flavor, status: 400, want: "~alt"},
	{request: "GET /computeMetadata/v1/instance/tags", headers: flavor, status: 200, want: `["bread","butter"]`},
	{request: "GET /computeMetadata/v1/instance/tags?alt=text", headers: flavor, status: 200, want: "bread\nbutter"},
	{request: "GET /computeMetadata/v1/instance/service-accounts/default/scopes", headers: flavor, status: 200, want: "s1\ns2"},
	{request: "GET /computeMetadata/v1/instance/service-accounts/default/token", headers: flavor, status: 200, want: `{"access_token":"secret","expires_in":3599,"token_type":"Bearer"}`},
	{request: "GET /computeMetadata/v1/instance/service-accounts/default/?recursive=true", headers: flavor, status: 200, want: `{"aliases":["default"],"email":"robot@lab.example","scopes":["s1","s2"]}`},
	{request: "GET /computeMetadata/v1/instance/attributes/", headers: flavor, status: 200, want: "enable-guest-attributes\nkebab-case\nsnake_case\nssh-keys\nuser-data\n"},
	{request: "GET /computeMetadata/v1/instance/attributes/kebab-case", headers: flavor, status: 200, want: "a & <b>"},
	{request: "GET /computeMetadata/v1/instance/attributes/?recursive=True", headers: flavor, status: 200, want: `~"kebab-case":"a & <b>"`},
	{request: "GET /computeMetadata/v1/instance/attributes/none", headers: flavor, status: 404, want: "~404", header: flavor},
	{request: "GET /computeMetadata/v1/project/attributes/?recursive=true&wait_for_change=False&last_etag=0", headers: flavor, status: 200, want: `{"p":"1"}`},
	{request: "GET /computeMetadata/v1/instance/network-interfaces/", headers: flavor, status: 200, want: "0/\n1/\n"},
	{request: "GET /computeMetadata/v1/instance/network-interfaces/0/forwarded-ips/", headers: flavor, status: 200, want: "0\n"},
	{request: "GET /computeMetadata/v1/instance/network-interfaces/0/access-configs/0/external-ip", headers: flavor, status: 200, want: "192.0.2.5"},
	{request: "GET /computeMetadata/v1/instance/disks/?recursive=true&alt=text", headers: flavor, status: 200,
		want: "0/device-name boot\n0/index 0\n0/interface SCSI\n0/mode READ_WRITE\n0/type PERSISTENT\n1/device-name scratch\n1/index 1\n1/interface SCSI\n1/mode READ_WRITE\n1/type PERSISTENT\n"},
	{request: "GET /computeMetadata/v1/instance/?recursive=true&alt=json&timeout_sec=60", headers: flavor, status: 200, want: `~"networkInterfaces":[{"accessConfigs":[{"externalIp":"192.0.2.5"`},
	{request: "GET /computeMetadata/v1/instance/name?wait_for_change=true&last_etag=NONE", headers: flavor, status: 200, want: "web1"},
	{request: "GET /computeMetadata/v1/instance/name?wait_for_change=true&timeout_sec=0", headers: flavor, status: 200, want: "web1"},
	{request: "GET /computeMetadata/v1/instance/name?wait_for_change=true&timeout_sec=x", headers: flavor, status: 400, want: "~timeout_sec"},
	{request: "POST /computeMetadata/v1/instance/name", headers: flavor, status: 405, want: "~405"},
	{request: "GET /computeMetadata/v1/instance/guest-attributes/", headers: flavor, status: 404, want: "~404"},
	{request: "PUT /computeMetadata/v1/instance/guest-attributes/hostkeys/ssh-ed25519", headers: flavor, body: "AAAA", status: 200, want: ""},
	{request: "GET /computeMetadata/v1/instance/guest-attributes/hostkeys/ssh-ed25519", headers: flavor, status: 200, want: "AAAA"},
	{request: "GET /computeMetadata/v1/instance/guest-attributes/?recursive=true", headers: flavor, status: 200, want: `{"hostkeys":{"ssh-ed25519":"AAAA"}}`},
	{request: "PUT /computeMetadata/v1/instance/guest-attributes/only-a-namespace", headers: flavor, body: "x", status: 400, want: "~400"},
	{request: "DELETE /computeMetadata/v1/instance/guest-attributes/hostkeys/ssh-ed25519", headers: flavor, status: 200, want: ""},
	{request: "GET /computeMetadata/v1/instance/guest-attributes/hostkeys/ssh-ed25519", headers: flavor, status: 404, want: "~404"},
	{request: "GET /computeMetadata/v2/", headers: flavor, status: 404, want: "~404"},
	{request: "GET /latest/meta-data/", clouds: "gce", status: 404, want: "404 page not found\n"},
}

var ec2Exchanges = []exchange{
	{request: "GET /", clouds: "ec2", status: 200, want: "~1.0\n2007-01-19\n"},
	{request: "GET /latest", status: 200, want: "dynamic\nmeta-data\nuser-data"},
	{request: "GET /latest/meta-data/instance-id", status: 200, want: "i-0123456789abcdef0", header: "Server: EC2ws"},
	{request: "GET /latest/meta-data/instance-id/", status: 404, want: "~<title>404 - Not Found</title>"},
	{request: "GET /latest/meta-data/none", status: 404, want: "~<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<!DOCTYPE html", header: "Content-Type: text/html"},
	{request: "GET /2009-04-04/meta-data/placement", status: 200, want: "availability-zone\nregion"},
	{request: "GET /2009-04-04/meta-data/network/", status: 404, want: "~404"},
	{request: "GET /2021-03-23/meta-data/tags/instance/role", status: 200, want: "web"},
	{request: "GET /2018-09-24/meta-data/tags/", status: 404, want: "~404"},
	{request: "GET /2010-01-01/meta-data/", status: 404, want: "404 page not found\n"},
	{request: "GET /latest/meta-data/public-keys/", status: 200, want: "0=alice@desk\n1=all@lab"},
	{request: "GET /latest/meta-data/public-keys/0/", status: 200, want: "openssh-key"},
	{request: "GET /latest/meta-data/public-keys/0/openssh-key", status: 200, want: "ssh-ed25519 AAAAC3 alice@desk"},
	{request: "GET /latest/meta-data/block-device-mapping/", status: 200, want: "ami\nephemeral0\nroot"},
	{request: "GET /latest/meta-data/network/interfaces/macs/", status: 200, want: "52:54:00:ab:cd:01/\n52:54:00:ab:cd:02/"},
	{request: "GET /latest/meta-data/network/interfaces/macs/52:54:00:ab:cd:01/subnet-ipv4-cidr-block", status: 200, want: "10.0.0.0/24"},
	{request: "GET /latest/user-data", status: 200, want: "#cloud-config\n{}\n", header: "Content-Type: application/octet-stream"},
	{request: "GET /latest/dynamic/instance-identity/document", status: 200, want: `~"instanceId":"i-0123456789abcdef0"`},
	{request: "GET /latest/api/token", status: 405, want: ""},
	{request: "PUT /latest/api/token", status: 400, want: "~400 - Bad Request"},
	{request: "PUT /latest/api/token", headers: "X-aws-ec2-metadata-token-ttl-seconds: 21601", status: 400, want: "~400"},
	{request: "PUT /latest/api/token", headers: "X-aws-ec2-metadata-token-ttl-seconds: 60; X-Forwarded-For: 10.0.0.9", status: 403, want: "~403 - Forbidden"},
	{request: "PUT /latest/api/token", headers: "X-aws-ec2-metadata-token-ttl-seconds: 60", status: 200, want: "~", header: "X-Aws-Ec2-Metadata-Token-Ttl-Seconds: 60"},
	{request: "GET /latest/meta-data/", headers: "X-aws-ec2-metadata-token: wrong", status: 401, want: "~401 - Unauthorized"},
	{request: "GET /latest/meta-data/", clouds: "openstack", status: 200, want: "~instance-id\n"},
	{request: "GET /2021-03-23/meta-data/instance-id", clouds: "openstack", status: 404, want: "~404"},
	{request: "PUT /latest/api/token", clouds: "openstack", headers: "X-aws-ec2-metadata-token-ttl-seconds: 60", status: 404, want: "~404"},
}

var openstackExchanges = []exchange{
	{request: "GET /openstack", status: 200, want: "2012-08-10\n2013-04-04\n2013-10-17\n2015-10-15\n2016-06-30\n2016-10-06\n2017-02-22\n2018-08-27\n2020-10-14\nlatest"},
	{request: "GET /openstack/2012-08-10", status: 200, want: "meta_data.json\nuser_data"},
	{request: "GET /openstack/latest/", status: 200, want: "meta_data.json\nuser_data\npassword\nvendor_data.json\nnetwork_data.json\nvendor_data2.json"},
	{request: "GET /openstack/2013-04-04/vendor_data.json", status: 404, want: "~404 Not Found\n"},
	{request: "GET /openstack/latest/meta_data.json", status: 200, want: `~"uuid":"83679162-1378-4288-a2d4-70e13ec132aa"`, header: "Content-Type: application/json"},
	{request: "GET /openstack/latest/meta_data.json", status: 200, want: `~"files":[{"content_path":"/content/0000","path":"/etc/motd"}]`},
	{request: "GET /openstack/latest/meta_data.json", status: 200, want: `~"public_keys":{"alice@desk":"ssh-ed25519 AAAAC3 alice@desk\n","all@lab":"ssh-ed25519 AAAAC5 all@lab\n"}`},
	{request: "GET /openstack/content/0000", status: 200, want: "hello"},
	{request: "GET /openstack/content/0001", status: 404, want: "~404"},
	{request: "GET /openstack/content/-001", status: 404, want: "~404"},
	{request: "GET /openstack/latest/vendor_data.json", status: 200, want: `{"cloud-init":"#cloud-config\nv: 1\n"}`},
	{request: "GET /openstack/latest/vendor_data2.json", status: 200, want: "{}"},
	{request: "GET /openstack/latest/network_data.json", status: 200, want: `~"ip_address":"10.0.0.5"`},
	{request: "GET /openstack/latest/network_data.json", status: 200, want: `~"type":"ipv4_dhcp"`},
	{request: "GET /openstack/latest/user_data", status: 200, want: "#cloud-config\n{}\n"},
	{request: "GET /openstack/latest/password", status: 200, want: ""},
	{request: "POST /openstack/latest/password", body: "sealed", status: 200, want: ""},
	{request: "POST /openstack/latest/password", body: "again", status: 409, want: "~409 Conflict"},
	{request: "GET /openstack/latest/password", status: 200, want: "sealed"},
	{request: "GET /openstack/2000-01-01/meta_data.json", status: 404, want: "~404"},
}

var azureExchanges = []exchange{
	{request: "GET /metadata/instance?api-version=2021-02-01", status: 400, want: `{"error":"Bad request. Required metadata header not specified"}`},
	{request: "GET /metadata/instance", headers: "Metadata: true", status: 400,
		want: `{"error":"Bad request. api-version was not specified in the request. For more information refer to aka.ms/azureimds","newest-versions":["2023-07-01","2021-12-13","2021-11-15"]}`},
	{request: "GET /metadata/instance?api-version=1", headers: "Metadata: true", status: 400, want: "~api-version is invalid"},
	{request: "GET /metadata/instance?api-version=2021-02-01", headers: "Metadata: true; X-Forwarded-For: 10.0.0.9", status: 400, want: "~error"},
	{request: "GET /metadata/versions", headers: "Metadata: true", status: 200, want: `~{"apiVersions":["2017-03-01"`},
	{request: "GET /metadata/instance/compute/name?api-version=2021-02-01&format=text", headers: "Metadata: True", status: 200, want: "web1"},
	{request: "GET /metadata/instance/compute/name?api-version=2021-02-01", headers: "Metadata: true", status: 400, want: "~format=text"},
	{request: "GET /metadata/instance/compute/userData?api-version=2021-01-01&format=text", headers: "Metadata: true", status: 200, want: "I2Nsb3VkLWNvbmZpZwp7fQo="},
	{request: "GET /metadata/instance/compute/userData?api-version=2020-12-01&format=text", headers: "Metadata: true", status: 404, want: `{"error":"Not found"}`},
	{request: "GET /metadata/instance/network/interface/0?api-version=2021-08-01&extended=true", headers: "Metadata: true", status: 200,
		want: `{"ipv4":{"ipAddress":[{"privateIpAddress":"10.0.0.5","publicIpAddress":"192.0.2.5"}],"subnet":[{"address":"10.0.0.0","prefix":"24"}]},` +
			`"ipv6":{"ipAddress":[{"privateIpAddress":"2001:db8::5"}]},"macAddress":"525400ABCD01"}`},
	{request: "POST /metadata/instance?api-version=2021-02-01", headers: "Metadata: true", status: 405, want: "~Method not allowed"},
}

var otherExchanges = []exchange{
	{request: "GET /2016-01-01/meta-data/instance-id", status: 200, want: "i-0123456789abcdef0"},
	{request: "GET /2016-01-01/meta-data/public-keys/", status: 200, want: "alice@desk/\nall@lab/"},
	{request: "GET /2016-01-01/meta-data/network/interfaces/macs/52:54:00:ab:cd:01/private-ipv4s", status: 200, want: `["10.0.0.5"]`},
	{request: "GET /2016-01-01/meta-data/all", status: 200, want: `~"hostname":"web1.lab.example"`},
	{request: "GET /2016-01-01/vendor-data", status: 200, want: "#cloud-config\nv: 1\n"},
	{request: "GET /latest/meta-data/region-id", clouds: "aliyun", status: 200, want: "lab1"},
	{request: "GET /latest/meta-data/region-id", status: 404, want: "~404"},
	{request: "PUT /latest/api/token", headers: "X-aliyun-ecs-metadata-token-ttl-seconds: 30", status: 200, want: "~", header: "X-Aliyun-Ecs-Metadata-Token-Ttl-Seconds: 30"},
	{request: "GET /2016-01-01/meta-data/", headers: "X-aliyun-ecs-metadata-token: wrong", status: 401, want: "~401"},

	{request: "GET /metadata/v1/", status: 200, want: "id\nhostname\nuser-data\nvendor-data\npublic-keys\nregion\ninterfaces/\ndns/\nfloating_ip/\ntags"},
	{request: "GET /metadata/v1/interfaces/public/0/ipv4/address", status: 200, want: "10.0.0.5"},
	{request: "GET /metadata/v1/none", status: 404, want: "not found"},
	{request: "GET /metadata/v1.json", status: 200, want: `~"droplet_id":2756294`},
	{request: "GET /metadata/v1.json", status: 200, want: `~"ipv6":{"cidr":64,"gateway":"2001:db8::1","ip_address":"2001:db8::5"}`},

	{request: "GET /hetzner/v1/metadata", status: 200, want: "~instance-id: 42\n"},
	{request: "GET /hetzner/v1/metadata/instance-id", status: 200, want: "42"},
	{request: "GET /hetzner/v1/metadata/private-networks", status: 200, want: "~ip: 172.16.0.5\n"},
	{request: "GET /hetzner/v1/userdata", status: 200, want: "#cloud-config\n{}\n"},
	{request: "GET /hetzner/v1/none", status: 404, want: "not found\n"},

	{request: "GET /nocloud/meta-data", status: 200, want: "instance-id: i-0123456789abcdef0\nlocal-hostname: web1.lab.example\npublic-keys:\n    - ssh-ed25519 AAAAC3 alice@desk\n    - ssh-ed25519 AAAAC5 all@lab\n"},
	{request: "GET /nocloud/seed-token-1/user-data", status: 200, want: "#cloud-config\n{}\n"},
	{request: "GET /nocloud/another-token/user-data", status: 404, want: "404 page not found\n"},
	{request: "GET /nocloud/network-config", status: 200, want: "version: 2\n"},
	{request: "GET /nocloud/../project", status: 404, want: "404 page not found\n"},
}

func TestDialects(t *testing.T) {
	for name, table := range map[string][]exchange{
		"gce": gceExchanges, "ec2": ec2Exchanges, "openstack": openstackExchanges, "azure": azureExchanges, "others": otherExchanges,
	} {
		t.Run(name, func(t *testing.T) {
			s := serveIn(t, t.TempDir(), 10, map[string]string{"project": lab, "instance/web1": web1})
			url := listenFor(t, s, "web1")
			for _, e := range table {
				tellOnly(t, s, e.clouds)
				e.run(t, url)
			}
		})
	}
}

// tellOnly lets the instance be told some clouds only.
func tellOnly(t *testing.T, s *Server, clouds string) {
	t.Helper()
	value := web1
	if clouds != "" {
		value = strings.Replace(web1, "{", `{"clouds": ["`+clouds+`"],`, 1)
	}
	if _, err := s.catalog.Write(t.Context(), Change{Key: "instance/web1", Value: []byte(value), IfMatch: Any}); err != nil {
		t.Fatal(err)
	}
}

func (e exchange) run(t *testing.T, url string) {
	t.Helper()
	method, path, _ := strings.Cut(e.request, " ")
	a, body := ask(t, method, url+path, e.headers, e.body)
	if part, isPart := strings.CutPrefix(e.want, "~"); a.StatusCode != e.status || body != e.want && !(isPart && strings.Contains(body, part)) {
		t.Errorf("%s (%s): %d %q; want %d %q", e.request, e.headers, a.StatusCode, body, e.status, e.want)
	}
	name, value, _ := strings.Cut(e.header, ": ")
	if value = strings.Replace(value, "HOST", strings.TrimPrefix(url, "http://"), 1); name != "" && a.Header.Get(name) != value {
		t.Errorf("%s: %s is %q; want %q", e.request, name, a.Header.Get(name), value)
	}
}

// ask sends one request and follows no redirect.
func ask(t testing.TB, method, url, headers, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for h := range strings.SplitSeq(headers, "; ") {
		if name, value, ok := strings.Cut(h, ": "); ok {
			r.Header.Set(name, value)
		}
	}
	a, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	got, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a, string(got)
}

// A token of one instance must not open another's data, and one that is required must be asked for.
func TestTokensAreTheInstancesOwn(t *testing.T) {
	required := `{"token-rule": "required", "hostname": "a"}`
	s := serveIn(t, t.TempDir(), 10, map[string]string{"instance/a": required, "instance/b": required})
	a, b := listenFor(t, s, "a"), listenFor(t, s, "b")
	if got, _ := ask(t, "GET", a+"/latest/meta-data/", "", ""); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %d", got.StatusCode)
	}
	_, token := ask(t, "PUT", a+"/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60", "")
	for url, want := range map[string]int{a: http.StatusOK, b: http.StatusUnauthorized} {
		if got, _ := ask(t, "GET", url+"/latest/meta-data/", "X-aws-ec2-metadata-token: "+token, ""); got.StatusCode != want {
			t.Errorf("%s: %d, want %d", url, got.StatusCode, want)
		}
	}
}

// everyHeader is all by which proxies say whom they ask for.
const everyHeader = "X-Forwarded-For: 127.0.0.2; Forwarded: for=127.0.0.2; X-Real-IP: 127.0.0.2; X-Client-IP: 127.0.0.2; Via: 1.1 b; X-Instance-ID: b; " +
	"X-Instance-ID-Provider: b; X-Tenant-ID: b; X-Metadata-Token: token-of-b"

// Who asks is never what a header says; a guest could read another's secrets.
func TestIdentity(t *testing.T) {
	s := serveIn(t, t.TempDir(), 10, map[string]string{
		"instance/a": `{"addresses": ["127.0.0.1"]}`, "instance/b": `{"addresses": ["127.0.0.2"], "token": "token-of-b"}`, "instance/c": `{"token": "token-of-c"}`,
	})
	url := listenFor(t, s, "")
	for request, want := range map[string]string{
		"/hetzner/v1/metadata/hostname": "a", "/nocloud/token-of-b/meta-data": "404 page not found\n",
	} {
		if _, got := ask(t, "GET", url+request, everyHeader, ""); got != want {
			t.Errorf("%s: %q, want %q", request, got, want)
		}
	}
	if _, got := ask(t, "GET", listenFor(t, s, "c")+"/hetzner/v1/metadata/hostname", "", ""); got != "c" {
		t.Errorf("by the listener, which goes before the address: %q", got)
	}
	if _, got := ask(t, "GET", listenFor(t, s, "ghost")+"/latest/meta-data/", "", ""); got != "there is no instance ghost\n" {
		t.Errorf("by a listener of nobody: %q", got)
	}
	tellOnlyToken(t, s)
	if _, got := ask(t, "GET", url+"/nocloud/token-of-c/meta-data", "", ""); !strings.Contains(got, "instance-id: c") {
		t.Errorf("by token: %q", got)
	}
	if _, got := ask(t, "GET", url+"/latest/meta-data/", "", ""); got != "no instance has the address 127.0.0.1\n" {
		t.Errorf("unknown: %q", got)
	}
	for _, r := range s.requests.list("", 0) {
		if strings.Contains(r.Path, "token-of-c") {
			t.Errorf("the list of requests shows the token: %s", r.Path)
		}
	}
}

// tellOnlyToken takes the loopback from its instance.
func tellOnlyToken(t *testing.T, s *Server) {
	t.Helper()
	if _, err := s.catalog.Write(t.Context(), Change{Key: "instance/a", IfMatch: Any}); err != nil {
		t.Fatal(err)
	}
}

// What an operator writes and what is told must be the same instance after a change of form.
func TestBlobKeepsBytes(t *testing.T) {
	for _, b := range []Blob{Blob("text"), Blob("\x1f\x8b\x00\xff"), {}} {
		data, err := json.Marshal(b)
		var back Blob
		if err == nil {
			err = json.Unmarshal(data, &back)
		}
		if err != nil || string(back) != string(b) {
			t.Errorf("%q became %s became %q, %v", b, data, back, err)
		}
	}
}
