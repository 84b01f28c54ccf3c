package machine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHoldLock is no test of its own: it is the other program of TestLocks, which holds a lock until its input ends.
func TestHoldLock(*testing.T) {
	if name := os.Getenv("HOLD_LOCK"); name != "" {
		holdLock(name)
	}
}

func holdLock(name string) {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		os.Exit(1)
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if unix.FcntlFlock(file.Fd(), unix.F_SETLK, &lock) != nil {
		os.Exit(1)
	}
	os.Stdout.WriteString("held")
	os.Stdin.Read(make([]byte, 1))
}

// TestLocks: apt's own timers run at boot. A package manager that is started while another one works fails at once.
func TestLocks(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(name, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if isLocked(name) || isLocked(name+"-missing") {
		t.Error("a lock that nobody holds is taken for held")
	}
	ran := 0
	fails := errors.New("it failed")
	if err := whileUnlocked(t.Context(), []string{name}, func() error { ran++; return fails }); !errors.Is(err, fails) || ran != 1 {
		t.Errorf("it ran %d times and ended with %v", ran, err)
	}
	release := lockElsewhere(t, name)
	if !isLocked(name) {
		t.Error("a lock that another program holds is not seen")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := whileUnlocked(ctx, []string{name}, func() error { ran++; return nil }); !errors.Is(err, context.Canceled) || ran != 1 {
		t.Errorf("it ran %d times, and ended with %v, while another program held the lock", ran, err)
	}
	release()
	if err := whileUnlocked(t.Context(), []string{name}, func() error { ran++; return nil }); err != nil || ran != 2 {
		t.Errorf("after the other program ended, it ran %d times and ended with %v", ran, err)
	}
}

// lockElsewhere has another process hold a lock until release is called.
func lockElsewhere(t *testing.T, name string) (release func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHoldLock$")
	cmd.Env = append(os.Environ(), "HOLD_LOCK="+name)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if n, err := stdout.Read(make([]byte, 4)); n != 4 {
		t.Fatalf("the other program does not hold the lock: %v", err)
	}
	return func() {
		stdin.Close()
		cmd.Wait()
	}
}
