package userdata

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"openguest/internal/conf"
)

var update = flag.Bool("update", false, "write what comes out into the golden texts")

// Each archive in testdata has a document, what it may fetch ("get URL"), what is kept ("kept URL"), vars.json and options, and
// what must come out: every part with its verdict, the problems that people read, the merged configuration and the scripts.
func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("there are no golden texts: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			about, want, found := strings.Cut(string(text), "-- want --\n")
			if !found {
				t.Fatal("there is nothing wanted")
			}
			got := run(t, about)
			if *update {
				if err := os.WriteFile(name, []byte(about+"-- want --\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// run processes the document of an archive and describes what came of it.
func run(t *testing.T, archive string) string {
	t.Helper()
	w := world{get: map[string]string{}, kept: map[string]string{}}
	d := Document{Name: "user-data"}
	for _, file := range strings.Split("\n"+archive, "\n-- ")[1:] {
		name, data, _ := strings.Cut(file, " --\n")
		data += "\n"
		kind, url, _ := strings.Cut(name, " ")
		var err error
		switch kind {
		case "document":
			d.Data = []byte(data)
		case "get":
			w.get[url] = data
		case "kept":
			w.kept[url] = data
		case "vars.json":
			err = json.Unmarshal([]byte(data), &w.vars)
		case "options":
			err = json.Unmarshal([]byte(data), &d)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	result, err := Process(context.Background(), d, w.outside())
	return describe(result, err) + w.log.String()
}

// A world is what documents may ask of Outside.
type world struct {
	get, kept map[string]string
	vars      map[string]any
	log       strings.Builder
}

func (w *world) outside() Outside {
	return Outside{
		Fetch: func(_ context.Context, url string) ([]byte, error) {
			fmt.Fprintf(&w.log, "fetched %s\n", url)
			if body, ok := w.get[url]; ok {
				return []byte(body), nil
			}
			return nil, errors.New("404 Not Found for url: " + url)
		},
		Kept: func(url string) ([]byte, bool) { body, ok := w.kept[url]; return []byte(body), ok },
		Keep: func(url string, _ []byte) error { fmt.Fprintf(&w.log, "kept %s\n", url); return nil },
		Vars: func() map[string]any { w.log.WriteString("asked for the instance-data\n"); return w.vars },
	}
}

var levels = map[conf.Level]string{conf.Rejected: "rejected", conf.Warning: "warning", conf.Deprecated: "deprecated"}

func describe(r Result, err error) string {
	var out strings.Builder
	for _, p := range r.Parts {
		fmt.Fprintln(&out, strings.TrimSpace(fmt.Sprintf("%s %s: %s %s", p.Name, p.Type, p.Outcome, p.Reason)))
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&out, "%s: %v\n", levels[p.Level], p)
	}
	if err != nil {
		fmt.Fprintf(&out, "error: %v\n", err)
	}
	if r.Text != "" {
		fmt.Fprintf(&out, "configuration:\n%s", indented(r.Text))
	}
	for _, s := range r.Scripts {
		fmt.Fprintf(&out, "script %d %s of %s:\n%s", s.Kind, s.Name, s.Origin, indented(s.Text))
	}
	return out.String()
}

func indented(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.TrimRight("  "+strings.TrimRight(line, "\r\n"), " ") + "\n")
	}
	return out.String()
}
