package source

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"openguest/internal/machine"
)

// slowNet answers as a server does, and takes its time over each answer. Inside a synctest the time of a fetch is that of the answers
// which had to be waited for one after another, and nothing else.
type slowNet struct {
	server http.Handler
	takes  time.Duration
}

func (n slowNet) Fetch(ctx context.Context, r machine.Request) (machine.Response, error) {
	if err := machine.Pause(ctx, n.takes); err != nil {
		return machine.Response{}, err
	}
	at, err := url.Parse(r.URL)
	if err != nil {
		return machine.Response{}, err
	}
	request := httptest.NewRequest(cmp.Or(r.Method, http.MethodGet), "http://cloud"+at.RequestURI(), nil)
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	n.server.ServeHTTP(w, request)
	if w.Code != http.StatusOK {
		return machine.Response{}, &machine.StatusError{URL: r.URL, Status: w.Code}
	}
	answer := machine.Response{Status: w.Code, Header: map[string]string{}, Body: w.Body.Bytes(), URL: r.URL}
	for name := range w.Header() {
		answer.Header[name] = w.Header().Get(name)
	}
	return answer, nil
}

// documents serves documents by path.
func documents(pages map[string]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set(gceFlavor, "Google")
		fmt.Fprint(w, page)
	})
}

// Rows D01 and X07. A cloud is asked for what does not depend on another answer at the same time: with 50 ms for each answer OpenStack
// takes 0.1 s, which took cloud-init 11 s. Each further answer that is waited for makes every first boot there slower.
func TestAnswersOneAfterAnother(t *testing.T) {
	const each = 50 * time.Millisecond
	aliYunMeta := `{"instance-id": "i-1", "hostname": "web1", "public-keys": {"0": {"openssh-key": "` + oneKey + `"}}}`
	aws := &treeServer{root: awsTree("2021-03-23", awsMeta()), header: awsToken}
	for name, c := range map[string]struct {
		facts  string
		server http.Handler
		depth  int
	}{
		"OpenStack":    {"", documents(novaTree("2012-08-10\n2018-08-27\nlatest", "2018-08-27", nil)), 2},
		"Ec2":          {onAWS + "-- /sys/class/net/ens5/address --\n06:17:04:d7:26:09\n-- /sys/class/net/ens6/address --\n06:17:04:d7:26:08\n", aws, 4},
		"Ec2's others": {onAWS, aws, 5}, // with an interface that the machine does not see
		"GCE":          {"", documents(map[string]string{"/computeMetadata/v1/": `{"instance": {"id": 1, "hostname": "web1.c.p.internal", "zone": "projects/1/zones/z"}}`}), 1},
		"AliYun":       {"", documents(map[string]string{"/latest/api/token": "t", "/2016-01-01/meta-data/all": aliYunMeta}), 2},
		"DigitalOcean": {onePages["DigitalOcean"].facts, documents(onePages["DigitalOcean"].pages), 1},
		"Hetzner":      {onePages["Hetzner"].facts, documents(onePages["Hetzner"].pages), 2},
		"UpCloud":      {"", documents(onePages["UpCloud"].pages), 1},
		"Vultr":        {"", documents(onePages["Vultr"].pages), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.facts, "")
				w.env.Machine.Net = slowNet{c.server, each}
				start := time.Now()
				if in, err := Named(strings.TrimSuffix(name, "'s others")).Fetch(t.Context(), w.env); err != nil || in.ID == "" {
					t.Fatalf("it gives %+v, %v", in, err)
				}
				took := time.Since(start)
				if took != time.Duration(c.depth)*each {
					t.Errorf("it waits for %d answers one after another, want %d", took/each, c.depth)
				}
				t.Logf("with %v for each answer %s takes %v", each, name, took)
			})
		})
	}
}
