package source

import (
	"path"

	"openguest/internal/machine"
)

// bigstep is the source of machines on Bigstep.
func bigstep() *Source {
	return &Source{
		Name:  "Bigstep",
		Doc:   "The page of JSON whose address is in the file data/seed/bigstep/url below /var/lib/cloud.",
		Match: matchBigstep,
	}
}

func matchBigstep(f *machine.Facts, e *Env) Match { return anyOf(file(bigstepAddress(e)))(f, e) }

// bigstepAddress is the file with the address to ask. It is no seed folder like the others'.
func bigstepAddress(e *Env) string { return path.Join(path.Dir(e.Seed), "data/seed/bigstep/url") }
