package engine

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// onlineBudget is how long the network stage waits for the network where something in it needs that. Our units are after no service
// that brings the network up, so that a machine without one can be logged in to at once. A default route comes with the address or
// never: there are networks without one. A card may come only when udev has loaded its driver, which takes a loaded host long; but where
// neither the PCI bus has one nor a cloud is to be asked, there is hardly one to come.
const (
	onlineBudget = 30 * time.Second
	routeBudget  = 3 * time.Second
	cardBudget   = 30 * time.Second
	noCardBudget = 5 * time.Second
)

// theCloud is what a source needs the network for.
const theCloud = "the cloud"

// awaitOnline waits until the machine has an address, once in the network stage, where the init system starts that beside what brings
// the network up.
func (e *Engine) awaitOnline(ctx context.Context, what string) {
	if !e.options.Await || e.stage != Network || e.isAwaited {
		return
	}
	e.isAwaited = true
	start := e.machine.Clock.Uptime()
	late, err := e.awaitLinkState(ctx, e.cardBudget(what), hasCard)
	if errors.Is(err, context.DeadlineExceeded) {
		e.log.Log(module.Debug, "net: %s needs the network, but there is no network card", what)
		return
	}
	waited, err := e.awaitLinkState(ctx, onlineBudget, hasAddress)
	if errors.Is(err, context.DeadlineExceeded) {
		e.log.Log(module.Warning, "%s needs the network, but there is no address after %v; the boot goes on without", what, onlineBudget)
		return
	}
	further, _ := e.awaitLinkState(ctx, routeBudget, machine.LinkState.IsOnline)
	if late || waited || further {
		e.log.Log(module.Debug, "net: waited %.3f seconds for the network, which %s needs", (e.machine.Clock.Uptime() - start).Seconds(), what)
	}
}

func (e *Engine) cardBudget(what string) time.Duration {
	if what == theCloud || e.machine.Facts.HasPCICard() {
		return cardBudget
	}
	return noCardBudget
}

// awaitLinkState waits until something is so of the links.
func (e *Engine) awaitLinkState(ctx context.Context, budget time.Duration, isSo func(machine.LinkState) bool) (waited bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	_, err = e.machine.Links.Wait(ctx, func(s machine.LinkState) bool {
		there := isSo(s)
		waited = waited || !there
		return there
	})
	return waited, err
}

// hasAddress says whether there is an address by which others can be reached.
func hasAddress(s machine.LinkState) bool {
	return slices.ContainsFunc(s.Links, func(l machine.NetLink) bool {
		return l.Up && l.Carrier && !l.Loopback && slices.ContainsFunc(l.Addresses, func(a machine.Address) bool {
			return !a.Tentative && !a.Duplicate && !a.Addr().IsLinkLocalUnicast()
		})
	})
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
