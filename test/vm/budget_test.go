package vm

import (
	"fmt"
	"testing"
)

// Row 71 of gce-linux: sshd listens 20 s after the kernel began, and what we do before that takes less than 0.3 s, keys included. Time is
// counted in instructions, a nanosecond each, so that this is no matter of luck; scripts/bench-vm has the figures beside the peers'.
func TestBootBudget(t *testing.T) {
	t.Parallel()
	const user = "#cloud-config\nusers: [{name: maria, ssh_authorized_keys: [%q]}]\nssh_genkeytypes: [ed25519]\n"
	c := wholeMachine(t, "bookworm", "nocloud", fmt.Sprintf(user, newKey(t).Authorized()))
	c.Counted = true
	m := start(t, c)
	booted(t, m)
	if server := at(t, m, "ActiveEnterTimestampMonotonic", "ssh"); server == 0 || server > 20e6 {
		t.Errorf("sshd listens after %.2f s", float64(server)/1e6)
	}
	own := at(t, m, "CPUUsageNSec", "cloud-init-local") + at(t, m, "CPUUsageNSec", "cloud-init-network")
	if own > 300e6 {
		t.Errorf("the stages before sshd take %.3f s of the processor", float64(own)/1e9)
	}
	t.Logf("the stages before sshd take %.3f s of the processor", float64(own)/1e9)
}
