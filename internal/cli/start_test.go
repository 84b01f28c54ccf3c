package cli

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// traced is a line of the Go runtime about a package that is prepared before main: its name, bytes and allocations.
var traced = regexp.MustCompile(`^init (\S+) @.* ms clock, (\d+) bytes, (\d+) allocs`)

// Row C01: the program starts five times at each boot, and tools ask for its version again and again. What a package
// prepares before main is paid by each of them: expressions are compiled and tables are made where they are needed.
func TestNothingHeavyBeforeMain(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Args = []string{"openguest", "--version"}
	cmd.Env = []string{"GODEBUG=inittrace=1"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ours := 0
	for line := range strings.Lines(string(out)) {
		m := traced.FindStringSubmatch(line)
		if m == nil || !strings.HasPrefix(m[1], "openguest/") {
			continue
		}
		ours++
		bytes, _ := strconv.Atoi(m[2])
		allocations, _ := strconv.Atoi(m[3])
		if bytes > 64<<10 || allocations > 1000 {
			t.Errorf("%s takes %d bytes in %d pieces before main", m[1], bytes, allocations)
		}
	}
	if ours == 0 {
		t.Errorf("the runtime traced none of our packages: %s", out)
	}
}
