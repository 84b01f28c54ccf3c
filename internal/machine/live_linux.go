package machine

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// helperLimit is how long a command of ours may take. A user or a password is changed in much less; what hangs longer hangs.
const helperLimit = time.Minute

// Live is the running system. A command of ours that does not end is killed after a minute.
func Live() (Machine, error) { return LiveWithin(helperLimit) }

// LiveWithin is Live with another limit for our commands.
func LiveWithin(limit time.Duration) (Machine, error) {
	store, err := openDisk("/")
	if err != nil {
		return Machine{}, err
	}
	store.label = policyLabels(walked{store: store})
	ledger := &Ledger{}
	files := walked{store: store, ledger: ledger, ways: &ways{}}
	kernel := liveKernel{ledger}
	return Machine{Files: files, Commands: newPrograms(files, ledger, limit), Kernel: kernel, Disks: liveDisks{files: files.quiet()}, Blocks: liveBlocks{files.quiet(), ledger}, Swap: liveSwap{store, files}, Net: newLiveNet(files),
		Links: newLiveLinks(files.quiet(), ledger), Serial: liveSerial{}, Init: systemd{}, Clock: liveClock{}, Facts: NewFacts(files, kernel), Ledger: ledger}, nil
}

// Tree is the root of a system that is not running.
func Tree(dir string) (Machine, error) {
	store, err := openDisk(dir)
	if err != nil {
		return Machine{}, err
	}
	ledger := &Ledger{}
	files := walked{store: store, ledger: ledger}
	store.label = policyLabels(files)
	kernel := offlineKernel{}
	return Machine{Files: files, Commands: meanings{files, liveClock{}, ledger}, Kernel: kernel, Disks: offlineDisks{}, Blocks: offlineBlocks{}, Swap: offlineSwap{}, Net: newLiveNet(files),
		Links: offlineLinks{files.quiet()}, Serial: offlineSerial{}, Init: noInit{}, Clock: liveClock{}, Facts: NewFacts(files, kernel), Ledger: ledger}, nil
}

// liveClock is the system's.
type liveClock struct{}

func (liveClock) Now() time.Time { return time.Now() }

// Uptime is what /proc/uptime says: a container has its own, the kernel's clock has not.
func (liveClock) Uptime() time.Duration {
	text, err := os.ReadFile("/proc/uptime")
	if err == nil {
		word, _, _ := strings.Cut(string(text), " ")
		if seconds, err := strconv.ParseFloat(word, 64); err == nil {
			return time.Duration(math.Round(seconds * float64(time.Second)))
		}
	}
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return time.Duration(ts.Nano())
}

// liveKernel is the running kernel.
type liveKernel struct{ ledger *Ledger }

func (liveKernel) ProcessID() int { return os.Getpid() }

func (liveKernel) Hostname() (string, error) { return os.Hostname() }

func (k liveKernel) SetHostname(name string) (bool, error) {
	if now, err := os.Hostname(); err == nil && now == name {
		return false, nil
	}
	err := unix.Sethostname([]byte(name))
	if errors.Is(err, unix.EPERM) {
		return false, fmt.Errorf("set the kernel's host name to %s: not permitted; in a container its host may forbid it: %w", name, err)
	}
	if err != nil {
		return false, fmt.Errorf("set the kernel's host name to %s: %w", name, err)
	}
	k.ledger.add(Entry{Kind: KindHostname, Detail: name})
	return true, nil
}
