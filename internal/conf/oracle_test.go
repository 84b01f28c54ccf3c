package conf

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// oracle reads a list of texts from its input and writes what PyYAML makes of each: null for an error, or the data with
// the names of Python's types, and the same dumped again as cloud-init does, with aliases and without.
const oracle = `
import sys, json, yaml, datetime
def plain(v):
    if isinstance(v, dict): return {"M": [[plain(k), plain(x)] for k, x in v.items()]}
    if isinstance(v, (list, tuple)): return {"L": [plain(x) for x in v]}
    if isinstance(v, bytes): return {"B": list(v)}
    if isinstance(v, str): return {"str": v}
    return {type(v).__name__: str(v)}
class NoAlias(yaml.SafeDumper):
    def ignore_aliases(self, data): return True
def dump(v, mark, dumper):
    return yaml.dump(v, line_break="\n", indent=4, explicit_start=mark, explicit_end=mark, default_flow_style=False, Dumper=dumper)
out = []
for text in json.load(sys.stdin):
    try:
        v = yaml.safe_load(text)
        described = plain(v)
    except (Exception, RecursionError): # what holds itself is refused here
        out.append(None); continue
    out.append([described, dump(v, True, yaml.SafeDumper), dump(v, False, NoAlias)])
json.dump(out, sys.stdout)
`

// answer is what the oracle says of one text.
type answer struct {
	ok               bool
	data, dump, bare string
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
	var lists [][]json.RawMessage
	if err := json.Unmarshal(out, &lists); err != nil || len(lists) != len(texts) {
		t.Fatalf("python3 answers %d of %d texts: %v", len(lists), len(texts), err)
	}
	answers := make([]answer, len(texts))
	for i, list := range lists {
		if list == nil {
			continue
		}
		var data any
		for j, into := range []any{&data, &answers[i].dump, &answers[i].bare} {
			if err := json.Unmarshal(list[j], into); err != nil {
				t.Fatal(err)
			}
		}
		text, _ := json.Marshal(data)
		answers[i].ok, answers[i].data = true, string(text)
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
	}
	return map[string]any{pythonType(v): v.Text}
}

func pythonType(v *Value) string {
	if v.Kind == Time && len(v.Text) > len("2001-12-14") {
		return "datetime"
	}
	return map[Kind]string{Null: "NoneType", Bool: "bool", Int: "int", Float: "float", String: "str", Time: "date"}[v.Kind]
}

// compareWithPython parses and dumps texts, and fails where PyYAML would not agree.
func compareWithPython(t *testing.T, texts []string) {
	t.Helper()
	for i, want := range askPython(t, texts) {
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
		if got := Dump(v); got != want.dump {
			t.Errorf("%q: dumped as\n%s\nby PyYAML as\n%s", texts[i], got, want.dump)
		}
		if got := (DumpOptions{Bare: true, NoAliases: true}).Dump(v); got != want.bare {
			t.Errorf("%q: dumped bare as\n%s\nby PyYAML as\n%s", texts[i], got, want.bare)
		}
	}
}

// golden reads the table of scalars: a text, and what PyYAML makes of it, or "error". All are quoted.
func golden(t testing.TB) (texts, wants []string) {
	t.Helper()
	table, err := os.ReadFile("testdata/scalars.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		text, err := strconv.QuotedPrefix(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		wants = append(wants, strings.TrimSpace(line[len(text):]))
		text, _ = strconv.Unquote(text)
		texts = append(texts, text)
	}
	return texts, wants
}

// Rows Y01 and Y02, where there is no Python: a scalar that cloud-init reads one way and we another is another machine.
func TestScalars(t *testing.T) {
	texts, wants := golden(t)
	if len(texts) < 400 {
		t.Errorf("there are %d scalars only", len(texts))
	}
	for i, text := range texts {
		got := "error"
		if v, _, err := Parse("t", []byte("- "+text+"\n")); err == nil && len(v.Items) == 1 {
			got = tableEntry(v.Items[0])
		}
		if got != wants[i] {
			t.Errorf("%q is read as %s, by PyYAML as %s", text, got, wants[i])
		}
	}
}

func tableEntry(v *Value) string {
	switch v.Kind {
	case Map:
		return "dict"
	case List:
		return "list"
	case Bytes:
		return "bytes " + strconv.QuoteToASCII(v.Text)
	}
	return pythonType(v) + " " + strconv.QuoteToASCII(v.Text)
}

// Row Y01. The table holds what PyYAML says, and each of its scalars reads alike as a key and between brackets.
func TestScalarsAsPyYAML(t *testing.T) {
	texts, _ := golden(t)
	var all []string
	for _, text := range texts {
		all = append(all, "- "+text+"\n", "k: "+text+"\n", "{a: "+text+" }\n", text+": v\n", "["+text+" ]\n")
	}
	compareWithPython(t, all)
}

// Row Y01, beyond the table: whatever looks a little like a number or a date.
func TestRandomScalarsAsPyYAML(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	pieces := strings.Fields("0 1 7 8 9 00 12 60 59 2001 - + _ . : e E x 0x 0b 0o b f T Z -12 -01 -31 1: :30 e+ e- .inf .nan yes no on ~ null = << , # é")
	tags := strings.Fields("!!int !!float !!str !!bool !!null !!timestamp !!binary !")
	var texts []string
	for range 4000 {
		var word strings.Builder
		for range 1 + random.IntN(7) {
			word.WriteString(pieces[random.IntN(len(pieces))])
		}
		switch random.IntN(6) {
		case 0:
			texts = append(texts, "k: "+tags[random.IntN(len(tags))]+" '"+word.String()+"'\n")
		case 1:
			texts = append(texts, "k: "+tags[random.IntN(len(tags))]+" "+word.String()+"\n")
		default:
			texts = append(texts, "k: "+word.String()+"\n")
		}
	}
	compareWithPython(t, texts)
}

// documents are texts in which more than one scalar counts.
var documents = []string{
	"", "#c\n", "---\n", "---\na: b\n", "---\na: b\n---\nc: d\n", "a: b\n...\n", "a: b\n...\n...\n", "...\n", "a: b\n---\n", "%YAML 1.1\n---\na: b\n", "%TAG ! tag:yaml.org,2002:\n---\na: !int '1'\n", "--- a\n", "--- |\n  a\n", "\ufeffa: b\n", "a: \ufeffb\n",
	"a: 1\na: 2\n", "a: 1\nb: 2\n'a': 3\n", "1: a\n'1': b\n", "true: a\n1: b\n", "1.0: a\n1: b\n", "yes: 1\nno: 2\n12:30: x\n", "null: a\n~: b\n", "2001-01-01: a\n", "!!binary YQ==: b\n", "=: a\n", "'=': a\n", "a: =\n", "a: <<\n",
	"? a\n: b\n", "? a\n", "? a\n? b\n", "? [a]\n: b\n", "? {a: b}\n: c\n", "? |\n  a\n  b\n: c\n", "[a]: b\n", "{a: b}: c\n", "[? a : b]\n", "[a: b]\n", "{a: b, c}\n", "{? a}\n", "{a b}\n", ": a\n", "{: a}\n", "- : a\n", "a\n: b\n", "? a\n b: c\n",
	"a: {{ x }}\n", "a: {{ x }}/y\n", "a: b: c\n", "a: b\n  c: d\n", "a:\n- b\n c: d\n", "a: 'x\nb: 1\n", "a: [1, 2\nb: 3\n", "key value\nb: c\n", "- a\nb: c\n", "a:b\n", "a: 'it's'\n", "a: \"x\\y\"\n", "a: [1, 2\n", "a: }\n", "a: [b, c,]\n", "a: [b,, c]\n", "a: [b?c]\n", "a: [http://x/?q=1]\n", "a: http://x/?q=1\n", "{a\n: b}\n", "{a\n b: c}\n", "a\n b: c\n", "[a, b]: [c\n]\n", "[a,\nb]: c\n",
	"a:\tb\n", "\ta: b\n", "a: b\t\n", "a: b\tc\n", "-\ta\n", "a:\n\t- b\n", "a: 'b'\t\n", "a: 'b\tc'\n", "a: \"b\\\"\tc\"\n", "a: 'it''s\t'\n", "a: # c\td\n  b\n", "a: |\n  x\ty\n", "a: |\n\tx\n", "a: |\t\n  x\n", "a: |\n  x\n\t\n", "a: 'x\n\ty'\n", "a: x\n\ty\n", "[a,\tb]\n", "a: 1\n\t\nb: 2\n", "---\ta\n", "a: &x\tb\n", "a: |\n  \tx\nb: |\n  {\t[\nc: \"\n  \t'\"\n",
	"a: 'x\n  y'\n", "a: \"x\\\n  y\"\n", "a: \"x\n\n  y\"\n", "a: x\n  y\n", "a: x\n\n  y\n", "a: x # c\n  y\n", "a: x#c\n", "a: 'x'#c\n", "a: [x]#c\nb: {c: d}# e\n", "a: \"\\x41\\u00e9\\U0001f600\\n\\t\\0\\e\\_\\N\\L\\P\\/\\ \"\n", "a: é\n", "a: 'emoji 😀'\n", "a: \x00\n", "a: \x7f\n", "a: \u0085b\n", "a: x\u2028y\n", "a: |\n  x\u2028  y\n", "a: \ue000\n", "a: \ufffe\n", "a: b\r\nc:\r\n  - d\r\n", "a: b\rc: d\r",
	"a: |\n  x\n   y\n\n  z\n", "a: >\n  x\n  y\n\n  z\n", "a: |-\n  x\n", "a: |+\n  x\n\n", "a: |2\n    x\n", "a: |2-\n   x\n", "a: >+\n\n  x\n\n\nb: c\n", "a: |\nb: c\n", "a: |\n\n\nb: c\n", "- |\n x\n- >\n y\n", "a:\n- |\n x\n", "a:\n- |\n  x\n - b\n", "a: |\n    x\n  y\n", "a: |0\n  x\n", "a: | # c\n  x\n", "a: |\n  # x\n", "- - |\n   x\n  - y\n", "- key: |\n  other: 1\n", "- key: |\n   text\n  other: 1\n", "|\n  x\n", "|\nx\n", "a: |\n  {{{[[[\n", "a: |\n      x\n     y\n", "a: |\n     \n  x\n",
	"&a a: *a\n", "a: &x {b: 1}\nc: *x\n", "a: &x [1]\nb: *x\nc: [*x, &y {}, *y]\n", "a: &x b\nc: *x\n", "a: &x 2001-01-01\nb: *x\n", "? &x 2001-01-01\n: *x\n", "a: &x 1\nb: &x 2\n", "a: &x\nb: *x\n", "a: &a [*a]\n", "a: *nope\n", "a: &é b\n", "a: &x: b\n", "a: &x b\n*x : c\n", "- &x a\n- *x\n- [*x,*x]\n", "a: [&x [&y [1]], *y, *x]\n",
	"a: &x {b: 1, d: 2}\nc:\n  <<: *x\n  b: 3\n", "x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz: {<<: [*x, *y], c: 3}\n", "a: {<<: 1}\n", "a: {<<: [1]}\n", "base: &b {x: 1}\n<<: *b\n", "<<: {a: 1}\n<<: {a: 2, b: 3}\n", "a: {'<<': 1}\n", "a: {!!merge x: {b: 1}}\n", "a: &a {b: [1]}\nc: {<<: *a}\nd: {<<: *a}\n", "a: &a {b: 1}\nc: &c {<<: *a, d: 2}\ne: {<<: *c, b: 3}\n", "a: {<<: {}}\n", "a: {<<: *x}\nb: &x {}\n",
	"- - a\n  - b\n- c\n", "- a: 1\n  b: 2\n-\n  - x\n", "a:\n- b\n- c: d\n  e:\n  - f\n", "a:\n  - b\n  -\n", "-\n", "- -\n", "-a\n", "a: -\n", "a: - b\n", "a:\n  b:\n c:\n", "  a: 1\n b: 2\n", "a: []\nb: {}\nc: [[]]\nd: [{}]\n",
	"a: !x 1\n", "a: !!nope 1\n", "a: !!python/none x\n", "a: !!str\n", "a: !!int\n", "a: !!seq {}\n", "a: !!map []\n", "a: !!seq [b]\n", "a: !!map {b: c}\n", "a: !!str [b]\n", "a: !!omap [b: 1, c: 2]\n", "a: !!pairs [b: 1, b: 2]\n", "a: !!omap [b]\n", "a: !!omap [{b: 1, c: 2}]\n", "a: !!map b\n", "a: ! [b]\n", "a: ! {b: c}\n", "a: !<tag:yaml.org,2002:int> '1'\n", "!!map {a: b}\n", "a: !!binary |\n  aGVs\n  bG8=\n", "a: !!binary ''\n", "!!binary aGVsbG8=\n", "a: !!binary " + strings.Repeat("QUFB", 60) + "\n",
	strings.Repeat("k", 1024) + ": v\n", strings.Repeat("k", 1025) + ": v\n", strings.Repeat("é", 1024) + ": v\n", strings.Repeat("k", 122) + ": v\n", strings.Repeat("k", 123) + ": v\n", strings.Repeat("1", 130) + ": v\n",
	"a: " + strings.Repeat("word ", 60) + "\n", "a: \"" + strings.Repeat("wörd ", 60) + "\"\n", "a: '" + strings.Repeat("word: ", 60) + "'\n", "? " + strings.Repeat("word ", 60) + "\n: b\n", strings.Repeat("word ", 60) + ": b\n", "a: " + strings.Repeat("longword", 20) + " x " + strings.Repeat("longword", 20) + "\n",
}

// Rows Y03 and Y04: what is accepted, anchors, merges, binary data and dates; and what is dumped of it.
func TestDocumentsAsPyYAML(t *testing.T) { compareWithPython(t, documents) }

// Texts that a person writes into cloud-config must come back from cloud-config.txt as they went in, and in the peer's bytes.
func TestDumpAsPyYAML(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var texts []string
	for range 2000 {
		data, _ := json.Marshal(randomData(random, 0))
		texts = append(texts, strings.ReplaceAll(string(data), "\\u007f", "\\x7f"))
	}
	compareWithPython(t, texts)
}

func randomData(r *rand.Rand, depth int) any {
	switch n := r.IntN(9); {
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
	case n == 6:
		return r.NormFloat64()
	}
	return randomText(r)
}

func randomText(r *rand.Rand) string {
	pieces := []string{"a", "word", "word ", " ", "  ", "\n", "\n\n", ": ", ":", "#", " #", "'", "\"", "\\", "é", "- ", "yes", "0644", "12:30", ",", "[", "{", "%", "longer-word-without-end",
		"😀", "\t", "=", "~", "! ", "\u0085", "\u2028", "\ufeff", "\u00a0", "\u0001", "\r", "---", "..."}
	var out strings.Builder
	for range r.IntN(10) * r.IntN(5) {
		out.WriteString(pieces[r.IntN(len(pieces))])
	}
	return out.String()
}

// Every example of the peer's documentation and every case of its tests is read and dumped as by the peer; and so is
// each with a mistake in it.
func TestExamplesAsPyYAML(t *testing.T) {
	var texts []string
	for _, pattern := range []string{"cloud-config/examples/*.txt", "cloud-config/modules/*/*.yaml", "merge/*.yaml", "network/*", "network/*/*"} {
		names, _ := filepath.Glob("../../../shared/conformance/" + pattern)
		for _, name := range names {
			if text, err := os.ReadFile(name); err == nil {
				texts = append(texts, string(text))
			}
		}
	}
	if len(texts) == 0 {
		t.Skip("the peers' examples are not here: ../shared/conformance is missing")
	}
	compareWithPython(t, append(texts, mistaken(texts)...))
	t.Logf("%d examples", len(texts))
}

// mistaken are texts with one letter too few, or a sign of YAML too many. A !!set is left out: it is a mapping here.
func mistaken(texts []string) (all []string) {
	random := rand.New(rand.NewPCG(7, 8))
	signs := []string{"", "", ":", ": ", "- ", "\n", " ", "\t", "'", "\"", "#", "{", "}", "[", ",", "&x ", "*x", "<<: ", "%", "@", "|", "?", "? ", "-", "!", "!!str ", "!!omap ", "!!value ", "=", ">", "---", "\r", "\u2028", "\n  ", "é", "\\", "yes", "..."}
	for range 3000 {
		text := texts[random.IntN(len(texts))]
		if len(text) > 4000 || strings.Contains(text, "!!set") {
			continue
		}
		at := random.IntN(len(text) + 1)
		end := min(len(text), at+random.IntN(2))
		all = append(all, strings.ToValidUTF8(text[:at]+signs[random.IntN(len(signs))]+text[end:], ""))
	}
	return all
}
