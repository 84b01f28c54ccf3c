package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// packageOf names the Debian package that brings a program.
var packageOf = map[string]string{
	"qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils", "mmdebstrap": "mmdebstrap", "sgdisk": "gdisk",
	"mke2fs": "e2fsprogs", "genisoimage": "genisoimage", "xz": "xz-utils", "nice": "coreutils",
}

// Need says which of the programs are missing, and how to get them.
func Need(programs ...string) error {
	var missing, packages []string
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, name)
			packages = append(packages, packageOf[name])
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("%s cannot be found; apt-get install %s", strings.Join(missing, ", "), strings.Join(packages, " "))
}

// killWait is how long a program has to clean up after it was told to stop.
const killWait = 10 * time.Second

// command prepares a program that gives way to what a person does, is told to stop when the context ends, and does not see the
// terminal's Ctrl-C: who asked for it decides.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "nice", append([]string{"-n", "10", name}, args...)...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = killWait
	return c
}

// run runs a program to its end and gives what it printed.
func run(ctx context.Context, name string, args ...string) ([]byte, error) {
	return output(ctx, name, command(ctx, name, args...))
}

// output runs a program that was prepared to its end and gives what it printed.
func output(ctx context.Context, name string, c *exec.Cmd) ([]byte, error) {
	var out, problems bytes.Buffer
	c.Stdout, c.Stderr = &out, &problems
	err := c.Run()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, &programError{name, exit.ExitCode(), problems.String() + out.String()}
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be run: %w", name, err)
	}
	return out.Bytes(), nil
}

// A programError says that a program failed.
type programError struct {
	name   string
	status int
	text   string // all that it printed
}

// Error shows the lines that apt and its kin mark as errors, or else the last ones.
func (e *programError) Error() string {
	var errs []string
	for line := range strings.Lines(e.text) {
		if strings.HasPrefix(line, "E: ") {
			errs = append(errs, line)
		}
	}
	text := lastLines(e.text, 6)
	if len(errs) > 0 {
		text = lastLines(strings.Join(errs[:min(3, len(errs))], ""), 3)
	}
	return fmt.Sprintf("%s ended with status %d: %s", e.name, e.status, text)
}

// lastLines is the end of what a program printed.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
