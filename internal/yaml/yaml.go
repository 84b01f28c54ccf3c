// Package yaml reads YAML 1.1 as PyYAML reads it: text to a tree of nodes, each with its place. It accepts what PyYAML 6
// accepts and refuses what PyYAML refuses, but for what would cost too much. What a scalar means is not decided here.
//
// Scanning and parsing follow PyYAML's scanner.py, parser.py and composer.py, which differ from the specification: a plain
// text may not have a tab in it, a comment may touch a quote, a key has at most 1024 characters.
package yaml

import "fmt"

// What a document may be at most. A sign costs some 350 bytes of memory, so that of signs there may not be as many as there are bytes;
// but 256 KiB of JSON, which is the most that a cloud takes as user-data, may be full of them.
const (
	MaxBytes = 16 << 20 // bytes
	MaxDepth = 200      // collections in collections
	MaxSigns = 160_000  // commas, dashes, colons, question marks, opening brackets, quotes, tags, anchors and aliases

	maxDirectives = 100
	maxKey        = 1024 // characters of a key without a question mark, as in PyYAML
)

// An Error is why a text is no YAML, or is not read, and where: line and column are counted from 1, in characters.
type Error struct {
	Line, Column int
	Message      string // a sentence
	Hint         string // what was probably meant, or what to do; may be empty
	Text         string // the line that it is in
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message)
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Parse reads the only document of a text. The node is nil where there is none. The error is an *Error.
func Parse(text []byte) (*Node, error) {
	if err := check(text); err != nil {
		return nil, err
	}
	p := parser{scanner: newScanner(string(text)), anchors: map[string]*Node{}}
	root := p.stream()
	if p.err != nil {
		p.err.Text = p.lineText(p.err.Line)
		return nil, p.err
	}
	return root, nil
}
