package userdata

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"openguest/internal/conf"
)

// Whatever a cloud, or who answers in its place, gives: the boot goes on, and somebody is told.
func TestBounds(t *testing.T) {
	bomb := packed(strings.Repeat("\x00", 100<<20))
	nested := "MIME-Version: 1.0\n"
	for i := range 50 {
		nested += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	multi := "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
	for _, test := range []struct{ name, data, complaint string }{
		{"gzip bomb", bomb, "it unpacks to more than 64 MiB"},
		{"gzip bomb in a part", mimeOf("application/gzip", bomb), "it unpacks to more than 64 MiB"},
		{"nested deep", nested + "\n#!/bin/sh\n", "nested more than 20 deep"},
		{"many parts", multi + strings.Repeat("--b\n\n", 1<<20), "more than 2000 parts"},
		{"many items", "#cloud-config-archive\n" + strings.Repeat("- a\n", 3000), "more than 2000 parts"},
		{"many bad items", "#cloud-config-archive\n" + strings.Repeat("- 1\n", 3000), "more than 2000 parts"},
		{"many headers", multi + "--b\n" + strings.Repeat("a:\n", 1<<20) + "\nx", "Unhandled unknown content-type (text/plain)"},
		{"10 MB line", strings.Repeat("x", 10<<20), "Unhandled"},
		{"10 MB of header", "MIME-Version: 1.0\nX: " + strings.Repeat("x\n ", 3<<20), ""},
		{"10 MB of boundaries", multi + strings.Repeat("--b\n", 2<<20), ""},
		{"10 MB of equals signs", "MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat("=", 10<<20), "Unhandled"},
		{"10 MB of parameters", "MIME-Version: 1.0\nContent-Type: multipart/mixed" + strings.Repeat(";a", 5<<20), "no parts"},
		{"many includes", "#include\n" + strings.Repeat("http://host/x\n", 1000), "more than 500"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Process(context.Background(), Document{Name: "user-data", Data: []byte(test.data)}, Outside{
				Fetch: func(context.Context, string) ([]byte, error) { return []byte("#!/bin/sh\n"), nil }})
			if err != nil {
				t.Fatal(err)
			}
			if test.complaint != "" && !complains(got.Problems, test.complaint) {
				t.Errorf("want a problem with %q, have %d: %v", test.complaint, len(got.Problems), got.Problems[:min(3, len(got.Problems))])
			}
			if len(got.Parts) > 2*maxParts || len(got.MIME) > 64<<20 {
				t.Errorf("it came to %d parts and %d bytes", len(got.Parts), len(got.MIME))
			}
		})
	}
}

// What is fetched counts together: a server cannot fill the machine's memory.
func TestBoundOfAllTogether(t *testing.T) {
	page := []byte(strings.Repeat(" ", 40<<20))
	got, err := Process(context.Background(), Document{Name: "user-data", Data: []byte("#include\nhttp://a\nhttp://b\nhttp://c\nhttp://d\n")}, Outside{
		Fetch: func(context.Context, string) ([]byte, error) { return page, nil }})
	if err != nil || !complains(got.Problems, "all together would be more than 128 MiB") {
		t.Errorf("%v, %v", got.Problems, err)
	}
}

func complains(problems []conf.Problem, about string) bool {
	for _, p := range problems {
		if strings.Contains(p.Error(), about) {
			return true
		}
	}
	return false
}

// Any bytes may come from a cloud: the boot must go on, with names that are safe and the same result every time.
func FuzzProcess(f *testing.F) {
	for _, s := range samples(f) {
		if len(s.data) < 1<<16 {
			f.Add([]byte(s.data))
		}
	}
	f.Add([]byte("#include http://host/x\n#include-once http://host/y\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		index := 1
		process := func() Result {
			out := Outside{
				Fetch: func(_ context.Context, url string) ([]byte, error) { return data[len(data)/2:], nil },
				Vars:  func() map[string]any { return map[string]any{"a": "b"} },
			}
			got, err := Process(context.Background(), Document{Name: "user-data", Data: data, LaunchIndex: &index}, out)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		got := process()
		for _, s := range got.Scripts {
			if s.Name == "" || strings.ContainsAny(s.Name, "/\x00\n") || s.Name == "." || s.Name == ".." {
				t.Fatalf("a script has the name %q", s.Name)
			}
		}
		for _, p := range got.Parts {
			if p.Outcome != Applied && p.Reason == "" {
				t.Fatalf("%s ends as %s, and nobody knows why", p.Name, p.Outcome)
			}
		}
		if again := process(); string(again.MIME) != string(got.MIME) || again.Text != got.Text {
			t.Fatal("the same document comes to something else the second time")
		}
		reread(t, got)
	})
}

// reread says whether the message that is written has the same parts when it is read.
func reread(t *testing.T, r Result) {
	t.Helper()
	m, full := parseMIME(string(r.MIME))
	want, _ := m.header("Number-Attachments")
	if got := strconv.Itoa(len(m.parts)); want != "" && got != want || full {
		t.Fatalf("%s parts are written, and %s are read", want, got)
	}
}
