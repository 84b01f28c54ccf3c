package engine

import (
	"path"

	"openguest/internal/machine"
	"openguest/internal/module"
)

// inject writes the files that the cloud puts into a new instance, as cloud-init does: for root and its group alone. One
// that cannot be written costs itself.
func (e *Engine) inject(isNew bool) {
	if !isNew || len(e.now.Files) == 0 {
		return
	}
	e.machine.Ledger.Begin("injected files", false)
	defer e.machine.Ledger.Begin("", false)
	for _, f := range e.now.Files {
		err := machine.MakeFolders(e.machine.Files, path.Dir(f.Path), machine.Folder(0o755))
		if err == nil {
			_, err = e.machine.Files.Put(f.Path, machine.File(0o660, string(f.Content)))
		}
		if err != nil {
			e.log.Log(module.Warning, "the file %s, which the cloud gave this machine, was not written: %v", f.Path, err)
		}
	}
}
