package module

import (
	"context"
	"errors"
	"path"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

type bootcmdKeys struct {
	Commands commandList `key:"bootcmd" doc:"Commands to run early in every boot: a string is a line for the shell, a list is a program with its arguments."`
}

var bootcmd = define(Module{
	Name: "bootcmd", Stage: Init, Every: Always, Marked: true, Gate: []string{"bootcmd"}, Needs: []string{"/bin/sh"},
	Doc: "Runs commands in every boot, before files are written and users made. It fails as the last of the commands does.",
	Examples: []string{`bootcmd:
  - echo "192.0.2.7 mirror.example" >> /etc/hosts
  - [cloud-init-per, once, format, mkfs, /dev/vdb]
`},
}, func(ctx context.Context, e *Env, k *bootcmdKeys) error {
	if e.Config.Get("bootcmd").Kind != conf.List {
		return nil // said already
	}
	file := path.Join(e.Paths.Run, "bootcmd.sh")
	if err := e.Remember(file, k.Commands.script(), machine.File(0o700, "")); err != nil {
		return err
	}
	err := e.Script(ctx, machine.Program{Argv: []string{"/bin/sh", file}, Reads: file})
	_, left := e.Machine.Quiet().Files.Remove(file) // it may hold secrets, and reports about a machine take this folder along
	return errors.Join(err, left)
})
