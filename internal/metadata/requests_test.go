package metadata

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// metricLine is a sample of Prometheus's text format.
var metricLine = regexp.MustCompile(`^([a-z_]+)(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+]+$`)

// Prometheus drops the whole page for one line that it cannot read.
func TestMetrics(t *testing.T) {
	s := serveIn(t, t.TempDir(), 5, map[string]string{"instance/a": `{}`})
	url := listenFor(t, s, "a")
	s.faults.add(Fault{Path: "/hetzner/*", Status: 503})
	for _, path := range []string{"/latest/meta-data/", "/latest/none", "/hetzner/v1/metadata", "/no\"where"} {
		ask(t, "GET", url+path, "", "")
	}
	api := httptest.NewServer(s.Admin())
	defer api.Close()
	a, body := ask(t, "GET", api.URL+"/metrics", "", "")
	if got := a.Header.Get("Content-Type"); got != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("its type is %q", got)
	}
	typed := map[string]bool{}
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			typed[name] = kind == "counter" || kind == "gauge"
			continue
		}
		if m := metricLine.FindStringSubmatch(line); m == nil && !strings.HasPrefix(line, "# HELP ") || m != nil && !typed[m[1]] {
			t.Errorf("Prometheus cannot read %q", line)
		}
	}
	for _, want := range []string{"instances 1", "revision 1", "waiting 0", "waiting_limit 5", "woken_total 0", "waited_total 0", "faults_total 1",
		`requests_total{dialect="ec2",status="200"} 1`, `requests_total{dialect="ec2",status="404"} 1`, `requests_total{dialect="fault",status="503"} 1`,
		`requests_total{dialect="none",status="404"} 1`} {
		if !strings.Contains(body, "\nopenguest_metadata_"+want+"\n") {
			t.Errorf("%s is not in\n%s", want, body)
		}
	}
}

// The list of requests must not grow for ever, nor show more of a request than a line.
func TestRequestLogIsARing(t *testing.T) {
	var l requestLog
	for range keptRequests + 10 {
		l.add(Request{Instance: "a", Path: strings.Repeat("x", 5000)})
	}
	l.add(Request{Instance: "b"})
	all := l.list("", 0)
	if len(all) != keptRequests || all[0].Number != 12 || len(all[0].Path) != 1024 {
		t.Errorf("%d are kept, the first is number %d with %d bytes", len(all), all[0].Number, len(all[0].Path))
	}
	if own := l.list("b", keptRequests); len(own) != 1 || own[0].Number != keptRequests+11 {
		t.Errorf("%+v", own)
	}
}
