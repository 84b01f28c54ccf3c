// Package userdata takes apart what a cloud gives a machine to do: user-data and vendor-data, packed or plain, one part or a
// MIME message of many, into one configuration and a list of scripts. It reads and writes nothing by itself.
//
// It does what cloud-init does (user_data.py and handlers/ of cloud-init 26), also where that is odd, with these
// exceptions: a part that cannot be unpacked or read costs itself and not the boot, bytes that are not UTF-8 reach scripts
// as they are, #include and nesting are bounded, and no message quotes what is in a part, since it may be secret.
package userdata

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"openguest/internal/conf"
)

// A Document is what the cloud gave under one name.
type Document struct {
	Name        string   // "user-data", "vendor-data" or "vendor-data2"
	Data        []byte   // as the cloud gave it
	LaunchIndex *int     // parts for another index are left out; nil takes all
	Skip        []string // types that the image or the user disabled (disabled_handlers); "*" is every type
}

// Outside is what taking a document apart needs of the world.
type Outside struct {
	// Fetch gets what an #include names. With none, a document that includes something fails.
	Fetch func(ctx context.Context, url string) ([]byte, error)
	// Kept and Keep remember what an #include-once got. Either may be nil.
	Kept func(url string) ([]byte, bool)
	Keep func(url string, body []byte) error
	// Vars are the instance-data for templates, with the aliases that templates may use. It is called at most once, and
	// only if there is a template.
	Vars func() map[string]any
}

// A ScriptKind says when a script runs.
type ScriptKind int

// The kinds of scripts.
const (
	User        ScriptKind = iota // once per instance, at the end of the boot
	PerBoot                       // text/x-shellscript-per-boot
	PerInstance                   // text/x-shellscript-per-instance
	PerOnce                       // text/x-shellscript-per-once
	Boothook                      // at once, before any module, at every boot
)

// A Script is a program of the document.
type Script struct {
	Kind   ScriptKind
	Name   string // safe as the name of a file, and not empty
	Text   string
	Origin string // the part that it came in: "user-data part-001"
}

// An Outcome says how a part ended. The words are those of verdicts.
type Outcome string

// The outcomes.
const (
	Applied  Outcome = "applied"
	Skipped  Outcome = "skipped"
	Rejected Outcome = "rejected"
)

// A Part is the verdict on one part of a document.
type Part struct {
	Name    string // "part-001", or the file name that it came with
	Type    string // "text/cloud-config"
	Outcome Outcome
	Reason  string // why it was not applied
}

// Result is what a document came to.
type Result struct {
	Config   *conf.Value    // of all its cloud-config parts; nil where there is none
	Text     string         // the file cloud-config.txt
	MIME     []byte         // the parts as one MIME message: the file user-data.txt.i
	Scripts  []Script       // in the order of the parts
	Parts    []Part         // every part, in order
	Problems []conf.Problem // what is wrong, in order
}

// Process takes a document apart. It fails only where cloud-init's boot stage does too: if something that the document
// includes cannot be fetched, for then nobody knows what this machine should be. What was found wrong until then is in the
// result also in this case.
func Process(ctx context.Context, d Document, out Outside) (Result, error) {
	c := &collector{ctx: ctx, name: d.Name, out: out}
	err := c.take(string(d.Data), source{})
	if err != nil {
		return Result{Problems: c.problems}, err
	}
	h := &handler{doc: d, out: out}
	h.result.MIME = writeParts(c.parts)
	h.result.Problems = c.problems
	h.result.Parts = c.lost
	for _, p := range c.parts {
		h.handle(p)
	}
	h.result.Config, h.result.Text = h.config.value, h.config.text()
	return h.result, nil
}

// A handler deals with the parts of a document one after another.
type handler struct {
	doc      Document
	out      Outside
	vars     map[string]any
	rendered int // bytes that templates came to
	config   config
	result   Result
	verdict  Part // on the part at hand
}

// handle deals with one part and writes down how it ended.
func (h *handler) handle(p *part) {
	h.verdict = Part{Name: p.name, Type: p.kind, Outcome: Applied}
	if reason := h.skips(p); reason != "" {
		h.skip(reason)
	} else {
		h.dispatch(p, p.kind, p.text)
	}
	h.result.Parts = append(h.result.Parts, h.verdict)
}

// skip says why the part at hand is left out.
func (h *handler) skip(reason string) { h.verdict.Outcome, h.verdict.Reason = Skipped, reason }

// skips says why a part is left out, if it is.
func (h *handler) skips(p *part) string {
	if given, ok := p.message.header("Launch-Index"); ok && h.doc.LaunchIndex != nil {
		index, err := strconv.Atoi(strings.TrimSpace(given))
		if err != nil || index != *h.doc.LaunchIndex {
			return fmt.Sprintf("it is for launch-index %s, and this machine's is %d", given, *h.doc.LaunchIndex)
		}
	}
	if slices.Contains(h.doc.Skip, "*") {
		return h.doc.Name + " is not enabled"
	}
	if slices.Contains(h.doc.Skip, p.kind) {
		return "disabled_handlers has " + p.kind
	}
	if p.text == "" && !isHandled(p.kind) {
		return "it is empty"
	}
	return ""
}

// dispatch deals with a text by its type.
func (h *handler) dispatch(p *part, kind, text string) {
	switch kind {
	case typeConfig:
		h.merge(p, text)
	case typeTemplate:
		h.template(p, text)
	case typeBoothook:
		h.script(p, Boothook, boothook(text))
	case typeScript:
		h.script(p, User, unixLines(text))
	case typePerBoot:
		h.script(p, PerBoot, unixLines(text))
	case typePerInstance:
		h.script(p, PerInstance, unixLines(text))
	case typePerOnce:
		h.script(p, PerOnce, unixLines(text))
	case typePatch:
		h.reject(p, "write it as #cloud-config, with merge_how if it must change what came before",
			"%s is not applied: patches (%s) are not supported yet", p.name, kind)
	case typeHandler:
		h.reject(p, "if it can work as a script, begin it with #!/usr/bin/env python3",
			"%s is not applied: part handlers (%s) are not supported yet", p.name, kind)
	default:
		h.unhandled(p)
	}
}

// refuse says why the part at hand is not applied.
func (h *handler) refuse(problem conf.Problem) {
	problem.Level = conf.Rejected
	h.verdict.Outcome, h.verdict.Reason = Rejected, problem.Message
	h.result.Problems = append(h.result.Problems, problem)
}

// reject refuses the part at hand as a whole.
func (h *handler) reject(p *part, hint, format string, args ...any) {
	h.refuse(conf.Problem{Origin: conf.Origin{Part: h.origin(p)}, Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// warn says what is wrong with a part that is applied all the same.
func (h *handler) warn(p *part, hint, format string, args ...any) {
	h.result.Problems = append(h.result.Problems, conf.Problem{
		Origin: conf.Origin{Part: h.origin(p)}, Level: conf.Warning, Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// origin names a part among those of all documents.
func (h *handler) origin(p *part) string { return h.doc.Name + " " + p.name }

// unhandled says that nobody knows what to do with a part. The words are cloud-init's, up to the content that it quotes.
func (h *handler) unhandled(p *part) {
	what := "unknown content-type"
	if p.kind == typeNone {
		what = "non-multipart"
	}
	h.reject(p, p.from.behind(hintFor(p)), "Unhandled %s (%s) userdata: 'b'%s'...'", what, p.kind, hidden)
}
