package machine

import (
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// written is when a file's content was last changed.
func (d *disk) written(p place) (when time.Time, err error) {
	err = d.in(p, func(folder int, base string) error {
		var st unix.Stat_t
		if err := unix.Fstatat(folder, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return &fs.PathError{Op: "look", Path: p.name(), Err: err}
		}
		when = time.Unix(st.Mtim.Unix())
		return nil
	})
	return when, err
}
