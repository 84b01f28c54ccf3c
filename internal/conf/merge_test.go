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
	"testing"
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

// Row G05: what cannot be read and what does not exist are different mistakes, and are said differently.
func TestMergerMistakes(t *testing.T) {
	for text, want := range map[string]error{"append": ErrMergerSyntax, "nope()": ErrMergerUnknown, "list(append": ErrMergerSyntax} {
		if _, err := ParseMergerHeader(text); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

// mergeOracle merges with the peer's own code.
const mergeOracle = `
import sys, json
from cloudinit import mergers
out = []
for how, a, b in json.load(sys.stdin):
    try:
        out.append([mergers.construct(mergers.string_extract_mergers(how)).merge(a, b)])
    except Exception:
        out.append(None)
json.dump(out, sys.stdout)
`

// Row G06: random configurations merge as under cloud-init, whatever the options.
func TestMergeAsPeer(t *testing.T) {
	tree := os.Getenv("PEER_TREE")
	if tree == "" {
		tree = "/var/tmp/peer-bookworm"
	}
	if _, err := os.Stat(tree + "/usr/bin/cloud-init"); err != nil || os.Geteuid() != 0 {
		t.Skip("no root, or no tree with cloud-init (PEER_TREE): nothing to compare with")
	}
	random := rand.New(rand.NewPCG(3, 4))
	options := []string{"", "replace", "no_replace", "append", "prepend", "recurse_dict", "recurse_list", "recurse_array", "recurse_str", "allow_delete"}
	var cases [][3]any
	for range 5000 {
		pick := func() string { return options[random.IntN(len(options))] + "," + options[random.IntN(len(options))] }
		how := fmt.Sprintf("dict(%s)+list(%s)+str(%s)", pick(), pick(), options[random.IntN(4)])
		cases = append(cases, [3]any{how, mergeable(random, 0), mergeable(random, 0)})
	}
	in, _ := json.Marshal(cases)
	cmd := exec.Command("chroot", tree, "python3", "-c", mergeOracle)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the peer's mergers: %v", err)
	}
	var want []*[1]any
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		if want[i] == nil {
			continue // the peer ends with an exception: a list and something that is none, say
		}
		m, err := ParseMergerHeader(c[0].(string))
		if err != nil {
			t.Fatal(err)
		}
		got := m.Merge(Of(c[1], Origin{}), Of(c[2], Origin{}))
		if !got.Equal(Of(numbers(want[i][0]), Origin{})) {
			a, _ := json.Marshal(c)
			t.Fatalf("%s: merged to\n%swant\n%s", a, Dump(got), Dump(Of(want[i][0], Origin{})))
		}
	}
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

// mergeable is random data with few different keys, so that they meet.
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
		return r.IntN(9)
	case n == 4:
		return nil
	}
	return string(rune('x' + r.IntN(3)))
}
