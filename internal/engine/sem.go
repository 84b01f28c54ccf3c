package engine

import (
	"fmt"
	"path"
	"strings"

	"openguest/internal/machine"
	"openguest/internal/module"
)

// A semaphore is the file that says that something has run.
func (e *Engine) semaphore(name string, every module.Frequency) string {
	name = strings.ReplaceAll(name, "-", "_")
	if every == module.Once {
		return path.Join(e.paths.Cloud, "sem", name+".once")
	}
	return e.paths.Instance("sem", name)
}

// hasRun says whether the semaphore is there. Old versions wrote dashes.
func (e *Engine) hasRun(name string, every module.Frequency) bool {
	if every == module.Always {
		return false
	}
	file := e.semaphore(name, every)
	if machine.Exists(e.state.Files, file) {
		return true
	}
	head, tail, _ := strings.Cut(path.Base(file), "_")
	return tail != "" && machine.Exists(e.state.Files, path.Join(path.Dir(file), head+"-"+strings.ReplaceAll(tail, "_", "-")))
}

// settle waits until what was written is on the disk. A semaphore that outlived a power cut would otherwise vouch for files that did
// not.
func (e *Engine) settle() error { return machine.Settle(e.state.Files) }

// mark writes the semaphore. It goes to the disk with the next files that do: what is done twice for want of it does no harm. For a
// module that must never run twice, settle follows.
func (e *Engine) mark(name string, every module.Frequency) error {
	if every == module.Always {
		return nil
	}
	now := e.machine.Clock.Now()
	text := fmt.Sprintf("%d: %d.%06d\n", e.machine.Kernel.ProcessID(), now.Unix(), now.Nanosecond()/1000)
	return e.put(e.semaphore(name, every), 0o644, text)
}
