package module

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

type noKeys struct{}

var scriptsVendor = define(Module{
	Name: "scripts_vendor", Stage: Final, Every: PerInstance, Marked: true,
	Doc: "Runs the scripts of the vendor-data, in the order of their names, each as an argument of vendor_data.prefix where that is given.",
	Examples: []string{`vendor_data:
  enabled: true
  prefix: [/usr/bin/ltrace, -S]
`},
}, func(ctx context.Context, e *Env, _ *noKeys) error {
	return runParts(ctx, e, path.Join(e.Paths.Cloud, "instance/scripts/vendor"), e.Config.At("vendor_data", "prefix").Strings())
})

var (
	scriptsPerOnce     = scriptsFolder("per-once", Once, "once in the life of a machine, whichever instance it is")
	scriptsPerBoot     = scriptsFolder("per-boot", Always, "at every boot")
	scriptsPerInstance = scriptsFolder("per-instance", PerInstance, "once for an instance")
)

// scriptsFolder is the module that runs the scripts in one of the folders below /var/lib/cloud/scripts.
func scriptsFolder(folder string, every Frequency, when string) *Module {
	return define(Module{
		Name: "scripts_" + strings.ReplaceAll(folder, "-", "_"), Stage: Final, Every: every, Marked: true,
		Doc: "Runs the scripts in /var/lib/cloud/scripts/" + folder + " " + when + ", in the order of their names.",
	}, func(ctx context.Context, e *Env, _ *noKeys) error {
		return runParts(ctx, e, path.Join(e.Paths.Cloud, "scripts", folder), nil)
	})
}

var scriptsUser = define(Module{
	Name: "scripts_user", Stage: Final, Every: PerInstance, Marked: true,
	Doc: "Runs the scripts of the user-data, runcmd's among them, in the order of their names. All run, whatever the others end with.",
}, func(ctx context.Context, e *Env, _ *noKeys) error {
	return runParts(ctx, e, path.Join(e.Paths.Cloud, "instance/scripts"), nil)
})

// runParts runs the executable files of a folder in the order of their names. One that fails does not stop the others.
func runParts(ctx context.Context, e *Env, folder string, prefix []string) error {
	names, err := e.Machine.Files.List(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var failed []string
	var unfinished error
	attempted := 0
	for _, name := range names {
		file := path.Join(folder, name)
		if !e.isProgram(file) {
			continue
		}
		attempted++
		err := e.Item(conf.Origin{Part: file}, "scripts", func() error {
			return e.Script(ctx, machine.Program{Argv: append(prefix[:len(prefix):len(prefix)], file), Reads: file})
		})
		switch {
		case errors.Is(err, machine.ErrDeferred):
			unfinished = err
		case err != nil:
			e.Debug("%v", err)
			failed = append(failed, name)
		}
	}
	if failed != nil {
		e.Warn("Failed to run module %s (%s in %s)", cmp.Or(e.Listed, e.Module), path.Base(folder), folder)
		return fmt.Errorf("Runparts: %d failures (%s) in %d attempted commands", len(failed), strings.Join(failed, ","), attempted)
	}
	return unfinished
}

// isProgram says whether a file can be run, and says of one that can not.
func (e *Env) isProgram(name string) bool {
	n, err := e.Machine.Files.Look(name)
	if err == nil && n.Mode.Type() == fs.ModeSymlink {
		n, err = e.Machine.Files.Look(name + "/")
	}
	switch {
	case err != nil || !n.Mode.IsRegular():
		e.Debug("Not executing special file [%s]", name)
	case n.Mode&0o111 == 0:
		e.Warn("skipping %s as its not executable or the underlying file system is mounted without executable permissions.", name)
	default:
		return true
	}
	return false
}
