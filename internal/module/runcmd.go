package module

import (
	"context"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// commandList is the commands of runcmd and bootcmd: a string is a line for the shell, a list an argv.
type commandList []conf.Placed[conf.Either[string, []string]]

type runcmdKeys struct {
	Commands commandList `key:"runcmd" doc:"Commands to run once, at the end of the first boot: a string is a line for the shell, a list is a program with its arguments."`
}

var runcmd = define(Module{
	Name: "runcmd", Stage: Config, Every: PerInstance, Marked: true, Gate: []string{"runcmd"},
	Doc: "Writes the commands into one script, which scripts_user runs in the final stage after the scripts of the user-data.",
	Examples: []string{`runcmd:
  - [ls, -l, /]
  - echo "it is $(date)" > /run/when
`},
}, func(_ context.Context, e *Env, k *runcmdKeys) error {
	if e.Config.Get("runcmd").Kind != conf.List {
		return nil // said already
	}
	_, err := e.Machine.Files.Put(e.Paths.Instance("scripts", "runcmd"), machine.File(0o700, k.Commands.script()))
	return err
})

// script makes one shell script of the commands, in the form that cloud-init gives it.
func (l commandList) script() string {
	var text strings.Builder
	text.WriteString("#!/bin/sh\n")
	for _, command := range l {
		switch c := command.Value; {
		case c.A != nil:
			text.WriteString(*c.A + "\n")
		case c.B != nil:
			text.WriteString(quoted(*c.B) + "\n")
		}
	}
	return text.String()
}

// quoted puts each word in single quotes for a shell.
func quoted(words []string) string {
	safe := make([]string, len(words))
	for i, word := range words {
		safe[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return strings.Join(safe, " ")
}
