package machine

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Row D19. systemd must hear that a machine in Azure's stock still waits, and hear it from the service itself: it would end the stage,
// and the machine would be nobody's. It listens on a socket with a path, or on an abstract one.
func TestTakesLonger(t *testing.T) {
	for _, socket := range []string{filepath.Join(t.TempDir(), "notify"), fmt.Sprintf("@openguest-test-%d", os.Getpid())} {
		listener, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		t.Setenv("NOTIFY_SOCKET", socket)
		m, err := Live()
		if err != nil {
			t.Fatal(err)
		}
		planned, _ := Plan(m)
		if err := planned.Init.TakesLonger(time.Hour); err != nil {
			t.Errorf("a plan: %v", err)
		}
		if err := m.Init.TakesLonger(15 * time.Minute); err != nil {
			t.Fatal(err)
		}
		listener.SetReadDeadline(time.Now().Add(time.Minute))
		message := make([]byte, 100)
		n, err := listener.Read(message)
		if err != nil || string(message[:n]) != "EXTEND_TIMEOUT_USEC=900000000" { // the plan's would have come first
			t.Errorf("at %s systemd hears %q, %v", socket, message[:n], err)
		}
	}
}

// Without systemd nobody counts; where it is there and does not answer, that is an error that names it.
func TestNobodyIsTold(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := (systemd{}).TakesLonger(time.Minute); err != nil {
		t.Errorf("without systemd: %v", err)
	}
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	t.Setenv("NOTIFY_SOCKET", nowhere)
	if err := (systemd{}).TakesLonger(time.Minute); err == nil {
		t.Error("nobody listens, and it does not say so")
	}
}
