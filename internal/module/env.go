package module

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// Env is what a module runs in.
type Env struct {
	Machine  machine.Machine
	Instance *instance.Instance
	Config   *conf.Value // all layers merged; every value knows where it was written
	Distro   *Distro
	Paths    Paths
	Args     []string       // what cloud.cfg's list says beside the name
	Output   machine.Output // where people's programs print
	Report   Report
	Module   string // whose environment this is
	Listed   string // the same, as cloud.cfg's list spells it; may be empty
	Version  string // of the program, for what is said and written
	// InUnit says that systemd runs the stage as a unit: others can be ordered between it and the next.
	InUnit bool
	// Publish tells the cloud the public keys of the ssh server, each as "ssh-ed25519 AAAA…"; nil where it takes none.
	Publish func(ctx context.Context, keys []string) error
	// Again asks for the module to run again at a time, though nothing may have changed; nil where nobody would do that.
	Again func(at time.Time)
	// Last takes what is to be done when the stage has ended and its results are written: nothing of ours comes after it.
	Last func(do func(context.Context) error)
}

// Paths are the folders of the state, as system_info.paths gives them.
type Paths struct {
	Cloud     string // /var/lib/cloud
	Run       string // /run/cloud-init
	Templates string // /etc/cloud/templates
	Folder    string // the name of the instance's folder
}

// Instance is a path in the instance's folder.
func (p Paths) Instance(elem ...string) string {
	return path.Join(append([]string{p.Cloud, "instances", p.Folder}, elem...)...)
}

// Data is a path in the folder of what outlives an instance.
func (p Paths) Data(name string) string { return path.Join(p.Cloud, "data", name) }

// A Report takes what a module has to say.
type Report interface {
	// Verdict says how one thing that was asked for ended. It answers whether that is news: two modules may read one key.
	Verdict(v Verdict) bool
	// Log writes a line; a level of Warning or above degrades the boot.
	Log(level Level, format string, args ...any)
	// Console prints on the system's console and nowhere else: what is said there is in no log.
	Console(text string)
}

// A Level is how much a line in the log matters.
type Level string

// The levels of the log.
const (
	Debug      Level = "DEBUG"
	Info       Level = "INFO"
	Deprecated Level = "DEPRECATED"
	Warning    Level = "WARNING"
	Error      Level = "ERROR"
)

// A Verdict is how one thing that somebody asked for ended.
type Verdict struct {
	Origin  string  `json:"origin"` // PART:LINE:COLUMN
	Key     string  `json:"key"`    // "users[1].name"
	Verdict Outcome `json:"verdict"`
	Reason  string  `json:"reason,omitempty"`
	Hint    string  `json:"hint,omitempty"`
	Module  string  `json:"module,omitempty"`
}

// An Outcome is the word of a verdict.
type Outcome string

// The outcomes.
const (
	Applied   Outcome = "applied"
	Unchanged Outcome = "unchanged"
	Skipped   Outcome = "skipped"
	Rejected  Outcome = "rejected"
	Failed    Outcome = "failed"
	Deferred  Outcome = "deferred"
	Unknown   Outcome = "unknown"
)

// Problems reports what is wrong with the configuration: each costs its own part only.
func (e *Env) Problems(problems []conf.Problem) {
	for _, p := range problems {
		e.Problem(p)
	}
}

// Problem reports one thing that is wrong with the configuration.
func (e *Env) Problem(p conf.Problem) {
	v := Verdict{Origin: p.Origin.String(), Key: p.Path, Reason: p.Message, Hint: p.Hint, Verdict: Applied, Module: e.Module}
	level := Warning
	switch p.Level {
	case conf.Rejected:
		v.Verdict = Rejected
	case conf.Deprecated:
		level = Deprecated
	}
	if e.Report.Verdict(v) {
		e.Report.Log(level, "%s", p.Error())
	}
}

// Item does one thing that was asked for, and reports how that ended. It returns what failed, for the module to join.
func (e *Env) Item(origin conf.Origin, key string, do func() error) error {
	before := e.Machine.Ledger.Len()
	err := do()
	v := Verdict{Origin: origin.String(), Key: key, Verdict: Unchanged, Module: e.Module}
	if e.Machine.Ledger.Len() > before {
		v.Verdict = Applied
	}
	v, err = judge(v, err)
	e.Report.Verdict(v)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// judge turns an error into a verdict. What is deferred or unknown did not fail, but was not done either: the error stays,
// so that the module is not taken for done.
func judge(v Verdict, err error) (Verdict, error) {
	if err == nil {
		return v, nil
	}
	v.Reason = err.Error()
	switch {
	case errors.Is(err, ErrSkip):
		v.Verdict = Skipped
		return v, nil
	case errors.Is(err, machine.ErrDeferred), errors.Is(err, machine.ErrOffline):
		v.Verdict = Deferred
	case errors.Is(err, machine.ErrUnknown), errors.Is(err, machine.ErrRoot):
		v.Verdict = Unknown
	default:
		v.Verdict = Failed
	}
	return v, err
}

// Judge is the verdict on a module, or on one item, that ended with an error.
func Judge(v Verdict, err error) Verdict {
	v, _ = judge(v, err)
	return v
}

// Remember writes a file of the engine's own state: no change of the machine.
func (e *Env) Remember(name, data string, mode machine.Node) error {
	mode.Data = data
	_, err := e.Machine.Quiet().Files.Put(name, mode)
	return err
}

// isRunning says that the machine's system runs. One that does not has no kernel, and the devices in it are another's.
func (e *Env) isRunning() bool {
	_, err := e.Machine.Kernel.Hostname()
	return err == nil
}

// Script runs a person's own program, with the instance's id in its environment, and waits for it.
func (e *Env) Script(ctx context.Context, p machine.Program) error {
	p.Output = e.Output
	p.Env = append(p.Env, "INSTANCE_ID="+e.Instance.ID)
	return e.Machine.Commands.Run(ctx, p)
}

// Warn logs a warning.
func (e *Env) Warn(format string, args ...any) { e.Report.Log(Warning, format, args...) }

// Info logs what a person may want to know.
func (e *Env) Info(format string, args ...any) { e.Report.Log(Info, format, args...) }

// Debug logs the rest.
func (e *Env) Debug(format string, args ...any) { e.Report.Log(Debug, format, args...) }
