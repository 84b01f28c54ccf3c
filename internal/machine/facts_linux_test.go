package machine

import (
	"os/exec"
	"strings"
	"testing"
)

// Whatever this system is, its facts agree with what the kernel's own programs say.
func TestLiveFacts(t *testing.T) {
	m, err := Live()
	if err != nil {
		t.Skip("the root folder of this system cannot be opened: ", err)
	}
	for flag, got := range map[string]string{"-m": m.Facts.Architecture(), "-r": m.Facts.KernelRelease()} {
		if out, err := exec.Command("uname", flag).Output(); err == nil && strings.TrimSpace(string(out)) != got {
			t.Errorf("uname %s says %q, we say %q", flag, strings.TrimSpace(string(out)), got)
		}
	}
	loopback := false
	for _, nic := range m.Facts.NICs() {
		loopback = loopback || nic.Loopback && nic.Virtual
	}
	if !loopback {
		t.Errorf("there is no loopback among %+v", m.Facts.NICs())
	}
}
