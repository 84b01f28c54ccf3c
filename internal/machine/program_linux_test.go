package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// live are the commands of the system that the test runs on. Their output goes into a folder of the test.
func live(t *testing.T) (Commands, string) {
	t.Helper()
	m, err := Live()
	if err != nil {
		t.Fatal(err)
	}
	return m.Commands, t.TempDir()
}

// left is the id of a process that a script wrote down; it is ended with the test.
func left(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || syscall.Kill(pid, 0) != nil {
		t.Errorf("%q is no process that lives on: %v", text, err)
		return
	}
	syscall.Kill(pid, syscall.SIGKILL)
}

// Rule 4: a person's program may leave others running, which keep its output open. Whoever waits for them waits forever.
func TestChildrenLiveOn(t *testing.T) {
	c, dir := live(t)
	script := "sleep 1000 & echo $! > " + dir + "/pid; echo done"
	for _, out := range []string{"> " + dir + "/out", "| tee -a " + dir + "/tee"} {
		if err := c.Run(t.Context(), Program{Argv: []string{"/bin/sh", "-c", script}, Output: Output{Out: out, Err: "&1"}}); err != nil {
			t.Errorf("%s: %v", out, err)
		}
		left(t, dir+"/pid")
	}
	answer, err := c.Ask(t.Context(), Question{Argv: []string{"/bin/sh", "-c", script}})
	if err != nil || answer != "done" {
		t.Errorf("a question that leaves a child behind answers %q, %v", answer, err)
	}
	left(t, dir+"/pid")
}

// A command of ours that does not end is ended when its time is over, with all that it started.
func TestHelperDiesAsAGroup(t *testing.T) {
	c, dir := live(t)
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	go func() { // ends it as soon as it runs, however slow this machine is
		for {
			if n, _ := reader.Read(make([]byte, 1)); n > 0 {
				stop(errors.New("told to stop"))
				return
			} else if ctx.Err() != nil {
				return
			}
		}
	}()
	script := "exec 3> " + pipe + "; sleep 1000 3>&3 & echo x >&3; wait"
	if err := c.Do(ctx, Change{Argv: []string{"/bin/sh", "-c", script}}); err == nil || err.Error() != "told to stop" {
		t.Errorf("it ended with %v", err)
	}
	if rest, err := io.ReadAll(reader); err != nil { // ends only when nobody has the pipe open any more
		t.Errorf("%q, %v", rest, err)
	}
	err = c.Do(t.Context(), Change{Argv: []string{"sleep", "1000"}, Limit: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "sleep 1000 did not end within 1ms") {
		t.Errorf("a command without an end ends with %v", err)
	}
}

// A command of ours that hangs has a limit, and all that it started ends with it.
func TestHelperThatHangs(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	script := "exec 3> " + pipe + "; sleep 1000 3>&3 & echo x >&3; wait"
	for limit := 50 * time.Millisecond; ; limit *= 2 { // until it is long enough for this machine to start the command
		m, err := LiveWithin(limit)
		if err != nil {
			t.Fatal(err)
		}
		reader, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Commands.Ask(t.Context(), Question{Argv: []string{"/bin/sh", "-c", script}})
		if want := fmt.Sprintf("did not end within %v and was killed", limit); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Fatalf("it ended with %v, want %q", err, want)
		}
		said, err := io.ReadAll(reader) // ends only when nobody has the pipe open any more
		reader.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(said) > 0 {
			return
		}
	}
}

// A line may be longer than anybody's buffer; it comes through whole.
func TestLongLine(t *testing.T) {
	c, dir := live(t)
	const size = 3 << 20
	script := "head -c " + strconv.Itoa(size) + " /dev/zero | tr '\\0' x"
	if err := c.Run(t.Context(), Program{Argv: []string{"/bin/sh", "-c", script}, Output: Output{Out: ">> " + dir + "/out"}}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir + "/out"); err != nil || info.Size() != size {
		t.Errorf("%v, %v", info, err)
	}
}

// When we are told to stop, a person's program is left to go on: it is not ours to end.
func TestStopLeavesPeoplesPrograms(t *testing.T) {
	c, dir := live(t)
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errors.New("told to stop"))
	script := "echo $$ > " + dir + "/pid.new; mv " + dir + "/pid.new " + dir + "/pid; read line < " + dir + "/pipe"
	if err := syscall.Mkfifo(dir+"/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	err := c.Run(ctx, Program{Argv: []string{"/bin/sh", "-c", script}, Output: Output{Out: "> " + dir + "/out", Err: "&1"}})
	if err == nil || err.Error() != "told to stop" {
		t.Errorf("it ended with %v", err)
	}
	pipe, err := os.OpenFile(dir+"/pipe", os.O_WRONLY, 0) // waits until the program reads it, which is after it wrote its id
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	left(t, dir+"/pid")
}

// CVE-2021-3429: what people write into commands may be secret, and errors go where everybody may read them.
func TestCVE_2021_3429_ErrorsShowNoCommandOfPeople(t *testing.T) {
	c, dir := live(t)
	out := Output{Out: "> " + dir + "/out", Err: "&1"}
	for _, p := range []Program{
		{Argv: []string{"/bin/sh", "-c", "exit 3 # CANARY"}, Shell: true, Output: out},
		{Argv: []string{"/bin/sh", "-c", "kill -9 $$ # CANARY"}, Output: out},
		{Argv: []string{dir, "CANARY"}, Output: out},
		{Argv: []string{"no-such-program", "CANARY"}, Output: out},
	} {
		if err := c.Run(t.Context(), p); err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%q ends with %v", p.Argv, err)
		}
	}
	err := c.Run(t.Context(), Program{Argv: []string{"/bin/sh", dir + "/script"}, Reads: dir + "/script", Output: out})
	if err == nil || !strings.Contains(err.Error(), dir+"/script") {
		t.Errorf("a script that fails is not named: %v", err)
	}
}

// unheard are commands with little patience, and a pipe that nobody reads.
func unheard(t *testing.T, patience time.Duration) (p programs, write *os.File) {
	t.Helper()
	m, err := Live()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close(); write.Close() })
	p = m.Commands.(programs)
	p.outputs.patience = patience
	return p, write
}

// Rule 4: output: may name a command that does not read. What we print ourselves must not wait for it forever.
func TestNobodyReadsTheOutput(t *testing.T) {
	p, write := unheard(t, time.Millisecond)
	p.outputs.open["| sleep 1000"] = &sink{file: write}
	for range 2 {
		if err := p.Say(Output{Out: "| sleep 1000", Err: "&1"}, strings.Repeat("x", 1<<20)); !errors.Is(err, errDeaf) {
			t.Errorf("it was said: %v", err)
		}
	}
}

// Rule 4: our own output may be a terminal that takes nothing. What a program printed is in its file; the boot goes on.
func TestNobodyReadsTheEcho(t *testing.T) {
	p, write := unheard(t, 10*time.Millisecond)
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{file: file, echo: write}
	p.outputs.open["| tee -a log"] = s
	const size = 1 << 20 // more than a pipe holds
	program := Program{Argv: []string{"/bin/sh", "-c", "head -c " + strconv.Itoa(size) + " /dev/zero"}, Output: Output{Out: "| tee -a log", Err: "&1"}}
	for turn := 1; turn <= 2; turn++ {
		if err := p.Run(t.Context(), program); err != nil {
			t.Fatal(err)
		}
		if info, err := file.Stat(); err != nil || info.Size() != int64(turn*size) {
			t.Errorf("after %d programs the file has %v bytes, %v", turn, info.Size(), err)
		}
	}
	if s.echo != nil {
		t.Error("each further program would wait again")
	}
}
