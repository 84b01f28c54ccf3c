package source

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// The kinds of stock (PPS) that Azure makes machines in before somebody wants one, in its own words.
const (
	stockRunning = "Running"              // runs, and is plugged into its owner's network then
	stockSavable = "Savable"              // sleeps; its network card is taken, and gets another then
	stockDisk    = "PreprovisionedOSDisk" // only its disk is wanted: it is switched off
	stockUnknown = "Unknown"              // it was in stock when it was booted last, whatever the kind
)

// stockKind is the kind of stock that the machine is in; empty where it has an owner.
func (e *Env) stockKind(m *azureMedia, imds *conf.Value) string {
	if machine.Exists(e.Machine.Files, e.stockMark()) {
		return stockUnknown
	}
	told := scalar(imds.At("extended", "compute", "ppsType"))
	for _, kind := range []string{stockSavable, stockDisk, stockRunning} {
		if m.stock == kind || told == kind {
			return kind
		}
	}
	return ""
}

// stockMark is the file that says that Azure knows of this machine in stock.
func (e *Env) stockMark() string { return path.Join(path.Dir(e.Seed), "data/reported_ready") }

// leaveStock reports that the machine is ready to have an owner, waits for one, which may take days, and is what that one wants of it.
// n becomes the network of the owner.
func (e *Env) leaveStock(ctx context.Context, kind string, n **Early, l limits) (*azureMedia, *conf.Value, error) {
	e.info("PPS type: %s", kind)
	if *n == nil {
		return nil, nil, fmt.Errorf("%w: this machine is in stock, and has no network to be given to anybody", ErrSilent)
	}
	link := e.linkOf(*n)
	if kind != stockUnknown {
		// A machine that is put to sleep at once may not hear the answer.
		if err := e.azureReady(ctx, (*n).wire(), l); err != nil && kind != stockSavable {
			return nil, nil, fmt.Errorf("%w: report that this machine is ready in stock: %w", ErrSilent, err)
		}
	}
	if kind == stockRunning || kind == stockSavable { // on a disk that others are made of, it would be a lie
		if _, err := e.Machine.Files.Put(e.stockMark(), machine.File(0o644, "reported\n")); err != nil {
			e.warn("remember that Azure knows of this machine: %v", err)
		}
	}
	if kind == stockSavable {
		(*n).close() // its card will be gone
	}
	err := e.awaitOwner(ctx, kind, link)
	(*n).close()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: wait for the owner of this machine: %w", ErrSilent, err)
	}
	m, err := e.reprovision(ctx, n, l)
	if err != nil {
		return nil, nil, err
	}
	if _, err := e.Machine.Files.Remove(e.stockMark()); err != nil {
		e.warn("forget that this machine was in stock: %v", err)
	}
	imds, err := e.azureMetadata(ctx, l)
	if err != nil {
		e.warn("Ignoring IMDS metadata due to: %v", err)
	}
	return m, imds, nil
}

// linkOf is the interface of a network; where it was there already, the one that leads to others.
func (e *Env) linkOf(n *Early) string {
	if n.Link != "" {
		return n.Link
	}
	state, _ := e.Machine.Links.State()
	for _, r := range state.Routes {
		if r.IsDefault() {
			return r.Link
		}
	}
	return ""
}

// awaitOwner waits until the machine's network is another one.
func (e *Env) awaitOwner(ctx context.Context, kind, link string) error {
	hasCarrier := func(s machine.LinkState) bool { l, there := s.Named(link); return there && l.Carrier }
	isGone := func(s machine.LinkState) bool { _, there := s.Named(link); return !there }
	isBack := func(s machine.LinkState) bool {
		return slices.ContainsFunc(s.Links, func(l machine.NetLink) bool { return !l.Loopback && !l.Virtual })
	}
	steps := map[string][]func(machine.LinkState) bool{
		stockRunning: {func(s machine.LinkState) bool { return !hasCarrier(s) }, hasCarrier},
		stockSavable: {isGone, isBack},
		stockDisk:    {func(machine.LinkState) bool { return false }},
	}
	for _, until := range steps[kind] {
		if err := e.awaitLinks(ctx, until); err != nil {
			return err
		}
	}
	return nil
}

// stockStep is how long the machine waits before it says that it still does.
const stockStep = 5 * time.Minute

// awaitLinks waits until something is so of the links. The init system is told every few minutes that it takes longer.
func (e *Env) awaitLinks(ctx context.Context, until func(machine.LinkState) bool) error {
	for {
		e.takesLonger()
		waiting, cancel := within(ctx, stockStep)
		_, err := e.Machine.Links.Wait(waiting, until)
		isOver := waiting.Err() != nil && ctx.Err() == nil
		cancel()
		if !isOver || err == nil {
			return err
		}
	}
}

// takesLonger keeps systemd from ending the stage: nothing in it may wait for ever, but for this.
func (e *Env) takesLonger() {
	if err := e.Machine.Init.TakesLonger(3 * stockStep); err != nil {
		e.debug("%v", err)
	}
}

// reprovision asks for what the owner wants until it is there: the network may not be ready yet, nor the answer.
func (e *Env) reprovision(ctx context.Context, n **Early, l limits) (*azureMedia, error) {
	c := &client{e: e, base: azureBase, header: map[string]string{"Metadata": "true"}, limits: l}
	c.limits.tries = 1
	for {
		e.takesLonger()
		var body []byte
		now, err := e.reach(ctx, want{Source: "Azure", Limits: l}, func(ctx context.Context, _ *Early) (err error) {
			body, err = c.awaitOwned(ctx)
			return err
		})
		if err == nil {
			*n = now
			m, err := readAzureMedia("reprovisiondata", string(body))
			if err == nil {
				m.seed = "IMDS"
			}
			return m, err
		}
		e.debug("ask for what the owner of this machine wants: %v", err)
		if err := machine.Pause(ctx, l.pause); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSilent, err)
		}
	}
}

// awaitOwned asks until the owner's wishes are there, or it cannot be asked any more.
func (c *client) awaitOwned(ctx context.Context) ([]byte, error) {
	for {
		body, err := c.get(ctx, "reprovisiondata?api-version=2019-06-01")
		if !isMissing(err) {
			return body, err
		}
		if err := machine.Pause(ctx, c.limits.pause); err != nil {
			return nil, err
		}
	}
}
