package module

import (
	"math/rand/v2"
	"regexp"
	"testing"
)

// A name that is wrongly taken for a disk's would mount /dev/NAME in place of what was meant.
func TestKernelNames(t *testing.T) {
	want := regexp.MustCompile(`^(x?[shv]d[a-z][0-9]*|sr[0-9]+)$`)
	random := rand.New(rand.NewPCG(2, 7))
	pieces := []string{"x", "s", "h", "v", "d", "sd", "a", "z", "r", "sr", "0", "12", "A", "é", "/", ""}
	for range 20_000 {
		name := ""
		for range random.IntN(6) {
			name += pieces[random.IntN(len(pieces))]
		}
		if got := isKernelName(name); got != want.MatchString(name) {
			t.Fatalf("%q is a kernel's name: %v", name, got)
		}
	}
}
