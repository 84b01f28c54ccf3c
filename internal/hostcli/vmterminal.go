package hostcli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"openguest/internal/vm"
)

// leave is Ctrl-], which ends a machine whose console has the terminal, as it ends telnet.
const leave = 0x1d

// interactive boots the machine with its console on the terminal.
func (t *trial) interactive(ctx context.Context) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	t.config.Console, t.config.Keyboard = t.stdout, &keyboard{from: os.Stdin, leave: end}
	t.config.Progress("booting; the console follows, Ctrl-] ends the machine")
	defer rawTerminal()()
	m, err := vm.Start(ctx, t.config)
	if err != nil {
		return err
	}
	defer m.Close()
	select {
	case <-m.Off():
	case <-ctx.Done():
	}
	fmt.Fprint(t.stderr, "\r\nthe machine is off\r\n")
	return nil
}

// A keyboard passes on what is typed, up to Ctrl-].
type keyboard struct {
	from  io.Reader
	leave func()
}

func (k *keyboard) Read(p []byte) (int, error) {
	n, err := k.from.Read(p)
	if at := bytes.IndexByte(p[:n], leave); at >= 0 {
		k.leave()
		return at, io.EOF
	}
	return n, err
}

// rawTerminal lets every key through to the machine, where standard input is a terminal, and returns what undoes it.
func rawTerminal() (restore func()) {
	before, err := stty("-g")
	if err != nil { // no terminal
		return func() {}
	}
	_, _ = stty("raw", "-echo")
	return func() { _, _ = stty(before) }
}

func stty(args ...string) (string, error) {
	c := exec.Command("stty", args...)
	c.Stdin = os.Stdin
	out, err := c.Output()
	return strings.TrimSpace(string(out)), err
}
