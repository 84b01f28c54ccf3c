package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"

	"openguest/internal/account"
	"openguest/internal/conf"
	"openguest/internal/machine"
	"openguest/internal/module"
	"openguest/internal/network"
	"openguest/internal/source"
)

// networkRecord is the file that says what was written for the network.
func networkRecord() string { return path.Join(OwnState, "network.json") }

// configureNetwork writes the network's files where that is due, and in the network stage brings the network up. isNew
// says that this is another instance than at the last boot.
func (e *Engine) configureNetwork(ctx context.Context, isNew bool) (errs []string) {
	e.nics = nil
	text, ok := e.networkText(ctx)
	if !ok {
		return nil
	}
	record, known := e.networkRecord()
	if !e.networkIsDue(isNew, record, known) && !e.isOnOtherHardware(record) {
		e.log.Log(module.Debug, "No network config applied. Neither a new instance nor datasource network update allowed")
		e.keepNames(ctx, text)
		return nil
	}
	e.refreshNetwork(ctx, isNew, &text)
	e.machine.Ledger.Begin("network", false)
	defer e.machine.Ledger.Begin("", false)
	if !known {
		e.keepRecord(network.Record{}) // until the network is written, it is due
	}
	isSame := !isNew && e.now != nil && (!known || record.Instance == e.now.ID)
	if err := e.applyNetwork(ctx, text, record, isSame); err != nil {
		e.log.Log(module.Error, "%v", err)
		e.log.Verdict(module.Verdict{Origin: text.from, Key: "network", Verdict: module.Failed, Reason: err.Error(), Module: "network"})
		if errors.Is(err, errNoRenderer) { // perhaps the machine has a network all the same
			return nil
		}
		return []string{err.Error()}
	}
	return nil
}

// networkIsDue says whether the network's files are to be written now.
func (e *Engine) networkIsDue(isNew bool, record network.Record, known bool) bool {
	if isNew || known && e.now != nil && record.Instance != e.now.ID {
		return true
	}
	if e.now == nil {
		return false
	}
	wasThisBoot := machine.Exists(e.state.Files, path.Join(e.paths.Run, "sem/apply_network_config.once"))
	return e.followsNetwork("boot") && !wasThisBoot || e.followsNetwork("boot-legacy")
}

// isOnOtherHardware says that none of the interfaces is there that the network's files were written for: the machine got
// others, and would not be reached.
func (e *Engine) isOnOtherHardware(record network.Record) bool {
	if e.stage != Local || len(record.MACs) == 0 {
		return false
	}
	for _, nic := range e.networkHost().NICs {
		if slices.Contains(record.MACs, nic.MAC) {
			return false
		}
	}
	return true
}

// refreshNetwork asks the cloud again for the network of an instance that was known without asking.
func (e *Engine) refreshNetwork(ctx context.Context, isNew bool, text *networkText) {
	if text.from != "ds" || isNew || !e.isCached {
		return
	}
	stage := source.Local
	if e.stage != Local {
		stage = source.Network
	}
	if err := e.askNetwork(ctx, stage); err != nil {
		e.log.Log(module.Info, "the cloud says nothing new about the network (%v); what it said before counts", err)
		return
	}
	if fresh, ok := e.networkText(ctx); ok {
		*text = fresh
	}
	e.keep(e.now)
}

// askNetwork asks the cloud for the network of the instance, and nothing else.
func (e *Engine) askNetwork(ctx context.Context, stage source.Stage) error {
	s := source.Named(e.now.Source)
	if s == nil || s.Fetch == nil {
		return fmt.Errorf("%s cannot be asked for the network", e.now.Source)
	}
	in, err := s.Fetch(ctx, e.sourceEnv(stage))
	switch {
	case err != nil:
		return fmt.Errorf("ask %s for the network: %w", e.now.Source, err)
	case in.ID != e.now.ID:
		return fmt.Errorf("ask %s for the network: it answers for the instance %s, and this is %s", e.now.Source, in.ID, e.now.ID)
	case in.Network == nil:
		return fmt.Errorf("ask %s for the network: it says nothing about it", e.now.Source)
	}
	e.now.Network = in.Network
	return nil
}

// errNoRenderer says that the machine has no network manager that is known here.
var errNoRenderer = errors.New("Unable to render networking. Network config is likely broken")

// applyNetwork makes the files say what the description says. isSame says that those which are there are this instance's.
func (e *Engine) applyNetwork(ctx context.Context, text networkText, record network.Record, isSame bool) error {
	m, _, err := network.Read(text.kind, text.document, e.networkHost())
	if err != nil {
		return err
	}
	state, err := e.presentLinks(ctx, m)
	if err != nil {
		if !e.isOnOtherHardware(record) {
			return err
		}
		e.log.Log(module.Warning, "%v; the network is what is assumed where nobody describes it", err)
		document, why := network.Fallback(e.networkHost().NICs)
		text = networkText{from: "fallback", kind: "v2", document: document, why: why}
	}
	// The description is read anew each time that what it is about has changed: cards that came only now, and their names.
	if m, _, err = network.Read(text.kind, text.document, e.networkHost()); err != nil {
		return err
	}
	return e.writeNetwork(ctx, m, state, text, record, isSame)
}

// writeNetwork gives the interfaces the names that the model has for them, and writes the files.
func (e *Engine) writeNetwork(ctx context.Context, m *network.Model, state machine.LinkState, text networkText, record network.Record, isSame bool) error {
	e.renameLinks(m, state)
	m, problems, err := network.Read(text.kind, text.document, e.networkHost())
	e.networkProblems(text, problems)
	if err != nil {
		return err
	}
	e.keepNetworkText(m)
	e.checkNetwork(text)
	e.log.Log(module.Info, "Applying network configuration from %s bringup=%s", text.from, pythonBool(e.bringsUp()))
	return e.renderNetwork(ctx, m, text, record, isSame)
}

func pythonBool(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// bringsUp says that the network is to be brought up as well: not in the local stage, after which its manager starts.
func (e *Engine) bringsUp() bool {
	return e.stage != Local && !e.base.Get("disable_network_activation").Truth(false)
}

// networkHost is what the description may be about. It is looked at once, and again after it may have changed.
func (e *Engine) networkHost() network.Host {
	if e.nics == nil {
		e.nics = e.machine.Facts.NICs()
	}
	return network.Host{NICs: e.nics}
}

// checkNetwork says, as cloud-init does, that what somebody wrote is not as the schema wants it: a key that is spelled wrongly is read
// by nobody. On a machine with netplan a document of version 2 may have more than the schema knows.
func (e *Engine) checkNetwork(text networkText) {
	netplan, _ := network.Choose(e.networkTarget(), network.Renderers(), []string{"netplan"})
	if text.kind != "v1" && (text.kind != "v2" || netplan != nil) {
		return
	}
	problems := network.Check(text.document)
	if len(problems) == 0 {
		return
	}
	e.log.Log(module.Warning, "network-config-%s failed schema validation! You may run 'sudo cloud-init schema --system' to check the details.", text.kind)
	for _, p := range problems {
		e.log.Log(module.Info, "%s", p.Error())
	}
}

// networkProblems says what of the description could not be used.
func (e *Engine) networkProblems(text networkText, problems []conf.Problem) {
	for _, p := range problems {
		if p.Path != "" {
			p.Path = "network." + p.Path
		}
		if p.Origin == (conf.Origin{}) {
			p.Origin.Part = text.from
		}
		e.problem(p)
	}
}

// renderNetwork has the renderer for this machine write its files, and runs what has to follow.
func (e *Engine) renderNetwork(ctx context.Context, m *network.Model, text networkText, record network.Record, isSame bool) error {
	target := e.networkTarget()
	renderer, why := network.Choose(target, network.Renderers(), e.renderers())
	if renderer == nil {
		return fmt.Errorf("%w: No available network renderers found: %s", errNoRenderer, why)
	}
	e.log.Log(module.Debug, "Selected renderer '%s' from priority list: %s", renderer.Name, why)
	files, problems := renderer.Render(m, target)
	e.networkProblems(text, problems)
	record.Source, record.Renderer, record.Why, record.MACs = text.from, renderer.Name, why, macs(m)
	if text.why != "" {
		record.Why += "; " + text.why
	}
	now, outcomes, err := record.Write(e.machine, files, isSame, e.owner(ctx))
	changed := e.reportNetwork(text, record.Why, outcomes)
	if err != nil {
		return fmt.Errorf("write the network's files: %w", err)
	}
	now.Instance = ""
	if e.now != nil {
		now.Instance = e.now.ID
	}
	e.keepRecord(now)
	e.put(path.Join(e.paths.Run, "sem/apply_network_config.once"), 0o644, "")
	return e.followNetwork(ctx, renderer, m, target, changed)
}

func macs(m *network.Model) (macs []string) {
	for _, l := range m.Links {
		if l.Kind == network.Physical && l.MAC != "" {
			macs = append(macs, l.MAC)
		}
	}
	return macs
}

func (e *Engine) networkTarget() network.Target {
	return network.Target{Files: e.machine.Files, Facts: e.machine.Facts, Host: e.networkHost(), Variant: e.distro.ID}
}

func (e *Engine) owner(ctx context.Context) func(string) (uid, gid int, err error) {
	return func(name string) (uid, gid int, err error) { return account.Owner(ctx, e.state, name+":"+name) }
}

// reportNetwork says what became of the files.
func (e *Engine) reportNetwork(text networkText, why string, outcomes []network.Outcome) (changed bool) {
	verdict := module.Verdict{Origin: text.from, Key: "network", Verdict: module.Unchanged, Reason: why, Module: "network"}
	if text.document.Origin.Part != "" {
		verdict.Origin = text.document.Origin.String()
	}
	for _, o := range outcomes {
		changed = changed || o.Changed
		if o.Left != "" {
			e.log.Log(module.Info, "%s is left alone: %s", o.Path, o.Left)
			e.log.Verdict(module.Verdict{Origin: o.Path, Key: "network", Verdict: module.Skipped, Reason: o.Left, Module: "network"})
		}
	}
	if changed {
		verdict.Verdict = module.Applied
	}
	e.log.Verdict(verdict)
	return changed
}

// followNetwork runs the commands that have to follow changed files. Its error is that the network manager does not take
// them.
func (e *Engine) followNetwork(ctx context.Context, renderer *network.Manager, m *network.Model, target network.Target, changed bool) error {
	if e.plugged != nil {
		m = m.Of(e.plugged.card)
	}
	if !changed && (e.plugged == nil || e.plugged.isUp) {
		return nil
	}
	var err error
	if renderer.After != nil && changed {
		err = e.doAll(ctx, renderer.After(target))
	}
	if !e.bringsUp() {
		e.log.Log(module.Debug, "Not bringing up newly configured network interfaces")
		return err
	}
	e.log.Log(module.Debug, "Bringing up newly configured network interfaces")
	activator, why := network.Choose(target, network.Activators(), e.activators())
	if activator == nil {
		e.log.Log(module.Warning, "No network activator found, not bringing up network interfaces: %s", why)
		return err
	}
	e.log.Log(module.Debug, "Using selected activator: %s", why)
	if failed := e.doAll(ctx, activator.BringUp(m)); failed != nil {
		e.log.Log(module.Warning, "bring up the network: %v", failed)
	}
	return err
}

// doAll runs commands. One that fails costs no other.
func (e *Engine) doAll(ctx context.Context, changes []machine.Change) (err error) {
	for _, c := range changes {
		failed := e.machine.Commands.Do(ctx, c)
		if isUnfinished(failed) {
			e.log.Log(module.Debug, "%v", failed)
			continue
		}
		err = errors.Join(err, failed)
	}
	return err
}

// networkRecord is what was written for the network; known is false where that was never so much as begun.
func (e *Engine) networkRecord() (record network.Record, known bool) {
	text, err := e.state.Files.Read(networkRecord())
	if err != nil || json.Unmarshal([]byte(text), &record) != nil {
		return network.Record{}, false
	}
	return record, true
}

func (e *Engine) keepRecord(record network.Record) {
	text, err := json.Marshal(record)
	if err == nil {
		err = e.put(networkRecord(), 0o600, string(text)+"\n")
	}
	if err != nil {
		e.log.Log(module.Warning, "remember which of the network's files are ours: %v", err)
	}
}

// keepNetworkText writes the description where tools look for it, once there is an instance.
func (e *Engine) keepNetworkText(m *network.Model) {
	if e.now == nil || m.Document == nil {
		return
	}
	name := e.paths.Instance("network-config.json")
	err := errors.Join(e.put(name, 0o600, conf.JSON(m.Document.Data())+"\n"), e.link(e.runFile("network-config.json"), name))
	if err != nil {
		e.log.Log(module.Warning, "write down the network's description: %v", err)
	}
}
