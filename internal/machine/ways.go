package machine

import (
	"slices"
	"strings"
	"sync"
)

// ways are the folders of the kernel to which the walk came without a link. Nobody else makes a name there or moves one, whoever a folder
// is given to, and so the next walk may begin there; the folder itself is looked at anew. Anywhere else root may give a folder on the
// way to somebody at any moment, who may put a link in the place of what is in it.
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
	if w == nil || !folder.alone || !isKernels(folder.path) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known == nil {
		w.known = map[string]bool{}
	}
	w.known[folder.path] = true
}

// kernelFolders hold what the kernel says of devices. Other folders of /sys have file systems mounted in them in which people make names.
var kernelFolders = []string{"sys/block", "sys/bus", "sys/class", "sys/dev", "sys/devices", "sys/firmware"}

func isKernels(name string) bool {
	return slices.ContainsFunc(kernelFolders, func(f string) bool { return name == f || strings.HasPrefix(name, f+"/") })
}
