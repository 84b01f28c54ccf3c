package engine

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"openguest/internal/conf"
	"openguest/internal/machine"
	"openguest/internal/module"
	"openguest/internal/spelling"
	"openguest/internal/userdata"
)

// consume takes apart what the cloud gave: configurations are merged, scripts are put where they will run, boothooks run.
func (e *Engine) consume(ctx context.Context) error {
	user, err := e.process(ctx, e.allowed(document{"user-data", e.now.UserData, "user-data.txt", "cloud-config.txt", "scripts", nil}))
	if err != nil {
		return err
	}
	p := parts{Instance: e.now.ID, User: user}
	e.merge(&p)
	if p.Vendor, err = e.vendor(ctx, "vendor_data", document{"vendor-data", e.now.VendorData, "vendor-data.txt", "vendor-cloud-config.txt", "scripts/vendor", nil}); err != nil {
		return err
	}
	if p.Vendor2, err = e.vendor(ctx, "vendor_data2", document{"vendor-data2", e.now.VendorData2, "vendor-data2.txt", "vendor2-cloud-config.txt", "scripts/vendor", nil}); err != nil {
		return err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("remember the configuration: %w", err)
	}
	e.merge(&p)
	e.checkKeys(p)
	if !e.hasRun("consume_data", module.PerInstance) {
		err = errors.Join(e.settle(), e.mark("consume_data", module.PerInstance))
	}
	return errors.Join(err,
		e.put(path.Join(OwnState, "parts.json"), 0o600, string(text)),
		e.describeConfig())
}

// A document is one of the three texts that a cloud gives, and where its parts go.
type document struct {
	name     string
	data     []byte
	raw      string // the file that keeps it as it came
	config   string // the file that keeps its configuration
	scripts  string // the folder of its scripts
	disabled []string
}

// allowed is user-data with all of its parts disabled where the image says that it takes none. What user-data says
// itself does not count.
func (e *Engine) allowed(d document) document {
	if !e.base.Get("allow_userdata").Truth(true) {
		e.log.Log(module.Debug, "allow_userdata = False: discarding user-data")
		d.disabled = []string{"*"}
	}
	return d
}

// vendor processes vendor-data, unless the image or the user said not to.
func (e *Engine) vendor(ctx context.Context, key string, d document) (*conf.Value, error) {
	setting := e.config.Get(key)
	if len(d.data) > 0 && !setting.Get("enabled").Truth(false) {
		e.log.Log(module.Info, "%s consumption is disabled.", d.name)
		e.log.Verdict(module.Verdict{Origin: d.name, Key: d.name, Verdict: module.Skipped, Reason: key + " is not enabled"})
		d.disabled = []string{"*"}
	} else {
		d.disabled = setting.Get("disabled_handlers").Strings()
	}
	return e.process(ctx, d)
}

// process takes one document apart and writes down what is in it.
func (e *Engine) process(ctx context.Context, d document) (*conf.Value, error) {
	if err := e.put(e.paths.Instance(d.raw), 0o600, string(d.data)); err != nil {
		return nil, err
	}
	in := userdata.Document{Name: d.name, Data: d.data, Skip: d.disabled}
	if d.name == "user-data" { // cloud-init filters no other by it
		in.LaunchIndex = e.now.LaunchIndex
	}
	result, err := userdata.Process(ctx, in, e.outside())
	e.problems(result.Problems)
	if err != nil {
		return nil, err
	}
	for _, part := range result.Parts {
		if len(d.data) == 0 {
			break
		}
		e.log.Verdict(module.Verdict{Origin: d.name + " " + part.Name, Key: part.Type, Verdict: module.Outcome(part.Outcome), Reason: part.Reason})
	}
	err = e.put(e.paths.Instance(d.raw+".i"), 0o600, string(result.MIME))
	if d.name == "user-data" || len(d.data) > 0 && !slices.Contains(d.disabled, "*") {
		err = errors.Join(err, e.put(e.paths.Instance(d.config), 0o600, result.Text))
	}
	if err != nil {
		return nil, err
	}
	e.placeScripts(ctx, d, result.Scripts)
	return result.Config, nil
}

// placeScripts writes the scripts of a document where they will run. Boothooks run at once. One that cannot be written
// costs itself only.
func (e *Engine) placeScripts(ctx context.Context, d document, scripts []userdata.Script) {
	for _, s := range scripts {
		file := e.scriptFile(d, s)
		e.folder(path.Dir(file), 0o755)
		if err := e.put(file, 0o700, s.Text); err != nil {
			e.problem(conf.Problem{Origin: conf.Origin{Part: s.Origin}, Path: s.Name, Level: conf.Rejected, Hint: "give the part another file name",
				Message: fmt.Sprintf("the script cannot be put where it would run: %v", err)})
			continue
		}
		if s.Kind == userdata.Boothook {
			e.runBoothook(ctx, d, s, file)
		}
	}
}

func (e *Engine) runBoothook(ctx context.Context, d document, s userdata.Script, file string) {
	e.awaitOnline(ctx, "a boothook")
	env := e.env(listed{name: "boothook", module: &module.Module{Name: "boothook"}})
	e.machine.Ledger.Begin("boothook", true)
	err := env.Item(conf.Origin{Part: d.name}, s.Name, func() error { return env.Script(ctx, machine.Program{Argv: []string{file}, Reads: file}) })
	e.machine.Ledger.Begin("", false)
	if err != nil {
		e.log.Log(module.Warning, "Boothooks script %s execution error: %v", s.Name, err)
	}
}

func (e *Engine) scriptFile(d document, s userdata.Script) string {
	switch s.Kind {
	case userdata.PerBoot:
		return path.Join(e.paths.Cloud, "scripts/per-boot", s.Name)
	case userdata.PerInstance:
		return path.Join(e.paths.Cloud, "scripts/per-instance", s.Name)
	case userdata.PerOnce:
		return path.Join(e.paths.Cloud, "scripts/per-once", s.Name)
	case userdata.Boothook:
		return e.paths.Instance("boothooks", s.Name)
	}
	return e.paths.Instance(d.scripts, s.Name)
}

// outside is what taking a document apart needs of the world.
func (e *Engine) outside() userdata.Outside {
	cache := func(url string) string {
		sum := md5.Sum([]byte(url))
		return e.paths.Instance("data", "urlcache", hex.EncodeToString(sum[:]))
	}
	return userdata.Outside{
		Fetch: e.fetchIncluded,
		Kept: func(url string) ([]byte, bool) {
			text, err := e.state.Files.Read(cache(url))
			return []byte(text), err == nil
		},
		Keep: func(url string, body []byte) error {
			e.folder(path.Dir(cache(url)), 0o755)
			return e.put(cache(url), 0o600, string(body))
		},
		Vars: e.templateVars,
	}
}

// How often an address is tried: as cloud-init does, or, where the instance has had the text before, only so often that a
// server that is gone does not hold up every boot.
const (
	includeTries      = 11
	includeTriesAgain = 2
)

// fetchIncluded fetches what user-data includes. The text is kept: a server that is down at a later boot must not take
// away what the instance was given.
func (e *Engine) fetchIncluded(ctx context.Context, url string) ([]byte, error) {
	sum := sha256.Sum256([]byte(e.now.ID + "\n" + url))
	name := path.Join(OwnState, "included", hex.EncodeToString(sum[:]))
	kept, missing := e.state.Files.Read(name)
	e.awaitOnline(ctx, "an include")
	tries := includeTriesAgain
	if missing != nil {
		tries = includeTries
	}
	r, err := e.state.Net.Fetch(ctx, machine.Request{URL: url, Tries: tries, Timeout: 5 * time.Second, Wait: time.Second})
	if err != nil && missing == nil && ctx.Err() == nil {
		e.log.Log(module.Warning, "include %s: %v; what it held at an earlier boot is used", machine.PublicURL(url), err)
		return []byte(kept), nil
	}
	if err == nil {
		err = errors.Join(e.folder(path.Dir(name), 0o700), e.put(name, 0o600, string(r.Body)))
	}
	return r.Body, err
}

// checkKeys says which top-level keys nobody knows, and what becomes of those that are no module's.
func (e *Engine) checkKeys(p parts) {
	for _, config := range []*conf.Value{p.User, p.Vendor, p.Vendor2} {
		if config != nil {
			e.problems(unknownKeys(config))
			e.concludeOwn(config)
			e.concludeUnlisted(config)
		}
	}
}

// maxUnknown is how many unknown keys of a configuration are named. Who has more did not write them by hand.
const maxUnknown = 100

// unknownKeys are the top-level keys of a configuration that nobody knows.
func unknownKeys(config *conf.Value) (problems []conf.Problem) {
	known := append(engineKeys(), moduleKeys()...)
	for _, pair := range config.Pairs {
		if slices.Contains(known, pair.Key.Text) {
			continue
		}
		if len(problems) == maxUnknown {
			return append(problems, conf.Problem{Origin: pair.Key.Origin, Level: conf.Rejected, Hint: "they are ignored",
				Message: fmt.Sprintf("there are more than %d keys that nobody knows", maxUnknown)})
		}
		hint := "it is ignored"
		if near := spelling.Nearest(pair.Key.Text, known); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		problems = append(problems, conf.Problem{Origin: pair.Key.Origin, Path: pair.Key.Text, Level: conf.Rejected, Hint: hint,
			Message: fmt.Sprintf("there is no key %q", pair.Key.Text)})
	}
	return problems
}

func moduleKeys() (names []string) {
	for _, m := range module.All() {
		names = append(names, m.Keys()...)
	}
	return names
}
