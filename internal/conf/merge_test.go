package conf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"openguest/test/peer"
)

func parse(t testing.TB, text string) *Value {
	t.Helper()
	v, _, err := Parse("test", []byte(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

// mergeParts merges documents as the cloud-config parts of user-data are merged.
func mergeParts(t *testing.T, texts ...string) *Value {
	t.Helper()
	all := &Value{Kind: Map}
	for _, text := range texts {
		part, m := parse(t, text), PartMerger()
		for _, key := range []string{"merge_how", "merge_type"} {
			if how := part.Get(key); how != nil {
				var err error
				if m, err = ParseMerger(how); err != nil {
					t.Fatal(err)
				}
				part = without(part, key)
			}
		}
		all = m.Merge(all, part)
	}
	return all
}

func without(v *Value, key string) *Value {
	out := *v
	out.Pairs = nil
	for _, p := range v.Pairs {
		if p.Key.Text != key {
			out.Pairs = append(out.Pairs, p)
		}
	}
	return &out
}

// Row G01. Parts that merge otherwise than under cloud-init configure another machine.
func TestMergeSources(t *testing.T) {
	dir := "../../../shared/conformance/merge"
	wanted, _ := filepath.Glob(dir + "/expected*.yaml")
	if len(wanted) == 0 {
		t.Skip("the peers' merge cases are not here: ../shared/conformance is missing")
	}
	for _, file := range wanted {
		n := file[len(dir)+len("/expected") : len(file)-len(".yaml")]
		sources, _ := filepath.Glob(fmt.Sprintf("%s/source%s-*.yaml", dir, n))
		var texts []string
		for _, name := range append(sources, file) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
		}
		want := parse(t, texts[len(texts)-1])
		if got := mergeParts(t, texts[:len(texts)-1]...); !got.Equal(want) {
			t.Errorf("case %s: merged to\n%s\nwant\n%s", n, Dump(got), Dump(want))
		}
	}
}

// Row G02: the three spellings mean the same.
func TestMergerSpellings(t *testing.T) {
	base, more := parse(t, "a: [1]\nb: {c: 1}"), parse(t, "a: [2]\nb: {c: 2, d: 3}")
	var first *Value
	for _, text := range []string{"'list(append)+dict(no_replace,recurse_list)+str()'", "[{name: list, settings: [append]}, {name: dict, settings: [no_replace, recurse_list]}, {name: str, settings: []}]",
		"[[list, append], [dict, no_replace, recurse_list], [str]]"} {
		m, err := ParseMerger(parse(t, text))
		if err != nil {
			t.Fatal(err)
		}
		got := m.Merge(base, more)
		if first == nil {
			first = got
		}
		if !got.Equal(first) || got.Get("a").Items[1].Text != "2" {
			t.Errorf("%s: merged to %s", text, Dump(got))
		}
	}
}

// Row G03: without a word about it, a later part's runcmd takes the place of an earlier's.
func TestPartsReplaceTopLevelKeys(t *testing.T) {
	got := mergeParts(t, "runcmd: [a, b]\nkeep: 1", "runcmd: [c]")
	if want := parse(t, "runcmd: [c]\nkeep: 1"); !got.Equal(want) {
		t.Errorf("merged to %s", Dump(got))
	}
}

// Rows G04 and G05: what cannot be read and what does not exist are different mistakes, and are said differently; only the
// first is listed in cloud-config.txt.
func TestMergerMistakes(t *testing.T) {
	for text, want := range map[string]error{"append": ErrMergerSyntax, "nope()": ErrMergerUnknown, "list(append": ErrMergerSyntax, "list()+": nil, "": nil, " LIST( Append )+m_dict() ": nil,
		"list()str()": nil, "list(a\nb)": ErrMergerSyntax, "1list()": ErrMergerSyntax, "li-st()": ErrMergerUnknown, "m_m_list()": ErrMergerUnknown, "list(append)+dict(recurse_array)+str()": nil} {
		if _, err := ParseMergerHeader(text); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	for text, want := range map[string]error{"[]": nil, "[[list]]": nil, "[[nope]]": ErrMergerUnknown, "[[]]": ErrMergerUnknown, "[list]": ErrMergerUnknown, "[{name: list}]": ErrMergerUnknown,
		"[{name: ' li st', settings: []}]": ErrMergerUnknown, "[{name: list, settings: null}]": ErrMergerUnknown, "[{name: ' list ', settings: append}]": nil, "append": ErrMergerSyntax, "5": ErrMergerSyntax, "{a: b}": ErrMergerSyntax} {
		if _, err := ParseMerger(parse(t, text)); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}

// A value that was merged in keeps the place where it was written, so that what is wrong with it is told there.
func TestMergedPlaces(t *testing.T) {
	base, _, _ := Parse("one", []byte("a: {b: 1}\nc: [x]\n"))
	extra, _, _ := Parse("two", []byte("\na: {d: 2}\nc: [y]\n"))
	m, _ := ParseMergerHeader("list(append)+dict(recurse_list)")
	got := m.Merge(base, extra)
	for want, of := range map[string]*Value{"one:1:8": got.At("a", "b"), "two:2:8": got.At("a", "d"), "one:2:5": got.Get("c").Items[0], "two:3:5": got.Get("c").Items[1]} {
		if of.Origin.String() != want {
			t.Errorf("%s is said to be at %s", want, of.Origin)
		}
	}
	if got := PartMerger().Merge(nil, extra); got != extra {
		t.Error("nothing, and something merged into it")
	}
	if got := PartMerger().Merge(base, nil); got != base {
		t.Error("something, and nothing merged into it")
	}
}

// mergeOracle merges with the peer's own code. What it raises is told by where: reading how to merge, or merging.
const mergeOracle = `
import sys, json, importlib.util
from cloudinit import mergers
out = []
for how, a, b in json.load(sys.stdin):
    try:
        m = mergers.construct(mergers.dict_extract_mergers({"merge_how": how}))
    except ValueError:
        out.append(["syntax", None]); continue
    except Exception:
        out.append(["unknown", None]); continue
    try:
        out.append(["merged", m.merge(a, b)])
    except Exception:
        out.append(["raised", None])
json.dump(out, sys.stdout)
`

type mergeCase struct{ how, a, b any }

// askPeer merges with the mergers of the tree in PEER_TREE.
func askPeer(t *testing.T, cases []mergeCase) (answers [][2]any) {
	t.Helper()
	tree := peer.Tree(t, "usr/bin/cloud-init")
	var plain [][3]any
	for _, c := range cases {
		plain = append(plain, [3]any{c.how, c.a, c.b})
	}
	in, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("chroot", tree, "python3", "-B", "-c", mergeOracle)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the peer's mergers: %v", err)
	}
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(cases) {
		t.Fatalf("the peer answers %d of %d cases: %v", len(answers), len(cases), err)
	}
	return answers
}

// Row G06: random configurations merge as under cloud-init, whatever the options, and however they are spelled.
func TestMergeAsPeer(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var cases []mergeCase
	for i := range 10_000 {
		a, b := mergeable(random, i%4), mergeable(random, i%4)
		cases = append(cases, mergeCase{randomHow(random), a, b})
	}
	counts := map[any]int{}
	for i, answer := range askPeer(t, cases) {
		c := cases[i]
		counts[answer[0]]++
		a, _ := json.Marshal([]any{c.how, c.a, c.b})
		m, err := ParseMerger(Of(c.how, Origin{}))
		wantErr := map[any]error{"syntax": ErrMergerSyntax, "unknown": ErrMergerUnknown}[answer[0]]
		if !errors.Is(err, wantErr) || (err == nil) != (wantErr == nil) {
			t.Fatalf("%s: %v, the peer says %s", a, err, answer[0])
		}
		if err != nil {
			continue
		}
		want := Of(c.a, Origin{})
		if answer[0] == "merged" {
			want = Of(numbers(answer[1]), Origin{})
		}
		if got := m.Merge(Of(c.a, Origin{}), Of(c.b, Origin{})); !got.Equal(want) {
			t.Fatalf("%s: merged to\n%swant\n%s", a, Dump(got), Dump(want))
		}
	}
	t.Log(counts)
	if counts["merged"] < 5000 {
		t.Errorf("only %d cases merged", counts["merged"])
	}
}

var mergeOptions = []any{"", "replace", "no_replace", "append", "prepend", "recurse_dict", "recurse_list", "recurse_array", "recurse_str", "allow_delete", "append "}

// randomHow is how to merge, mostly well spelled.
func randomHow(r *rand.Rand) any {
	some := func() (options []any) {
		for range r.IntN(4) {
			options = append(options, mergeOptions[r.IntN(len(mergeOptions))])
		}
		return options
	}
	names := []string{"dict", "list", "str", "m_list", "Dict", "nope", " list", "str", "dict", "list"}
	if r.IntN(8) > 0 {
		names = names[:3]
	}
	how := []any{}
	for range r.IntN(4) {
		name := names[r.IntN(len(names))]
		switch spelling := r.IntN(20); {
		case spelling == 0:
			how = append(how, map[string]any{"name": name})
		case spelling == 1:
			how = append(how, map[string]any{"name": name, "settings": []any{"no_replace", nil, 5, map[string]any{"append": 1}}[r.IntN(4)]})
		case spelling == 2:
			how = append(how, []any{name, []any{}, 1, nil}[r.IntN(4)])
		case spelling < 10:
			how = append(how, map[string]any{"name": name, "settings": append([]any{}, some()...)})
		default:
			how = append(how, append([]any{name}, some()...))
		}
	}
	if r.IntN(3) == 0 {
		return how
	}
	var words []string
	for _, name := range []string{"dict", "list", "str"} {
		words = append(words, fmt.Sprintf("%s(%s)", name, strings.Trim(fmt.Sprint(some()), "[]")))
	}
	text := strings.NewReplacer("  ", ",", " ", ",").Replace(strings.Join(words, "+"))
	if r.IntN(10) == 0 {
		at := r.IntN(len(text))
		text = text[:at] + []string{"-", "(", ")", "+", " ", "X", "1", ""}[r.IntN(8)] + text[at+1:]
	}
	return text
}

// numbers turns JSON's floats into whole numbers.
func numbers(data any) any {
	switch data := data.(type) {
	case float64:
		return int(data)
	case []any:
		for i := range data {
			data[i] = numbers(data[i])
		}
	case map[string]any:
		for k := range data {
			data[k] = numbers(data[k])
		}
	}
	return data
}

// mergeable is random data with few different keys, so that they meet. At depth 0 it is a mapping.
func mergeable(r *rand.Rand, depth int) any {
	n := r.IntN(6)
	if depth == 0 {
		n = 0
	}
	switch {
	case n < 2 && depth < 4:
		m := map[string]any{}
		for range r.IntN(4) {
			m[string(rune('a'+r.IntN(3)))] = mergeable(r, depth+1)
		}
		return m
	case n == 2 && depth < 4:
		list := []any{}
		for range r.IntN(3) {
			list = append(list, mergeable(r, depth+1))
		}
		return list
	case n == 3:
		return []any{r.IntN(9), true}[r.IntN(2)]
	case n == 4:
		return nil
	}
	return []string{"x", "y", "", "xyz"}[r.IntN(4)]
}
