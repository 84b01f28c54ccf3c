package conf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// oracle reads a list of texts from its input and writes what PyYAML makes of each: null for an error, or the data as
// JSON with kinds that JSON lacks as strings, and the same dumped again.
const oracle = `
import sys, json, yaml, datetime
def plain(v):
    if isinstance(v, dict): return {"M": [[plain(k), plain(x)] for k, x in v.items()]}
    if isinstance(v, list): return {"L": [plain(x) for x in v]}
    if isinstance(v, bytes): return {"B": list(v)}
    if v is None or isinstance(v, (bool, int, float, datetime.date, datetime.datetime)): return {type(v).__name__: str(v)}
    return {"str": v}
out = []
for text in json.load(sys.stdin):
    try:
        v = yaml.safe_load(text)
        plain(v)
    except (Exception, RecursionError) as e: # what holds itself is refused here
        out.append(None); continue
    try:
        dumped = yaml.dump(v, line_break="\n", indent=4, explicit_start=True, explicit_end=True, default_flow_style=False, Dumper=type("D", (yaml.SafeDumper,), {"ignore_aliases": lambda s, d: True}))
    except Exception as e:
        dumped = None
    out.append([plain(v), dumped])
json.dump(out, sys.stdout)
`

// answer is what the oracle says of one text.
type answer struct {
	ok     bool
	data   string
	dumped *string
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
	cmd.Stdin = bytes.NewReader(in)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3: %v", err)
	}
	var raw []*[2]json.RawMessage
	if err := json.Unmarshal(out, &raw); err != nil {
		t.Fatal(err)
	}
	answers := make([]answer, len(raw))
	for i, r := range raw {
		if r == nil {
			continue
		}
		answers[i].ok = true
		var data any
		json.Unmarshal(r[0], &data)
		text, _ := json.Marshal(data)
		answers[i].data = string(text)
		json.Unmarshal(r[1], &answers[i].dumped)
	}
	return answers
}

// described is a Value in the oracle's form.
func described(v *Value) any {
	switch v.Kind {
	case Map:
		pairs := []any{}
		for _, p := range v.Pairs {
			pairs = append(pairs, []any{described(p.Key), described(p.Value)})
		}
		return map[string]any{"M": pairs}
	case List:
		items := []any{}
		for _, item := range v.Items {
			items = append(items, described(item))
		}
		return map[string]any{"L": items}
	case Bytes:
		items := []any{}
		for _, b := range []byte(v.Text) {
			items = append(items, int(b))
		}
		return map[string]any{"B": items}
	case Time:
		if len(v.Text) == 10 {
			return map[string]any{"date": v.Text}
		}
		return map[string]any{"datetime": v.Text}
	}
	name := map[Kind]string{Null: "NoneType", Bool: "bool", Int: "int", Float: "float", String: "str"}[v.Kind]
	return map[string]any{name: v.Text}
}

// exceptions are texts that nobody writes, on which the parser below us and PyYAML's do not agree.
var exceptions = map[string]string{
	"{a: !!str}\n": "a tag without a value in a flow mapping", "{a: ?a}\n": "? in a flow mapping", "{a: :a}\n": ": in a flow mapping",
	"{a: -}\n": "- in a flow mapping", "{a: ?}\n": "? in a flow mapping", "- :\n": "a mapping of nothing",
}

// compareWithPython parses and dumps texts, and fails where PyYAML would not agree.
func compareWithPython(t *testing.T, texts []string) {
	t.Helper()
	for i, want := range askPython(t, texts) {
		if exceptions[texts[i]] != "" {
			continue
		}
		v, _, err := Parse("t", []byte(texts[i]))
		if (err == nil) != want.ok {
			t.Errorf("%q: we say %v, PyYAML accepts it: %v", texts[i], err, want.ok)
			continue
		}
		if err != nil {
			continue
		}
		got, _ := json.Marshal(described(v))
		if string(got) != want.data {
			t.Errorf("%q: read as\n  %s, by PyYAML as\n  %s", texts[i], got, want.data)
		}
		if want.dumped != nil && Dump(v) != *want.dumped {
			t.Errorf("%q: dumped as\n%s\nby PyYAML as\n%s", texts[i], Dump(v), *want.dumped)
		}
	}
}

// scalars are texts that YAML 1.1 reads in ways that surprise, as values and in combination.
func scalars() (all []string) {
	words := strings.Fields(`y n yes Yes YES yEs no No NO on On ON oN off Off OFF true True TRUE tRue false False FALSE ~ null Null NULL nUll
		0 00 07 08 09 0644 0755 0o644 0x1F 0X1F 0x 0b101 0b 0b12 1_000 _1 1_ +1 -1 +0 -0 1. .1 . 1.5 -.5 +.5 1e3 1e+3 1.0e3 1.e+3 1.0e+3 1.0E-3 .5e+1 1_0.5_0
		.inf -.inf +.inf .Inf .INF .nan .NaN .NAN -.nan 12:30 12:30:45 1:60 01:30 09:30 12:60 190:20:30 190:20:30.15 52:54:00:12:34:56 00:16:3e:aa 1:2 -1:30 1:30. 1:30.5
		2001-12-14 2001-1-1 2001-13-01 2001-12-14T21:59:43Z 2001-12-14t21:59:43.10-05:00 2001-12-14T21:59:43 2001-02-30 20011214 2001-12-14T21:59:43+2 2001-12-14T21:59:43.123456789Z
		= << <a> a=b !x !!str !!int !!str:1 %x @x a@b -a ?a :a a: a:b a#b #a & * *a &a | > 'x' "x" "\x41\u00e9" [a,b] [a,b,] {a: b} {a,b} [] {} - -- --- ... ? :
		1e1 1E5 123456789012345678901234567890 0777777777777777777777777 9999999999999999 1.7976931348623157e+309 1e-400 5e-324 100000000000000000.0 0.0001 0.00001 123.0 1.10`)
	for _, w := range words {
		all = append(all, "k: "+w+"\n", "- "+w+"\n", w+": v\n", "{a: "+w+"}\n", "k: '"+strings.ReplaceAll(w, "'", "")+"'\n")
	}
	return append(all, "k: 2001-12-14 21:59:43\n", "k: 2001-12-14 21:59:43.10 -5\n", "k: !!binary aGVsbG8=\n", "k: !!str 1\n", "k: !!int '7'\n", "k: !!float 1\n", "k: !!bool yes\n",
		"k: !!null ''\n", "k: !x 1\n", "k: !!python/none x\n", "k: ! 12\n", "? a\n: b\n", "? [a]\n: b\n", "? {a: b}\n: c\n", "a: {{ x }}\n", "a: b: c\n", "a:\tb\n", "\ta: b\n", "a: b\t\n", "a: 'x\n  y'\n",
		"a: |\n  x\n   y\n\n  z\n", "a: >\n  x\n  y\n\n  z\n", "a: |-\n  x\n", "a: |+\n  x\n\n", "---\na: b\n", "---\na: b\n---\nc: d\n", "a: b\n...\n", "%YAML 1.1\n---\na: b\n", "", "#c\n", "a: 1\na: 2\n",
		"&a a: *a\n", "a: &x {b: 1}\nc: *x\n", "a: &x {b: 1, d: 2}\nc:\n  <<: *x\n  b: 3\n", "x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz: {<<: [*x, *y], c: 3}\n", "a: {<<: 1}\n", "a: &a [*a]\n", "a: *nope\n", "\ufeffa: b\n", "a: \x00\n", "a: \x7f\n", "a: \u0085b\n",
		"a: é\n", "a: 'emoji 😀'\n", "- - a\n  - b\n- c\n", "- a: 1\n  b: 2\n-\n  - x\n", "a:\n- b\n- c: d\n  e:\n  - f\n", "1: a\n'1': b\n", "true: a\n1: b\n", "1.0: a\n1: b\n", "[a]: b\n", "a: [1, 2\n", "a: }\n", "a: `x`\n", "a: @x\n", "a: %x\n", "yes: 1\nno: 2\n12:30: x\n")
}

// Rows Y01, Y02, Y03, Y04. User-data that cloud-init reads one way and we another configures another machine.
func TestParseAsPyYAML(t *testing.T) { compareWithPython(t, scalars()) }

// Texts that a person writes into cloud-config must come back from cloud-config.txt as they went in, and in the peer's bytes.
func TestDumpAsPyYAML(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var texts []string
	for range 600 {
		data, _ := json.Marshal(randomData(random, 0))
		texts = append(texts, string(data))
	}
	compareWithPython(t, texts)
}

func randomData(r *rand.Rand, depth int) any {
	switch n := r.IntN(8); {
	case n < 2 && depth < 4:
		list := []any{}
		for range r.IntN(4) {
			list = append(list, randomData(r, depth+1))
		}
		return list
	case n < 4 && depth < 4:
		m := map[string]any{}
		for range r.IntN(4) {
			m[randomText(r)] = randomData(r, depth+1)
		}
		return m
	case n == 4:
		return r.IntN(2000) - 1000
	case n == 5:
		return []any{true, false, nil}[r.IntN(3)]
	}
	return randomText(r)
}

func randomText(r *rand.Rand) string {
	pieces := []string{"a", "word", " ", "  ", "\n", "\n\n", ": ", ":", "#", " #", "'", "\"", "\\", "é", "- ", "yes", "0644", "12:30", ",", "[", "{", "%", "longer-word-without-end", "😀", "\t", "=", "~", "! "}
	var out strings.Builder
	for range r.IntN(14) {
		out.WriteString(pieces[r.IntN(len(pieces))])
	}
	return out.String()
}

// Every example of the peer's documentation must be read as the peer reads it.
func TestExamplesAsPyYAML(t *testing.T) {
	var texts []string
	for _, pattern := range []string{"examples/*.txt", "modules/*/*.yaml"} {
		names, _ := filepath.Glob("../../../shared/conformance/cloud-config/" + pattern)
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
		}
	}
	if len(texts) == 0 {
		t.Skip("the peers' examples are not here: ../shared/conformance is missing")
	}
	compareWithPython(t, texts)
	t.Log(fmt.Sprintf("%d examples", len(texts)))
}
