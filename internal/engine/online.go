package engine

import (
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// onlineBudget is how long the network stage waits for the network where something in it needs that. Our units are after no service
// that brings the network up, so that a machine without one can be logged in to at once.
const onlineBudget = 30 * time.Second

// awaitOnline waits until there is a default route, once in the network stage. In the local stage the network is not there to come,
// and a machine without a network card has none to wait for.
func (e *Engine) awaitOnline(ctx context.Context, what string) {
	if e.stage != Network || e.isAwaited {
		return
	}
	e.isAwaited = true
	ctx, cancel := context.WithTimeout(ctx, onlineBudget)
	defer cancel()
	start := e.machine.Clock.Uptime()
	waited := false
	_, err := e.machine.Links.Wait(ctx, func(s machine.LinkState) bool {
		there := s.IsOnline() || !hasCard(s)
		waited = waited || !there
		return there
	})
	switch {
	case ctx.Err() != nil:
		e.log.Log(module.Warning, "%s needs the network, but there is no default route after %v; the boot goes on without", what, onlineBudget)
	case err == nil && waited:
		e.log.Log(module.Debug, "net: waited %.3f seconds for the network, which %s needs", (e.machine.Clock.Uptime() - start).Seconds(), what)
	}
}

// hasCard says whether there is an interface through which a network could come.
func hasCard(s machine.LinkState) bool {
	return slices.ContainsFunc(s.Links, func(l machine.NetLink) bool { return !l.Loopback && (!l.Virtual || l.Kind == "veth") })
}

// awaitForModules waits where a module of the init list needs the network: people's commands expect it there, and so may a mount.
// It is what cloud-init waits for.
func (e *Engine) awaitForModules(ctx context.Context) {
	if what := networkNeed(e.config); what != "" {
		e.awaitOnline(ctx, what)
	}
}

// networkNeed is the key of a configuration that needs the network before sshd starts; "" where none does.
func networkNeed(config *conf.Value) string {
	for _, key := range []string{"bootcmd", "mounts"} {
		if v := config.Get(key); v != nil && len(v.Items) > 0 {
			return key
		}
	}
	if !config.At("random_seed", "command").IsNull() {
		return "random_seed"
	}
	if v := config.Get("write_files"); v != nil && slices.ContainsFunc(v.Items, isRemoteFile) {
		return "write_files"
	}
	return ""
}

func isRemoteFile(file *conf.Value) bool {
	v := file.At("source", "uri")
	return v != nil && strings.Contains(v.Text, "://") && !strings.HasPrefix(v.Text, "file:")
}

// noteNoNeed leaves the file by which cloud-init's local stage says that the network stage need not wait for the network: what the
// cloud gave is plain cloud-config without a key that needs it.
func (e *Engine) noteNoNeed() {
	for _, data := range [][]byte{e.now.UserData, e.now.VendorData, e.now.VendorData2} {
		if needsNetwork(string(data)) {
			return
		}
	}
	if err := e.put(path.Join(e.paths.Run, ".skip-network"), 0o644, ""); err != nil {
		e.log.Log(module.Warning, "%v", err)
	}
}

// needsNetwork judges what a cloud gave. What is not plain cloud-config may need anything.
func needsNetwork(text string) bool {
	if strings.TrimSpace(text) == "" {
		return false
	}
	config, _, err := conf.Parse("user-data", []byte(text))
	return !strings.HasPrefix(text, "#cloud-config") || err != nil || networkNeed(config) != ""
}
