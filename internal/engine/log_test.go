package engine

import (
	"strings"
	"testing"

	"openguest/internal/machine"
	"openguest/internal/module"
)

// A log that cannot be written, as on a full disk, is said once: without that a person looks at an old log and believes it, and said for
// each line it would fill the console.
func TestBrokenLogIsSaid(t *testing.T) {
	var said []string
	l := newLog(machine.Fake("-- var/log/cloud-init.log/in-the-way --\n", noon))
	l.echo = func(line string) { said = append(said, line) }
	l.open("/var/log/cloud-init.log", 0, 0)
	for range 3 {
		l.Log(module.Debug, "a line")
	}
	if len(said) != 1 || !strings.Contains(said[0], "/var/log/cloud-init.log: it is a folder") {
		t.Errorf("it said %q", said)
	}
}
