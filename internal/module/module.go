// Package module holds what a machine can be asked to be: one file for each capability, declared once, and the table of
// them all. A module knows the system only through the machine that it is given.
package module

import (
	"context"
	"errors"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/instance"
)

// A Stage is one of the three lists of modules in cloud.cfg, or what comes after them.
type Stage string

// The stages that run modules, as cloud.cfg and `modules --mode` name them.
const (
	Init   Stage = "init"
	Config Stage = "config"
	Final  Stage = "final"
	Live   Stage = "live" // for as long as the machine runs, where its cloud can be watched
)

// A Frequency says how often a module runs.
type Frequency string

// The frequencies, as cloud.cfg spells them.
const (
	PerInstance Frequency = "once-per-instance"
	Always      Frequency = "always"
	Once        Frequency = "once"
)

// A Module is one capability. Everything that is known of it stands in its declaration: the decoder, the schema, the help
// and the reference come from it.
type Module struct {
	Name  string    // as cloud.cfg lists it, with underscores
	Stage Stage     // whose list it is in by default
	Every Frequency // how often it runs, where cloud.cfg does not say
	// Follows is what the module reads of the instance, where it follows live changes: it is due when that has changed.
	Follows func(*instance.Instance) any
	// Gate are the keys without which there is nothing to do; none means that it always runs.
	Gate []string
	// Marked says that the semaphore is written before the module runs, so that it never runs twice: for modules that run
	// people's commands, packages or host keys. Others are marked after they succeeded.
	Marked  bool
	Distros []string // it runs on these only; none means all
	Unbuilt bool     // known, and not there yet
	Doc     string   // what it does, in sentences
	// Examples are whole cloud-configs; a test decodes each.
	Examples []string
	Needs    []string // programs that it runs

	keys any // a zero struct of its keys
	// check is what is wrong with its keys in a configuration
	check func(*conf.Value) []conf.Problem
	asks  []string // the keys of a module that is not built yet
	users bool     // these keys may stand in an entry of users, too
	run   func(context.Context, *Env) error
}

// define completes a declaration with the struct of the keys and the function that makes it so. Keys that are rejected
// are reported, and the function runs with the rest.
func define[K any](m Module, run func(context.Context, *Env, *K) error) *Module {
	var zero K
	m.keys = zero
	m.check = func(config *conf.Value) []conf.Problem {
		var keys K
		return conf.Decode(config, &keys)
	}
	m.run = func(ctx context.Context, e *Env) error {
		var keys K
		e.Problems(conf.Decode(e.Config, &keys))
		return run(ctx, e, &keys)
	}
	return &m
}

// Run makes it so.
func (m *Module) Run(ctx context.Context, e *Env) error { return m.run(ctx, e) }

// Check is what is wrong with the module's keys in a configuration.
func (m *Module) Check(config *conf.Value) []conf.Problem {
	if m.check == nil {
		return nil
	}
	return m.check(config)
}

// Keys are the top-level keys that the module reads.
func (m *Module) Keys() []string {
	return append(conf.Keys(m.keys), m.asks...)
}

// Struct is a zero struct of the module's keys, for the schema and the reference.
func (m *Module) Struct() any { return m.keys }

// IsActive says whether one of the keys of the gate is there, if only with null.
func (m *Module) IsActive(config *conf.Value) bool {
	for _, key := range m.Gate {
		if config.Get(key) != nil {
			return true
		}
	}
	return len(m.Gate) == 0
}

// ID is a module's name as people spell it, with underscores and without what they put around it.
func ID(name string) string {
	id := strings.ReplaceAll(strings.TrimSpace(name), "-", "_")
	if len(id) > 3 && strings.EqualFold(id[len(id)-3:], ".py") {
		id = id[:len(id)-3]
	}
	id = strings.TrimPrefix(id, "cc_")
	if now, ok := renamed[id]; ok {
		return now
	}
	return id
}

// renamed are modules that cloud-init calls otherwise now.
var renamed = map[string]string{"ubuntu_advantage": "ubuntu_pro"}

// Removed are modules that old configurations name and that are gone on purpose. They are no mistake.
func Removed(id string) bool {
	switch id {
	case "emit_upstart", "refresh_rmc_and_interface", "migrator", "rightscale_userdata":
		return true
	}
	return false
}

// Find is the module of a name, or nil.
func Find(name string) *Module {
	id := ID(name)
	for _, m := range All() {
		if m.Name == id {
			return m
		}
	}
	return nil
}

// ErrSkip says, wrapped, that there was nothing to do, and why.
var ErrSkip = errors.New("skipped")

// Skip makes an error that says why a module had nothing to do.
func Skip(why string) error { return skip(why) }

type skip string

func (s skip) Error() string        { return string(s) }
func (s skip) Is(target error) bool { return target == ErrSkip }
