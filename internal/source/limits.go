package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// limits are how long a cloud is waited for: datasource.NAME.max_wait, timeout, retries and sec_between_retries. A cloud that is dead
// costs them once in a boot: what the local stage leaves of them is what the network stage has.
type limits struct {
	wait    time.Duration // for the first answer; 0: each address is asked once
	timeout time.Duration // of one request
	pause   time.Duration // between two tries
	tries   int           // of one request, once the cloud has answered

	stage Stage
	spent time.Duration // what asking has taken in the earlier stage of this boot
}

// defaultLimits are cloud-init's for sources that have none of their own.
func defaultLimits() limits { return limits{timeout: 10 * time.Second, pause: time.Second, tries: 6} }

// patient are the limits of clouds whose metadata may come up later than the machine.
func patient(tries int) limits {
	return limits{timeout: 2 * time.Second, pause: 2 * time.Second, tries: tries}
}

// limits are those of a source, with what the configuration says over them.
func (e *Env) limits(source string, l limits) limits {
	c := e.config(source)
	l.wait = seconds(c.Get("max_wait"), l.wait)
	l.timeout = seconds(c.Get("timeout"), l.timeout)
	l.pause = seconds(c.Get("sec_between_retries"), l.pause)
	if n, err := strconv.Atoi(scalar(c.Get("retries"))); err == nil && n >= 0 {
		l.tries = n + 1
	}
	l.stage, l.spent = e.Stage, e.Spent[source]
	return l
}

// opening is how long a cloud may take until it answers for the first time. Where nobody says, an address is asked once; the
// local stage can do that and leaves something.
func (l limits) opening() time.Duration { return l.left(cmp.Or(l.wait, l.timeout*5/4)) }

// all is how long a cloud may take altogether, from the first question on.
func (l limits) all() time.Duration { return l.left(l.wait + l.rounds()) }

// ofOne are the limits where the first request is the only one: it has all its tries.
func (l limits) ofOne() limits {
	l.wait = cmp.Or(l.wait, l.rounds())
	return l
}

// rounds are all tries of one request.
func (l limits) rounds() time.Duration { return time.Duration(l.tries) * (l.timeout + l.pause) }

// left is what a stage has of a budget. The local stage leaves a fifth, for a network that comes up only after it.
func (l limits) left(budget time.Duration) time.Duration {
	if l.stage == Local {
		return budget / 5 * 4
	}
	return max(budget/5, budget-l.spent)
}

// within ends a context after some time, and says so.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
}

// probeTime is how long a cloud is asked through the link's own address of IPv6 while a lease of IPv4 may be on its way, or
// may be here and wait for its turn.
const probeTime = time.Second

var errOver = errors.New("the time for asking it is over")

// reach brings up a network, where that is needed, and settles on an address of the cloud through it. open is called
// until it succeeds, and not again after that; through all networks together it has as long as the limits say. Who has no error
// must call close of what it returns.
func (e *Env) reach(ctx context.Context, w want, open func(ctx context.Context, n *Early) error) (*Early, error) {
	if w.Limits == (limits{}) {
		w.Limits = e.limits(w.Source, defaultLimits()).ofOne()
	}
	isOpen, left := false, w.Limits.opening()
	w.Works = func(ctx context.Context, n *Early) error {
		limit := left
		if limit <= 0 {
			return errOver
		}
		if n.LinkLocal.IsValid() && !w.NoIPv4 {
			limit = min(limit, probeTime)
		}
		ctx, cancel := within(ctx, limit)
		defer cancel()
		start := time.Now()
		err := open(ctx, n)
		left -= time.Since(start)
		isOpen = err == nil
		return err
	}
	n, err := e.early(ctx, w)
	if err != nil || isOpen {
		return n, err
	}
	ctx, cancel := within(ctx, left)
	defer cancel()
	if err := open(ctx, n); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}
