package machine

import (
	"math/rand/v2"
	"regexp"
	"testing"
)

// A template with the wrong version in it breaks an old CentOS: what cloud-init reads of its release file we read as well.
func TestRedHatReleases(t *testing.T) {
	plain, virtuozzo := regexp.MustCompile(`^(.+) release ([\d.]+) \(([^)\n]+)\)`), regexp.MustCompile(`^(.+) release ([\d.]+)`)
	random := rand.New(rand.NewPCG(1, 5))
	pieces := []string{"CentOS", "Red Hat Enterprise Linux Server", "Virtuozzo", " ", " release ", " release ", "6.10", "7", " (", "Final", ")", "\n", "x", "release"}
	for range 20_000 {
		text := ""
		for range random.IntN(9) {
			text += pieces[random.IntN(len(pieces))]
		}
		name, version, codename := cutRelease(text)
		if found := plain.FindStringSubmatch(text); found != nil && codename != "" && (name != found[1] || version != found[2] || codename != found[3]) {
			t.Fatalf("%q is read as %q, %q, %q; cloud-init reads %q", text, name, version, codename, found[1:])
		}
		if found := virtuozzo.FindStringSubmatch(text); (found != nil) != (name != "") || found != nil && (name != found[1] || version != found[2]) {
			t.Fatalf("%q is read as %q, %q; cloud-init reads %q", text, name, version, found)
		}
	}
}
