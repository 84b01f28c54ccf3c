package module

import (
	"strings"
	"unicode/utf8"
)

// InfoTable is a table with its title above, in the form that tools cut out of a console's log: each line behind "ci-info: ".
func InfoTable(title string, header []string, rows [][]string) string {
	lines := table(header, rows)
	lines = append([]string{titled(title, utf8.RuneCountInString(lines[0]))}, lines...)
	return "ci-info: " + strings.Join(lines, "\nci-info: ") + "\n"
}

// table draws rows below a header, with lines around, each cell in the middle of its column, as cloud-init draws the tables
// behind "ci-info:".
func table(header []string, rows [][]string) (lines []string) {
	widths := make([]int, len(header))
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell)+2)
		}
	}
	rule := "+"
	for _, width := range widths {
		rule += strings.Repeat("-", width) + "+"
	}
	lines = append(lines, rule, tableRow(header, widths), rule)
	for _, row := range rows {
		lines = append(lines, tableRow(row, widths))
	}
	return append(lines, rule)
}

// tableRow is one row. Where a cell cannot stand exactly in the middle, Python puts it to the right if the column's width is
// odd.
func tableRow(row []string, widths []int) string {
	line := "|"
	for i, cell := range row {
		space := widths[i] - utf8.RuneCountInString(cell)
		left := space/2 + space&widths[i]&1
		line += strings.Repeat(" ", left) + cell + strings.Repeat(" ", space-left) + "|"
	}
	return line
}

// titled is a title with plus signs around it, as wide as a table.
func titled(title string, width int) string {
	space := max(0, width-utf8.RuneCountInString(title))
	return strings.Repeat("+", space/2) + title + strings.Repeat("+", space-space/2)
}
