package network

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestIfqueryAcceptsWhatIsWritten gives what is written of every case to the real ifupdown, both styles of routes.
// Row N04.
func TestIfqueryAcceptsWhatIsWritten(t *testing.T) {
	ifquery, err := exec.LookPath("ifquery")
	if err != nil {
		t.Skip("ifquery is not installed: it is in the package ifupdown")
	}
	for _, s := range append(samples(t), ownSamples()...) {
		for _, has := range []string{"", "-- usr/sbin/ip --\n"} {
			text, _ := rendered(t, "eni", s.text, fakeTarget(has, ""))
			text, _, _ = strings.Cut(strings.TrimPrefix(text, "-- /etc/network/interfaces --\n"), "-- "+persistentNames)
			name := filepath.Join(t.TempDir(), "interfaces")
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			argv := []string{ifquery, "--interfaces=" + name, "--state-dir=" + filepath.Dir(name)}
			list, err := exec.Command(argv[0], append(argv[1:], "--list", "--all")...).CombinedOutput()
			if err != nil {
				t.Errorf("%s: %v\n%s\n%s", s.name, err, list, text)
				continue
			}
			for link := range strings.FieldsSeq(string(list)) {
				if out, err := exec.Command(argv[0], append(argv[1:], link)...).CombinedOutput(); err != nil {
					t.Errorf("%s: %s: %v\n%s\n%s", s.name, link, err, out, text)
				}
			}
		}
	}
}
