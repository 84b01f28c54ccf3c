package machine

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockWait is how long another program may hold a lock that we want, and endWait how long a system may take to go down.
// cloud-init waits as long.
const (
	lockWait = 30 * time.Second
	endWait  = 63 * time.Second
)

// whileUnlocked does something when nobody holds any of the locks. Where it fails and somebody holds one now, that one came
// first, and it is tried again.
func whileUnlocked(ctx context.Context, locks []string, do func() error) error {
	for end := time.Now().Add(lockWait); ; {
		err := error(nil)
		if held := heldLock(locks); held == "" {
			if err = do(); err == nil || heldLock(locks) == "" {
				return err
			}
		} else {
			err = fmt.Errorf("%s is locked: another program has been at work for %v; try again when it has ended", held, lockWait)
		}
		if time.Now().After(end) {
			return err
		}
		if err := Pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

// heldLock is the first of the files that another process has locked, as package managers lock; empty where there is none.
func heldLock(locks []string) string {
	for _, name := range locks {
		if isLocked(name) {
			return name
		}
	}
	return ""
}

func isLocked(name string) bool {
	file, err := os.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	return unix.FcntlFlock(file.Fd(), unix.F_GETLK, &lock) == nil && lock.Type != unix.F_UNLCK
}

// awaitEnd waits for the end of the system, which ends us too.
func awaitEnd(ctx context.Context, argv []string) error {
	if err := Pause(ctx, endWait); err != nil {
		return err
	}
	return fmt.Errorf("%s was run, and the system still runs after %v", strings.Join(argv, " "), endWait)
}
