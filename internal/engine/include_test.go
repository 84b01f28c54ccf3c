package engine

import (
	"context"
	"errors"
	"strings"
	"testing"

	"openguest/internal/machine"
)

// server answers with one text, or not at all.
type server struct {
	text string
	down bool
	last machine.Request
}

func (s *server) Fetch(_ context.Context, r machine.Request) (machine.Response, error) {
	s.last = r
	if s.down {
		return machine.Response{}, errors.New("connection refused")
	}
	return machine.Response{Status: 200, Body: []byte(s.text)}, nil
}

// Row U06 and rule 5's neighbour: a server that is down at a reboot takes nothing away from an instance that had its text;
// another instance gets nothing of it.
func TestIncludesOutliveTheirServer(t *testing.T) {
	m, s := machine.Fake(debian, noon), &server{text: "#cloud-config\nwrite_files: [{path: /included, content: x}]\n"}
	m.Net = s
	data := "#include\nhttps://user:secret@example/part?token=secret\n"
	boot(t, m, Options{Given: given("one", data)})
	if read(t, m, "/included") != "x" {
		t.Fatal("what was included is not there")
	}
	s.down = true
	again := boot(t, m, Options{Given: given("one", data)})
	if again.config.Get("write_files") == nil || s.last.Tries != includeTriesAgain {
		t.Errorf("the server is down, and the configuration is gone (%d tries)", s.last.Tries)
	}
	if log := read(t, m, "/var/log/cloud-init.log"); !strings.Contains(log, "earlier boot is used") || strings.Contains(log, "secret") {
		t.Errorf("the log says nothing of it, or tells the address's secrets:\n%s", log)
	}
	if other := boot(t, m, Options{Given: given("two", data)}); other.config.Get("write_files") != nil {
		t.Error("another instance was given what the first had fetched")
	}
}

// Rule 5: a source that answers only when the network is up is asked at every boot; the last boot's answer does not stand
// in for it while it speaks.
func TestNetworkSourceIsAskedAgain(t *testing.T) {
	m := machine.Fake(debian+"-- etc/cloud/cloud.cfg --\ndatasource_list: [NoCloud]\ndatasource: {NoCloud: {seedfrom: 'http://seed.example/'}}\n", noon)
	m.Net = seeds{"http://seed.example/meta-data": "instance-id: first\n", "http://seed.example/user-data": "#cloud-config\n{}\n"}
	if e := boot(t, m, Options{}); e.now == nil || e.now.ID != "first" {
		t.Fatalf("the first boot came to %+v", e.now)
	}
	machine.RemoveAll(m.Files, "/run/cloud-init")
	m.Net = seeds{"http://seed.example/meta-data": "instance-id: second\n", "http://seed.example/user-data": "#cloud-config\n{}\n"}
	if e := boot(t, m, Options{}); e.now == nil || e.now.ID != "second" {
		t.Errorf("the seed names another instance, and the machine is %+v", e.now)
	}
	machine.RemoveAll(m.Files, "/run/cloud-init")
	m.Net = seeds{}
	if e := boot(t, m, Options{}); e.now == nil || e.now.ID != "second" {
		t.Errorf("the seed is silent, and the machine is %+v", e.now)
	}
}

// seeds are texts by address; what is not there does not answer.
type seeds map[string]string

func (s seeds) Fetch(_ context.Context, r machine.Request) (machine.Response, error) {
	if text, ok := s[r.URL]; ok {
		return machine.Response{Status: 200, Body: []byte(text)}, nil
	}
	return machine.Response{}, errors.New("connection refused")
}

// Row U07: what is included once is not asked for again at the next boot, whether its server is there or not.
func TestIncludedOnce(t *testing.T) {
	m, s := machine.Fake(debian, noon), &server{text: "#cloud-config\nwrite_files: [{path: /included, content: x}]\n"}
	m.Net = s
	const data = "#include-once\nhttps://example/part\n"
	boot(t, m, Options{Given: given("one", data)})
	kept, err := m.Files.List("/var/lib/cloud/instance/data/urlcache")
	if err != nil || len(kept) != 1 || read(t, m, "/included") != "x" {
		t.Fatalf("kept is %v, %v", kept, err)
	}
	if n, err := m.Files.Look("/var/lib/cloud/instance/data/urlcache/" + kept[0]); err != nil || n.Mode != 0o600 {
		t.Errorf("others than root may read what was included: %v, %v", n.Mode, err)
	}
	s.down, s.last = true, machine.Request{}
	if again := boot(t, m, Options{Given: given("one", data)}); again.config.Get("write_files") == nil || s.last.URL != "" {
		t.Errorf("asked again was %q, and the configuration has %v", s.last.URL, again.config.Get("write_files"))
	}
}
