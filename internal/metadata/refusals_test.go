package metadata

import (
	"net/http"
	"strings"
	"testing"
)

// A turnedAway is a request that a cloud refuses, and all of the answer that clients look at.
type turnedAway struct {
	clouds  string // what the instance is told; empty: all
	rule    string // its token rule
	request string // METHOD PATH
	headers string // "Name: value", separated by "; "
	body    string
	status  int
	answer  []string // headers that the answer must have
	want    string   // the whole body
	source  string   // where the real answer was seen; empty: the status is the cloud's, the words are ours
}

const (
	html8  = "Content-Type: text/html; charset=UTF-8"
	json8  = "Content-Type: application/json; charset=utf-8"
	anyone = "Accept: */*"

	gceAnswers  = "reference gce-linux.md §1.1 and appendix D; the pages that curl shows in public course notes and issues"
	ec2Page     = "https://github.com/vmware-archive/salt-contrib/issues/117"
	ec2Tokens   = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html, response codes"
	novaSource  = "openstack/nova nova/api/metadata/{handler,password}.py and webob/exc.py 1.8.6, run"
	azureDocs   = "https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service"
	aliyunCodes = "https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata, common errors"
)

func googlePage(status, title, why string) string {
	return "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <meta name=viewport content=\"initial-scale=1, minimum-scale=1, width=device-width\">\n" +
		"  <title>Error " + status + " (" + title + ")!!1</title>\n  <p><b>" + status + ".</b> <ins>That’s an error.</ins>\n  <p>" + why + " <ins>That’s all we know.</ins>\n"
}

func amazonPage(title string) string {
	return `<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
         "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>` + title + `</title>
 </head>
 <body>
  <h1>` + title + `</h1>
 </body>
</html>
`
}

func novaPage(title, why string) string {
	return "<html>\n <head>\n  <title>" + title + "</title>\n </head>\n <body>\n  <h1>" + title + "</h1>\n  " + why + "<br /><br />\n\n\n\n </body>\n</html>"
}

var refusals = map[string][]turnedAway{
	"gce": {
		{request: "GET /computeMetadata/v1/instance/name", status: 403, answer: []string{html8, flavor, "Server: Metadata Server for VM"}, source: gceAnswers,
			want: googlePage("403", "Forbidden", "Your client does not have permission to get URL <code>/computeMetadata/v1/instance/name</code> from this server. Missing Metadata-Flavor:Google header.")},
		{request: "GET /computeMetadata/v1/instance/name", headers: flavor + "; X-Forwarded-For: 10.0.0.9", status: 403, answer: []string{html8, flavor},
			want: googlePage("403", "Forbidden", "Your client does not have permission to get URL <code>/computeMetadata/v1/instance/name</code> from this server. "+
				"Found header X-Forwarded-For, which says that the request came through a proxy.")},
		{request: "GET /computeMetadata/v1/instance/attributes/no<ne", headers: flavor, status: 404, answer: []string{html8, flavor, "X-XSS-Protection: 0", "X-Frame-Options: SAMEORIGIN"}, source: gceAnswers,
			want: googlePage("404", "Not Found", "The requested URL <code>/computeMetadata/v1/instance/attributes/no&lt;ne</code> was not found on this server. ")},
		{request: "GET /computeMetadata/v1/instance/service-accounts/default/identity", headers: flavor, status: 400, answer: []string{html8, flavor},
			want: "non-empty audience parameter required", source: "public clients that look for these words"},
		{request: "GET /computeMetadata/v1/instance/service-accounts/default/identity?audience=a", headers: flavor, status: 404, answer: []string{html8, flavor},
			want: googlePage("404", "Not Found", "The requested URL <code>/computeMetadata/v1/instance/service-accounts/default/identity</code> was not found on this server. ")},
		{request: "GET /computeMetadata/v1/instance/gce-workload-certificates/config-status", headers: flavor, status: 412, answer: []string{html8, flavor},
			want: googlePage("412", "Precondition Failed", "Workload certificates are not configured for this instance.")},
		{request: "POST /computeMetadata/v1/instance/name", headers: flavor, status: 405, answer: []string{html8, flavor},
			want: googlePage("405", "Method Not Allowed", "The request method is inappropriate for this URL.")},
	},
	"gce without guest attributes": {
		{request: "PUT /computeMetadata/v1/instance/guest-attributes/a/b", headers: flavor, body: "x", status: 403, answer: []string{flavor},
			want: "Guest attributes endpoint access is disabled.", source: "public clients that look for these words, and what curl shows"},
		{request: "GET /computeMetadata/v1/instance/guest-attributes/", headers: flavor, status: 403, answer: []string{flavor}, want: "Guest attributes endpoint access is disabled."},
	},
	"ec2": {
		{request: "GET /latest/meta-data/none", status: 404, answer: []string{"Content-Type: text/html", "Server: EC2ws"}, want: amazonPage("404 - Not Found"), source: ec2Page},
		{request: "PUT /latest/api/token", status: 400, answer: []string{"Server: EC2ws"}, want: amazonPage("400 - Bad Request"), source: ec2Tokens},
		{request: "PUT /latest/api/token", headers: "X-aws-ec2-metadata-token-ttl-seconds: 0", status: 400, want: amazonPage("400 - Bad Request"), source: ec2Tokens},
		{request: "PUT /latest/api/token", headers: "X-aws-ec2-metadata-token-ttl-seconds: 60; X-Forwarded-For: 10.0.0.9", status: 403, want: amazonPage("403 - Forbidden"), source: ec2Tokens},
		{request: "PUT /latest/api/token", rule: "disabled", headers: "X-aws-ec2-metadata-token-ttl-seconds: 60", status: 403, want: amazonPage("403 - Forbidden"), source: ec2Tokens},
		{request: "GET /latest/api/token", status: 405, answer: []string{"Allow: OPTIONS, PUT", "Content-Type: text/plain", "Content-Length: 0", "Server: EC2ws"}, want: "",
			source: "an answer of 7 April 2020, quoted in a public mock of EC2"},
		{request: "GET /latest/meta-data/", rule: "required", status: 401, answer: []string{"Content-Type: text/html", "Server: EC2ws"}, want: amazonPage("401 - Unauthorized"), source: ec2Tokens},
		{request: "GET /latest/meta-data/", headers: "X-aws-ec2-metadata-token: wrong", status: 401, want: amazonPage("401 - Unauthorized"), source: ec2Tokens},
		{request: "GET /latest/user-data", headers: "X-aws-ec2-metadata-token: AAAA", status: 401, want: amazonPage("401 - Unauthorized"), source: ec2Tokens},
	},
	"openstack": {
		{request: "GET /openstack/latest/none", headers: anyone, status: 404, answer: []string{html8, "Content-Length: 154"}, want: novaPage("404 Not Found", "The resource could not be found."), source: novaSource},
		{request: "GET /openstack/latest/none", status: 404, answer: []string{"Content-Type: text/plain; charset=UTF-8", "Content-Length: 52"}, want: "404 Not Found\n\nThe resource could not be found.\n\n   ", source: novaSource},
		{request: "GET /latest/meta-data/none", clouds: "openstack", headers: anyone, status: 404, answer: []string{html8, "Server: "}, want: novaPage("404 Not Found", "The resource could not be found."), source: novaSource},
		{request: "PUT /latest/api/token", clouds: "openstack", headers: anyone + "; X-aws-ec2-metadata-token-ttl-seconds: 60", status: 404, want: novaPage("404 Not Found", "The resource could not be found."), source: novaSource},
		{request: "POST /openstack/2012-08-10/password", headers: anyone, body: "x", status: 404, want: novaPage("404 Not Found", "The resource could not be found."), source: novaSource},
		{request: "PUT /openstack/latest/password", headers: anyone, body: "x", status: 400, want: novaPage("400 Bad Request", "GET and POST only are supported."), source: novaSource},
		{request: "POST /openstack/latest/password", headers: anyone, body: strings.Repeat("x", 1021), status: 400, answer: []string{html8, "Content-Length: 147"}, want: novaPage("400 Bad Request", "Request is too large."), source: novaSource},
		{request: "POST /openstack/latest/password", body: strings.Repeat("x", 1020), status: 200, source: novaSource},
		{request: "POST /openstack/latest/password", headers: anyone, body: strings.Repeat("x", 1021), status: 409, answer: []string{html8, "Content-Length: 178"},
			want: novaPage("409 Conflict", "There was a conflict when trying to complete your request."), source: novaSource},
	},
	"azure": {
		{request: "GET /metadata/instance?api-version=2021-02-01", status: 400, answer: []string{json8}, want: `{"error":"Bad request. Required metadata header not specified"}`, source: azureDocs},
		{request: "GET /metadata/instance", headers: "Metadata: true", status: 400, answer: []string{json8}, source: azureDocs,
			want: `{"error":"Bad request. api-version was not specified in the request. For more information refer to aka.ms/azureimds","newest-versions":["2023-07-01","2021-12-13","2021-11-15"]}`},
		{request: "GET /metadata/none?api-version=2021-02-01", headers: "Metadata: true", status: 404, answer: []string{json8}, want: `{"error":"Not found"}`},
		{request: "GET /metadata/instance?api-version=2021-02-01", headers: "Metadata: true; X-Forwarded-For: 10.0.0.9", status: 400, answer: []string{json8},
			want: `{"error":"Bad request. Requests that were forwarded are not answered"}`},
		{request: "PUT /metadata/instance?api-version=2021-02-01", headers: "Metadata: true", status: 405, answer: []string{json8}, want: `{"error":"Method not allowed"}`},
	},
	"aliyun": {
		{request: "PUT /latest/api/token", clouds: "aliyun", headers: "X-aliyun-ecs-metadata-token-ttl-seconds: 21700", status: 400, want: amazonPage("400 - Bad Request"), source: aliyunCodes},
		{request: "PUT /latest/api/token", clouds: "aliyun", headers: "X-aliyun-ecs-metadata-token-ttl-seconds: 60; X-Forwarded-For: 10.0.0.9", status: 403, want: amazonPage("403 - Forbidden"), source: aliyunCodes},
		{request: "GET /latest/meta-data/instance-id", clouds: "aliyun", headers: "X-aliyun-ecs-metadata-token: wrong", status: 401, want: amazonPage("401 - Unauthorized"), source: aliyunCodes},
		{request: "GET /latest/meta-data/instance-id", clouds: "aliyun", rule: "required", status: 401, want: amazonPage("401 - Unauthorized")},
		{request: "GET /2016-01-01/user-data/none", clouds: "aliyun", status: 404, want: amazonPage("404 - Not Found")},
	},
}

// A client decides by these what to do next: ask with a token, ask for another version, give up, or try again for two minutes.
func TestRefusals(t *testing.T) {
	for name, table := range refusals {
		t.Run(name, func(t *testing.T) {
			s := serveIn(t, t.TempDir(), 10, map[string]string{"project": lab, "instance/web1": web1})
			url := listenFor(t, s, "web1")
			for _, r := range table {
				tellByRule(t, s, r, strings.Contains(name, "without guest attributes"))
				r.run(t, url)
			}
		})
	}
}

// tellByRule changes the instance to what the request wants of it.
func tellByRule(t *testing.T, s *Server, r turnedAway, noGuestAttributes bool) {
	t.Helper()
	value := web1
	if r.clouds != "" {
		value = strings.Replace(value, "{", `{"clouds": ["`+r.clouds+`"],`, 1)
	}
	if r.rule != "" {
		value = strings.Replace(value, "{", `{"token-rule": "`+r.rule+`",`, 1)
	}
	if noGuestAttributes {
		value = strings.Replace(value, `"enable-guest-attributes": "TRUE"`, `"enable-guest-attributes": "FALSE"`, 1)
	}
	if _, err := s.catalog.Write(t.Context(), Change{Key: "instance/web1", Value: []byte(value), IfMatch: Any}); err != nil {
		t.Fatal(err)
	}
}

func (r turnedAway) run(t *testing.T, url string) {
	t.Helper()
	method, path, _ := strings.Cut(r.request, " ")
	a, body := ask(t, method, url+path, r.headers, r.body)
	if a.StatusCode != r.status || body != r.want {
		t.Errorf("%s (%s): %d %q\nwant %d %q\nas seen in %s", r.request, r.headers, a.StatusCode, body, r.status, r.want, r.source)
	}
	for _, header := range r.answer {
		name, value, _ := strings.Cut(header, ": ")
		if got := a.Header.Get(name); got != value {
			t.Errorf("%s: %s is %q, want %q", r.request, name, got, value)
		}
	}
}

// An Amazon client renews its token before it is over; it learns from the answers when that is.
func TestTokenSaysHowLong(t *testing.T) {
	s := serveIn(t, t.TempDir(), 10, map[string]string{"instance/a": `{"user-data": "x"}`})
	url := listenFor(t, s, "a")
	const life = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	first, token := ask(t, http.MethodPut, url+"/latest/api/token", life+": 21600", "")
	if first.Header.Get(life) != "21600" || first.Header.Get("Server") != "EC2ws" {
		t.Errorf("the token comes with %v", first.Header)
	}
	for _, path := range []string{"/latest/user-data", "/latest/meta-data/none"} {
		a, _ := ask(t, http.MethodGet, url+path, "X-aws-ec2-metadata-token: "+token, "")
		if left := a.Header.Get(life); len(left) != 5 || left > "21600" || left < "21000" {
			t.Errorf("%s: it is said to be good for %q s", path, left)
		}
	}
	if a, _ := ask(t, http.MethodGet, url+"/latest/user-data", "", ""); a.Header.Get(life) != "" {
		t.Error("who has no token is told how long it is good")
	}
}
