package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/internal/module"
	"openguest/internal/source"
)

// kept is an instance as we remember it, with what was true of the machine when it was found.
type kept struct {
	Instance *instance.Instance `json:"instance"`
	UUID     string             `json:"product_uuid"` // of the hardware; empty where there is none
}

var errNoSource = errors.New("no data source found")

// identify finds out which instance this machine is. One that was known is kept while the cloud is silent, unless the
// machine itself is another.
func (e *Engine) identify(ctx context.Context, stage source.Stage) (*instance.Instance, error) {
	if e.options.Given != nil {
		return e.options.Given, nil
	}
	env := e.sourceEnv(stage)
	last, known := e.remembered(ctx, env)
	e.isCached = known
	if known {
		return last, nil
	}
	choice := source.Detect(e.machine.Facts, env)
	for _, line := range choice.Lines {
		e.log.Log(module.Debug, "detection: %s", line)
	}
	if stage == source.Network && slices.ContainsFunc(choice.List, func(name string) bool { return name != "None" }) {
		e.awaitOnline(ctx, theCloud)
	}
	env.Spent = e.spent()
	in, _, reasons, err := source.Find(ctx, env, choice.List)
	e.keepSpent(env.Spent)
	for _, reason := range reasons {
		e.log.Log(module.Debug, "search: %s", reason)
	}
	switch {
	case err == nil && (in.Source != "None" || last == nil || last.Source == "None"):
		return in, nil
	case last != nil && !errors.Is(err, source.ErrNotYet):
		e.log.Log(module.Warning, "the cloud says nothing about this machine (%v); it stays the instance %s", firstOf(err, errNoSource), last.ID)
		return last, nil
	case err == nil:
		return in, nil
	}
	return nil, err
}

// spent is how long each source was asked before in this boot, without an answer.
func (e *Engine) spent() map[string]time.Duration {
	spent := map[string]time.Duration{}
	text, err := e.state.Files.Read(e.runFile("sem/asked"))
	if e.stage == Local || err != nil || json.Unmarshal([]byte(text), &spent) != nil {
		return map[string]time.Duration{} // a source that is asked for longer is better than one that is not
	}
	return spent
}

// keepSpent remembers for the network stage what the local stage spent.
func (e *Engine) keepSpent(spent map[string]time.Duration) {
	if e.stage != Local || len(spent) == 0 {
		return
	}
	text, err := json.Marshal(spent)
	if err = cmp.Or(err, e.put(e.runFile("sem/asked"), 0o600, string(text))); err != nil {
		e.log.Log(module.Debug, "remember how long the sources were asked: %v", err)
	}
}

// remembered is the last known instance, if there is one, and whether it is this one without asking the cloud.
func (e *Engine) remembered(ctx context.Context, env *source.Env) (last *instance.Instance, known bool) {
	event := e.stage.event() + "/check-cache"
	e.log.event("start: %s: attempting to read from cache [check]", event)
	last = e.recall()
	env.Last = last
	if last == nil {
		last = e.adopt()
	} else {
		known = e.isCurrent(ctx, env, last)
	}
	known = known || last != nil && e.isKept()
	switch {
	case known:
		e.log.event("finish: %s: SUCCESS: restored from cache: %s", event, last.Detail)
	case last != nil:
		e.log.event("finish: %s: SUCCESS: cache invalid in datasource: %s", event, last.Detail)
	default:
		e.log.event("finish: %s: SUCCESS: no cache found", event)
	}
	return last, known
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// isCurrent says whether the remembered instance is this one without asking the cloud: it was found in this very boot, or
// its source can tell.
func (e *Engine) isCurrent(ctx context.Context, env *source.Env, last *instance.Instance) bool {
	if e.isRunning(last) {
		return true
	}
	s := source.Named(last.Source)
	return s != nil && s.Check != nil && s.Check(ctx, env, last)
}

// isRunning says that an instance was settled on in this very boot.
func (e *Engine) isRunning(in *instance.Instance) bool {
	running, err := e.state.Files.Read(path.Join(e.paths.Run, ".instance-id"))
	return err == nil && strings.TrimSpace(running) == in.ID
}

// isIdentified says that an earlier stage of this boot settled on the instance. Where it did not, because its source needs
// the network, the one of the last boot proves nothing.
func (e *Engine) isIdentified() bool {
	if e.now != nil {
		return true
	}
	last := e.recall()
	return last != nil && e.isRunning(last) || e.adoptRunning() != nil
}

// isKept says that the machine stays the instance that it was until somebody cleans it, whatever its source says.
func (e *Engine) isKept() bool {
	return e.config.Get("manual_cache_clean").Truth(false) || machine.Exists(e.state.Files, e.paths.Cloud+"/instance/manual-clean")
}

func (e *Engine) sourceEnv(stage source.Stage) *source.Env {
	return &source.Env{Machine: e.state, Config: e.base, Stage: stage, Seed: path.Join(e.paths.Cloud, "seed"),
		Warn:       func(format string, args ...any) { e.log.Log(module.Warning, format, args...) },
		Deprecated: func(format string, args ...any) { e.log.Log(module.Deprecated, format, args...) },
		Info:       func(format string, args ...any) { e.log.Log(module.Info, format, args...) },
		Debug:      func(format string, args ...any) { e.log.Log(module.Debug, format, args...) }}
}

// recall is the instance that this machine was last; nil where there was none, or where it was another machine.
func (e *Engine) recall() *instance.Instance {
	text, err := e.state.Files.Read(path.Join(OwnState, "instance.json"))
	if err != nil {
		return nil
	}
	last, err := readKept(text)
	if err != nil || last.Instance == nil {
		return nil
	}
	if !machine.SameUUID(last.UUID, e.machine.Facts.DMI("product_uuid")) {
		e.log.Log(module.Info, "this is another machine than the one that was the instance %s", last.Instance.ID)
		return nil
	}
	return last.Instance
}

// readKept reads what keep wrote. Whole numbers that the cloud gave stay whole: templates print them.
func readKept(text string) (last kept, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err = d.Decode(&last); err == nil && last.Instance != nil {
		conf.Numbered(last.Instance.Metadata)
		conf.Numbered(last.Instance.Tree)
		if seed := last.Instance.RandomSeed; seed != nil && last.Instance.Metadata["random_seed"] != nil {
			last.Instance.Metadata["random_seed"] = seed // bytes, which JSON made a text of
		}
	}
	return last, err
}

// resume takes up the instance of this boot, as an earlier stage left it.
func (e *Engine) resume() error {
	if e.now == nil {
		if e.now = e.recall(); e.now == nil {
			e.now = e.adoptRunning()
		}
		if e.now == nil {
			return errNoSource
		}
	}
	e.paths.Folder = e.now.Folder()
	e.recallParts()
	return nil
}

// recallParts takes up the configuration that this instance was given when it was last consumed.
func (e *Engine) recallParts() {
	var p parts
	text, err := e.state.Files.Read(path.Join(OwnState, "parts.json"))
	if err == nil && json.Unmarshal([]byte(text), &p) == nil && p.Instance == e.now.ID {
		e.merge(&p)
	}
}

// nobody is the instance of a machine that goes on without a source.
func nobody() *instance.Instance {
	return &instance.Instance{Source: "None", Detail: "DataSourceNone", ID: "iid-datasource-none", Mode: "net", Platform: "none", Cloud: "none"}
}

// isNew says that an instance is another one than that of the last boot.
func (e *Engine) isNew(in *instance.Instance) bool {
	text, err := e.state.Files.Read(e.paths.Data("instance-id"))
	return err != nil || strings.TrimSpace(text) != in.ID
}

// become writes down which instance this is: the folder, the link to it, and what it was before.
func (e *Engine) become(in *instance.Instance) error {
	e.now, e.paths.Folder = in, in.Folder()
	for _, dir := range []string{"handlers", "scripts", "sem"} {
		e.folder(e.paths.Instance(dir), 0o755)
	}
	previous := "NO_PREVIOUS_INSTANCE_ID"
	if text, err := e.state.Files.Read(e.paths.Data("instance-id")); err == nil {
		previous = strings.TrimSpace(text)
	}
	class, _, _ := strings.Cut(cmp.Or(in.Detail, "DataSource"+in.Source), " ") // a source has another one in the local stage
	detail := class + ": " + in.Detail
	before := detail
	if text, err := e.state.Files.Read(e.paths.Instance("datasource")); err == nil && strings.TrimSpace(text) != "" {
		before = strings.TrimSpace(text)
	}
	return errors.Join(
		e.keep(in),
		e.put(e.paths.Instance("datasource"), 0o644, detail+"\n"),
		e.put(e.paths.Data("previous-datasource"), 0o644, before+"\n"),
		e.link(e.paths.Cloud+"/instance", e.paths.Instance()),
		e.put(e.paths.Data("previous-instance-id"), 0o644, previous+"\n"),
		e.put(e.paths.Data("instance-id"), 0o644, in.ID+"\n"),
		e.put(path.Join(e.paths.Run, ".instance-id"), 0o644, in.ID+"\n"),
		e.describe(),
	)
}

// keep remembers the instance for the later stages and the next boot.
func (e *Engine) keep(in *instance.Instance) error {
	text, err := json.Marshal(kept{in, e.machine.Facts.DMI("product_uuid")})
	if err != nil {
		return fmt.Errorf("remember the instance: %w", err)
	}
	return e.put(path.Join(OwnState, "instance.json"), 0o600, string(text))
}

// put writes a file of ours.
func (e *Engine) put(name string, mode fs.FileMode, text string) error {
	_, err := e.state.Files.Put(name, machine.File(mode, text))
	return err
}

func (e *Engine) link(name, target string) error {
	_, err := e.state.Files.Put(name, machine.Link(target))
	return err
}

func (e *Engine) folder(name string, mode fs.FileMode) error {
	return machine.MakeFolders(e.state.Files, name, machine.Folder(mode))
}

// parts are the configurations that the cloud gave, each value with the place where it was written.
type parts struct {
	Instance string      `json:"instance"` // whose they are
	User     *conf.Value `json:"user"`
	Vendor   *conf.Value `json:"vendor"`
	Vendor2  *conf.Value `json:"vendor2"`
}

// Detect says which sources a machine's facts speak for, whatever an earlier detection came to.
func Detect(m machine.Machine) source.Choice {
	e := New(m.Quiet(), Options{})
	e.afresh = true
	e.load()
	return source.Detect(m.Facts, e.sourceEnv(source.Local))
}
