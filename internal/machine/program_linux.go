package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"openguest/internal/instance"
)

// commandPath is where our own commands are looked for, and what people's programs get where nobody set PATH.
const commandPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// programs is the commands of the running system.
type programs struct {
	ledger  *Ledger
	outputs *outputs
	limit   time.Duration // of a command of ours that has none of its own
}

func newPrograms(files walked, ledger *Ledger, limit time.Duration) programs {
	return programs{ledger, &outputs{files: files.quiet(), open: map[string]*sink{}, patience: sayLimit}, limit}
}

// Can looks for the program where we look for programs.
func (programs) Can(c Change) error {
	_, err := find(c.Argv[0])
	return err
}

// find is the path of a program.
func find(name string) (string, error) {
	if strings.Contains(name, "/") {
		if _, err := os.Stat(name); err != nil {
			return "", fmt.Errorf("the command %s is not there", name)
		}
		return name, nil
	}
	for dir := range strings.SplitSeq(searchPath(), ":") {
		if info, err := os.Stat(dir + "/" + name); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return dir + "/" + name, nil
		}
	}
	return "", fmt.Errorf("the command %s is not installed: %w", name, ErrNone)
}

func searchPath() string {
	if p := os.Getenv("PATH"); p != "" {
		return p
	}
	return commandPath
}

// environment is ours, with a PATH and what is added.
func environment(more []string) []string {
	env := os.Environ()
	if os.Getenv("PATH") == "" {
		env = append(env, "PATH="+commandPath)
	}
	return append(env, more...)
}

// Ask runs a command that only asks.
func (p programs) Ask(ctx context.Context, q Question) (string, error) {
	out, err := p.helper(ctx, q.Argv, instance.Secret{}, nil, p.limit)
	if exit := (*ExitError)(nil); errors.As(err, &exit) && exit.Status == q.No {
		return "", ErrNone
	}
	return strings.TrimSuffix(out, "\n"), err
}

// Do runs a command that changes something.
func (p programs) Do(ctx context.Context, c Change) (err error) {
	p.ledger.add(Entry{Kind: KindRun, Argv: c.Argv, Detail: c.Detail})
	err = whileUnlocked(ctx, c.Locks, func() error { return p.change(ctx, c) })
	if err == nil && c.Ends {
		return awaitEnd(ctx, c.Argv)
	}
	return err
}

// change runs it as its kind is run.
func (p programs) change(ctx context.Context, c Change) (err error) {
	limit := c.Limit
	if limit == 0 {
		limit = p.limit
	}
	if c.Shown {
		return p.run(ctx, Program{Argv: c.Argv, Env: c.Env, open: true, Stdin: c.Stdin, Output: c.Output})
	}
	_, err = p.helper(ctx, c.Argv, c.Stdin, c.Env, limit)
	return err
}

// helper gives a command of ours its time, and ends it as a group. What it prints is read as English.
func (p programs) helper(ctx context.Context, argv []string, stdin instance.Secret, env []string, limit time.Duration) (string, error) {
	name, err := find(argv[0])
	if err != nil {
		return "", err
	}
	if limit != NoLimit {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, name, argv[1:]...)
	cmd.Env = environment(append([]string{"LC_ALL=C"}, env...))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if !stdin.IsEmpty() {
		cmd.Stdin = strings.NewReader(stdin.Reveal())
	}
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err = cmd.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && limit != NoLimit:
		return "", fmt.Errorf("%s did not end within %v and was killed", strings.Join(argv, " "), limit)
	case ctx.Err() != nil: // we were told to stop
		return "", context.Cause(ctx)
	}
	return out.String(), ended(argv, err, stderr.String())
}

// ended translates how a program ended.
func ended(argv []string, err error, stderr string) error {
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrWaitDelay):
		return nil // it ended; a child of its keeps its output open
	case !errors.As(err, &exit):
		return err
	}
	e := &ExitError{Argv: argv, Status: exit.ExitCode(), Stderr: tail(stderr)}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.Signal = status.Signal().String()
	}
	return e
}

// tail is the last lines of what a command printed, in one line.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > 3 {
		lines = lines[len(lines)-3:]
	}
	text = strings.Join(lines, "; ")
	if len(text) > 500 {
		text = text[len(text)-500:]
	}
	return text
}

// Run runs a person's own program, and waits for it alone.
func (p programs) Run(ctx context.Context, program Program) error {
	p.ledger.add(Entry{Kind: KindScript, Argv: program.Argv})
	return p.run(ctx, program)
}

func (p programs) run(ctx context.Context, program Program) error {
	name, err := find(program.Argv[0])
	if err != nil {
		return err
	}
	streams, err := p.outputs.streams(program.Output)
	if err != nil {
		return err
	}
	defer p.outputs.follow(streams)()
	cmd := exec.Command(name, program.Argv[1:]...)
	cmd.Env = environment(program.Env)
	cmd.Stdout, cmd.Stderr = streams.out.file, streams.err.file
	if !program.Stdin.IsEmpty() {
		cmd.Stdin = strings.NewReader(program.Stdin.Reveal())
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", strings.Join(program.shown(), " "), bare(err))
	}
	end := make(chan error, 1)
	go func() { end <- cmd.Wait() }()
	select {
	case err := <-end:
		return ended(program.shown(), err, "")
	case <-ctx.Done(): // we are told to stop; the program is not ours to end
		return context.Cause(ctx)
	}
}

// Say prints a text of ours to where errors go: what people's programs print stays theirs.
func (p programs) Say(o Output, text string) error {
	streams, err := p.outputs.streams(o)
	if err != nil {
		return err
	}
	defer p.outputs.follow(streams)()
	return p.outputs.say(streams.err, text)
}
