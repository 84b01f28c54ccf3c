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
