package machine

import "sync"

// ways are the folders to which the walk found no link and nobody but root who may change the way. Only root could have made one of
// them another since, and so the next walk may begin there; the folder itself is looked at anew.
type ways struct {
	mu    sync.Mutex
	known map[string]bool
}

// has says whether the way to a folder is known.
func (w *ways) has(folder string) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known[folder]
}

// keep remembers the way to a folder that the walk has come to without a link.
func (w *ways) keep(folder place) {
	if w == nil || !folder.alone || folder.path == "." {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known == nil {
		w.known = map[string]bool{}
	}
	w.known[folder.path] = true
}
