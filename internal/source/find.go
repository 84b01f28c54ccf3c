package source

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"openguest/internal/instance"
)

// Find asks the sources of a list in order, and returns the first answer with who gave it. A source that nobody named is
// asked only where the machine's facts speak for it. Without an answer the error is ErrNotYet where one of them waits for
// the network, else ErrSilent where one of them is named but gives no good answer, else ErrAbsent. There is a reason for
// each source that was tried.
func Find(ctx context.Context, e *Env, list []string) (*instance.Instance, *Source, []Reason, error) {
	return table(All()).find(ctx, e, list)
}

func (t table) find(ctx context.Context, e *Env, list []string) (*instance.Instance, *Source, []Reason, error) {
	var reasons []Reason
	for _, name := range list {
		in, reason := t.ask(ctx, e, name, list)
		reasons = append(reasons, reason)
		if in != nil {
			return in, t.named(name), reasons, nil
		}
	}
	return nil, nil, reasons, noAnswer(reasons)
}

// ask asks the source of one name.
func (t table) ask(ctx context.Context, e *Env, name string, list []string) (*instance.Instance, Reason) {
	if r, ok := t.cannot(name); ok {
		e.warn("Getting data from %s failed: %s", name, r.Why)
		return nil, r
	}
	s := t.named(name)
	if s.Match != nil && !isNamed(s, e, list, t) {
		looking := *e
		looking.List = list
		if m := s.Match(e.Machine.Facts, &looking); !m.Found && !(m.Maybe && allowsMaybe(e)) {
			return nil, Reason{s.Name, NotFound, m.Why}
		}
	}
	in, err := s.fetch(ctx, e)
	switch {
	case err == nil:
		return in, Reason{s.Name, Found, in.Detail}
	case errors.Is(err, ErrNotYet):
		return nil, Reason{s.Name, NotYet, err.Error()}
	case errors.Is(err, ErrAbsent):
		return nil, Reason{s.Name, NotFound, err.Error()}
	}
	e.warn("Getting data from %s failed: %v", s.Name, err)
	return nil, Reason{s.Name, Silent, err.Error()}
}

// fetch asks, and notes how long it took where nobody answered.
func (s *Source) fetch(ctx context.Context, e *Env) (*instance.Instance, error) {
	asking, start := *e, time.Now()
	in, err := s.Fetch(ctx, &asking)
	if err == nil {
		err = checkID(in.ID, e.Last)
	}
	if err != nil && e.Spent != nil {
		e.Spent[s.Name] += time.Since(start) - asking.waited
	}
	return in, err
}

// maxID is how long the id of an instance may be, in bytes: it names a folder.
const maxID = 255

// checkID refuses an id that proves nothing: one that can name no folder, or that would not stay in its line of a file. An
// empty one does for a machine that was nobody before.
func checkID(id string, last *instance.Instance) error {
	switch {
	case id == "" && last != nil && last.ID != "":
		return fmt.Errorf("%w: the instance-id is empty", ErrSilent)
	case len(id) > maxID:
		return fmt.Errorf("%w: the instance-id has %d bytes; it may have %d", ErrSilent, len(id), maxID)
	case !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl):
		return fmt.Errorf("%w: the instance-id has characters in it that cannot be printed", ErrSilent)
	}
	return nil
}

// isNamed says that a person chose the source: on the kernel command line, or with a list that holds nothing else but None.
// Then it is asked whatever the machine's facts say: clouds that speak as EC2 does and name themselves nowhere are used so.
func isNamed(s *Source, e *Env, list []string, t table) bool {
	if isSingle(list) {
		return true
	}
	name, _ := commandLineName(e.Machine.Facts)
	return name != "" && t.named(name) == s
}

// allowsMaybe says that a person lets sources be asked that only may be there. Without that nobody asks an address that
// whoever is in the network could answer from (CVE-2024-6174: machines without firmware that names them asked OpenStack's).
func allowsMaybe(e *Env) bool { return readSettings(e.Machine.Facts, e).policy.maybe == "all" }

// noAnswer is the error of a search that found nothing.
func noAnswer(reasons []Reason) error {
	err := ErrAbsent
	lines := make([]string, len(reasons))
	for i, r := range reasons {
		lines[i] = r.String()
		switch {
		case r.Outcome == NotYet:
			err = ErrNotYet
		case err == ErrAbsent && (r.Outcome == Silent || r.Outcome == Unbuilt):
			err = ErrSilent
		}
	}
	return fmt.Errorf("no data source answered: %w (%s)", err, strings.Join(lines, "; "))
}
