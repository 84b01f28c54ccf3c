package conf

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// bombs are documents that stand for more than memory holds, or nest deeper than a stack does.
func bombs() map[string]string {
	laughs := "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		laughs += fmt.Sprintf("b%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return map[string]string{
		"billion laughs":     laughs,
		"deep flow lists":    strings.Repeat("[", 100_000),
		"deep flow mappings": strings.Repeat("{a: ", 100_000),
		"deep block lists":   strings.Repeat("- ", 100_000) + "x",
		"deep mappings":      deepMappings(3000),
		"too long":           "a: " + strings.Repeat("x", maxDocument),
		"cycle":              "a: &a [*a]",
		"long merge":         "a: &a {x: 1}\nb: {<<: [" + strings.Repeat("*a, ", 5000) + "*a]}\n",
	}
}

func deepMappings(n int) string {
	var out strings.Builder
	for i := range n {
		out.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return out.String()
}

// Row Y06. A small document must not take a small machine down.
func TestBombsAreRefused(t *testing.T) {
	for name, text := range bombs() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := Parse(name, []byte(text))
		runtime.ReadMemStats(&after)
		if err == nil && name != "long merge" {
			t.Errorf("%s: accepted", name)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 128<<20 {
			t.Errorf("%s: %d MiB were used", name, used>>20)
		}
	}
}

// A document of 10 MB is large but no mistake: it is read, or refused, and does not end the boot.
func TestLargeDocument(t *testing.T) {
	text := "write_files:\n" + strings.Repeat("  - {path: /tmp/x, content: "+strings.Repeat("y", 1000)+"}\n", 10_000)
	v, _, err := Parse("large", []byte(text))
	if err != nil || len(v.Get("write_files").Items) != 10_000 {
		t.Errorf("10 MB: %v", err)
	}
}

// Row Y03. Whoever made a mistake at night wants the line and the column, and what to do.
func TestMistakesHaveAPlace(t *testing.T) {
	for text, want := range map[string]string{
		"a: b\n\tc: d\n":     "t:2:1: this is no YAML: ",
		"a: b: c\n":          "t:1:5: this is no YAML: ",
		"a: b\n---\nc: d\n":  "t:2:1: a second document begins here",
		"a:\n  b: {{ x }}\n": "t:2:7: a mapping cannot be a key (for a template, ",
		"a: !!nope 1\n":      "t:1:4: the tag !!nope is not known here",
		"a: 1\nb: [1, 2\n":   "t:",
		"ok: 1\nbad: \x01\n": "t:2:6: the character 0x1 is not allowed",
		"a: =\n":             "t:1:4: a lone = is not allowed here",
		"a: \xff\n":          "t:1:4: this is no UTF-8 text",
		"a: !!int x\n":       "t:1:4: this is not a number, as its tag says",
		"a: 2001-02-30\n":    "t:1:4: this is not a date, as its tag says",
	} {
		_, _, err := Parse("t", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v\nwant %s…", text, err, want)
		}
	}
	_, warnings, err := Parse("t", []byte("a: 1\nb: 2\na: 3\n"))
	if err != nil || len(warnings) != 1 || warnings[0].Origin.Line != 3 {
		t.Errorf("a key that is there twice: %v, %v", warnings, err)
	}
}

// What one stage writes the next must read, with every place.
func TestStoredValues(t *testing.T) {
	v := parse(t, "a: [1, yes, 0644, 'x', null, 1.5, 2001-01-01, !!binary /w==]\n1: {b: c}\n")
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var back *Value
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !back.Equal(v) || back.At("a").Items[2].Origin != v.At("a").Items[2].Origin || back.At("a").Items[2].Plain != "0644" {
		t.Errorf("came back as %s", Dump(back))
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range scalars() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, _, err := Parse("fuzz", []byte(text))
		if err != nil {
			return
		}
		again, _, err := Parse("again", []byte(Dump(v)))
		if err != nil {
			t.Fatalf("what was dumped cannot be read: %v\n%s", err, Dump(v))
		}
		if !again.Equal(v) && !strings.Contains(Dump(v), "nan") {
			t.Fatalf("dumped and read again, it is another: %q", Dump(v))
		}
	})
}

func FuzzMerge(f *testing.F) {
	f.Add("a: [1]", "a: [2]", "list(append)+dict(replace)")
	f.Fuzz(func(t *testing.T, a, b, how string) {
		m, err := ParseMergerHeader(how)
		if err != nil {
			return
		}
		x, _, err1 := Parse("a", []byte(a))
		y, _, err2 := Parse("b", []byte(b))
		if err1 == nil && err2 == nil {
			m.Merge(x, y)
		}
	})
}
