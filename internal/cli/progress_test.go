package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"openguest/internal/engine"
	"openguest/internal/module"
)

// A person sees what changed and what failed, and is not told of what was so already.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	s := &progress{out: &out}
	for _, step := range []engine.Step{
		{Module: "timezone"}, {Module: "timezone", Ended: true, Took: 2 * time.Millisecond, Changes: 1},
		{Module: "locale"}, {Module: "locale", Ended: true},
		{Module: "runcmd", Ended: true, Took: 3 * time.Second, Changes: 2, Err: errors.New("first\nsecond")},
	} {
		s.step(step)
	}
	want := "  timezone                            2ms  1 change\n  runcmd                               3s  2 changes, first ...\n"
	if out.String() != want {
		t.Errorf("shown is\n%swant\n%s", out.String(), want)
	}
}

// The line of the module that runs gives way to what came of it.
func TestProgressOnATerminal(t *testing.T) {
	var out bytes.Buffer
	s := &progress{out: &out, terminal: true}
	s.step(engine.Step{Module: "ssh"})
	s.step(engine.Step{Module: "ssh", Ended: true})
	if got := out.String(); !strings.HasPrefix(got, "  ssh") || !strings.HasSuffix(got, "...\r\x1b[K") {
		t.Errorf("shown is %q", got)
	}
}

// A long list of what went wrong does not push its beginning off the screen, and says where the rest is.
func TestSummary(t *testing.T) {
	var out bytes.Buffer
	s := &progress{out: &out}
	verdicts := []module.Verdict{{Key: "timezone", Verdict: module.Applied}, {Key: "a", Verdict: module.Deferred}}
	for range 20 {
		verdicts = append(verdicts, module.Verdict{Origin: "user-data:1:1", Key: "users", Verdict: module.Rejected, Reason: strings.Repeat("ü", 200)})
	}
	s.summary(verdicts, 1)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) > summaryLines {
		t.Errorf("%d lines", len(lines))
	}
	if lines[0] != "1 applied, 0 unchanged, 0 skipped, 20 rejected, 0 failed, 1 deferred" {
		t.Errorf("the first line is %q", lines[0])
	}
	if last := lines[len(lines)-1]; last != "`openguest why` has the whole list" {
		t.Errorf("the last line is %q", last)
	}
	if !strings.HasSuffix(lines[2], "ü...") || strings.Contains(out.String(), "\ufffd") {
		t.Errorf("a long line is cut as %q", lines[2])
	}
	out.Reset()
	s.summary(verdicts[:1], 1)
	if !strings.Contains(out.String(), "`openguest status --long` says what went wrong") {
		t.Errorf("shown is %q", out.String())
	}
}
