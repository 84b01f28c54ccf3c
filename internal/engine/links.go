package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"openguest/internal/machine"
	"openguest/internal/module"
	"openguest/internal/network"
)

// linksBudget is how long the local stage waits for network cards that the description names, or that udev is about to
// rename. While udev still has events in its queue, a driver may be about to come, so it is waited that long again, linksRounds
// times at most: cloud-init waits for udev, and a slow machine must not lose its network.
const (
	linksBudget = 10 * time.Second
	linksRounds = 12
)

// awaitLinks waits until the interfaces are there that a model wants, and all have the names that udev gives them. Where
// nobody can wait, as in an image or a plan, it is how things are, and they may be other then.
func (e *Engine) awaitLinks(ctx context.Context, m *network.Model) (state machine.LinkState, certain bool) {
	start := e.machine.Clock.Uptime()
	waited, err := false, error(nil)
	for range linksRounds {
		state, err = e.awaitLinksOnce(ctx, func(s machine.LinkState) bool {
			there := (m == nil || len(m.Missing(s)) == 0) && isSettled(s)
			waited = waited || !there
			return there
		})
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || !e.isUdevBusy() {
			break
		}
	}
	if waited {
		e.log.Log(module.Debug, "net: waited %.3f seconds for expected net devices", (e.machine.Clock.Uptime() - start).Seconds())
	}
	e.forgetOthers(state, waited)
	certain = !errors.Is(err, machine.ErrOffline) && !errors.Is(err, machine.ErrUnknown)
	if err != nil {
		if state, err = e.machine.Links.State(); err != nil {
			e.log.Log(module.Debug, "look at the network's links: %v", err)
			return state, false
		}
	}
	return state, certain
}

// forgetOthers has the host looked at anew where it may have other interfaces, or under other names, than when that was done.
func (e *Engine) forgetOthers(s machine.LinkState, waited bool) {
	isGone := func(n machine.NIC) bool {
		return !slices.ContainsFunc(s.Links, func(l machine.NetLink) bool { return l.Name == n.Name })
	}
	if waited || len(e.nics) != len(s.Links) || slices.ContainsFunc(e.nics, isGone) {
		e.nics = nil
	}
}

// isUdevBusy says that udev has events in its queue, or has not begun with what the kernel found before it: the loopback would have
// its entry in the database then.
func (e *Engine) isUdevBusy() bool {
	has := func(name string) bool { return machine.Exists(e.state.Files, "/run/udev/"+name) }
	return has("queue") || has("control") && !has("data/n1")
}

func (e *Engine) awaitLinksOnce(ctx context.Context, until func(machine.LinkState) bool) (machine.LinkState, error) {
	ctx, cancel := context.WithTimeout(ctx, linksBudget)
	defer cancel()
	return e.machine.Links.Wait(ctx, until)
}

// isSettled says that no link is about to get another name.
func isSettled(s machine.LinkState) bool {
	return !slices.ContainsFunc(s.Links, func(l machine.NetLink) bool { return !l.Settled && !l.Virtual })
}

// presentLinks are the links once all are there that the model wants. That some are not is an error: their names would be
// given to others.
func (e *Engine) presentLinks(ctx context.Context, m *network.Model) (machine.LinkState, error) {
	state, certain := e.awaitLinks(ctx, m)
	missing := m.Missing(state)
	if len(missing) > 0 && certain {
		return state, fmt.Errorf("Not all expected physical devices present: {'%s'}", strings.Join(missing, "', '"))
	}
	return state, nil
}

// keepNames gives the interfaces of a network that is written already the names that it knows them by.
func (e *Engine) keepNames(ctx context.Context, text networkText) {
	m, _, err := network.Read(text.kind, text.document, e.networkHost())
	if err != nil || len(m.Expected()) == 0 {
		return
	}
	state, err := e.machine.Links.State()
	if err != nil {
		return
	}
	e.machine.Ledger.Begin("network", true)
	defer e.machine.Ledger.Begin("", false)
	e.renameLinks(m, state)
}

func (e *Engine) renameLinks(m *network.Model, state machine.LinkState) {
	changes, problems := m.Renames(state)
	for _, p := range problems {
		e.log.Log(module.Warning, "Failed to rename devices: %s", p.Message)
	}
	if len(changes) == 0 {
		return
	}
	e.nics = nil
	if _, err := e.machine.Links.Apply(changes...); err != nil {
		e.log.Log(module.Warning, "Failed to rename devices: %v", err)
	}
}
