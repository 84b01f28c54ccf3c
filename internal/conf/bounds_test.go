package conf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"openguest/internal/yaml"
)

// bombs are documents that stand for more than memory holds, nest deeper than a stack does, or cost more than they are
// long. The reason is why they are refused; where it is empty they are read.
var bombs = []struct{ name, text, reason string }{
	{"billion laughs", laughs("a: &a0 [x, x, x, x, x, x, x, x, x, x]\n", "b%d: &a%d [%s]\n"), "the aliases in it stand for more than"},
	{"laughs in mappings", laughs("a: &a0 {k: v}\n", "b%d: &a%d [%s]\n"), "the aliases in it stand for more than"},
	{"laughing merges", laughs("a: &a0 {k: v}\n", "b%[1]d: &a%[1]d {<<: [%[3]s], k%[1]d: {<<: *a0}, l%[1]d: [%[3]s]}\n"), "the aliases in it stand for more than"},
	{"deep flow lists", strings.Repeat("[", 1_000_000), "more than 200 lists and mappings in each other"},
	{"deep flow mappings", strings.Repeat("{a: ", 1_000_000), "more than 200 lists and mappings in each other"},
	{"deep block lists", strings.Repeat("- ", 1_000_000) + "x", "more than 200 lists and mappings in each other"},
	{"deep questions", strings.Repeat("? ", 1_000_000) + "x", "more than 200 lists and mappings in each other"},
	{"deep mappings", deepMappings(3000), "more than 200 lists and mappings in each other"},
	{"deep by aliases", deepAliases(1000), "more than 200 lists and mappings in each other"},
	{"merges in merges", "x: &a0 {}\n" + deepMerges(5000) + "<<: *a5000\n", "more than 200 anchors in each other"},
	{"too long", "a: " + strings.Repeat("x", yaml.MaxBytes), "more than 16 MiB"},
	{"a cycle", "a: &a [*a]", "it is itself part of"},
	{"a cycle by merge", "a: &a {<<: *a}", "it is itself part of"},
	{"long merge", "a: &a {x: 1}\nb: {<<: [" + strings.Repeat("*a, ", 5000) + "*a]}\n", ""},
	{"wide merges", "a: &a {" + manyKeys(5000) + "}\nb: {<<: [" + strings.Repeat("*a, ", 400) + "*a]}\n", "the aliases in it stand for more than"},
	{"many wide merges", "a: &a {" + manyKeys(5000) + "}\n" + strings.Repeat("- {<<: *a}\n", 3), "this is no YAML"},
	{"commas", "[" + strings.Repeat("a,", 8_000_000) + "]", "more than 160000 parts"},
	{"lines", strings.Repeat("key: value\n", 1_000_000), "more than 160000 parts"},
	{"tags", strings.Repeat("- !\n", 1_000_000), "more than 160000 parts"},
	{"anchors", strings.Repeat("- &a\n", 1_000_000), "more than 160000 parts"},
	{"quotes", strings.Repeat("\"\": ''\n", 1_000_000), "more than 160000 parts"},
	{"tags of one value", "- " + strings.Repeat("! ", 1_000_000), "this is no YAML"},
	{"anchors of one value", "- " + strings.Repeat("&a ", 1_000_000), "this is no YAML"},
	{"quotes in a row", strings.Repeat(`""`, 1_000_000), "this is no YAML"},
	{"comments", "a:\n" + strings.Repeat("# x\n", 1_000_000), ""},
	{"tag directives", tagDirectives(100_000) + "---\na: 1", "more than 100 lines of directives"},
	{"one tag directive", strings.Repeat("%TAG !a! b\n", 100_000) + "---\na: 1", "this is no YAML"},
	{"unknown directives", strings.Repeat("%A b\n", 100_000) + "---\na: 1", "more than 100 lines of directives"},
	{"question marks", "[" + strings.Repeat("?,", 1_000_000) + "]", "more than 160000 parts"},
	{"colons", "[" + strings.Repeat(":,", 1_000_000) + "]", "this is no YAML"},
	{"handles", "[" + strings.Repeat("!a,", 1_000_000) + "]", "this is no YAML"},
	{"spaces", strings.Repeat(strings.Repeat(" ", 1000)+"\n", 10_000) + "a: 1", ""},
	{"a long folded text", "a: >\n" + strings.Repeat("  x\n\n   y\n", 1_000_000), ""},
	{"a long plain text", "a: " + strings.Repeat("x\n\n  y z ", 1_000_000), ""},
	{"a long quoted text", "a: \"" + strings.Repeat("x\n\n  y\\n\\\n ", 700_000) + "\"", ""},
	{"closing brackets", strings.Repeat("]", 1_000_000), "this is no YAML"},
	{"digits", "a: " + strings.Repeat("9", 1_000_000), "this looks like a number, but is none"},
	{"sixties", "a: 1" + strings.Repeat(":59", 1_000_000), "this looks like a number, but is none"},
	{"a long key", strings.Repeat("a", 1_000_000) + ": 1", "a key has more than 1024 characters"},
	{"a long text", "a: |\n" + strings.Repeat("  [{,,: - ? \n", 500_000), ""},
}

func laughs(first, more string) string {
	text := first
	for i := 1; i < 12; i++ {
		text += fmt.Sprintf(more, i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return text
}

func tagDirectives(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "%%TAG !a%d! b\n", i)
	}
	return out.String()
}

func deepMappings(n int) string {
	var out strings.Builder
	for i := range n {
		out.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return out.String()
}

func deepAliases(n int) string {
	var out strings.Builder
	out.WriteString("- &a0 []\n")
	for i := range n {
		fmt.Fprintf(&out, "- &a%d [*a%d]\n", i+1, i)
	}
	return out.String()
}

func deepMerges(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "k%d: &a%d {<<: *a%d}\n", i, i+1, i)
	}
	return out.String()
}

func manyKeys(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "k%d: v, ", i)
	}
	return out.String()
}

// Row Y06. A document must not take a small machine down, whatever is in it.
func TestBombs(t *testing.T) {
	for _, bomb := range bombs {
		t.Run(bomb.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := Parse("bomb", []byte(bomb.text))
			runtime.ReadMemStats(&after)
			switch {
			case bomb.reason == "" && err != nil:
				t.Errorf("refused: %v", err)
			case bomb.reason != "" && (err == nil || !strings.Contains(err.Error(), bomb.reason)):
				t.Errorf("want it refused because %s, got %v", bomb.reason, err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
				t.Errorf("%d MiB were used", used>>20)
			}
		})
	}
}

// What is just not too much may cost no more than a small machine has while it boots.
func TestDearestDocument(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := Parse("dear", []byte("["+strings.Repeat("a,", yaml.MaxSigns-2)+"]"))
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; err != nil || used > 128<<20 {
		t.Errorf("%d MiB were used, and not all at the same time: %v", used>>20, err)
	}
}

// A document of 10 MB is large but no mistake: it is read.
func TestLargeDocument(t *testing.T) {
	text := "write_files:\n" + strings.Repeat("  - {path: /tmp/x, content: "+strings.Repeat("y", 1000)+"}\n", 10_000)
	v, _, err := Parse("large", []byte(text))
	if err != nil || len(v.Get("write_files").Items) != 10_000 {
		t.Errorf("10 MB: %v", err)
	}
}

// Row Y06. JSON of 256 KiB, the most that a cloud takes as user-data, is read, however many items it has: cloud-init reads it.
func TestDenseJSON(t *testing.T) {
	for _, item := range []string{"1,", `"a",`, `{"a":1},`, "[1,2],", "null,"} {
		text := `{"write_files":[` + strings.Repeat(item, (256<<10-20)/len(item)) + "1]}"
		if _, _, err := Parse("json", []byte(text)); err != nil {
			t.Errorf("%s…: %v", text[:40], err)
		}
	}
}

// Row Y03. Whoever made a mistake at night wants the line and the column, and what to do.
func TestMistakesHaveAPlace(t *testing.T) {
	for text, want := range map[string]string{
		"a: b\n\tc: d\n":             "t:2:1: this is no YAML: there is a tab here (YAML does not allow tabs; use spaces)",
		"a: é\t\n":                   "t:1:5: this is no YAML: there is a tab here (",
		"\ufeffa:\tb\n":              "t:1:3: this is no YAML: there is a tab here (",
		"a: b: c\n":                  "t:1:5: this is no YAML: mapping values are not allowed in this context (put quotes around ",
		"a: b\n c: d\n":              "t:2:3: this is no YAML: mapping values are not allowed in this context (put quotes around a text that has a colon and a space in it)",
		"a: b\n---\nc: d\n":          "t:2:1: a second document begins here; only one is read (remove the line ---)",
		"a:\n  b: {{ x }}\n":         "t:2:7: a.b: a mapping cannot be a key (for a template, the first line is `## template: jinja`; otherwise ",
		"a: {{ x }}/y\n":             "t:1:11: this is no YAML: did not find expected key (for a template, ",
		"a: !!nope 1\n":              "t:1:4: a: the tag !!nope is not known here (",
		"a: 1\nb: [1, 2\nc: d\n":     "t:3:2: this is no YAML: the text that begins in line 2 goes on to here, and then there is a colon (is a bracket or a comma missing before this line?)",
		"a: 'b\nc: d\n":              "t:3:1: this is no YAML: found unexpected end of stream (scanning a quoted scalar, which begins in line 1) (is a quote missing at the end?)",
		"a: 1\nb: @x\nc: {d\n: e}\n": "t:2:4: this is no YAML: found character that cannot start any token (put quotes around ",
		"a: \"\\s\"\n":               `t:1:5: this is no YAML: found unknown escape character (in double quotes a \ begins an escape; use single quotes)`,
		"ok: 1\nbad: \x01\n":         "t:2:6: the character 0x1 is not allowed (is this a binary file?)",
		"a: =\n":                     "t:1:4: a: a lone = is not allowed here (put quotes around it)",
		"é: \xff\n":                  "t:1:4: this is no UTF-8 text (save the file as UTF-8)",
		"a: !!int x\n":               "t:1:4: a: this is not a number, as its tag says",
		"a:\n- b\n- c: 2001-02-30\n": "t:3:6: a[1].c: this looks like a date, but is none (put quotes around ",
		"a: *b\n":                    "t:1:4: this is no YAML: unknown anchor 'b' referenced (put quotes around a text that begins with *)",
		"a: &x 1\nb: &x 2\n":         "t:2:4: b: the anchor &x is there already, in line 1 (use another name)",
		"a: {<<: 1}\n":               "t:1:9: a: << takes a mapping or a list of mappings, not a number",
	} {
		_, _, err := Parse("t", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v\nwant %s…", text, err, want)
		}
		if place := (Problem{}); !errors.As(err, &place) || place.Level != Rejected {
			t.Errorf("%q: the error is no Problem that rejects: %#v", text, err)
		}
	}
}

// A key that is there twice is seen in the wild: the last counts, and somebody wonders for hours.
func TestKeyThatIsThereTwice(t *testing.T) {
	v, warnings, err := Parse("t", []byte("a: 1\nusers:\n- b: 2\n  c: 3\n  b: 4\n"))
	if err != nil || v.At("users").Items[0].Get("b").Text != "4" || len(warnings) != 1 {
		t.Fatalf("%v %v", warnings, err)
	}
	if got, want := warnings[0].Error(), `t:5:3: users[0].b: the key "b" is there twice; this one counts, and the one in line 3 does not`; got != want || warnings[0].Level != Warning {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// Every value knows where it was written, in characters.
func TestPlaces(t *testing.T) {
	v := parse(t, "a: é\n# c\nb:\n  - 'x'\n  - {ü: 0644, d: &n yes}\nc: *n\n")
	for want, of := range map[string]*Value{
		"test:1:1": v, "test:1:4": v.Get("a"), "test:4:5": v.Get("b").Items[0], "test:5:5": v.Get("b").Items[1],
		"test:5:9": v.Get("b").Items[1].Get("ü"), "test:5:18": v.Get("c"), "test:5:6": v.Get("b").Items[1].Pairs[0].Key,
	} {
		if of.Origin.String() != want {
			t.Errorf("%s is said to be at %s", want, of.Origin)
		}
	}
	if got := v.Get("b").Items[1].Get("ü"); got.Plain != "0644" || got.Text != "420" || v.Get("b").Items[0].Plain != "" {
		t.Errorf("the spelling is not kept: %+v", got)
	}
}

// What one stage writes the next must read, with every place.
func TestStoredValues(t *testing.T) {
	v := parse(t, "a: [1, yes, 0644, 'x', null, 1.5, 2001-01-01, !!binary /w==]\n1: &b {b: c}\n? |\n  d\n: [*b, [], {}]\n")
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
	if again, _ := json.Marshal(back); !bytes.Equal(again, text) || Dump(back) != Dump(v) {
		t.Errorf("came back as another: %s", again)
	}
}

// A file that a crash left half written must be an error, and no crash of the next boot.
func TestDamagedStoredValues(t *testing.T) {
	for _, text := range []string{`{`, `{"root":{"k":4,"o":-1}}`, `{"root":{"k":4,"o":3}}`, `{"root":{"k":7,"o":0,"i":[null]},"parts":["x"]}`, `{"root":{"k":99,"o":0},"parts":["x"]}`,
		`{"root":{"k":7,"i":[{"r":1}]},"parts":["x"]}`, `{"root":{"r":1},"parts":["x"]}`, `{"root":{"r":-1},"parts":["x"]}`} {
		if err := new(Value).UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s: accepted", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range documents {
		f.Add(text)
	}
	texts, _ := golden(f)
	for _, text := range texts {
		f.Add("- " + text + "\n")
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, _, err := Parse("fuzz", []byte(text))
		if place := (Problem{}); err != nil && (!errors.As(err, &place) || place.Origin.Line < 1 || place.Origin.Col < 1) {
			t.Fatalf("an error without a place: %v", err)
		}
		if err != nil || len(text) > 10_000 {
			return
		}
		for _, o := range []DumpOptions{{}, {Bare: true, NoAliases: true}} {
			dumped := o.Dump(v)
			again, _, err := Parse("again", []byte(dumped))
			if err != nil {
				if strings.Contains(err.Error(), "more than") { // written out, it is too much
					continue
				}
				t.Fatalf("what was dumped cannot be read: %v\n%s", err, dumped)
			}
			if !again.Equal(v) {
				t.Fatalf("dumped and read again, it is another: %q", dumped)
			}
		}
		stored, err := json.Marshal(v)
		if back := new(Value); err != nil || json.Unmarshal(stored, back) != nil || !back.Equal(v) {
			t.Fatalf("stored and read again, it is another: %v\n%s", err, stored)
		}
	})
}

func FuzzMerge(f *testing.F) {
	f.Add("a: [1]", "a: [2]", "list(append)+dict(replace)", "[[list, append]]")
	f.Add("a: {b: x}", "a: {b: null}", "dict(allow_delete,recurse_str)+str(append)", "[{name: str, settings: append}]")
	f.Fuzz(func(t *testing.T, a, b, how, listed string) {
		x, _, err1 := Parse("a", []byte(a))
		y, _, err2 := Parse("b", []byte(b))
		if err1 != nil || err2 != nil {
			return
		}
		before := Dump(x) + Dump(y)
		mergers := []Merger{DefaultMerger(), PartMerger()}
		if m, err := ParseMergerHeader(how); err == nil {
			mergers = append(mergers, m)
		}
		if v, _, err := Parse("how", []byte(listed)); err == nil {
			if m, err := ParseMerger(v); err == nil {
				mergers = append(mergers, m)
			}
		}
		for _, m := range mergers {
			if m.Merge(x, y) == nil {
				t.Fatal("merged to nothing")
			}
		}
		if Dump(x)+Dump(y) != before {
			t.Fatal("merging changed what was merged")
		}
	})
}

func FuzzStored(f *testing.F) {
	f.Add(`{"parts":["t"],"root":{"k":8,"o":0,"l":1,"c":1,"i":[{"k":4,"t":"YQ==","p":true,"o":0},{"k":7,"o":0,"i":[{"k":2,"t":"MQ==","o":0}]}]}}`)
	f.Add(`{"parts":["t"],"root":{"k":7,"o":0,"i":[{"k":7,"o":0},{"r":2}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		v := new(Value)
		if json.Unmarshal([]byte(text), v) == nil && v.Origin.Part != "" {
			Dump(v)
		}
	})
}
