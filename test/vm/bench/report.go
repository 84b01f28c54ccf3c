package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// reportEnd is the report's last line, and reportLines more lines than it has.
const (
	reportEnd   = "LAB end"
	reportLines = 400
)

// A report is what a machine printed of itself: lines of words.
type report [][]string

func readReport(console string) (r report) {
	for line := range strings.Lines(console) {
		if _, text, ok := strings.Cut(line, "LAB "); ok {
			r = append(r, strings.Fields(text))
		}
	}
	return r
}

// number is the last word of the line that begins with the others; 0 where there is none.
func (r report) number(words ...string) float64 {
	want := strings.Join(words, " ") + " "
	for _, line := range r {
		if n := len(line) - 1; n > 0 && strings.HasPrefix(strings.Join(line, " "), want) && n == len(words) {
			value, _ := strconv.ParseFloat(line[n], 64)
			return value
		}
	}
	return 0
}

// seconds converts what systemd gives in microseconds since the kernel began.
func (r report) seconds(unit string) float64 { return r.number("at", unit) / 1e6 }

// isAgents tells an agent's units. Those of openguest have cloud-init's names.
func isAgents(unit string) bool {
	for _, prefix := range []string{"cloud-", "google-", "gce-"} {
		if strings.HasPrefix(unit, prefix) {
			return true
		}
	}
	return false
}

// Figures are those of one boot: seconds after the kernel began, and seconds of the processor.
type figures struct {
	sshd, keys, script, multiUser float64
	agentCPU, guestCPU            float64
}

func (f figures) String() string {
	return fmt.Sprintf("sshd %.2f  keys %.2f  script %.2f  multi-user %.2f  agent's processor %.2f  all of it %.2f", f.sshd, f.keys, f.script, f.multiUser, f.agentCPU, f.guestCPU)
}

// figures are those of a boot. One in which something failed counts for nothing.
func (r report) figures() (f figures, err error) {
	for _, line := range r {
		if line[0] == "failed" {
			err = errors.Join(err, fmt.Errorf("the unit %s failed in the machine", strings.Join(line[1:], " ")))
		}
		if line[0] == "cpu" && len(line) == 3 && isAgents(line[1]) {
			f.agentCPU += r.number("cpu", line[1]) / 1e9
		}
	}
	f.sshd, f.multiUser = r.seconds("ssh.service"), r.seconds("multi-user.target")
	f.keys, f.script = max(r.seconds("lab-alice.target"), r.seconds("lab-bob.target")), r.seconds("lab-script.target")
	for _, slice := range []string{"init.scope", "system.slice", "user.slice"} {
		f.guestCPU += r.number("cpu", slice) / 1e9
	}
	f.guestCPU -= r.number("cpu", "lab-report.service") / 1e9
	if f.sshd == 0 || f.multiUser == 0 {
		err = errors.Join(err, errors.New("the ssh server or multi-user.target did not start in the machine"))
	}
	return f, err
}

// A weight is what an agent takes of a machine.
type weight struct {
	peak     float64 // KiB of memory, of the unit whose processes had most
	packages float64 // KiB of all installed packages
	own      float64 // KiB that were put into the machine past its packages
	idle     float64 // KiB of memory of what goes on running
	wakeups  float64 // a second, while nothing happens
}

func (w weight) String() string {
	return fmt.Sprintf("memory %.1f MiB  idle %.1f MiB  %.2f wake-ups/s  packages %.0f MB", w.peak/1024, w.idle/1024, w.wakeups, (w.packages+w.own)*1024/1e6)
}

func (r report) weight(own int64) (w weight, err error) {
	w.own, w.packages = float64(own)/1024, r.number("packages")
	for _, line := range r {
		if line[0] == "peak" && len(line) == 3 {
			w.peak = max(w.peak, r.number("peak", line[1]))
		}
		if line[0] != "before" && line[0] != "after" || len(line) != 4 {
			continue
		}
		switches, _ := strconv.ParseFloat(line[2], 64)
		memory, _ := strconv.ParseFloat(line[3], 64)
		if line[0] == "after" {
			w.idle += memory
			w.wakeups += switches / idle
		} else {
			w.wakeups -= switches / idle
		}
	}
	if w.packages == 0 {
		err = errors.New("the machine has not said what packages it has")
	}
	return w, err
}
