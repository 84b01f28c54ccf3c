package userdata

import (
	"slices"
	"strings"
)

// What a MIME message may hold. No person's message comes near.
const (
	maxParts   = 2000
	maxNesting = 20
	maxHeaders = 1000 // of one part
)

// isMIME says whether a document is a MIME message: cloud-init looks for this header's name anywhere near the beginning.
func isMIME(text string) bool {
	return strings.Contains(strings.ToLower(head(text, 4096)), "mime-version:")
}

// parseMIME reads a MIME message as Python's email package does: nothing is an error, since people write these by hand. full
// says that it has more parts than are read.
func parseMIME(text string) (m *message, full bool) {
	s := &scanner{text: text}
	m = s.message(maxNesting)
	return m, s.parts > maxParts+1
}

// A scanner gives the lines of a message, up to the boundary of whatever it is in.
type scanner struct {
	text  string
	pos   int
	stops []string // the delimiters of the messages around, the innermost last
	parts int      // read so far, the whole message and those that only hold others among them
}

// peek is the next line with its end, and nothing at the end of the text and before a boundary.
func (s *scanner) peek() string {
	line := firstLine(s.text[s.pos:])
	for _, delimiter := range s.stops {
		if is, _ := isBoundary(line, delimiter); is {
			return ""
		}
	}
	return line
}

func (s *scanner) next() string {
	line := s.peek()
	s.pos += len(line)
	return line
}

// rest is all lines up to the end.
func (s *scanner) rest() string {
	start := s.pos
	for s.next() != "" {
	}
	return s.text[start:s.pos]
}

// firstLine is the first line of a text with its end, which is LF, CR or both.
func firstLine(text string) string {
	end := strings.IndexAny(text, "\r\n")
	switch {
	case end < 0:
		return text
	case strings.HasPrefix(text[end:], "\r\n"):
		return text[:end+2]
	}
	return text[:end+1]
}

// isBoundary says whether a line is the delimiter of parts, and whether it is the last one.
func isBoundary(line, delimiter string) (is, last bool) {
	rest, is := strings.CutPrefix(line, delimiter)
	if !is {
		return false, false
	}
	rest, last = strings.CutPrefix(rest, "--")
	is = strings.TrimLeft(withoutEnd(rest), " \t") == ""
	return is, is && last
}

// withoutEnd is a text without the end of its last line.
func withoutEnd(text string) string {
	switch {
	case strings.HasSuffix(text, "\r\n"):
		return text[:len(text)-2]
	case strings.HasSuffix(text, "\n"), strings.HasSuffix(text, "\r"):
		return text[:len(text)-1]
	}
	return text
}

func (s *scanner) message(depth int) *message {
	s.parts++
	m := &message{headers: s.headers()}
	main := m.mainType()
	switch {
	case main != "multipart" && main != "message":
		m.body = s.rest()
	case depth == 0:
		s.rest()
		m.cut = true
	case main == "message":
		m.parts = []*message{s.message(depth - 1)}
	default:
		s.multipart(m, depth)
	}
	return m
}

// multipart reads the parts of m. What stands before and behind them is nothing.
func (s *scanner) multipart(m *message, depth int) {
	boundary, ok := m.param("Content-Type", "boundary")
	delimiter := "--" + strings.TrimRight(boundary, " \t\r\n")
	for ok && s.parts <= maxParts+1 {
		line := s.next()
		is, last := isBoundary(line, delimiter)
		if line == "" || last {
			break
		}
		if is {
			m.parts = append(m.parts, s.part(delimiter, depth-1))
		}
	}
	s.rest()
}

// part reads one part, up to the next delimiter; the end of the line before that belongs to the delimiter (RFC 2046, 5.1.1).
// Several delimiters in a row are one.
func (s *scanner) part(delimiter string, depth int) *message {
	for is, _ := isBoundary(s.peek(), delimiter); is; is, _ = isBoundary(s.peek(), delimiter) {
		s.next()
	}
	s.stops = append(s.stops, delimiter)
	m := s.message(depth)
	s.stops = s.stops[:len(s.stops)-1]
	leaf := m
	for len(leaf.parts) == 1 && leaf.mainType() == "message" {
		leaf = leaf.parts[0]
	}
	leaf.body = withoutEnd(leaf.body)
	return m
}

// headers reads the lines up to the first that can be none of a header, and an empty one behind them.
func (s *scanner) headers() (fields []field) {
	for line := s.peek(); isHeaderLine(line); line = s.peek() {
		start := s.pos
		s.next()
		for next := s.peek(); next != "" && isContinuation(next); next = s.peek() {
			s.next()
		}
		name, value, _ := strings.Cut(s.text[start:s.pos], ":")
		if isContinuation(line) || strings.HasPrefix(line, "From ") || name == "" || len(fields) == maxHeaders {
			continue
		}
		fields = append(fields, field{name, strings.TrimRight(strings.TrimLeft(value, " \t"), "\r\n")})
	}
	if line := s.peek(); line != "" && withoutEnd(line) == "" {
		s.next()
	}
	return fields
}

// isContinuation says whether a line goes on with the header before it.
func isContinuation(line string) bool { return line[0] == ' ' || line[0] == '\t' }

// isHeaderLine says whether a line is of a header: its beginning, a continuation or the envelope of a mailbox.
func isHeaderLine(line string) bool {
	if line == "" {
		return false
	}
	if isContinuation(line) || strings.HasPrefix(line, "From ") {
		return true
	}
	name, _, found := strings.Cut(line, ":")
	return found && !slices.ContainsFunc([]byte(name), func(b byte) bool { return b <= ' ' || b > '~' })
}
