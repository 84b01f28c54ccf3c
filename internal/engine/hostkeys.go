package engine

import (
	"context"
	"fmt"

	"openguest/internal/module"
)

// HostKeys makes the ssh host key that the network stage left for later, so that nothing but the ssh server and the config stage waits
// for it. It is all the same the network stage's work: what fails is an error of that.
func (e *Engine) HostKeys(ctx context.Context) error {
	e.load()
	if !module.HasLateHostKey(e.state.Files) {
		return nil
	}
	e.openLog()
	if err := e.resume(); err != nil {
		return fmt.Errorf("make the host key that was left for later: %w", err)
	}
	e.openOutput("init")
	e.log.verdicts = readVerdicts(e.state, bootVerdicts)
	const event = "host-keys"
	e.log.event("start: %s: making the host key that was left for later", event)
	err := e.forSSH(module.MakeLateHostKey)(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var errs []string
	if err != nil {
		e.log.Log(module.Error, "make the host key that was left for later: %v", err)
		errs = []string{pythonTuple("ssh", err)}
	}
	e.log.event("finish: %s: %s: making the host key that was left for later", event, outcome(errs))
	e.amend(Network, errs)
	return err
}

// resumeHostKey goes on with a host key that an earlier boot left for later.
func (e *Engine) resumeHostKey(ctx context.Context) []string {
	if err := e.forSSH(module.ResumeLateHostKey)(ctx); err != nil && ctx.Err() == nil {
		e.log.Log(module.Error, "make the host key that an earlier boot left for later: %v", err)
		return []string{pythonTuple("ssh", err)}
	}
	return nil
}

// forSSH does something in the name of the module that makes host keys.
func (e *Engine) forSSH(do func(context.Context, *module.Env) error) func(context.Context) error {
	m := module.Find("ssh")
	entry := listed{name: m.Name, module: m}
	return e.inNameOf(entry, func(ctx context.Context) error { return do(ctx, e.env(entry)) })
}
