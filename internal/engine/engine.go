// Package engine takes a machine from what the cloud says to what it should be: the layers of configuration, the four
// stages of a boot, how often each module runs, and the files in which all of that is remembered.
package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// A Stage is one of the four parts of a boot, under the name that status.json has for it.
type Stage string

// The stages in their order.
const (
	Local   Stage = "init-local"
	Network Stage = "init"
	Config  Stage = "modules-config"
	Final   Stage = "modules-final"

	live Stage = "live" // what follows the cloud, for as long as the machine runs
)

// Stages are the stages of a boot, in order.
func Stages() []Stage { return []Stage{Local, Network, Config, Final} }

// event is the name of a stage in the log's lines about what began and ended.
func (s Stage) event() string {
	if s == Local || s == Config || s == Final || s == live {
		return string(s)
	}
	return "init-network"
}

// work is what a stage does, in cloud-init's words.
func (s Stage) work() string {
	switch s {
	case Local:
		return "searching for local datasources"
	case Config:
		return "running modules for config"
	case Final:
		return "running modules for final"
	}
	return "searching for network datasources"
}

func outcome(errs []string) string {
	if len(errs) > 0 {
		return "FAIL"
	}
	return "SUCCESS"
}

// Options say how an engine is to work.
type Options struct {
	Version string             // of the program, for logs and files
	Force   bool               // go on without a data source
	Files   []string           // configuration files with the highest priority of all: --file
	Given   *instance.Instance // what the cloud says, where the person gave it; nil asks the cloud
	Args    []string           // of a single module
	Every   module.Frequency   // of a single module; empty means its own
	// KernelCommandLine is what the environment says in place of the kernel, as containers are told; may be empty.
	KernelCommandLine string
	// Progress is told when a module begins and when it has ended; may be nil.
	Progress func(Step)
	// Terminal says that a person is looking: the log's warnings are not repeated on the error output.
	Terminal bool
	// Unit says that systemd runs the stages as units: what need not end with one of them can be a unit behind it.
	Unit bool
	// Await says that the network stage runs beside what brings the network up: what needs that waits for it.
	Await bool
}

// A Step is one module, begun or ended.
type Step struct {
	Stage   Stage
	Module  string
	Ended   bool
	Took    time.Duration
	Changes int // how many changes it made
	Err     error
}

// An Engine configures one machine.
type Engine struct {
	machine machine.Machine // what is changed through it is written down
	state   machine.Machine // the same, for our own files
	options Options
	paths   module.Paths
	afresh  bool        // what an earlier detection wrote is left out
	base    *conf.Value // defaults, image and kernel command line
	config  *conf.Value // base, with what the cloud gave
	distro  *module.Distro
	now     *instance.Instance

	nics []machine.NIC // the machine's network interfaces; nil where they are to be looked at anew

	isCached  bool // now is what we remembered: the cloud was not asked at this boot
	isAwaited bool // the network was waited for

	plugged *pluggedCard // a card that came while the system ran; nil in a boot

	log    *log
	output machine.Output
	status *status
	stage  Stage
	again  func(at time.Time)            // runs the module that is running once more; nil at boot
	last   []func(context.Context) error // what modules left to be done after everything else
}

// New makes an engine for a machine.
func New(m machine.Machine, o Options) *Engine {
	e := &Engine{machine: m, state: m.Quiet(), options: o}
	e.log = newLog(e.state)
	if m.Ledger != nil {
		m.Ledger.Observe = func(entry machine.Entry) { e.log.Log(module.Debug, "changed: %s", entry) }
	}
	return e
}

// ErrDisabled says that somebody wants no configuration on this machine.
var ErrDisabled = errors.New("disabled")

// Boot runs the four stages, one after the other, and returns the number of errors.
func (e *Engine) Boot(ctx context.Context) (failed int, err error) {
	for _, stage := range Stages() {
		n, err := e.Run(ctx, stage)
		failed += n
		if err != nil {
			return failed, err
		}
	}
	return failed, nil
}

// Run runs one stage and returns the number of its errors. It keeps status.json true while it does.
func (e *Engine) Run(ctx context.Context, stage Stage) (int, error) {
	e.load()
	if by := e.disabled(); by != "" {
		return 0, fmt.Errorf("%w by %s", ErrDisabled, by)
	}
	e.stage = stage
	settled := machine.Gather(e.state.Files)
	e.status = e.openStatus(stage)
	errs := e.run(ctx, stage)
	if ctx.Err() != nil { // the stage has not ended: a boot in its middle must not look done
		return len(errs), errors.Join(context.Cause(ctx), settled())
	}
	e.log.event("finish: %s: %s: %s", stage.event(), outcome(errs), stage.work())
	e.finish(stage, errs)
	if err := settled(); err != nil {
		e.log.Log(module.Error, "at the end of the stage: %v", err)
	}
	e.runLast(ctx)
	return len(errs), nil
}

// runLast does what modules left for the end: the machine may be going down from here on.
func (e *Engine) runLast(ctx context.Context) {
	last := e.last
	e.last = nil
	for _, do := range last {
		if err := do(ctx); err != nil {
			e.log.Log(module.Error, "at the end: %v", err)
		}
	}
}

func (e *Engine) run(ctx context.Context, stage Stage) []string {
	switch stage {
	case Local:
		return e.local(ctx)
	case Network:
		return e.network(ctx)
	case Config:
		return e.later(ctx, module.Config)
	}
	errs := e.later(ctx, module.Final)
	e.awaitKeys()
	return errs
}

// Single runs one module and returns its error.
func (e *Engine) Single(ctx context.Context, name string) error {
	e.load()
	e.openLog()
	if err := e.resume(); err != nil {
		return err
	}
	m := module.Find(name)
	if m == nil {
		return fmt.Errorf("there is no module %q; `openguest docs` lists them", name)
	}
	entry := listed{name: name, module: m, every: m.Every, args: e.options.Args}
	if e.options.Every != "" {
		entry.every = e.options.Every
	}
	err := e.runModule(ctx, entry)
	e.runLast(ctx)
	return err
}

// Modules runs the list of modules of one mode again and returns the number of errors.
func (e *Engine) Modules(ctx context.Context, mode module.Stage) (int, error) {
	switch mode {
	case module.Config:
		return e.Run(ctx, Config)
	case module.Final:
		return e.Run(ctx, Final)
	}
	e.load()
	e.openLog()
	if err := e.resume(); err != nil {
		return 1, err
	}
	errs := e.runList(ctx, module.Init)
	e.runLast(ctx)
	return len(errs), context.Cause(ctx)
}

// later is the config stage and the final stage: the instance is known.
func (e *Engine) later(ctx context.Context, list module.Stage) []string {
	e.openLog()
	if err := e.resume(); err != nil {
		e.log.Log(module.Error, "%v", err)
		return []string{err.Error()}
	}
	e.openOutput(string(list))
	e.welcome("modules:" + string(list))
	e.showNetwork()
	return e.runList(ctx, list)
}

// OwnState is the folder of the files that only we read: the instance, its configuration with the place of each value,
// the verdicts. cloud-init has nothing like them.
const OwnState = "/var/lib/openguest"

// Paths are the folders of the state of a machine, as its configuration names them.
func Paths(m machine.Machine) module.Paths {
	e := New(m, Options{})
	e.load()
	return e.paths
}

// BaseConfig is the configuration of the image of a machine: all layers below the cloud's.
func BaseConfig(m machine.Machine) *conf.Value {
	e := New(m, Options{})
	e.load()
	return e.base
}

// LogFiles are the files that a boot logs to: the log, and those that "output" adds to or has tee add to. Another word of a
// command is no log of ours, whatever it is.
func LogFiles(m machine.Machine) []string {
	e := New(m, Options{})
	e.load()
	files := []string{e.config.Get("def_log_file").Str("/var/log/cloud-init.log")}
	for _, section := range []string{"init", "config", "final", "all"} {
		o := readOutput(e.config.Get("output"), section)
		for _, spelling := range []string{o.Out, o.Err} {
			if name := logFile(spelling); name != "" && !slices.Contains(files, name) {
				files = append(files, name)
			}
		}
	}
	return files
}

// logFile is the file that a spelling of "output" writes to; empty where there is none.
func logFile(spelling string) string {
	words := strings.Fields(strings.TrimLeft(spelling, "|> "))
	if strings.HasPrefix(spelling, "|") {
		if len(words) != 3 || words[0] != "tee" || words[1] != "-a" {
			return ""
		}
		words = words[2:]
	}
	if len(words) != 1 || !strings.HasPrefix(words[0], "/") {
		return ""
	}
	return words[0]
}
