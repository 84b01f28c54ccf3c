package module

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"openguest/internal/machine"
)

// publishes says whether somebody is to be told the host keys.
func (k *sshKeys) publishes(e *Env) bool {
	return e.Publish != nil && (k.Publish.Path == "" || k.Publish.Value.Enabled)
}

// publish tells the cloud the host keys. Where nobody asked for that, it is no fault of the module that the cloud takes none.
func (k *sshKeys) publish(ctx context.Context, e *Env) error {
	if k.Publish.Path != "" {
		return e.Item(k.Publish.Origin, k.Publish.Path, func() error { return publishHostKeys(ctx, e, k.Publish.Value) })
	}
	if err := publishHostKeys(ctx, e, publishKeys{Enabled: true}); err != nil && !errors.Is(err, ErrSkip) && !isDeferred(err) {
		e.Warn("Publishing host keys failed! %v", err)
	}
	return nil
}

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
