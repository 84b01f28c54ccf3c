package main

import (
	"fmt"
	"strings"
)

// The chart's sizes, in its own units.
const (
	chartWidth = 760
	chartLeft  = 170 // of the bars
	chartRight = 90  // for the figures behind them
	barHeight  = 18
	barStep    = 24
	groupGap   = 44
)

// chart draws when each machine is ready: a group of bars for each milestone.
func (r *result) chart() string {
	shown := []measure{measures[0], measures[3]}
	longest := 0.0
	for _, m := range shown {
		for _, c := range r.all {
			longest = max(longest, c.spread(m).median)
		}
	}
	height := len(shown)*(len(r.all)*barStep+groupGap) + 30
	var out strings.Builder
	fmt.Fprintf(&out, chartHead, chartWidth, height)
	y := 34
	for _, m := range shown {
		fmt.Fprintf(&out, "<text x=\"16\" y=\"%d\" class=\"t\">%s</text>\n", y, m.name)
		y += 12
		for _, c := range r.all {
			r.bar(&out, c, c.spread(m).median, longest, y)
			y += barStep
		}
		y += groupGap - 12
	}
	fmt.Fprintf(&out, "<text x=\"16\" y=\"%d\" class=\"n\">seconds after the kernel starts, on one emulated processor; medians of %d boots, %s</text>\n</svg>\n",
		height-12, r.runs, r.when.UTC().Format("2 January 2006"))
	return out.String()
}

func (r *result) bar(out *strings.Builder, c *contender, value, longest float64, y int) {
	class := "b"
	if c.name == "openguest" {
		class = "o"
	}
	width := value / longest * (chartWidth - chartLeft - chartRight)
	fmt.Fprintf(out, "<text x=\"%d\" y=\"%d\" class=\"l\">%s</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" class=\"%s\"/><text x=\"%.1f\" y=\"%d\" class=\"v\">%.2f s</text>\n",
		chartLeft-10, y+barHeight-4, c.name, chartLeft, y, width, barHeight, class, chartLeft+width+8, y+barHeight-4, value)
}

const chartHead = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" role="img" aria-label="How long each machine takes until its ssh server listens, and until multi-user">
<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.t { font-weight: 600; font-size: 14px } .l { text-anchor: end } .n { font-size: 12px; fill: #57606a }
.b { fill: #afb8c1 } .o { fill: #1a7f64 }
</style>
<rect width="100%%" height="100%%" fill="#ffffff"/>
`
