package machine

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// liveSerial opens the running system's lines.
type liveSerial struct{}

func (liveSerial) Open(ctx context.Context, name string) (io.ReadWriteCloser, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, bare(err))
	}
	if info.Mode()&fs.ModeSocket != 0 {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", name)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", name, err)
		}
		return &line{conn, context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })}, nil
	}
	file, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err == nil {
		if err = makeRaw(file); err != nil {
			file.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the serial line %s: %w", name, bare(err))
	}
	return &line{file, context.AfterFunc(ctx, func() { file.SetDeadline(time.Unix(1, 0)) })}, nil
}

// A line is open until it is closed, and of no use when its context has ended.
type line struct {
	io.ReadWriteCloser
	stop func() bool
}

// Close closes it.
func (l *line) Close() error {
	l.stop()
	return l.ReadWriteCloser.Close()
}

// makeRaw has a serial line carry bytes as they are; see termios(3). Its speed means nothing in a virtual machine.
func makeRaw(file *os.File) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	failure := error(nil)
	err = raw.Control(func(fd uintptr) {
		t, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
		if err != nil {
			failure = err
			return
		}
		t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
		t.Oflag &^= unix.OPOST
		t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
		t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8 | unix.CLOCAL | unix.CREAD
		t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
		failure = unix.IoctlSetTermios(int(fd), unix.TCSETS, t)
	})
	if err != nil {
		return err
	}
	return failure
}
