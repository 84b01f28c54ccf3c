package machine

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// FakeLinks are network links in memory, for tests. A link that is switched on has a carrier, unless it is Unplugged.
type FakeLinks struct {
	Unplugged []string                            // the links without a cable
	Wire      func(link string) (Packets, error)  // what Packets answers; nil: ErrOffline
	Then      func(s *LinkState, done LinkChange) // what else the kernel does after a change; may be nil

	mutex   sync.Mutex
	state   LinkState
	done    []string
	changed chan struct{} // closed at the next change
}

// NewFakeLinks are links in a state.
func NewFakeLinks(s LinkState) *FakeLinks {
	return &FakeLinks{state: s, changed: make(chan struct{})}
}

// Done are the changes so far, those that took others back too.
func (f *FakeLinks) Done() []string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return slices.Clone(f.done)
}

// State is how things are now.
func (f *FakeLinks) State() (LinkState, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.state, nil
}

// Apply changes the state in memory.
func (f *FakeLinks) Apply(changes ...LinkChange) (func() error, error) {
	var steps []func() error
	for _, c := range changes {
		back, err := f.apply(c)
		if err != nil {
			return nothingToUndo, errors.Join(err, undoing(steps)())
		}
		if back != nil {
			steps = append(steps, func() error { _, err := f.apply(*back); return err })
		}
	}
	return undoing(steps), nil
}

func (f *FakeLinks) apply(c LinkChange) (back *LinkChange, err error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	next, changed, err := f.state.with(c)
	if err != nil || !changed {
		return nil, err
	}
	opposite := c.opposite(f.state)
	if c.Do == LinkUp || c.Do == LinkDown {
		next.carry(c.Link, c.Do == LinkUp && !slices.Contains(f.Unplugged, c.Link))
	}
	if f.Then != nil {
		f.Then(&next, c)
	}
	f.state, f.done = next, append(f.done, c.String())
	close(f.changed)
	f.changed = make(chan struct{})
	return &opposite, nil
}

// carry gives a link a carrier or takes it, in a state that is the caller's own.
func (s *LinkState) carry(name string, carrier bool) {
	for i := range s.Links {
		if l := &s.Links[i]; l.Name == name {
			l.Carrier, l.Operstate = carrier, "down"
			if carrier {
				l.Operstate = "up"
			}
		}
	}
}

// Wait looks again after each change.
func (f *FakeLinks) Wait(ctx context.Context, until func(LinkState) bool) (LinkState, error) {
	for {
		f.mutex.Lock()
		s, changed := f.state, f.changed
		f.mutex.Unlock()
		if until(s) {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, context.Cause(ctx)
		}
	}
}

// Packets are those of the Wire.
func (f *FakeLinks) Packets(link string) (Packets, error) {
	if f.Wire == nil {
		return nil, ErrOffline
	}
	return f.Wire(link)
}
