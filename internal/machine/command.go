package machine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"openguest/internal/instance"
)

// Commands are programs: a question leaves everything as it was, a change does not, and a person's own program may do
// anything.
type Commands interface {
	Ask(ctx context.Context, q Question) (string, error)
	Do(ctx context.Context, c Change) error
	Can(c Change) error // what Do would refuse before it starts
	Run(ctx context.Context, p Program) error
	Say(o Output, text string) error // prints a line of ours where errors go
}

// A Question is a command that only asks.
type Question struct {
	Argv   []string
	No     int                         // the exit status that says ErrNone
	Reads  []string                    // the files that the answer comes from
	Answer func(Files) (string, error) // the same answer, from those files; nil where only the command knows
}

// A Change is a command that changes something. It has a meaning, or says what it may touch.
type Change struct {
	Argv    []string
	Stdin   instance.Secret
	Env     []string                           // beside our own, "KEY=value"
	Means   func(f Files, now time.Time) error // does with files what the command does
	Touches []string                           // without a meaning: below these nobody knows what it will leave
	Limit   time.Duration                      // how long it may take; 0 means a minute, NoLimit that people's programs run in it
	Output  Output                             // where its output goes while it runs, if Shown
	Shown   bool                               // its output is for people; otherwise it is read only for an error's text
	Detail  string                             // what else a plan should say
	Locks   []string                           // files that another program may hold locked: it is waited for
	Ends    bool                               // it takes the system down: Do returns only if that does not happen
}

// NoLimit is for package managers: they run people's programs, and are waited for.
const NoLimit = time.Duration(-1)

// A Program is a person's own: it has no time limit, its output goes where output: sends it, and we wait for the
// program, not for its children.
type Program struct {
	Argv   []string
	Shell  bool // Argv is a shell with the person's own text
	Env    []string
	Stdin  instance.Secret
	Output Output
	Reads  string // the file that it runs, for a plan: it is there now, or the plan would write it

	open bool // it is a command of ours: nothing on its command line is secret
}

// Output is where output goes, as the key "output" spells it: "> FILE", ">> FILE", "| COMMAND", and for errors "&1".
// Nothing leaves it where the process' own goes.
type Output struct{ Out, Err string }

// An ExitError is how a command ended that did not end well.
type ExitError struct {
	Argv   []string
	Status int    // the exit status; -1 where a signal ended it
	Signal string // the signal's name
	Stderr string // the end of what a command of ours printed; empty for a person's own program
}

// Error says which command ended how.
func (e *ExitError) Error() string {
	text := fmt.Sprintf("%s ended with status %d", strings.Join(e.Argv, " "), e.Status)
	if e.Signal != "" {
		text = fmt.Sprintf("%s was ended by signal %s", strings.Join(e.Argv, " "), e.Signal)
	}
	if e.Stderr != "" {
		text += ": " + e.Stderr
	}
	return text
}

// Ended is how a person's own program ended that did not end well. What stands behind the program's name is not shown, but
// for a file that it runs: errors are written where everyone may read them, and people put passwords into commands.
func Ended(p Program, status int) error { return &ExitError{Argv: p.shown(), Status: status} }

// shown is the command line without what may be secret in it.
func (p Program) shown() []string {
	if p.open || p.Reads != "" || len(p.Argv) < 2 {
		return p.Argv
	}
	return []string{p.Argv[0], "…"}
}

// meanings is the commands of a system that is not running: what they mean for its files.
type meanings struct {
	files  Files
	clock  Clock
	ledger *Ledger
}

func (m meanings) Ask(_ context.Context, q Question) (string, error) {
	return q.from(m.files, ErrOffline)
}

func (m meanings) Do(_ context.Context, c Change) error {
	if err := m.Can(c); err != nil {
		return err
	}
	m.ledger.add(Entry{Kind: KindRun, Argv: c.Argv, Detail: c.Detail})
	return m.ledger.during(c.Argv, func() error { return c.Means(m.files, m.clock.Now()) })
}

func (m meanings) Can(c Change) error {
	if c.Means == nil {
		return fmt.Errorf("%s: %w", strings.Join(c.Argv, " "), ErrDeferred)
	}
	return nil
}

func (m meanings) Run(_ context.Context, p Program) error {
	return fmt.Errorf("%s: %w", strings.Join(p.shown(), " "), ErrDeferred)
}

func (m meanings) Say(Output, string) error { return nil }

func (q Question) from(f Files, otherwise error) (string, error) {
	if q.Answer == nil {
		return "", fmt.Errorf("%s: %w", strings.Join(q.Argv, " "), otherwise)
	}
	return q.Answer(f)
}

// below says whether a name is one of the folders, or below one.
func below(name string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		folder = strings.Trim(folder, "/")
		return name == folder || strings.HasPrefix(name, folder+"/")
	})
}
