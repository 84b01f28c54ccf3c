package cli

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// tooLong ends a test that hangs; nothing is measured by it.
const tooLong = time.Minute

const (
	begun = `{"v1": {"datasource": null, "stage": "init-local", "init-local": {"start": 1.5, "finished": null, "errors": [], "recoverable_errors": {}}}}`
	ended = `{"v1": {"datasource": "DataSourceNone", "stage": null, "init-local": {"start": 1.5, "finished": 2.5, "errors": [], "recoverable_errors": {"WARNING": ["x"]}}}}`
)

// A waiter is `status --wait` over a folder, in a goroutine.
type waiter struct {
	output *bufio.Reader
	status chan int
}

// startWaiting runs `status --wait`, with more arguments, until ctx is done.
func startWaiting(ctx context.Context, root string, args ...string) *waiter {
	read, write := io.Pipe()
	w := &waiter{bufio.NewReader(read), make(chan int, 1)}
	p := &program{name: "cloud-init", stdout: write, stderr: write}
	go func() {
		p.execute(ctx, p.root(), append([]string{"status", "--wait", "--root", root}, args...))
		write.Close()
		w.status <- p.status
	}()
	return w
}

// dot reads one dot: the program waits.
func (w *waiter) dot(t *testing.T) {
	t.Helper()
	if b, err := w.output.ReadByte(); err != nil || b != '.' {
		t.Fatalf("there is %q (%v), want a dot", b, err)
	}
}

// end is what is printed until the program ends, without dots, and its exit status.
func (w *waiter) end(t *testing.T) (string, int) {
	t.Helper()
	text, err := io.ReadAll(w.output)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case status := <-w.status:
		return strings.TrimLeft(string(text), "."), status
	case <-time.After(tooLong):
		t.Fatal("the program does not end")
		return "", 0
	}
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	if err := os.MkdirAll(root+"/run/cloud-init", 0o755); err != nil {
		t.Fatal(err)
	}
	// as the program does: a reader finds the old file or the new one
	if err := os.WriteFile(root+"/run/new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(root+"/run/new", root+"/run/cloud-init/"+name); err != nil {
		t.Fatal(err)
	}
}

// Row C03: scripts go on when the boot has ended, and not before; the exit status tells how it ended.
func TestWait(t *testing.T) {
	root := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), tooLong)
	defer cancel()
	w := startWaiting(ctx, root)
	w.dot(t) // not started
	write(t, root, "status.json", begun)
	w.dot(t)
	w.dot(t)
	write(t, root, "status.json", ended)
	w.dot(t)
	write(t, root, "result.json", `{"v1": {"datasource": "DataSourceNone", "errors": []}}`)
	if text, status := w.end(t); text != "status: done\n" || status != 2 {
		t.Errorf("printed %q with status %d", text, status)
	}
}

// Row C03: what reads JSON finds no dots before it.
func TestWaitPrintsNoDotsInJSON(t *testing.T) {
	root := t.TempDir()
	write(t, root, "status.json", begun)
	ctx, cancel := context.WithTimeout(context.Background(), tooLong)
	defer cancel()
	w := startWaiting(ctx, root, "--format", "json")
	write(t, root, "status.json", ended)
	write(t, root, "result.json", "{}")
	if text, _ := w.end(t); !strings.HasPrefix(text, "{\n") {
		t.Errorf("printed %q", text)
	}
}

// A script that is told to stop waiting must not go on as if the machine were ready.
func TestStoppedWaitIsNotDone(t *testing.T) {
	root := t.TempDir()
	write(t, root, "status.json", begun)
	ctx, cancel := context.WithCancelCause(context.Background())
	w := startWaiting(ctx, root)
	w.dot(t)
	cancel(errSignal)
	text, status := w.end(t)
	if status != 1 || !strings.Contains(text, "stopped waiting while the status is running") {
		t.Errorf("printed %q with status %d", text, status)
	}
}

// Nobody waits for a boot that will not be.
func TestWaitEndsWhereAllIsSwitchedOff(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(root+"/etc/cloud", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/etc/cloud/cloud-init.disabled", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if text, status := startWaiting(context.Background(), root).end(t); text != "status: disabled\n" || status != 0 {
		t.Errorf("printed %q with status %d", text, status)
	}
}
