package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/machine"
	"openguest/internal/module"
	"openguest/internal/spelling"
)

// listed is one entry of a list of modules in cloud.cfg.
type listed struct {
	name   string // as spelled there
	module *module.Module
	every  module.Frequency
	args   []string
}

// list reads the list of modules of a stage: "name", [name, frequency, argument…] or {name, frequency, args}.
func (e *Engine) list(stage module.Stage) (entries []listed) {
	v := e.config.Get(listKey(stage))
	if v.IsNull() {
		return nil
	}
	if v.Kind != conf.List {
		e.problem(wrongKind(v, listKey(stage), "a list"))
		return nil
	}
	for i, item := range v.Items {
		entry, every, ok := readListed(item)
		if !ok {
			e.problem(wrongKind(item, fmt.Sprintf("%s[%d]", listKey(stage), i), "the name of a module"))
			continue
		}
		if entry.module = module.Find(entry.name); entry.module == nil {
			e.noModule(item, entry.name)
			continue
		}
		entry.every = e.frequency(item, entry, every)
		entries = append(entries, entry)
	}
	return entries
}

// listKey is the key of a stage's list of modules.
func listKey(stage module.Stage) string { return "cloud_" + string(stage) + "_modules" }

func readListed(item *conf.Value) (entry listed, every string, ok bool) {
	switch item.Kind {
	case conf.String:
		entry.name = item.Text
	case conf.List:
		words := item.Strings()
		if len(words) > 0 {
			entry.name = words[0]
		}
		if len(words) > 1 {
			every = words[1]
			entry.args = words[2:]
		}
	case conf.Map:
		entry.name, every = item.Get("name").Str(""), item.Get("frequency").Str("")
		entry.args = item.Get("args").Strings()
	}
	entry.name = strings.TrimSpace(entry.name)
	return entry, strings.TrimSpace(every), entry.name != ""
}

func (e *Engine) noModule(item *conf.Value, name string) {
	id := module.ID(name)
	if module.Removed(id) {
		e.log.Log(module.Info, "Module `%s` has been removed from cloud-init. It may be removed from `/etc/cloud/cloud.cfg`.", id)
		return
	}
	hint := ""
	if near := spelling.Nearest(id, moduleNames()); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	e.problem(conf.Problem{Origin: item.Origin, Path: name, Message: "Could not find module named " + id, Hint: hint, Level: conf.Rejected})
}

func moduleNames() (names []string) {
	for _, m := range module.All() {
		names = append(names, m.Name)
	}
	return names
}

func (e *Engine) frequency(item *conf.Value, entry listed, every string) module.Frequency {
	switch f := module.Frequency(every); f {
	case module.PerInstance, module.Always, module.Once:
		return f
	case "":
	default:
		e.problem(conf.Problem{Origin: item.Origin, Path: entry.name, Level: conf.Deprecated,
			Message: fmt.Sprintf("Config specified module %s has an unknown frequency %s", entry.name, every), Hint: "use once-per-instance, always or once"})
	}
	return entry.module.Every
}

// runList runs the modules of a stage and returns what failed, in the form that status.json has.
func (e *Engine) runList(ctx context.Context, stage module.Stage) (errs []string) {
	for _, entry := range e.active(stage) {
		if ctx.Err() != nil {
			return errs
		}
		if err := e.runModule(ctx, entry); err != nil {
			errs = append(errs, pythonTuple(entry.name, err))
		}
	}
	return errs
}

// active are the modules of a stage for which there is something to do here. The others are named before one runs.
func (e *Engine) active(stage module.Stage) (active []listed) {
	var inactive, foreign, forced []string
	for _, entry := range e.list(stage) {
		switch {
		case !entry.module.IsActive(e.config):
			inactive = append(inactive, entry.name)
			continue
		case e.isForDistro(entry):
		case e.isWanted(entry):
			forced = append(forced, entry.name)
		default:
			foreign = append(foreign, entry.name)
			e.leaveForeign(entry)
			continue
		}
		active = append(active, entry)
	}
	if inactive != nil {
		e.log.Log(module.Info, "Skipping modules '%s' because no applicable config is provided.", strings.Join(inactive, ","))
	}
	if foreign != nil {
		e.log.Log(module.Info, "Skipping modules '%s' because they are not verified on distro '%s'.  To run anyway, add them to 'unverified_modules' in config.",
			strings.Join(foreign, ","), e.distro.ID)
	}
	if forced != nil {
		e.log.Log(module.Info, "running unverified_modules: '%s'", strings.Join(forced, ", "))
	}
	return active
}

// pythonTuple writes a failure as cloud-init does: tools read it.
func pythonTuple(name string, err error) string {
	quote, text := "'", err.Error()
	if strings.Contains(text, "'") && !strings.Contains(text, `"`) { // as Python's repr quotes
		quote = `"`
	}
	text = strings.NewReplacer(`\`, `\\`, quote, `\`+quote, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(text)
	return fmt.Sprintf("('%s', RuntimeError(%s%s%s))", name, quote, text, quote)
}

// isForDistro says whether a module is made for this distribution.
func (e *Engine) isForDistro(entry listed) bool {
	return len(entry.module.Distros) == 0 || slices.Contains(entry.module.Distros, e.distro.ID)
}

// leaveForeign says of each key of a module for other distributions that nothing is done about it.
func (e *Engine) leaveForeign(entry listed) {
	for _, key := range entry.module.Keys() {
		if v := e.config.Get(key); v != nil && !v.Equal(e.base.Get(key)) {
			e.log.Verdict(module.Verdict{Origin: v.Origin.String(), Key: key, Verdict: module.Skipped, Module: entry.module.Name,
				Reason: "it is for " + strings.Join(entry.module.Distros, ", ") + ", and this is " + e.distro.ID})
		}
	}
}

// isWanted says whether somebody wants a module on whatever distribution.
func (e *Engine) isWanted(entry listed) bool {
	return slices.ContainsFunc(e.config.Get("unverified_modules").Strings(), func(name string) bool { return module.ID(name) == entry.module.Name })
}

// runModule runs one module if it is due. The semaphore of one that must never run twice is written before it runs, that
// of others after they succeeded.
func (e *Engine) runModule(ctx context.Context, entry listed) error {
	name := "config-" + entry.name
	event := e.stage.event() + "/" + name
	e.log.event("start: %s: running %s with frequency %s", event, name, entry.every)
	if e.hasRun(name, entry.every) {
		e.log.event("finish: %s: SUCCESS: %s previously ran", event, name)
		return nil
	}
	e.step(Step{Stage: e.stage, Module: entry.module.Name})
	start, before := time.Now(), e.machine.Ledger.Len()
	err := e.execute(ctx, entry, name)
	took := time.Since(start)
	e.step(Step{Stage: e.stage, Module: entry.module.Name, Ended: true, Took: took, Changes: e.machine.Ledger.Len() - before, Err: err})
	if err != nil && ctx.Err() != nil {
		e.log.Log(module.Info, "%s was left: %v", event, context.Cause(ctx))
		return err
	}
	if err != nil && !isUnfinished(err) {
		e.log.Log(module.Warning, "Running module %s failed: %s", entry.name, strings.ReplaceAll(err.Error(), "\n", "; "))
		e.log.event("finish: %s: FAIL: running %s with frequency %s", event, name, entry.every)
		return err
	}
	e.log.event("finish: %s: SUCCESS: %s ran successfully and took %.3f seconds", event, name, took.Seconds())
	return nil
}

// isUnfinished says that a module did what can be done now: the rest waits for the first boot.
func isUnfinished(err error) bool {
	return errors.Is(err, machine.ErrDeferred) || errors.Is(err, machine.ErrOffline) || errors.Is(err, machine.ErrUnknown) || errors.Is(err, machine.ErrRoot)
}

func (e *Engine) step(s Step) {
	if e.options.Progress != nil {
		e.options.Progress(s)
	}
}

// execute runs a module that is due, marks it as its kind is marked, and says how it ended.
func (e *Engine) execute(ctx context.Context, entry listed, name string) error {
	m := entry.module
	if m.Unbuilt {
		return e.leave(entry, name)
	}
	if m.Marked {
		if err := errors.Join(e.mark(name, entry.every), e.settle()); err != nil {
			return err
		}
	}
	e.machine.Ledger.Begin(m.Name, entry.every == module.Always && e.stage != live)
	defer e.machine.Ledger.Begin("", false)
	said := len(e.log.verdicts)
	before := e.machine.Ledger.Len()
	err := m.Run(ctx, e.env(entry))
	if e.machine.Ledger.Len() > before {
		err = errors.Join(err, e.settle())
	}
	e.conclude(entry, said, before, err)
	switch {
	case errors.Is(err, module.ErrSkip):
		err = nil
	case err != nil && m.Marked && isUnfinished(err):
		e.unmark(name, entry.every)
	}
	if err == nil && !m.Marked {
		return e.mark(name, entry.every)
	}
	return err
}

// unmark takes back the semaphore of a module that could not run here at all: it is for the first boot.
func (e *Engine) unmark(name string, every module.Frequency) {
	if every != module.Always {
		e.state.Files.Remove(e.semaphore(name, every))
	}
}

// leave is what happens to a module that is not built yet: where somebody asked for it, it is said and stays due.
func (e *Engine) leave(entry listed, name string) error {
	asked := false
	for _, ask := range entry.module.Asked(e.config) {
		if e.config.Get(ask.Key).Equal(e.base.Get(ask.Key)) { // what the image itself says asks for nothing new
			continue
		}
		e.log.Verdict(module.Verdict{Origin: ask.Value.Origin.String(), Key: ask.Path, Verdict: module.Skipped, Reason: "not built yet", Module: entry.module.Name})
		e.log.Log(module.Warning, "%s: %s: skipped: not built yet", ask.Value.Origin, ask.Path)
		asked = true
	}
	if asked {
		return nil
	}
	return e.mark(name, entry.every)
}

// conclude gives a verdict to the keys of a module that said nothing about what is in them.
func (e *Engine) conclude(entry listed, said, before int, err error) {
	v := module.Verdict{Verdict: module.Unchanged, Module: entry.module.Name}
	if e.machine.Ledger.Len() > before {
		v.Verdict = module.Applied
	}
	v = module.Judge(v, err)
	items := e.log.verdicts[said:]
	failed := slices.ContainsFunc(items, func(i module.Verdict) bool { return i.Verdict == v.Verdict })
	judged := map[string]bool{} // the places about which something was said
	for _, i := range items {
		judged[i.Origin] = judged[i.Origin] || i.Module == entry.module.Name && i.Verdict != module.Rejected
	}
	for _, key := range entry.module.Keys() {
		value := e.config.Get(key)
		if value == nil || (err == nil || errors.Is(err, module.ErrSkip)) && value.Equal(e.base.Get(key)) { // what the image says is nobody's question
			continue
		}
		if (err == nil || failed) && isJudged(value, judged) {
			continue
		}
		v.Key, v.Origin = key, value.Origin.String()
		e.log.Verdict(v)
	}
}

// isJudged says whether something was said about a value, or about something in it.
func isJudged(v *conf.Value, places map[string]bool) bool {
	if places[v.Origin.String()] {
		return true
	}
	inside := func(inner *conf.Value) bool { return isJudged(inner, places) }
	return slices.ContainsFunc(v.Items, inside) ||
		slices.ContainsFunc(v.Pairs, func(p conf.Pair) bool { return inside(p.Key) || inside(p.Value) })
}

// inNameOf does something later in a module's name.
func (e *Engine) inNameOf(entry listed, do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		e.machine.Ledger.Begin(entry.module.Name, entry.every == module.Always)
		defer e.machine.Ledger.Begin("", false)
		return do(ctx)
	}
}

// env is the environment of a module.
func (e *Engine) env(entry listed) *module.Env {
	return &module.Env{Machine: e.machine, Instance: e.now, Config: e.config, Distro: e.distro, Paths: e.paths, Args: entry.args,
		Output: e.output, Report: e.log, Module: entry.module.Name, Listed: entry.name, Version: e.options.Version,
		Publish: e.publisher(), Again: e.again, InUnit: e.options.Unit,
		Last: func(do func(context.Context) error) { e.last = append(e.last, e.inNameOf(entry, do)) }}
}
