package engine

import (
	"context"
	"errors"
	"fmt"
	"path"

	"openguest/internal/conf"
	"openguest/internal/module"
	"openguest/internal/source"
)

// local is the first stage: who is this machine, and what is its name. Where its source needs no network, it does the
// network stage's work as well.
func (e *Engine) local(ctx context.Context) []string {
	e.begin(Local, "init")
	e.fetchConfig(ctx)
	e.state.Files.Remove(e.paths.Cloud + "/instance/boot-finished")
	in, err := e.identify(ctx, source.Local)
	if err != nil {
		e.log.Log(module.Debug, "[local] Exiting without datasource: %v", err)
		return e.configureNetwork(ctx, e.recall() == nil)
	}
	isNew := e.isNew(in)
	if err := e.become(in); err != nil {
		return []string{err.Error()}
	}
	e.status.Datasource = in.Detail
	e.inject(isNew)
	e.partFromCloud(ctx, isNew)
	e.recallParts()
	e.earlyHostname(ctx)
	e.noteNoNeed()
	errs := e.configureNetwork(ctx, isNew)
	if in.Mode != "local" {
		return errs
	}
	return append(errs, e.initialise(ctx)...)
}

// network is the second stage: what the cloud gave is taken apart, and the first list of modules runs.
func (e *Engine) network(ctx context.Context) []string {
	e.begin(Network, "init")
	e.showNetwork()
	e.fetchConfig(ctx)
	if e.isIdentified() && e.resume() == nil {
		event := e.stage.event() + "/check-cache"
		e.log.event("start: %s: attempting to read from cache [trust]", event)
		e.log.event("finish: %s: SUCCESS: restored from cache with run check: %s", event, e.now.Detail)
		if e.now.Mode == "local" {
			e.log.Log(module.Debug, "[net] Exiting. datasource %s in local mode", e.now.Detail)
			return nil
		}
	} else if in, err := e.identify(ctx, source.Network); err == nil {
		e.now = in
	} else if !e.options.Force {
		e.log.Log(module.Warning, "No instance datasource found! %v", err)
		return []string{"No instance datasource found."}
	} else {
		e.now = nobody()
	}
	isNew := e.isNew(e.now)
	if err := e.become(e.now); err != nil {
		return []string{err.Error()}
	}
	e.status.Datasource = e.now.Detail
	e.inject(isNew)
	e.partFromCloud(ctx, isNew)
	errs := e.configureNetwork(ctx, isNew)
	return append(errs, e.initialise(ctx)...)
}

// initialise consumes what the cloud gave and runs the modules of the init list.
func (e *Engine) initialise(ctx context.Context) []string {
	if err := e.consume(ctx); err != nil {
		e.log.Log(module.Error, "Consuming user data failed: %v", err)
		return []string{"Consuming user data failed: " + err.Error()}
	}
	e.reopenOutput("init")
	e.awaitForModules(ctx)
	left := module.HasLateHostKey(e.state.Files)
	errs := e.runList(ctx, module.Init)
	if left {
		errs = append(errs, e.resumeHostKey(ctx)...)
	}
	return errs
}

// begin opens the log and the output of one of the init stages, and makes the folders of the state.
func (e *Engine) begin(stage Stage, section string) {
	e.makeFolders()
	e.openLog()
	e.openOutput(section)
	e.welcome(string(stage))
}

func (e *Engine) makeFolders() {
	c := e.paths.Cloud
	for _, dir := range []string{c, "scripts", "scripts/per-instance", "scripts/per-once", "scripts/per-boot", "scripts/vendor", "seed", "instances", "handlers", "sem", "data"} {
		e.folder(path.Join(c, path.Join("/", trimmed(dir, c))), 0o755)
	}
	e.folder(path.Join(e.paths.Run, "sem"), 0o755)
	e.folder(OwnState, 0o700)
}

// trimmed is dir below root: the root itself is nothing.
func trimmed(dir, root string) string {
	if dir == root {
		return ""
	}
	return dir
}

// welcome prints the line that tools look for at the start of a stage.
func (e *Engine) welcome(stage string) {
	now := e.machine.Clock.Now()
	text := fmt.Sprintf("Cloud-init v. %s running '%s' at %s. Up %.2f seconds.", e.options.Version, stage, now.UTC().Format(rfc2822), e.machine.Clock.Uptime().Seconds())
	e.log.source = "util.py"
	e.log.Log(module.Debug, "%s", text)
	e.log.source = "main.py"
	e.say(text + "\n")
}

const rfc2822 = "Mon, 02 Jan 2006 15:04:05 -0700"

// say prints to where output: sends the stage's output.
func (e *Engine) say(text string) {
	if e.options.Terminal {
		return
	}
	e.machine.Commands.Say(e.output, text)
}

// earlyHostname sets the name that the cloud or the person gave before the network comes up, so that DHCP sends it.
func (e *Engine) earlyHostname(ctx context.Context) {
	if e.now.Hostname == "" && e.config.Get("hostname") == nil && e.config.Get("fqdn") == nil {
		return
	}
	m := module.Find("set_hostname")
	if m == nil {
		return
	}
	e.machine.Ledger.Begin(m.Name, false)
	defer e.machine.Ledger.Begin("", false)
	entry, before := listed{name: m.Name, module: m}, e.machine.Ledger.Len()
	err := m.Run(ctx, e.env(entry))
	if e.machine.Ledger.Len() > before {
		e.conclude(entry, len(e.log.verdicts), before, err)
	}
	if err != nil && !errors.Is(err, module.ErrSkip) {
		e.log.Log(module.Debug, "Failed setting hostname in local stage. Will retry in network stage. Error: %v.", err)
	}
}

// problem logs what is wrong with a configuration and gives it its verdict.
func (e *Engine) problem(err error) {
	var p conf.Problem
	if !errors.As(err, &p) {
		e.log.Log(module.Warning, "%v", err)
		return
	}
	(&module.Env{Report: e.log}).Problem(p)
}

func (e *Engine) problems(all []conf.Problem) {
	for _, p := range all {
		e.problem(p)
	}
}
