package engine

import (
	"context"
	"slices"

	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/internal/module"
	"openguest/internal/source"
)

// publisher is what tells the cloud the machine's host keys; nil where it takes none.
func (e *Engine) publisher() func(context.Context, []string) error {
	s := source.Named(e.now.Source)
	if s == nil || s.Publish == nil {
		return nil
	}
	env := e.sourceEnv(source.Network)
	env.Machine = e.machine // what the cloud is told is a change
	return func(ctx context.Context, keys []string) error { return s.Publish(ctx, env, keys) }
}

// awaitKeys leaves it to the end of the last stage to ask for a key that the cloud had not yet. The ssh server is up by then, the
// results are written, and nobody waits for this process any more: it needs no unit of its own, and works without systemd.
func (e *Engine) awaitKeys() {
	if e.now == nil || !e.now.AwaitsKeys {
		return
	}
	s, entries := source.Named(e.now.Source), e.list(module.Init)
	at := slices.IndexFunc(entries, func(entry listed) bool { return entry.module.Name == "ssh" })
	if _, err := e.machine.Kernel.Hostname(); err != nil || at < 0 || s == nil || s.Keys == nil {
		return
	}
	e.last = append(e.last, e.inNameOf(entries[at], func(ctx context.Context) error {
		if err := e.askForKeys(ctx, s); err != nil || len(e.now.Keys) == 0 {
			return err
		}
		e.log.Log(module.Info, "the cloud's keys are there now: %d; they are put in their place", len(e.now.Keys))
		if err := module.AuthorizeLate(ctx, e.env(entries[at])); err != nil {
			return err
		}
		return e.endAwaiting()
	}))
}

// askForKeys asks until there are keys, or it has been tried often enough. Where a person looks on, once is enough.
func (e *Engine) askForKeys(ctx context.Context, s *source.Source) error {
	env := e.sourceEnv(source.Network)
	tries, pause := source.KeyTries(env, s.Name)
	for try := 1; try <= tries && len(e.now.Keys) == 0; try++ {
		keys, err := s.Keys(ctx, env)
		switch {
		case err == nil:
			e.take(keys)
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		e.log.Log(module.Info, "there is no key for this machine yet (try %d of %d): %v", try, tries, err)
		if e.options.Terminal {
			return nil
		}
		if try == tries {
			e.log.Log(module.Warning, "the cloud gave this machine no key in %d tries, %v apart; it is not asked again", tries, pause)
			return e.endAwaiting()
		}
		if err := machine.Pause(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

// take adds the keys to what is known of the instance.
func (e *Engine) take(keys []instance.Key) {
	e.now.Keys = keys
	if e.now.Metadata == nil {
		e.now.Metadata = map[string]any{}
	}
	e.now.Metadata["public-keys"] = map[string]any{"0": anys(e.now.PublicKeys())}
}

// endAwaiting remembers that nobody need ask again.
func (e *Engine) endAwaiting() error {
	e.now.AwaitsKeys = false
	if err := e.keep(e.now); err != nil {
		return err
	}
	return e.describe()
}
