package disk

import (
	"fmt"
	"strings"

	"openguest/internal/machine"
)

// pictureWidth is how many characters a disk has in a picture.
const pictureWidth = 64

// Picture draws a disk as a bar in which each partition has its number, and the room that it takes; what is free is dotted.
func (t *Table) Picture() string {
	var bar strings.Builder
	at := int64(0)
	for _, p := range append(t.taken(), Partition{Start: t.Size}) {
		if p.Logical {
			continue
		}
		if p.Start-at >= worth {
			bar.WriteString("|" + strings.Repeat(".", t.width(p.Start-at, 1)))
		}
		if p.Size > 0 {
			number := fmt.Sprint(p.Number)
			bar.WriteString("|" + number + strings.Repeat(" ", t.width(p.Size, len(number))-len(number)))
		}
		at = p.End()
	}
	return bar.String() + "|"
}

// width is how many characters a part of the disk has, at least some.
func (t *Table) width(size int64, least int) int {
	return max(least, int(float64(size)/float64(t.Size)*pictureWidth))
}

// Summary says what is on the disk, a line for each partition.
func (t *Table) Summary(path string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s, %s\n", path, machine.Size(t.Size), strings.ToUpper(t.Label))
	for _, p := range t.Partitions {
		fmt.Fprintf(&out, "  %3d  %10s at %-10s %s\n", p.Number, machine.Size(p.Size), machine.Size(p.Start), strings.TrimSpace(typeName(p.Type)+" "+p.Name))
	}
	return out.String()
}
