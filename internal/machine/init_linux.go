package machine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// notifyLimit is how long systemd may take to take a message. It reads at once, but for when it is being restarted.
const notifyLimit = 5 * time.Second

// systemd is what starts services on most machines. See sd_notify(3).
type systemd struct{}

func (systemd) TakesLonger(d time.Duration) error {
	socket := os.Getenv("NOTIFY_SOCKET") // a name that begins with @ is abstract, to Go as well
	if socket == "" {
		return nil
	}
	if err := notify(socket, fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds())); err != nil {
		return fmt.Errorf("tell systemd at %s that this takes longer: %w", socket, err)
	}
	return nil
}

// notify sends one message.
func notify(socket, message string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	err = conn.SetWriteDeadline(time.Now().Add(notifyLimit))
	if err == nil {
		_, err = conn.Write([]byte(message))
	}
	return errors.Join(err, conn.Close())
}
