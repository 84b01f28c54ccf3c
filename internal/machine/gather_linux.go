package machine

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// unsettled are the file systems with something that may not be on the disk yet, each with a descriptor of something in it.
type unsettled struct {
	mu      sync.Mutex
	gathers bool
	systems map[uint64]int
}

func (d *disk) gather(on bool) {
	d.late.mu.Lock()
	defer d.late.mu.Unlock()
	d.late.gathers = on
}

// settle writes out the file systems, for a file's name is on the disk only when its folder is.
func (d *disk) settle() (err error) {
	d.late.mu.Lock()
	defer d.late.mu.Unlock()
	for _, fd := range d.late.systems {
		if e := unix.Syncfs(fd); e != nil {
			err = errors.Join(err, fmt.Errorf("write what was changed to the disk: %w", e))
		}
		unix.Close(fd)
	}
	d.late.systems = nil
	return err
}

// isLate says whether what is in a folder may reach the disk later. It is remembered until settle.
func (d *disk) isLate(folder int) bool {
	d.late.mu.Lock()
	defer d.late.mu.Unlock()
	var st unix.Stat_t
	if !d.late.gathers || unix.Fstat(folder, &st) != nil {
		return false
	}
	if _, known := d.late.systems[st.Dev]; known {
		return true
	}
	fd, err := unix.Openat(folder, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	if d.late.systems == nil {
		d.late.systems = map[uint64]int{}
	}
	d.late.systems[st.Dev] = fd
	return true
}
