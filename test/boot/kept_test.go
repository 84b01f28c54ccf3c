package boot

import "testing"

// Row S20. A person who says that the machine stays who it is until they clean it, keeps it through whatever the cloud says: host keys
// and passwords would else be made anew under them.
func TestKeptUntilCleaned(t *testing.T) {
	s := open(t, "")
	s.config("99-keep", "manual_cache_clean: true\n")
	s.mustBoot()
	s.seed("i-two", "")
	for _, c := range []struct{ clean, want string }{{"", "i-one\n"}, {"clean", "i-two\n"}} {
		if c.clean != "" {
			if r := s.us(c.clean); r.code != 0 {
				t.Fatalf("clean ended with %d: %s%s", r.code, r.stdout, r.stderr)
			}
		}
		if codes := s.reboot(); codes != [4]int{} {
			t.Errorf("the stages ended with %v", codes)
		}
		if id := s.read("/var/lib/cloud/data/instance-id"); id != c.want {
			t.Errorf("after %q it is %q, want %q", c.clean, id, c.want)
		}
	}
}
