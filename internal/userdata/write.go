package userdata

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// writeParts writes the parts as one MIME message, letter for letter as Python's email package does. The boundary is made
// from the parts, so that the same parts always give the same message.
func writeParts(parts []*part) []byte {
	boundary := boundaryFor(parts)
	var out bytes.Buffer
	out.WriteString("Content-Type: multipart/mixed; boundary=\"" + boundary + "\"\nMIME-Version: 1.0\n")
	if len(parts) > 0 {
		out.WriteString("Number-Attachments: " + strconv.Itoa(len(parts)) + "\n")
	}
	out.WriteString("\n--" + boundary + "\n")
	for i, p := range parts {
		if i > 0 {
			out.WriteString("\n--" + boundary + "\n")
		}
		p.message.write(&out)
	}
	out.WriteString("\n--" + boundary + "--\n")
	return out.Bytes()
}

// boundaryFor is a boundary that no part has in its text.
func boundaryFor(parts []*part) string {
	sum := fnv.New64a()
	for _, p := range parts {
		fmt.Fprintln(sum, p.name, p.kind, p.message.body)
	}
	boundary := fmt.Sprintf("===============%019d==", sum.Sum64()>>1)
	free := boundary
	taken := func(p *part) bool { return strings.Contains(p.message.body, "--"+free) }
	for i := 0; slices.ContainsFunc(parts, taken); i++ {
		free = boundary + "." + strconv.Itoa(i)
	}
	return free
}

// write writes a message: headers, an empty line, and the body with plain ends of lines.
func (m *message) write(out *bytes.Buffer) {
	for _, f := range m.headers {
		out.WriteString(f.name + ": " + folded(f.value) + "\n")
	}
	out.WriteByte('\n')
	out.Grow(len(m.body))
	for i := range len(m.body) {
		switch b := m.body[i]; {
		case b == '\r':
			if i+1 == len(m.body) || m.body[i+1] != '\n' {
				out.WriteByte('\n')
			}
		case m.raw && b >= utf8.RuneSelf: // Python reads bytes of an unknown encoding so
			out.WriteRune(utf8.RuneError)
		default:
			out.WriteByte(b)
		}
	}
}

// folded is a header's value with its lines as they were, but for a single blank at their ends; a line of blanks goes to the
// end of the one before it.
func folded(value string) string {
	var out strings.Builder
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(value), "\n")
	for i, line := range lines {
		if bare, ok := strings.CutSuffix(line, " "); ok && len(lines) > 1 && strings.TrimRight(bare, " \t") == bare {
			line = bare
		}
		if i > 0 && strings.Trim(line, " \t") != "" {
			out.WriteByte('\n')
		}
		out.WriteString(line)
	}
	return out.String()
}
