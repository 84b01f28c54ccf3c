package cli

import (
	"fmt"
	"os"
	"path"
	"slices"

	"openguest/internal/engine"
	"openguest/internal/machine"
)

// isGenerator says whether the program was called by the name of the generator or of ds-identify.
func isGenerator(name string) bool {
	return slices.Contains([]string{"openguest-generator", "cloud-init-generator", "ds-identify"}, path.Base(name))
}

// generate decides whether the stages are part of this boot. systemd calls a generator with three folders for units, of
// which the second goes before all others; ds-identify has one word, --force, and its status is the answer.
func (p *program) generate(args []string) int {
	g := engine.Generation{KernelCommandLine: os.Getenv("KERNEL_CMDLINE"), Force: slices.Contains(args, "--force")}
	detectsOnly := path.Base(p.name) == "ds-identify"
	if !detectsOnly {
		if len(args) != 3 {
			fmt.Fprintf(p.stderr, "usage: %s NORMAL EARLY LATE\n", path.Base(p.name))
			return 2
		}
		g.Early = args[1]
	}
	m, err := machine.Live()
	if err != nil {
		fmt.Fprintf(p.stderr, "%s: %v\n", path.Base(p.name), err)
		return 3
	}
	status, err := engine.Generate(m, g)
	if err != nil {
		fmt.Fprintf(p.stderr, "%s: %v\n", path.Base(p.name), err)
		return 3
	}
	if detectsOnly {
		return status
	}
	return 0
}
