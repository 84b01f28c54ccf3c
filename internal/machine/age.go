package machine

import (
	"strconv"
	"strings"
	"time"
)

// dated is a store that knows when its files were written.
type dated interface {
	written(p place) (time.Time, error)
}

// IsFromThisBoot says that a file was written since the kernel started. Where nobody knows, it says no.
func (f *Facts) IsFromThisBoot(name string) bool {
	w, ok := f.files.(walked)
	if !ok {
		return false
	}
	store, ok := w.store.(dated)
	start := f.bootTime()
	if !ok || start.IsZero() {
		return false
	}
	when, err := visit(w, name, true, store.written)
	return err == nil && when.After(start)
}

// bootTime is when the kernel started, as the line btime in /proc/stat says it; see proc_stat(5).
func (f *Facts) bootTime() time.Time {
	text, _ := f.text("/proc/stat")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "btime "); ok {
			if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
				return time.Unix(seconds, 0)
			}
		}
	}
	return time.Time{}
}
