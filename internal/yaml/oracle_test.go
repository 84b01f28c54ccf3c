package yaml

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// oracle reads a list of texts and writes what PyYAML composes of each: a tree, or the place and words of its error. Tags
// that follow from what a node is are left out.
const oracle = `
import sys, json, yaml
class Loader(yaml.SafeLoader):
    def resolve(self, kind, value, implicit): return ""
def tree(node, seen):
    at = [node.start_mark.line + 1, node.start_mark.column + 1]
    if id(node) in seen: return {"alias": at}
    seen.add(id(node))
    out = {"at": at, "tag": node.tag}
    if isinstance(node, yaml.ScalarNode):
        out["text"] = node.value
        out["style"] = {"'": 1, '"': 1, "|": 2, ">": 2}.get(node.style, 0)
    elif isinstance(node, yaml.SequenceNode):
        out["list"] = [tree(n, seen) for n in node.value]
    else:
        out["map"] = [tree(n, seen) for pair in node.value for n in pair]
    return out
answers = []
for text in json.load(sys.stdin):
    loader = Loader(text) if isinstance(text, str) and yaml.reader.Reader.NON_PRINTABLE.search(text) is None else None
    try:
        if loader is None: raise ValueError("unreadable")
        node = loader.get_single_node()
        answers.append({"tree": node and tree(node, set())})
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        answers.append({"error": str(e.problem or e.context), "at": [mark.line + 1, mark.column + 1]})
    except (Exception, RecursionError) as e:
        answers.append({"error": type(e).__name__ + ": " + str(e)})
json.dump(answers, sys.stdout)
`

// answer is what PyYAML says of one text.
type answer struct {
	Tree  json.RawMessage
	Error string
	At    []int
}

func askPython(t *testing.T, texts []string) []answer {
	t.Helper()
	if exec.Command("python3", "-c", "import yaml").Run() != nil {
		t.Skip("python3 with PyYAML is not here: nothing to compare with")
	}
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", "-c", oracle)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3: %v", err)
	}
	var answers []answer
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(texts) {
		t.Fatalf("python3 answers %d of %d texts: %v", len(answers), len(texts), err)
	}
	return answers
}

// described is a node in the oracle's form.
func described(n *Node, seen map[*Node]bool) any {
	if n.Kind == Alias {
		n = n.Content[0]
	}
	at := []int{n.Line, n.Column}
	if seen[n] {
		return map[string]any{"alias": at}
	}
	seen[n] = true
	content := make([]any, 0, len(n.Content))
	for _, c := range n.Content {
		content = append(content, described(c, seen))
	}
	tag := n.Tag
	if tag == "!" {
		tag = "" // the oracle does not tell it from none
	}
	out := map[string]any{"at": at, "tag": tag}
	switch n.Kind {
	case Sequence:
		out["list"] = content
	case Mapping:
		out["map"] = content
	default:
		out["text"], out["style"] = n.Value, n.Style
	}
	return out
}

// compare reads texts, and fails where PyYAML would see another tree, or another place of the mistake.
func compare(t *testing.T, texts []string) {
	t.Helper()
	for i, want := range askPython(t, texts) {
		n, err := Parse([]byte(texts[i]))
		var wrong *Error
		switch {
		case knownToDiffer(err, want):
		case (err == nil) != (want.Error == ""):
			t.Errorf("%q: we say %v, PyYAML %q at %v", texts[i], err, want.Error, want.At)
		case errors.As(err, &wrong):
			if want.At != nil && (wrong.Line != want.At[0] || wrong.Column != want.At[1]) && !strings.Contains(wrong.Message, "escape") && !strings.Contains(wrong.Message, "hexadecimal") {
				t.Errorf("%q: we say %v, PyYAML %q at %v", texts[i], err, want.Error, want.At)
			}
		case n == nil:
			if string(want.Tree) != "null" {
				t.Errorf("%q: we see nothing, PyYAML %s", texts[i], want.Tree)
			}
		default:
			compareTrees(t, texts[i], n, want)
		}
	}
}

func compareTrees(t *testing.T, text string, n *Node, want answer) {
	t.Helper()
	var tree any
	if err := json.Unmarshal(want.Tree, &tree); err != nil {
		t.Fatal(err)
	}
	theirs, _ := json.Marshal(tree)
	ours, _ := json.Marshal(described(n, map[*Node]bool{}))
	if !bytes.Equal(ours, theirs) {
		t.Errorf("%q: read as\n  %s, by PyYAML as\n  %s", text, ours, theirs)
	}
}

// knownToDiffer says that a difference is meant: what costs too much is refused, half a character as well; an anchor that is
// there twice is refused by who builds values of the nodes.
func knownToDiffer(err error, want answer) bool {
	if strings.HasPrefix(want.Error, "RecursionError") || strings.HasPrefix(want.Error, "second occurrence") {
		return true
	}
	var wrong *Error
	return errors.As(err, &wrong) && (strings.Contains(wrong.Message, "more than ") && !strings.Contains(wrong.Message, "more than 1024") ||
		strings.Contains(wrong.Message, "stands for no character"))
}

// Row Y03. What PyYAML reads, and how, is what a machine has been set up with for years: every difference is another machine.
func TestCasesAsPyYAML(t *testing.T) {
	if len(cases) < 150 {
		t.Errorf("there are %d cases only", len(cases))
	}
	compare(t, cases)
	var all []string
	for i, text := range cases {
		others := variants(text)
		for j := range others {
			if (i+j)%3 == 0 && len(text) <= 300 || *mutations > 10_000 { // PyYAML is slow
				all = append(all, others[j])
			}
		}
	}
	compare(t, all)
}

// variants are a text with other line breaks, and as a part of others.
func variants(text string) []string {
	further := strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ")
	all := []string{"\ufeff" + text, "- " + further + "\n- x\n", "key:\n  " + further + "\nnext: y\n", "[" + text + "]", "? " + further + "\n: x\n", "{a: " + further + ", b}"}
	for _, newline := range []string{"\r\n", "\r", "\u0085", "\u2028", "\n\u2029"} {
		all = append(all, strings.ReplaceAll(text, "\n", newline))
	}
	return all
}

var mutations = flag.Int("mutations", 2000, "how many documents with mistakes in them are compared with PyYAML")
var seed = flag.Uint64("seed", 1, "what the mistakes begin from")

// Row Y03. A person's mistake must be refused as ever, and what is no mistake to PyYAML must be none here.
func TestMistakesAsPyYAML(t *testing.T) {
	random := rand.New(rand.NewPCG(*seed, 9))
	texts := append(peersTexts(t), cases...)
	for left := *mutations; left > 0; left -= 2000 {
		var all []string
		for range min(left, 2000) {
			all = append(all, mutated(random, texts))
		}
		compare(t, all)
	}
}

// Every YAML of the peers' tests and documentation.
func TestPeersTextsAsPyYAML(t *testing.T) {
	texts := peersTexts(t)
	if len(texts) == 0 {
		t.Skip("the peers' texts are not here: ../shared/conformance is missing")
	}
	compare(t, texts)
}

func peersTexts(t *testing.T) (texts []string) {
	t.Helper()
	filepath.WalkDir("../../../shared/conformance", func(name string, d os.DirEntry, err error) error {
		isYAML := strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".txt")
		if err != nil || d.IsDir() || !isYAML {
			return nil // a folder that is not there has no texts
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if valid := strings.ToValidUTF8(string(text), ""); len(valid) < 20_000 {
			texts = append(texts, valid)
		}
		return nil
	})
	return texts
}

// signs are what a mistake puts into a text.
var signs = []string{":", ": ", "- ", "-", "\n", " ", "  ", "\t", "'", "\"", "#", " #", "{", "}", "[", "]", ",", "&x ", "*x", "<<: ", "%", "@", "|", ">", "|-\n", "|2\n", ">+\n", "\n  ", "\n ", "\n\n", "é", "\\", "\\\n",
	"...", "---", "\n---\n", "\n...\n", "? ", "?", "!", "!!str ", "!<x> ", "%YAML 1.1\n", "\r", "\r\n", "\u0085", "\u2028", "\ufeff", "\\x4", "''", "\"\"", "a", "~", "x: y", "- - ", "`"}

// mutated is a text, or a piece of one, with some mistakes.
func mutated(r *rand.Rand, texts []string) string {
	text := []rune(texts[r.IntN(len(texts))])
	if len(text) > 400 {
		from := r.IntN(len(text) - 300)
		text = text[from : from+300]
	}
	for range 1 + r.IntN(4) {
		at := r.IntN(len(text) + 1)
		switch r.IntN(5) {
		case 0: // something is lost
			text = append(text[:at:at], text[min(len(text), at+1+r.IntN(3)):]...)
		case 1: // something is there again
			piece := text[at:min(len(text), at+1+r.IntN(20))]
			to := r.IntN(len(text) + 1)
			text = append(text[:to:to], append(append([]rune{}, piece...), text[to:]...)...)
		case 2: // another text goes on from here
			other := []rune(texts[r.IntN(len(texts))])
			from := r.IntN(len(other) + 1)
			text = append(text[:at:at], other[from:min(len(other), from+100)]...)
		default:
			text = append(text[:at:at], append([]rune(signs[r.IntN(len(signs))]), text[at:]...)...)
		}
	}
	return string(text)
}
