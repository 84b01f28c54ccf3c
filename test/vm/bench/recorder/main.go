// Command recorder runs in a machine that is weighed. It notes how much memory the processes of each agent's units have had at most,
// as the kernel counts it (VmHWM), in KiB, in /run/lab-peaks: UNIT PEAK.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// pause is between two looks. A process that ends is seen as it was so long before.
const pause = 2 * time.Millisecond

func main() {
	peaks := map[string]int{}
	for {
		changed := false
		for _, pattern := range []string{"cloud-*.service", "google-*.service", "gce-*.service"} {
			groups, _ := filepath.Glob("/sys/fs/cgroup/system.slice/" + pattern)
			for _, g := range groups {
				if n := memory(g); n > peaks[filepath.Base(g)] {
					peaks[filepath.Base(g)], changed = n, true
				}
			}
		}
		if changed {
			write(peaks)
		}
		time.Sleep(pause)
	}
}

// memory is the sum of what a unit's processes have had at most. A process that has only just begun has its parent's program and
// shares the parent's memory, which counts once.
func memory(group string) (sum int) {
	pids, _ := os.ReadFile(group + "/cgroup.procs")
	for _, pid := range strings.Fields(string(pids)) {
		status, _ := os.ReadFile("/proc/" + pid + "/status")
		program, _ := os.Readlink("/proc/" + pid + "/exe")
		parent, _ := os.Readlink("/proc/" + field(status, "PPid:") + "/exe")
		if program != parent {
			n, _ := strconv.Atoi(field(status, "VmHWM:"))
			sum += n
		}
	}
	return sum
}

// field is the first word behind a name in the status of a process.
func field(status []byte, name string) string {
	_, after, _ := bytes.Cut(status, []byte(name))
	words := bytes.Fields(after[:min(len(after), 64)])
	if len(words) == 0 {
		return "none"
	}
	return string(words[0])
}

func write(peaks map[string]int) {
	var out bytes.Buffer
	for unit, n := range peaks {
		fmt.Fprintln(&out, unit, n)
	}
	_ = os.WriteFile("/run/lab-peaks", out.Bytes(), 0o644)
}
