package engine

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"openguest/internal/machine"
	"openguest/internal/module"
	"openguest/internal/network"
	"openguest/internal/source"
)

// EC2 goes on to give old answers for a while after it first knew of a card, so it is asked on and on, as cloud-init does.
const (
	plugRounds = 6
	plugPeriod = 5 * time.Second
)

// plugWaits are how long it is waited after each try: clouds know of a card some time after the machine does.
func plugWaits() []time.Duration {
	return []time.Duration{time.Second, 3 * time.Second, 5 * time.Second, 10 * time.Second, 0}
}

// A pluggedCard is a network card that came while the system ran: only it is brought up.
type pluggedCard struct {
	card machine.NetLink
	isUp bool // it was brought up
}

// FollowsPlugs says whether a network card that is plugged in gets its network from the cloud. The error says that nobody knows
// which instance this is.
func (e *Engine) FollowsPlugs() (bool, error) {
	e.load()
	e.openLog()
	if err := e.resume(); err != nil {
		return false, err
	}
	s := source.Named(e.now.Source)
	return s != nil && s.Fetch != nil && e.followsNetwork("hotplug"), nil
}

// FollowPlugs has cards followed from now on. news is false where that was so already.
func (e *Engine) FollowPlugs(ctx context.Context) (news bool, err error) {
	if _, err := e.FollowsPlugs(); err != nil {
		return false, err
	}
	return module.EnableHotplug(ctx, e.hotplugEnv())
}

func (e *Engine) hotplugEnv() *module.Env {
	m := module.Find("install_hotplug")
	return e.env(listed{name: m.Name, module: m})
}

// followsNetwork says whether an event makes the network of a known instance due.
func (e *Engine) followsNetwork(event string) bool {
	return slices.Contains(module.NetworkEvents(e.hotplugEnv()), event)
}

// Plug gives a network card that was plugged in its network: the cloud is asked, the network's files are written, and the card
// is brought up. The device is its path below /sys. Where cards are not followed, nothing is done.
func (e *Engine) Plug(ctx context.Context, device string) error {
	follows, err := e.FollowsPlugs()
	if err != nil || !follows {
		return err
	}
	state, err := e.machine.Links.State()
	if err != nil {
		return fmt.Errorf("look at the network card %s: %w", path.Base(device), err)
	}
	card, ok := state.Named(path.Base(device))
	if !ok {
		return fmt.Errorf("there is no network card %s any more", path.Base(device))
	}
	const event = "hotplug-hook"
	e.log.event("start: %s: Handle reconfiguration on hotplug events.", event)
	e.machine.Ledger.Begin("network", false)
	defer e.machine.Ledger.Begin("", false)
	err = e.plugRounds(ctx, card)
	if err != nil {
		e.log.Log(module.Error, "Received fatal exception handling hotplug! %v", err)
		e.log.event("finish: %s: FAIL: Handle reconfiguration on hotplug events.", event)
		return err
	}
	e.log.event("finish: %s: SUCCESS: Handle reconfiguration on hotplug events.", event)
	return nil
}

func (e *Engine) plugRounds(ctx context.Context, card machine.NetLink) error {
	e.plugged = &pluggedCard{card: card}
	rounds := 1
	if e.now.Source == "Ec2" || e.now.Source == "AliYun" {
		rounds = plugRounds
	}
	for round := range rounds {
		if round > 0 {
			e.log.Log(module.Debug, "Gathering network configuration again due to IMDS limitations.")
			if err := machine.Pause(ctx, plugPeriod); err != nil {
				return err
			}
		}
		if err := e.plugTries(ctx, card); err != nil {
			return err
		}
	}
	return nil
}

// plugTries asks until the cloud knows of the card.
func (e *Engine) plugTries(ctx context.Context, card machine.NetLink) (err error) {
	waits := plugWaits()
	for try, wait := range waits {
		e.log.Log(module.Debug, "subsystem=net update attempt %d/%d", try, len(waits))
		if err = e.plug(ctx, card); err == nil {
			return nil
		}
		e.log.Log(module.Debug, "Exception while processing hotplug event. %v", err)
		if stop := machine.Pause(ctx, wait); stop != nil {
			return stop
		}
	}
	return err
}

// plug asks once.
func (e *Engine) plug(ctx context.Context, card machine.NetLink) error {
	e.nics = nil // the card may have got its name since it was asked last
	stage := source.Network
	if e.now.Mode == "local" {
		stage = source.Local
	}
	if err := e.askNetwork(ctx, stage); err != nil {
		return err
	}
	text, ok := e.networkText(ctx)
	if !ok || text.from != "ds" {
		e.log.Log(module.Info, "the network is not described by the cloud here; %s is left as it is", card.Name)
		return nil
	}
	m, _, err := network.Read(text.kind, text.document, e.networkHost())
	if err != nil {
		return err
	}
	if e.now.Source != "LXD" && len(m.Of(card).Links) == 0 { // what LXD says has no MACs
		return fmt.Errorf("Failed to detect %s in updated metadata", card.MAC)
	}
	state, err := e.machine.Links.State()
	if err != nil {
		return fmt.Errorf("look at the network's links: %w", err)
	}
	record, _ := e.networkRecord()
	if err := e.writeNetwork(ctx, m, state, text, record, true); err != nil {
		return err
	}
	e.plugged.isUp = true // another round changes only what is new
	return errors.Join(e.keep(e.now), e.describe())
}
