package userdata

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"openguest/internal/conf"
	"openguest/test/peer"
)

// A sample is a document that both programs are given.
type sample struct {
	name string
	data string
	vars map[string]any
}

// An answer is what the peer makes of a sample.
type answer struct {
	MIME     []byte
	Parts    [][2]string // type and name
	Written  []written
	Warnings []string
	Error    string
}

type written struct{ Name, Text string }

func (w *written) UnmarshalJSON(data []byte) error {
	var pair [2]string
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	text, err := base64.StdEncoding.DecodeString(pair[1])
	w.Name, w.Text = pair[0], string(text)
	return err
}

// askPeer asks the real cloud-init of a root tree what it makes of the samples.
func askPeer(t *testing.T, samples []sample) []answer {
	t.Helper()
	tree := peer.Tree(t, "usr/bin/cloud-init")
	program, err := os.ReadFile("testdata/oracle.py")
	if err != nil {
		t.Fatal(err)
	}
	type question struct {
		Data []byte         `json:"data"`
		Vars map[string]any `json:"vars"`
	}
	var questions []question
	for _, s := range samples {
		questions = append(questions, question{[]byte(s.data), s.vars})
	}
	in, err := json.Marshal(questions)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("chroot", tree, "python3", "-B", "-c", string(program))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ask the real cloud-init: %v", err)
	}
	var answers []answer
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

var boundaries = regexp.MustCompile(`===============\d+==`)

func blurred(mime []byte) string { return boundaries.ReplaceAllString(string(mime), "BOUNDARY") }

// place is where the peer writes a script, in the words of testdata/oracle.py.
func place(s Script) string {
	switch s.Kind {
	case PerBoot:
		return "/c/scripts/per-boot/" + s.Name
	case PerInstance:
		return "/c/scripts/per-instance/" + s.Name
	case PerOnce:
		return "/c/scripts/per-once/" + s.Name
	case Boothook:
		return "/i/boothooks/" + s.Name
	}
	return "/i/scripts/" + s.Name
}

var ignoredComment = regexp.MustCompile(`(?m)^# Cloud-config part ignored SCHEMA_ERROR: .*\n`) // newer than the peer

// Rows U01-U04, U08, U09, U11, U13, U16, U17, U20, G03-G05: who moves from cloud-init must find the same parts, files and
// complaints.
func TestPeerMakesTheSame(t *testing.T) {
	samples := samples(t)
	for i, peer := range askPeer(t, samples) {
		s := samples[i]
		t.Run(s.name, func(t *testing.T) {
			if peer.Error != "" {
				t.Fatalf("the peer cannot read the sample: %s", peer.Error)
			}
			got, err := Process(context.Background(), Document{Name: "user-data", Data: []byte(s.data)}, Outside{Vars: func() map[string]any { return s.vars }})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, got, peer)
		})
	}
}

func compare(t *testing.T, got Result, peer answer) {
	t.Helper()
	if diff := cmp.Diff(blurred(peer.MIME), blurred(got.MIME)); diff != "" {
		t.Errorf("user-data.txt.i differs from the peer's (-peer +ours):\n%s", diff)
	}
	parts := [][2]string{}
	for _, p := range got.Parts[max(0, len(got.Parts)-len(peer.Parts)):] { // what could not be read comes first, and the peer is silent on it
		parts = append(parts, [2]string{p.Type, p.Name})
	}
	if diff := cmp.Diff(peer.Parts, parts); diff != "" {
		t.Errorf("parts differ (-peer +ours):\n%s", diff)
	}
	var files []written
	for _, s := range got.Scripts {
		files = append(files, written{place(s), s.Text})
	}
	files = append(files, written{"/i/cloud-config.txt", ignoredComment.ReplaceAllString(got.Text, "")})
	if diff := cmp.Diff(remaining(peer.Written), files); diff != "" {
		t.Errorf("files differ (-peer +ours):\n%s", diff)
	}
	rejected := slices.ContainsFunc(got.Problems, func(p conf.Problem) bool { return p.Level == conf.Rejected })
	if warned := len(peer.Warnings) > 0; warned && len(got.Problems) == 0 || rejected && !warned {
		t.Errorf("the peer says %q, we say %v", peer.Warnings, got.Problems)
	}
}

// remaining is what is left of files that were written one over the other. Boothooks ran in between.
func remaining(all []written) (left []written) {
	for i, w := range all {
		over := slices.ContainsFunc(all[i+1:], func(later written) bool { return later.Name == w.Name })
		if !over || strings.HasPrefix(w.Name, "/i/boothooks/") {
			left = append(left, w)
		}
	}
	return left
}

// samples are the documents of testdata/peer, and what does not fit into files there.
func samples(t testing.TB) (all []sample) {
	t.Helper()
	names, err := filepath.Glob("testdata/peer/*")
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]any{
		"v1":          map[string]any{"region": "north", "cloud_name": "acme", "instance_id": "i-1"},
		"ds":          map[string]any{"meta_data": map[string]any{"tags": []any{"a", "b"}}},
		"instance_id": "i-1",
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, sample{path.Base(name), string(text), vars}, sample{"gzip of " + path.Base(name), packed(string(text)), vars})
	}
	config := "#cloud-config\nruncmd: [a]\n"
	return append(all,
		sample{name: "empty"},
		sample{name: "blanks", data: " \n\t\n"},
		sample{name: "CR LF", data: strings.ReplaceAll(config, "\n", "\r\n")},
		sample{name: "script with CR LF", data: "#!/bin/sh\r\necho a\r\necho b\r\n"},
		sample{name: "script with a late CR LF", data: "#!/bin/sh\necho a\r\n"},
		sample{name: "byte order mark", data: "\xef\xbb\xbf" + config},
		sample{name: "binary", data: "\x00\x01\xff\xfe\x80binary\x00"},
		sample{name: "Latin 1 comment", data: "plain text in caf\xe9\n"},
		sample{name: "1 MiB of one byte", data: strings.Repeat("x", 1<<20)},
		sample{name: "1 MiB script", data: "#!/bin/sh\n" + strings.Repeat("# a comment that fills the line\n", 1<<15)},
		sample{name: "no end of line", data: "#!/bin/sh"},
		sample{name: "gzip cut off", data: packed(config)[:20]},
		sample{name: "packed part", data: mimeOf("application/x-gzip", packed(config))},
		sample{name: "packed script", data: mimeOf("application/gzip", packed("#!/bin/sh\necho a\n"))},
		sample{name: "packed nothing", data: mimeOf("application/gzip", packed("what is this"))},
	)
}

// mimeOf is a MIME message with one part in base64.
func mimeOf(kind, data string) string {
	return "Content-Type: multipart/mixed; boundary=\"b\"\nMIME-Version: 1.0\n\n--b\nContent-Type: " + kind +
		"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=\"packed.gz\"\nLaunch-Index: 3\n\n" +
		base64.StdEncoding.EncodeToString([]byte(data)) + "\n--b--\n"
}

func packed(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write([]byte(text))
	w.Close()
	return out.String()
}
