package machine

import (
	"path"
	"testing"
	"time"
)

// Waiting for the disk once for each file is what made logins late: a file that is made while they are gathered waits for none, and
// all are on the disk when what depends on them is noted as done.
func TestGather(t *testing.T) {
	m, err := Tree(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put := func(name, data string) {
		t.Helper()
		if _, err := m.Files.Put(name, File(0o600, data)); err != nil {
			t.Fatal(err)
		}
	}
	late := func() int { return len(diskOf(m).late.systems) }
	put("first", "1")
	if late() != 0 {
		t.Error("a file that nobody wanted to be gathered is late")
	}
	end := Gather(m.Quiet().Files)
	put("second", "2")
	put("third", "3")
	if late() != 1 {
		t.Errorf("%d file systems have late files, and all of them are on one", late())
	}
	if err := Settle(m.Files); err != nil || late() != 0 {
		t.Errorf("settled, %d file systems have late files: %v", late(), err)
	}
	put("fourth", "4")
	if err := end(); err != nil || late() != 0 {
		t.Errorf("at the end, %d file systems have late files: %v", late(), err)
	}
	put("fifth", "5")
	if late() != 0 {
		t.Error("after the end, a file is late")
	}
	for name, want := range map[string]string{"second": "2", "third": "3", "fourth": "4", "fifth": "5"} {
		if got, err := m.Files.Read(path.Join("/", name)); err != nil || got != want {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
}

// A plan and a test have no disk: gathering does nothing there.
func TestGatherNowhere(t *testing.T) {
	plan, _ := Plan(Fake("", time.Time{}))
	if err := Gather(plan.Files)(); err != nil {
		t.Error(err)
	}
	if err := Settle(plan.Files); err != nil {
		t.Error(err)
	}
}
