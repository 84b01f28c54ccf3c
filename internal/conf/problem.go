package conf

import "strings"

// A Level says how much a Problem costs.
type Level uint8

// The levels.
const (
	Rejected   Level = iota // the part that it is about is left out
	Warning                 // the part counts, but perhaps not as it was meant
	Deprecated              // the part counts, and will not for ever
)

// A Problem is one thing that is wrong with a document, at a place that its author can find.
type Problem struct {
	Origin  Origin
	Path    string // "users[1].name"; empty where the document as a whole is meant
	Message string // a sentence; it quotes keys and types, never a value
	Hint    string // what was probably meant, or what to do; may be empty
	Level   Level
}

// Error is "PART:LINE:COLUMN: path: message (hint)".
func (p Problem) Error() string {
	parts := make([]string, 0, 3)
	for _, part := range []string{p.Origin.String(), p.Path, p.Message} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	text := strings.Join(parts, ": ")
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	return text
}
