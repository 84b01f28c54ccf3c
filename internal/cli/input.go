package cli

import (
	"io"
	"os"

	"openguest/internal/machine"
)

// An input is a file that a command reads: one that the person named, here, or one of the system that it looks at.
type input struct {
	name  string
	files machine.Files // nil: the person named it
}

// given is the file that the person named, or else the one of the system.
func given(m machine.Machine, named, otherwise string) input {
	if named != "" {
		return input{name: named}
	}
	return input{otherwise, m.Files}
}

// read is the content of the file; "-" is the standard input.
func (i input) read() (string, error) {
	if i.files != nil {
		return i.files.Read(i.name)
	}
	if i.name == "-" {
		text, err := io.ReadAll(os.Stdin)
		return string(text), err
	}
	text, err := os.ReadFile(i.name)
	return string(text), err
}
