package engine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/internal/module"
	"openguest/internal/source"
)

// ErrUnwatched says that what a machine's cloud says is read at boot only.
var ErrUnwatched = errors.New("nothing is to be watched here")

// A Watch keeps a machine in line with its cloud while the machine runs: it asks the cloud for what is new, and runs the
// modules that follow live changes whenever what they read of it, or of the configuration, is another than at their last
// success. While the cloud is silent, what it said last stands.
type Watch struct {
	machine machine.Machine
	options Options
	cloud   *source.Source
	done    map[string]string    // what each module had read when it last succeeded
	again   map[string]time.Time // when one wants to run in any case
	strange string               // another instance's id, of which was warned
}

// NewWatch looks for the cloud: that of the instance that the machine is, or else the one that the machine's facts name. The
// error is ErrUnwatched where it cannot be watched, or ErrDisabled.
func NewWatch(m machine.Machine, o Options) (*Watch, error) {
	w := &Watch{machine: m, options: o, done: map[string]string{}, again: map[string]time.Time{}}
	e := w.engine()
	if by := e.disabled(); by != "" {
		return nil, fmt.Errorf("%w by %s", ErrDisabled, by)
	}
	if last := e.recall(); last != nil && last.Source != "None" {
		if w.cloud = source.Named(last.Source); w.cloud == nil || w.cloud.Watch == nil {
			return nil, fmt.Errorf("%w: the source %s says at boot what it has to say", ErrUnwatched, last.Source)
		}
		return w, nil
	}
	env := e.sourceEnv(source.Network)
	for _, s := range source.All() {
		if s.Watch != nil && s.Match(e.machine.Facts, env).Found {
			w.cloud = s
			return w, nil
		}
	}
	return nil, fmt.Errorf("%w: this is no cloud that says more after the boot", ErrUnwatched)
}

// engine is one for a single pass: the configuration is read anew, and nothing piles up.
func (w *Watch) engine() *Engine {
	e := New(w.machine, w.options)
	e.stage = live
	e.load()
	e.openLog()
	return e
}

// Once asks the cloud, runs the modules, and returns their verdicts.
func (w *Watch) Once(ctx context.Context) ([]module.Verdict, error) {
	e := w.engine()
	in, _, err := w.cloud.Watch(ctx, e.sourceEnv(source.Network), "")
	if err != nil {
		return nil, fmt.Errorf("ask the cloud what is new: %w", err)
	}
	e = w.engine()
	if w.isAnother(e, in) {
		return nil, nil
	}
	err = w.pass(ctx, e, in)
	return e.log.verdicts, err
}

// Run follows the cloud until the context ends, and returns why it did.
func (w *Watch) Run(ctx context.Context) error {
	answers := make(chan *instance.Instance)
	go w.listen(ctx, w.engine(), answers)
	var now *instance.Instance
	for {
		timer := time.NewTimer(w.untilNext())
		var in *instance.Instance
		select {
		case in = <-answers:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e := w.engine()
		if in != nil && !w.isAnother(e, in) {
			now = in
		}
		if now != nil {
			w.pass(ctx, e, now)
			w.machine.Ledger.Forget()
		}
	}
}

// untilNext is how long nothing is due if the cloud has nothing new.
func (w *Watch) untilNext() time.Duration {
	wait := time.Hour
	for _, at := range w.again {
		wait = min(wait, at.Sub(w.machine.Clock.Now()))
	}
	return max(wait, 0)
}

// How long is waited for a cloud that is silent, or has nothing new at once: at first, and at most.
const (
	firstSilence   = time.Second
	longestSilence = time.Minute
)

// listen sends each new answer of the cloud.
func (w *Watch) listen(ctx context.Context, e *Engine, answers chan<- *instance.Instance) {
	mark, silence := "", time.Duration(0)
	for ctx.Err() == nil {
		start := time.Now()
		in, next, err := w.cloud.Watch(ctx, e.sourceEnv(source.Network), mark)
		if err != nil || next == mark && time.Since(start) < firstSilence {
			if err != nil && silence == 0 && ctx.Err() == nil {
				e.log.Log(module.Warning, "ask the cloud what is new: %v; what it said last stands, and it is asked again", err)
			}
			silence = min(max(2*silence, firstSilence), longestSilence)
			machine.Pause(ctx, silence)
			continue
		}
		if silence > 0 {
			e.log.Log(module.Info, "the cloud answers again")
		}
		silence = 0
		if next == mark {
			continue
		}
		mark = next
		select {
		case answers <- in:
		case <-ctx.Done():
		}
	}
}

// isAnother says of an answer that it is about another instance than this machine is. Nothing is done about it: what the cloud said
// of this one stands, and the next boot finds out what that means.
func (w *Watch) isAnother(e *Engine, in *instance.Instance) bool {
	last := e.recall()
	if last == nil || last.ID == in.ID || last.Source == "None" {
		return false
	}
	if w.strange != in.ID {
		w.strange = in.ID
		e.log.Log(module.Warning, "the cloud speaks of the instance %s, and this is %s: nothing is done about it before the next boot", in.ID, last.ID)
	}
	return true
}

// pass runs what is due.
func (w *Watch) pass(ctx context.Context, e *Engine, in *instance.Instance) error {
	e.now, e.paths.Folder = in, in.Folder()
	e.config = stack([]*conf.Value{e.base, e.guestLayer(in)})
	e.log.verdicts = readVerdicts(e.state, liveVerdicts)
	var failed error
	ran := false
	for _, m := range module.All() {
		if m.Follows != nil && w.isDue(e, m) && ctx.Err() == nil {
			failed = errors.Join(failed, w.run(ctx, e, m))
			ran = true
		}
	}
	if ran {
		e.folder(OwnState, 0o700)
		e.saveVerdicts(liveVerdicts)
	}
	return failed
}

// isDue says whether a module has something new to read, or asked for its time.
func (w *Watch) isDue(e *Engine, m *module.Module) bool {
	if at, asked := w.again[m.Name]; asked && !e.machine.Clock.Now().Before(at) {
		return true
	}
	return w.done[m.Name] != e.digest(m)
}

// retryAfter is when a module that failed runs again.
const retryAfter = 30 * time.Second

// run runs one module. One that failed is due again after a while.
func (w *Watch) run(ctx context.Context, e *Engine, m *module.Module) error {
	delete(w.again, m.Name)
	e.again = func(at time.Time) { w.again[m.Name] = at }
	e.log.verdicts = slices.DeleteFunc(e.log.verdicts, func(v module.Verdict) bool { return v.Module == m.Name })
	if err := e.runModule(ctx, listed{name: m.Name, module: m, every: m.Every}); err != nil {
		e.again(e.machine.Clock.Now().Add(retryAfter))
		w.done[m.Name] = ""
		return err
	}
	w.done[m.Name] = e.digest(m)
	return nil
}

// partFromCloud undoes what followed a cloud, on a machine that has become another instance in a place where nothing is to be
// followed: whom the last cloud gave keys has them no more.
func (e *Engine) partFromCloud(ctx context.Context, isNew bool) {
	if s := source.Named(e.now.Source); !isNew || s != nil && s.Watch != nil {
		return
	}
	for _, m := range module.All() {
		if m.Follows == nil {
			continue
		}
		entry := listed{name: m.Name, module: m}
		err := e.inNameOf(entry, func(ctx context.Context) error { return m.Run(ctx, e.env(entry)) })(ctx)
		if err != nil && !errors.Is(err, module.ErrSkip) && !isUnfinished(err) {
			e.log.Log(module.Warning, "take back what another cloud gave: %v", err)
		}
	}
}

// digest stands for what a module reads of the instance and of the configuration.
func (e *Engine) digest(m *module.Module) string {
	all := []any{m.Follows(e.now)}
	for _, key := range m.Keys() {
		all = append(all, e.config.Get(key).Data())
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

// guestLayer is the configuration of Google's agent. From low to high: what the distribution says, the person's file, the
// metadata, the image's template. See https://github.com/GoogleCloudPlatform/guest-agent#configuration.
func (e *Engine) guestLayer(in *instance.Instance) *conf.Value {
	const file = "/etc/default/instance_configs.cfg"
	merged := &conf.Value{Kind: conf.Map}
	for _, name := range []string{file + ".distro", file, "metadata", file + ".template"} {
		text := in.Guest
		if name != "metadata" {
			text, _ = e.state.Files.Read(name) // mostly there is none
		}
		layer, problems := conf.ParseINI(name, text)
		e.problems(problems)
		merged = conf.DefaultMerger().Merge(layer, merged)
	}
	if len(merged.Pairs) == 0 {
		return nil
	}
	key := &conf.Value{Kind: conf.String, Text: "instance_configs"}
	return &conf.Value{Kind: conf.Map, Pairs: []conf.Pair{{Key: key, Value: merged}}}
}
