// Package source finds the cloud that a machine runs on and asks it what the machine should be. Each cloud is one file
// and one line in all.go.
//
// A cloud is a Source: a value with functions. Match says whether the machine's own facts name the cloud; it reads facts
// and files, and never asks the network, writes, or starts a program: it runs before anything else at boot. (What VMware and
// WSL give a machine is in no file: where the facts name one of these, its own program is asked.) Only a cloud that the facts
// or a person named is asked for more. Fetch does that; it takes what the cloud says apart and returns plain data.
package source

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// A Source is a cloud. A function that is nil means that this cloud cannot; a Source without Fetch is one that cloud-init
// knows and this program does not, yet.
type Source struct {
	Name string // as datasource_list spells it: "NoCloud"
	Doc  string // a paragraph for the reference

	// Fallback marks the source that always answers and is no cloud: it is never looked for, only tried when its turn comes.
	Fallback bool

	// Match says whether facts and files name this cloud: no network, no writes, no programs (but see above).
	Match func(f *machine.Facts, e *Env) Match

	// Fetch asks the cloud. Its error is ErrAbsent, ErrNotYet or ErrSilent, or counts as ErrSilent.
	Fetch func(ctx context.Context, e *Env) (*instance.Instance, error)

	// Check says whether the recorded instance is still this one, as far as that can be told without asking the cloud.
	Check func(ctx context.Context, e *Env, last *instance.Instance) bool

	// Keys asks once more for the public keys of an instance that awaits them. Its error says why there are none yet.
	Keys func(ctx context.Context, e *Env) ([]instance.Key, error)

	// Watch asks for the instance anew. Without a mark it answers at once, and with that of the last answer when something
	// is new, or the cloud has held the question back for as long as it does. Its errors are Fetch's.
	Watch func(ctx context.Context, e *Env, mark string) (in *instance.Instance, next string, err error)

	// Publish tells the cloud the public keys of the ssh server, each as "ssh-ed25519 AAAA…": a person who reads them there
	// knows that the machine is the right one.
	Publish func(ctx context.Context, e *Env, keys []string) error
}

// A Match is what facts and files say about a cloud.
type Match struct {
	Found bool   // this is the cloud
	Maybe bool   // it may be; counts where nothing is found and the policy says maybe=all
	Why   string // the fact, in a few words
	Extra string // a line of configuration that goes with the match, for /run/cloud-init/cloud.cfg; may be empty
}

// Why Fetch came back with nothing. Identity depends on the difference: a machine whose source is silent stays what it
// was, and only one whose source is absent may become another.
var (
	// ErrAbsent: nothing here speaks for this source.
	ErrAbsent = errors.New("nothing of it is here")
	// ErrNotYet: it is named, and can be asked once the network is up.
	ErrNotYet = errors.New("it is asked once the network is up")
	// ErrSilent: it is named or its signs are here, but it does not answer, or not with anything that makes sense.
	ErrSilent = errors.New("it is named here but gives no good answer")
)

// A Stage is when a source is asked.
type Stage string

// The stages that ask.
const (
	Local   Stage = "local"   // before the network is configured
	Network Stage = "network" // when it is up
)

// Env is what a source works with. The functions that log may be nil.
type Env struct {
	Machine machine.Machine
	Config  *conf.Value // the merged base configuration, before user-data
	Stage   Stage
	Seed    string   // the folder of seeds: /var/lib/cloud/seed
	List    []string // the names that are looked at or asked; Detect and Find set it for Match

	// Spent is how long each source was asked in this boot without an answer. Find adds to it; who keeps it from the local stage to
	// the network stage has dead clouds cost their time once. It may be nil.
	Spent map[string]time.Duration

	// Last is the instance that this machine was last, as far as it is known; nil at a first boot.
	Last *instance.Instance

	Warn       func(format string, args ...any) // degrades the boot
	Deprecated func(format string, args ...any) // what works, but will not for ever
	Info       func(format string, args ...any)
	Debug      func(format string, args ...any)

	waited time.Duration // for a network, while the source was not asked
}

// config is what the base configuration says about one source: datasource.NAME.
func (e *Env) config(name string) *conf.Value { return e.Config.At("datasource", name) }

func (e *Env) warn(format string, args ...any)  { say(e.Warn, format, args) }
func (e *Env) info(format string, args ...any)  { say(e.Info, format, args) }
func (e *Env) debug(format string, args ...any) { say(e.Debug, format, args) }

// deprecated says it as cloud-init does, in words that tools look for.
func (e *Env) deprecated(what, since, until, instead string) {
	say(e.Deprecated, "%s is deprecated in %s and scheduled to be removed in %s. %s", []any{what, since, until, instead})
}

func say(to func(string, ...any), format string, args []any) {
	if to != nil {
		to(format, args...)
	}
}

// A Reason is what became of one source, in a line.
type Reason struct {
	Source  string
	Outcome Outcome
	Why     string
}

// An Outcome is the word of a Reason.
type Outcome string

// The outcomes.
const (
	Found    Outcome = "found"
	Maybe    Outcome = "perhaps"
	NotFound Outcome = "not found"
	NotYet   Outcome = "not yet"
	Silent   Outcome = "silent"
	Unbuilt  Outcome = "not built yet"
	Unknown  Outcome = "unknown"
)

// String is "NoCloud: found: /dev/sr0 is labelled cidata".
func (r Reason) String() string { return fmt.Sprintf("%s: %s: %s", r.Source, r.Outcome, r.Why) }

// Named is the source of a name in any case, as it stands in a list, on the kernel command line or in an Instance; nil
// where there is none. "nocloud-net" and "NoCloudNet" are what NoCloud is called when it needs the network.
func Named(name string) *Source { return table(All()).named(name) }

// table are sources in the order in which they are looked for.
type table []*Source

func (t table) named(name string) *Source {
	name = strings.ToLower(name)
	if name == "nocloud-net" || name == "nocloudnet" {
		name = "nocloud"
	}
	for _, s := range t {
		if strings.ToLower(s.Name) == name {
			return s
		}
	}
	return nil
}

// names are those of all sources, in order.
func (t table) names() []string {
	names := make([]string, len(t))
	for i, s := range t {
		names[i] = s.Name
	}
	return names
}
