package pack

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"openguest/test/netns"
)

// Row N16: what udev's rule hands over arrives at our command, for each of two cards that come at the same time; before anybody
// listens udev is not held up.
func TestHotplugHook(t *testing.T) {
	hook := dist + "/hotplug/hook-hotplug"
	unit, err := os.ReadFile(dist + "/systemd/cloud-init-hotplugd.service")
	if err != nil {
		t.Fatal(err)
	}
	if !netns.Enter(t) { // for a /run of its own
		return
	}
	if err := os.MkdirAll("/run/cloud-init/share", 0o755); err != nil {
		t.Fatal(err)
	}
	udev := func(card string) {
		cmd := exec.Command("sh", hook)
		cmd.Env = []string{"SUBSYSTEM=net", "DEVPATH=/devices/virtual/net/" + card, "ACTION=add", "PATH=" + os.Getenv("PATH")}
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("the hook: %v\n%s", err, out)
		}
	}
	udev("eth9") // nobody listens yet
	netns.Run(t, "mkfifo", "-m", "600", "/run/cloud-init/share/hook-hotplug-cmd")
	pipe, err := os.OpenFile("/run/cloud-init/share/hook-hotplug-cmd", os.O_RDWR, 0) // as systemd holds it
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	udev("eth1")
	udev("eth2")
	_, line, _ := strings.Cut(string(unit), "ExecStart=/bin/sh -c '")
	line, _, _ = strings.Cut(line, "'\n")
	for _, card := range []string{"eth1", "eth2"} {
		cmd := exec.Command("sh", "-c", strings.Replace(line, "exec /usr/bin/openguest", "exec echo", 1))
		cmd.ExtraFiles = []*os.File{pipe}
		out, err := cmd.CombinedOutput()
		want := "devel hotplug-hook --subsystem=net handle --devpath=/devices/virtual/net/" + card + " --udevaction=add\n"
		if err != nil || string(out) != want {
			t.Errorf("%s: the service runs %q, not %q: %v", card, out, want, err)
		}
	}
	log, err := os.ReadFile("/run/cloud-init/hook-hotplug.log")
	if err != nil || !strings.Contains(string(log), "not ready yet: --subsystem=net handle --devpath=/devices/virtual/net/eth9") {
		t.Errorf("the log is\n%s%v", log, err)
	}
}
