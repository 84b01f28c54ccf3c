package cli

import (
	"io"

	"openguest/internal/command"
)

// Commands are the commands of the program under one of its names, for manual pages and completions. They are not to be
// run.
func Commands(name string) *command.Command {
	p := &program{name: name, stdout: io.Discard, stderr: io.Discard}
	if name == "cloud-id" {
		return p.cloudID()
	}
	return p.root()
}

// Compatible is the version of cloud-init that the program stands for, as package managers compare versions.
const Compatible = "26.2"
