package machine

import (
	"fmt"
	"slices"
	"strings"
)

// An edit is a run of lines that is in one text only, or in both.
type edit struct {
	sign byte // ' ', '-' or '+'
	line string
}

// diffContext is how many lines around a change a diff shows.
const diffContext = 3

// Diff is a unified diff of two texts; empty where they are the same.
func Diff(old, now string) string {
	if old == now {
		return ""
	}
	edits := compare(lines(old), lines(now))
	var out strings.Builder
	for from := 0; from < len(edits); {
		first := nextChange(edits, from)
		if first == len(edits) {
			break
		}
		end := first
		for next := first; next < len(edits) && next-end <= 2*diffContext; next = nextChange(edits, next) {
			for next < len(edits) && edits[next].sign != ' ' {
				next++
			}
			end = next
		}
		start := max(from, first-diffContext)
		stop := min(len(edits), end+diffContext)
		writeHunk(&out, edits, start, stop)
		from = stop
	}
	return out.String()
}

func lines(text string) []string { return slices.Collect(strings.Lines(text)) }

func nextChange(edits []edit, from int) int {
	for from < len(edits) && edits[from].sign == ' ' {
		from++
	}
	return from
}

func writeHunk(out *strings.Builder, edits []edit, start, stop int) {
	oldFrom, nowFrom := count(edits[:start], '-'), count(edits[:start], '+')
	oldCount, nowCount := count(edits[start:stop], '-'), count(edits[start:stop], '+')
	fmt.Fprintf(out, "@@ -%d,%d +%d,%d @@\n", oldFrom+min(1, oldCount), oldCount, nowFrom+min(1, nowCount), nowCount)
	for _, e := range edits[start:stop] {
		out.WriteByte(e.sign)
		out.WriteString(e.line)
		if !strings.HasSuffix(e.line, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// count is how many lines of one of the texts the edits stand for.
func count(edits []edit, sign byte) (n int) {
	for _, e := range edits {
		if e.sign == sign || e.sign == ' ' {
			n++
		}
	}
	return n
}

// compare finds the edits from a to b. What they begin and end with in common is set aside; the rest is compared line by
// line, or, where it is too long for that, replaced as a whole.
func compare(a, b []string) (edits []edit) {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	edits = appendLines(edits, ' ', a[:head])
	middleA, middleB := a[head:len(a)-tail], b[head:len(b)-tail]
	if len(middleA)*len(middleB) > 4_000_000 {
		edits = appendLines(appendLines(edits, '-', middleA), '+', middleB)
	} else {
		edits = append(edits, align(middleA, middleB)...)
	}
	return appendLines(edits, ' ', a[len(a)-tail:])
}

func appendLines(edits []edit, sign byte, lines []string) []edit {
	for _, line := range lines {
		edits = append(edits, edit{sign, line})
	}
	return edits
}

// align keeps the longest common subsequence of the lines.
func align(a, b []string) (edits []edit) {
	common := make([][]int32, len(a)+1) // common[i][j] is the length of that of a[i:] and b[j:]
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			edits = append(edits, edit{' ', a[i]})
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			edits = append(edits, edit{'-', a[i]})
			i++
		default:
			edits = append(edits, edit{'+', b[j]})
			j++
		}
	}
	return appendLines(appendLines(edits, '-', a[i:]), '+', b[j:])
}
