package machine

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pair of lines: what the host holds, and the name of what the machine opens.
func terminal(t *testing.T) (host *os.File, name string) {
	host, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminals here:", err)
	}
	t.Cleanup(func() { host.Close() })
	raw, err := host.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		if err := unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err != nil {
			t.Error(err)
		}
		number, err := unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		if err != nil {
			t.Error(err)
		}
		name = fmt.Sprint("/dev/pts/", number)
	})
	if err != nil || t.Failed() {
		t.Fatal("no pseudo terminal:", err)
	}
	return host, name
}

// A host answers on a serial line with bytes that a terminal would change: its answer must come as it is, and one that
// does not answer must not hold a boot up.
func TestSerialLine(t *testing.T) {
	host, name := terminal(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	serial, err := liveSerial{}.Open(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	defer serial.Close()
	go func() {
		asked, _ := bufio.NewReader(host).ReadString('>')
		fmt.Fprintf(host, "%q\r\x03\x04\n", asked)
	}()
	if _, err := fmt.Fprint(serial, "<\n\n>"); err != nil {
		t.Fatal(err)
	}
	if answer, err := bufio.NewReader(serial).ReadString('\n'); err != nil || answer != `"<\n\n>"`+"\r\x03\x04\n" {
		t.Errorf("the answer is %q, %v", answer, err)
	}
	go cancel()
	if n, err := serial.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("after the end of the context it reads %d bytes, %v", n, err)
	}
}

// In a zone the line is a socket.
func TestSerialSocket(t *testing.T) {
	name := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err == nil {
			fmt.Fprint(conn, "hello\n")
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	serial, err := liveSerial{}.Open(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	defer serial.Close()
	if answer, err := bufio.NewReader(serial).ReadString('\n'); err != nil || answer != "hello\n" {
		t.Errorf("the answer is %q, %v", answer, err)
	}
	go cancel()
	if _, err := serial.Read(make([]byte, 1)); err == nil {
		t.Error("after the end of the context it reads on")
	}
}

// What is no line says so, by name.
func TestSerialThatIsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, file + "x"} {
		if _, err := (liveSerial{}).Open(t.Context(), name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Fake("", time.Unix(0, 0)).Serial.Open(t.Context(), "/dev/ttyS1"); err == nil {
		t.Error("a system that does not run has a serial line")
	}
}
