package boot

import (
	"strings"
	"testing"
)

// Row B24: where no cloud says who the machine is, a person who runs the stages by hand, or a script that does, sees by their status that
// nothing was configured. Nothing is, but where it is forced.
func TestStagesByHandWithoutCloud(t *testing.T) {
	s := open(t, "")
	s.sh("rm -r /var/lib/cloud/seed")
	s.config("50-one", "datasource_list: [NoCloud]\nruncmd: [touch /root/ran]\n")
	for _, c := range []struct {
		line string
		code int
	}{
		{"init --local", 0}, {"init", 1}, {"modules --mode=config", 1}, {"modules --mode=final", 1}, {"single --name=runcmd", 1}, {"--force init", 0},
	} {
		if r := s.us(strings.Fields(c.line)...); r.code != c.code {
			t.Errorf("%s ended with %d, want %d:\n%s%s", c.line, r.code, c.code, r.stdout, r.stderr)
		}
	}
	if s.exists("/root/ran") {
		t.Error("the script ran on a machine that nobody knows")
	}
}

// Row L04: a machine without a console, as many containers are, boots as any other.
func TestNoConsole(t *testing.T) {
	s := open(t, "#cloud-config\nruncmd: [echo ran > /root/ran]\n")
	s.sh("rm /dev/console")
	s.mustBoot()
	if ran := s.read("/root/ran"); ran != "ran\n" {
		t.Errorf("the script left %q", ran)
	}
	for _, line := range strings.Split(s.read("/var/log/cloud-init.log"), "\n") {
		if strings.Contains(line, "console") && (strings.Contains(line, "[WARNING]") || strings.Contains(line, "[ERROR]")) {
			t.Errorf("the log complains: %s", line)
		}
	}
	if made := s.sh("ls /dev/console 2>/dev/null || true"); made != "" {
		t.Error("something made /dev/console")
	}
}
