package module

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"openguest/internal/machine"
)

const fstabFile = "/etc/fstab"

// fstabMark is the option that tells cloud-init's lines from people's.
const fstabMark = "comment=cloudconfig"

// fstabSize is how many fields a line of fstab has: device, mount point, type, options, dump's frequency, fsck's pass.
const fstabSize = 6

// An fstabRow is the fields of a line of fstab.
type fstabRow [fstabSize]string

// fstabEscapes are the characters that a field cannot hold, as fstab(5) writes them.
var fstabEscapes = strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`)

// fstabBlanks are those that would end a field in which backslashes mean what they say.
var fstabBlanks = strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`)

// fstabUnescapes reads a field.
var fstabUnescapes = strings.NewReplacer(`\134`, `\`, `\040`, " ", `\011`, "\t", `\012`, "\n")

// String is the line.
func (r fstabRow) String() string {
	for i, field := range r {
		if i < 2 {
			r[i] = fstabEscapes.Replace(field)
		} else {
			r[i] = fstabBlanks.Replace(field)
		}
	}
	return strings.Join(r[:], "\t")
}

// marked is the row as one of ours.
func (r fstabRow) marked() fstabRow {
	r[3] += "," + fstabMark
	return r
}

// has says whether an option is among the row's.
func (r fstabRow) has(option string) bool {
	return slices.Contains(strings.Split(r[3], ","), option)
}

// An fstab is the file's lines: those of people, and those that are written anew for each configuration.
type fstab struct {
	node   machine.Node
	people []string
	ours   []string
}

// readFstab reads the file; one that is not there has no lines.
func readFstab(files machine.Files) (fstab, error) {
	t := fstab{node: machine.File(0o644, "")}
	n, err := machine.Get(files, fstabFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t, nil
	case err != nil:
		return t, err
	case n.Mode.Type() == fs.ModeSymlink:
		t.node.Data, err = files.Read(fstabFile)
	default:
		t.node = n
	}
	for line := range strings.Lines(t.node.Data) {
		line = strings.TrimSuffix(line, "\n")
		if strings.Contains(line, fstabMark) {
			t.ours = append(t.ours, line)
		} else {
			t.people = append(t.people, line)
		}
	}
	return t, err
}

// has says whether people mount a device.
func (t fstab) has(device string) bool {
	return slices.ContainsFunc(t.people, func(line string) bool {
		words := strings.Fields(line)
		return len(words) > 0 && fstabUnescapes.Replace(words[0]) == device
	})
}

// with is the file with other lines of ours, and more lines at its end. Where ours are as they were, each line keeps its place.
func (t fstab) with(ours, more []string) machine.Node {
	n, text := t.node, t.node.Data
	if !slices.Equal(ours, t.ours) {
		text = joinLines(append(slices.Clone(t.people), ours...))
	}
	if text != "" && !strings.HasSuffix(text, "\n") && len(more) > 0 {
		text += "\n"
	}
	n.Data = text + joinLines(more)
	return n
}

// joinLines ends each line.
func joinLines(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// swaps are the devices and files that the kernel swaps to.
func (e *Env) swaps() (names []string) {
	text, _ := e.Machine.Files.Read("/proc/swaps")
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 0 {
			names = append(names, fstabUnescapes.Replace(words[0]))
		}
	}
	return names
}
