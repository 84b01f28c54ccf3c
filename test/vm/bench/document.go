package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A result is all that a bench has found out.
type result struct {
	all    []*contender // the first has no agent
	runs   int
	when   time.Time
	commit string
	host   string
}

// host says what it was measured on.
func host() string {
	model := "an unknown processor"
	cpus, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(cpus)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	qemu := "QEMU"
	if out, err := exec.Command("qemu-system-x86_64", "--version").Output(); err == nil {
		words := strings.Fields(string(out))
		qemu = "QEMU " + words[min(3, len(words)-1)]
	}
	return fmt.Sprintf("%s, %d processors, %s", model, runtime.NumCPU(), qemu)
}

// A spread is the middle of some values, and the least and the greatest.
type spread struct{ median, least, greatest float64 }

func spreadOf(values []float64) spread {
	slices.Sort(values)
	n := len(values)
	return spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}

func (s spread) String() string {
	return fmt.Sprintf("%.2f [%.2f, %.2f]", s.median, s.least, s.greatest)
}

// A measure is one of the figures of a boot.
type measure struct {
	name string
	of   func(figures) float64
}

var measures = []measure{
	{"sshd listens", func(f figures) float64 { return f.sshd }},
	{"both people's keys are there", func(f figures) float64 { return f.keys }},
	{"their script is done", func(f figures) float64 { return f.script }},
	{"multi-user", func(f figures) float64 { return f.multiUser }},
	{"processor: the agent", func(f figures) float64 { return f.agentCPU }},
	{"processor: the whole boot", func(f figures) float64 { return f.guestCPU }},
}

func (c *contender) spread(m measure) spread {
	values := make([]float64, len(c.boots))
	for i, f := range c.boots {
		values[i] = m.of(f)
	}
	return spreadOf(values)
}

// later is by how much more than without an agent, in pairs of boots of the same turn.
func (r *result) later(c *contender, m measure) spread {
	values := make([]float64, len(c.boots))
	for i, f := range c.boots {
		values[i] = m.of(f) - m.of(r.all[0].boots[i])
	}
	return spreadOf(values)
}

func (r *result) document() string {
	var out strings.Builder
	fmt.Fprintf(&out, documentHead, r.when.UTC().Format("2 January 2006"), r.commit, r.host, r.runs)
	r.table(&out, "Seconds, and in brackets the least and the greatest", func(c *contender, m measure) string {
		if s := c.spread(m); s.median > 0 {
			return s.String()
		}
		return nothing
	})
	r.table(&out, "As a multiple of the machine without an agent", func(c *contender, m measure) string {
		if without := r.all[0].spread(m).median; without > 0 {
			return fmt.Sprintf("%.2f", c.spread(m).median/without)
		}
		return nothing
	})
	r.table(&out, "Seconds more than without an agent: the median of differences within a turn", func(c *contender, m measure) string {
		if r.all[0].spread(m).median > 0 && c != r.all[0] {
			return r.later(c, m).String()
		}
		return nothing
	})
	r.weights(&out)
	r.limits(&out)
	out.WriteString(documentEnd)
	return out.String()
}

// heading is the first lines of a table with a column for each machine.
func (r *result) heading(out *strings.Builder, title string) {
	names := make([]string, len(r.all))
	for i, c := range r.all {
		names[i] = c.name
	}
	fmt.Fprintf(out, "\n## %s\n\n| | %s |\n|---|%s\n", title, strings.Join(names, " | "), strings.Repeat("---|", len(names)))
}

// nothing stands where a machine has no such figure.
const nothing = "–"

// row is a line of a table, unless no machine has the figure.
func (r *result) row(out *strings.Builder, name string, cell func(*contender) string) {
	cells := make([]string, len(r.all))
	for i, c := range r.all {
		cells[i] = cell(c)
	}
	if !slices.ContainsFunc(cells, func(s string) bool { return s != nothing }) {
		return
	}
	fmt.Fprintf(out, "| %s | %s |\n", name, strings.Join(cells, " | "))
}

func (r *result) table(out *strings.Builder, title string, cell func(*contender, measure) string) {
	r.heading(out, title)
	for _, m := range measures {
		r.row(out, m.name, func(c *contender) string { return cell(c, m) })
	}
}

// disk is what an agent brings, in MB.
func (r *result) disk(c *contender) float64 {
	return (c.weight.packages - r.all[0].weight.packages + c.weight.own) * 1024 / 1e6
}

func (r *result) weights(out *strings.Builder) {
	r.heading(out, "Weight")
	r.row(out, "peak memory of its processes, MiB", func(c *contender) string { return fmt.Sprintf("%.1f", c.weight.peak/1024) })
	r.row(out, "on the disk, MB", func(c *contender) string { return fmt.Sprintf("%.1f", r.disk(c)) })
	r.row(out, "memory after the boot, MiB", func(c *contender) string { return fmt.Sprintf("%.1f", c.weight.idle/1024) })
	r.row(out, "wake-ups a second after the boot", func(c *contender) string { return fmt.Sprintf("%.2f", c.weight.wakeups) })
}

// limits holds openguest to what was promised.
func (r *result) limits(out *strings.Builder) {
	ours, theirs := r.find("openguest"), r.find("cloud-init")
	agent := measures[4]
	line := func(what string, value, limit, slack float64, form string) {
		verdict := "met"
		if value > limit {
			verdict = "missed"
		}
		if value > limit && value <= limit+slack {
			verdict = fmt.Sprintf("missed, by less than the %.2f between two boots without an agent", slack)
		}
		fmt.Fprintf(out, "| %s | "+form+" | "+form+" | %s |\n", what, value, limit, verdict)
	}
	fmt.Fprint(out, "\n## Limits of openguest\n\n| | measured | limit | |\n|---|---|---|---|\n")
	for _, l := range []struct {
		m     measure
		limit float64
	}{{measures[0], 0.10}, {measures[3], 0.15}} {
		none := r.all[0].spread(l.m)
		line(l.m.name+", seconds later", r.later(ours, l.m).median, l.limit, none.greatest-none.least, "%.2f")
	}
	line("peak memory, MiB", ours.weight.peak/1024, 20, 0, "%.1f")
	line("on the disk, MB", r.disk(ours), 12, 0, "%.1f")
	line("processor, as a part of cloud-init's", ours.spread(agent).median/theirs.spread(agent).median, 1.0/20, 0, "%.3f")
}

func (r *result) find(name string) *contender {
	return r.all[slices.IndexFunc(r.all, func(c *contender) bool { return c.name == name })]
}

const documentHead = `# Benchmarks

Written by ` + "`make bench-vm`" + ` on %s, commit %s: %s. Medians of %d boots of each machine, in turns.

![when each machine is ready](benchmarks.svg)

The same Debian bookworm four times: with no agent, with openguest, with Debian's google-guest-agent and with Debian's cloud-init.
Each makes two people with keys, five files and one ed25519 host key, and runs one command; openguest and cloud-init also set the
name and grow the root from 2 to 4 GB, which Google's images do elsewhere. The one without an agent only makes the host key.
openguest and cloud-init have a NoCloud medium, google-guest-agent the metadata server of ` + "`openguest-host`" + `.

The processor is emulated, and a nanosecond is an instruction, so that the figures are those of a machine with one slow processor,
whatever else the host does; only waiting for the disk takes the host's time, and is longer where the host is busy. Seconds are counted
from the kernel's first instruction. Processor time is what systemd
counted for the agent's units, and for all programs of the whole boot. Memory is what the kernel calls VmHWM, the sum over the
processes of the unit that had most. What is on the disk is the sum of the packages that an agent brings, without Python, which all
four machines have.
`

// documentEnd explains the figures. Its own are from single boots of 21 November 2026, by the event sched_switch of the kernel.
const documentEnd = `
## Where the time goes

openguest waits for nothing before sshd, so what it adds is work, and on one processor all work before sshd delays it. By the kernel's
own trace of who ran when, its processes take 0.14 seconds (the local stage 0.04, the network stage 0.08, the generator 0.03), the two
calls of useradd 0.05 with the modprobe that each of them starts, systemd, journald and udevd 0.05 for units that the machine without an
agent does not have, the disk and its journal 0.03, and networkd's wait-online 0.02, which the config stage wants. The machine without
an agent makes its host key in a service of its own, which takes 0.03.

Some boots take 0.4 seconds more: a worker of udev asks for a network card's phys_port_name while another program holds the kernel's
lock on the network and sleeps, and the kernel has the worker ask again at once, over and over. It was met in machines with an agent and
without one.

The script of openguest is done after the network is online, which the machine without an agent does not wait for.
`
