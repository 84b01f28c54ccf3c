package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"openguest/internal/machine"
	"openguest/internal/module"
)

// Rule 4: a command of ours that hangs costs its module a sentence, and not the boot: what comes after it runs.
func TestHelperThatHangs(t *testing.T) {
	dir := t.TempDir()
	script := []byte("#!/bin/sh\n/bin/sleep 1000\n")
	if err := os.WriteFile(filepath.Join(dir, "groupadd"), script, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir) // none of this system's own programs may run
	live, err := machine.LiveWithin(200 * time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	m := machine.Fake(debian, noon)
	m.Commands = live.Commands
	e := boot(t, m, Options{Given: given("h", "#cloud-config\ngroups: [ops]\nhostname: web01\nwrite_files: [{path: /late, content: x, defer: true}]\n")})
	const sentence = "groupadd ops did not end within 200ms and was killed"
	said := false
	for _, v := range e.Verdicts() {
		said = said || v.Key == "groups[0]" && v.Verdict == module.Failed && strings.Contains(v.Reason, sentence)
	}
	if !said {
		t.Errorf("no verdict says that the command hung: %+v", e.Verdicts())
	}
	if status := read(t, m, "/var/lib/cloud/data/status.json"); !strings.Contains(status, sentence) {
		t.Errorf("status.json does not say it: %s", status)
	}
	if !machine.Exists(m.Files, "/late") || !machine.Exists(m.Files, "/var/lib/cloud/data/result.json") {
		t.Error("the modules after the one that failed did not run")
	}
	if machine.Exists(m.Files, "/var/lib/cloud/instance/sem/config_users_groups") {
		t.Error("the module is marked as done: the next boot would not try again")
	}
}
