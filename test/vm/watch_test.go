package vm

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"time"

	"openguest/internal/metadata"
	"openguest/internal/vm"
)

// isFollowed gives a person who is not there a key, and takes it away again. Rows 3, 9, 14 and 17 of gce-linux.md §14: who was
// given a key must be able to work, and who lost it must not.
func isFollowed(t *testing.T, m *vm.Machine) {
	key := newKey(t)
	ada := vm.Login{User: "ada", Key: key}
	const file = "/home/ada/.ssh/authorized_keys"
	wait(t, m, "the key is there", "until [ -s "+file+" ]; do sleep 0.1; done", func() { setKeys(t, m, "ada:"+key.Authorized()) })
	ask(t, m, "until id -nG ada | grep -q google-sudoers; do sleep 0.1; done")
	var out, problems bytes.Buffer
	if status, err := m.Exec(within(t), ada, "id -un; sudo -n id -un", &out, &problems); err != nil || status != 0 || out.String() != "ada\nroot\n" {
		t.Errorf("ada is, and may become: status %d, %v, %q, %s", status, err, out.String(), problems.String())
	}
	if out := ask(t, m, "visudo -c -q && stat -c '%a %U' "+file+"; id -nG ada | grep -c video"); out != "600 ada\n1\n" {
		t.Errorf("what ada has: %q", out)
	}
	second := newKey(t)
	wait(t, m, "another key is there", "until [ $(grep -c ^ssh "+file+") = 2 ]; do sleep 0.1; done", func() {
		setKeys(t, m, "ada:"+key.Authorized(), "ada:"+second.Authorized())
	})
	if status, err := m.Exec(within(t), vm.Login{User: "ada", Key: second}, "true", io.Discard, io.Discard); err != nil || status != 0 {
		t.Errorf("ada's other key: status %d, %v", status, err)
	}
	wait(t, m, "the key is gone", "while [ -e "+file+" ]; do sleep 0.1; done", func() { setKeys(t, m) })
	if _, err := m.Exec(within(t), ada, "true", io.Discard, io.Discard); err == nil {
		t.Error("ada logs in with a key that the metadata has no more")
	}
	ask(t, m, "while id -nG ada | grep -q google-sudoers; do sleep 0.1; done")
	if out := ask(t, m, "getent passwd ada >/dev/null && ls -d /home/ada; ls /home/ada/.ssh"); out != "/home/ada\n" {
		t.Errorf("after the last key: %q", out)
	}
}

// wait changes something while the machine waits for what comes of it, and says how long that took.
func wait(t *testing.T, m *vm.Machine, what, until string, change func()) {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		_, err := m.Run(within(t), "echo until "+what+" >/dev/ttyS0; "+until)
		ended <- err
	}()
	if err := m.WaitConsole(within(t), "until "+what); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	change()
	if err := <-ended; err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	t.Logf("%s %v after the change", what, time.Since(start).Round(time.Millisecond))
}

// setKeys changes the metadata's keys of a machine.
func setKeys(t *testing.T, m *vm.Machine, lines ...string) {
	t.Helper()
	catalog := m.Metadata().Catalog()
	e, err := catalog.Get("instance/vm")
	if err != nil {
		t.Fatal(err)
	}
	var i metadata.Instance
	if err := json.Unmarshal(e.Value, &i); err != nil {
		t.Fatal(err)
	}
	i.SSHKeys = lines
	value, err := json.Marshal(i)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.Write(t.Context(), metadata.Change{Key: "instance/vm", Value: value, IfMatch: metadata.Any}); err != nil {
		t.Fatal(err)
	}
}
