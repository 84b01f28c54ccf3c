package boot

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestFetchTimes prints how long the peer and we take to find and ask a cloud that needs 50 ms for each answer. scripts/bench holds the
// times to their limits: row X07. It is no test by itself, since the times are the machine's that runs it.
func TestFetchTimes(t *testing.T) {
	if os.Getenv("BENCH") == "" {
		t.Skip("times are measured by scripts/bench alone")
	}
	for _, name := range []string{"OpenStack", "Ec2", "GCE"} {
		const slow = `{"path": "*", "latency": "50ms"}`
		peer := onCloud(t, name, slow)
		peer.config("99-list", "datasource_list: ["+name+", None]\n")
		if r := peer.run("/usr/bin/cloud-init", "init"); r.code != 0 {
			t.Fatalf("the peer's init ended with %d: %s%s", r.code, r.stdout, r.stderr)
		}
		theirs := between(t, peer.read("/var/log/cloud-init.log"), "start: init-network/search-"+name, "finish: init-network/search-"+name)
		us := onCloud(t, name, slow)
		us.mustBoot()
		ours := between(t, us.read("/var/log/cloud-init.log"), "start: init-local/check-cache", "search: "+name+": found")
		t.Logf("fetch %s %.3f %.3f", name, theirs.Seconds(), ours.Seconds())
		peer.close()
		us.close()
	}
}

// between is the time from the first line of a log that has one text to the first that has another.
func between(t *testing.T, log, from, to string) time.Duration {
	t.Helper()
	at := func(text string) time.Time {
		for line := range strings.Lines(log) {
			if stamp, rest, _ := strings.Cut(line, " - "); strings.Contains(rest, text) {
				moment, err := time.Parse("2006-01-02 15:04:05,000", stamp)
				if err != nil {
					t.Fatal(err)
				}
				return moment
			}
		}
		t.Fatalf("the log does not say %q:\n%s", text, log)
		return time.Time{}
	}
	return at(to).Sub(at(from))
}
