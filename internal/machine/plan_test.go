package machine

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// A plan of thousands of users adds a line to the log for each change. Copying the log each time took most of a minute, and the memory
// that is counted here grew by the square of the lines.
func TestPlanAddsWithoutCopying(t *testing.T) {
	p, _ := Plan(Fake("-- var/log/cloud-init.log --\nfirst\n", time.Now()))
	const lines = 4000
	line := strings.Repeat("x", 99) + "\n"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range lines {
		if err := p.Files.Append("/var/log/cloud-init.log", line, File(0o640, "")); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 50 { // 800 where each line copies those before it
		t.Errorf("adding %d lines took %d MiB of memory", lines, took)
	}
	if text, err := p.Files.Read("/var/log/cloud-init.log"); err != nil || text != "first\n"+strings.Repeat(line, lines) {
		t.Errorf("the log has %d bytes, %v", len(text), err)
	}
}

// What was added to a file is gone where the file is put anew, or removed: a plan would show text that no boot writes.
func TestPlanAddsToWhatIsThere(t *testing.T) {
	p, _ := Plan(Fake("-- f --\none\n", time.Now()))
	add := func(text, want string) {
		t.Helper()
		if err := p.Files.Append("/f", text, File(0o600, "")); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Files.Read("/f"); err != nil || got != want {
			t.Errorf("after adding %q the file is %q, %v; want %q", text, got, err, want)
		}
	}
	add("two\n", "one\ntwo\n")
	held, _ := p.Files.Read("/f")
	if _, err := p.Files.Put("/f", File(0o600, "new\n")); err != nil {
		t.Fatal(err)
	}
	add("three\n", "new\nthree\n")
	add("four\n", "new\nthree\nfour\n")
	if _, err := p.Files.Remove("/f"); err != nil {
		t.Fatal(err)
	}
	add("five\n", "five\n")
	if held != "one\ntwo\n" {
		t.Errorf("a text that was read before is %q now", held)
	}
}

// What is planned in a folder is listed there, and nowhere above or below.
func TestPlanListsItsOwn(t *testing.T) {
	p, _ := Plan(Fake("-- a/b/old --\n-- ab/c --\n", time.Now()))
	for _, name := range []string{"/a/new", "/a/b/deep", "/ab/d", "/top"} {
		if _, err := p.Files.Put(name, File(0o644, "")); err != nil {
			t.Fatal(err)
		}
	}
	for folder, want := range map[string]string{"/": "a ab top", "/a": "b new", "/a/b": "deep old", "/ab": "c d"} {
		if names, err := p.Files.List(folder); err != nil || strings.Join(names, " ") != want {
			t.Errorf("%s has %q, %v; want %q", folder, names, err, want)
		}
	}
}
