package yaml

import (
	"errors"
	"strings"
	"testing"
)

// Row Y05. Whatever the text, an error has a place, and a tree has its nodes at places of the text. Whether it costs too much is
// tested where configuration is read.
func FuzzParse(f *testing.F) {
	for _, text := range cases {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := Parse([]byte(text))
		var wrong *Error
		if errors.As(err, &wrong) && wrong.Line >= 1 && wrong.Column >= 1 && wrong.Message != "" {
			return
		}
		if err != nil {
			t.Fatalf("an error without a place: %v", err)
		}
		if n != nil {
			checkPlaces(t, n, 1+len(text), 0)
		}
	})
}

func checkPlaces(t *testing.T, n *Node, most, depth int) {
	if n.Line < 1 || n.Line > most || n.Column < 1 || n.Column > most || depth > MaxDepth {
		t.Fatalf("a node at %d:%d, %d deep", n.Line, n.Column, depth)
	}
	if n.Kind == Mapping && len(n.Content)%2 != 0 {
		t.Fatalf("a mapping of %d nodes", len(n.Content))
	}
	for _, c := range n.Content {
		if n.Kind != Alias { // it may be part of what it stands for
			checkPlaces(t, c, most, depth+1)
		}
	}
}

// Row Y03. A mistake is read by a person at night: each says what is wrong, where that begins and what to do.
func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"a: - b\n":              "1:4: this is no YAML: a list item is not allowed here (a list begins in a line of its own; ",
		"a: ? b\n":              "1:4: this is no YAML: a key is not allowed here (put quotes ",
		"a: b\n- c\n":           "2:1: this is no YAML: did not find expected key (parsing a block mapping, which begins in line 1) (check that the lines of this block begin in the same column)",
		"- a\nb: c\n":           "2:1: this is no YAML: did not find expected '-' indicator (parsing a block collection, which begins in line 1) (check that ",
		"a: 'b'c\n":             "1:7: this is no YAML: did not find expected key (check the quotes, ",
		"a: 1\nb c\nd: e\n":     "3:1: this is no YAML: could not find expected ':' (scanning a simple key, which begins in line 2) (each line here is `key: value`; ",
		"{: a}\n":               "1:2: this is no YAML: there is no key before this colon",
		": a\n":                 "1:1: this is no YAML: there is no key before this colon",
		"a: [b, c\n":            "2:1: this is no YAML: found unexpected end of stream instead of ',' or ']' (parsing a flow sequence, which begins in line 1) (is a bracket missing at the end?)",
		"a: {b: c\n":            "2:1: this is no YAML: found unexpected end of stream instead of ',' or '}' (parsing a flow mapping, which begins in line 1) (is a bracket missing at the end?)",
		"a: [b, c}\n":           "1:9: this is no YAML: did not find expected ',' or ']' (is a comma, ",
		"[a?b]\n":               "1:3: this is no YAML: there is a question mark in a text without quotes, between brackets (put quotes around the text)",
		"a: |0\n  b\n":          "1:5: this is no YAML: found an indentation indicator equal to 0 (write 1 to 9, or nothing)",
		"a: | b\n":              "1:6: this is no YAML: did not find expected comment or line break",
		"a: |\t\n  b\n":         "1:5: this is no YAML: there is a tab here (YAML does not allow tabs",
		"\"a\n---\nb\"\n":       "2:1: this is no YAML: found unexpected document separator (scanning a quoted scalar, which begins in line 1) (is a quote missing before ",
		"\"\\xZZ\"\n":           "1:2: this is no YAML: did not find expected hexadecimal number (in double quotes a \\ begins ",
		"\"\\ud83d\"\n":         "1:2: this is no YAML: found an escape that stands for no character (in double quotes",
		"&é a\n":                "1:2: this is no YAML: the name of an anchor or an alias is made of letters, digits, - and _ (put quotes around a text that begins with & or *)",
		"!e!x a\n":              "1:1: this is no YAML: found undefined tag handle (put quotes around a text that begins with !)",
		"%YAML 2.0\n---\na\n":   "1:1: this is no YAML: found incompatible YAML document (write %YAML 1.1)",
		"a: b\n%c: d\n":         "2:3: this is no YAML: could not find expected directive name (put quotes around a text that begins with %)",
		"a\n...\nb: c\n":        "3:1: this is no YAML: did not find expected <document start>",
		"a: b\u2028c: \x02\n":   "2:4: the character 0x2 is not allowed (is this a binary file?)",
		"k: \ufeff\ufeffv: w\n": "1:5: this is no YAML: mapping values are not allowed in this context",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v\nwant %s…", text, err, want)
		}
	}
}

// JSON escapes a character outside the first plane as two halves. PyYAML keeps the halves, which no file can hold.
func TestCharacterInTwoHalves(t *testing.T) {
	n, err := Parse([]byte(`"\ud83d\ude00"`))
	if err != nil || n.Value != "😀" {
		t.Errorf("%+v %v", n, err)
	}
}

func BenchmarkParse(b *testing.B) {
	text := []byte(strings.Repeat("- name: ada\n  groups: [sudo, adm]\n  # who\n  shell: '/bin/bash'\n  gecos: \"Ada\\u0020L.\"\n  notes: |\n    a\n    b\n", 100))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
