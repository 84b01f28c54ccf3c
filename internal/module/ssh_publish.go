package module

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"openguest/internal/machine"
)

// publishHostKeys tells the cloud the public keys of the ssh server, where it takes them.
func publishHostKeys(ctx context.Context, e *Env, k publishKeys) error {
	switch {
	case !k.Enabled:
		return Skip("enabled is false")
	case e.Publish == nil:
		return Skip(fmt.Sprintf("the data source %s takes no host keys", e.Instance.Source))
	case !e.isRunning():
		return fmt.Errorf("tell the cloud the host keys: %w", machine.ErrDeferred)
	}
	all, err := e.publicHostKeys()
	if err != nil {
		return err
	}
	hidden := append([]string{"dsa"}, k.Blacklist...)
	var lines []string
	for _, key := range all {
		kind := strings.TrimSuffix(strings.TrimPrefix(key.name, "ssh_host_"), "_key.pub")
		if words := strings.Fields(key.text); len(words) > 1 && !slices.Contains(hidden, kind) {
			lines = append(lines, words[0]+" "+words[1])
		}
	}
	if lines == nil {
		return Skip("there is no host key to tell the cloud")
	}
	return e.Publish(ctx, lines)
}
