package userdata

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"openguest/internal/conf"
)

// Packed data may stand for huge data. These bound what one document may unpack and fetch, in bytes.
const (
	maxUnpacked = 64 << 20  // of one body
	maxGathered = 128 << 20 // of all together
)

// A part is a message that somebody must handle.
type part struct {
	message *message
	name    string
	kind    string
	text    string // decoded and unpacked
	from    source
}

// A source is where a text came from: the document itself, or something that it includes.
type source struct {
	url    string   // that may be shown; empty for the document itself
	chain  []string // the addresses that lead there, one including the next
	damage string   // why it could not be unpacked, where it could not
}

// behind adds the source to a hint.
func (s source) behind(hint string) string {
	switch {
	case s.url == "":
		return hint
	case hint == "":
		return "it was included from " + s.url
	}
	return hint + "; it was included from " + s.url
}

// A collector takes a document apart into its parts: unpacked, decoded, with everything that it includes.
type collector struct {
	ctx      context.Context
	name     string // of the document
	out      Outside
	parts    []*part
	lost     []Part // what is no part because it could not be read
	problems []conf.Problem
	gathered int64 // bytes unpacked and fetched
	fetches  int
	full     bool // whether it was said that there is too much
}

// take takes apart one text: the document, or what was fetched.
func (c *collector) take(text string, from source) error {
	if conf.IsGzip([]byte(head(text, 2))) {
		plain, err := c.unpack(text)
		if err != nil {
			plain, from.damage = text, err.Error()
		}
		text = plain
	}
	if !isMIME(text) {
		blob := newMessage(typeNone, text)
		blob.raw = true
		return c.sort(blob, blob, from)
	}
	base, full := parseMIME(text)
	if full {
		c.overflow()
	}
	return c.walk(base, base, from)
}

// walk sorts the leaves of a message.
func (c *collector) walk(base, m *message, from source) error {
	holds := m.mainType() == "multipart" || m.mainType() == "message"
	switch {
	case !holds:
		return c.sort(base, m, from)
	case m.cut:
		c.lose("message", m.contentType(), from, "a part is nested more than %d deep", maxNesting)
	case len(m.parts) == 0:
		c.lose("message", m.contentType(), from, "the MIME message has no parts: its boundary is missing, or is not the one that its Content-Type names")
	}
	for _, p := range m.parts {
		if err := c.walk(base, p, from); err != nil {
			return err
		}
	}
	return nil
}

// sort finds out what a leaf is, and follows it where it stands for other parts.
func (c *collector) sort(base, m *message, from source) error {
	declared, text := m.contentType(), m.content()
	packed := slices.Contains(packedTypes, declared)
	if packed {
		plain, err := c.unpack(text)
		if err != nil {
			c.lose(cmp.Or(m.filename(), "attachment"), declared, from, "Failed decompressing payload from %s of length %d due to: %v", declared, len(text), err)
			return nil
		}
		m, text, declared = m.repacked(plain), plain, typePlain
	}
	if m.isOpaque() {
		c.problem(conf.Problem{Origin: c.origin(c.nextName()), Level: conf.Warning, Hint: "use base64, or no encoding",
			Message: "the Content-Transfer-Encoding is not known, so that the text is taken as it stands"})
	}
	kind := settle(declared, text)
	if kind != declared || m == base {
		m.replace("Content-Type", kind)
	}
	switch kind {
	case typeInclude, typeIncludeOnce:
		return c.include(text, from)
	case typeArchive:
		c.archive(text, from)
	default:
		c.attach(m, text, from)
	}
	return nil
}

// repacked is the message in which an unpacked text travels on.
func (m *message) repacked(text string) *message {
	plain := newMessage(typePlain, text)
	if name := m.filename(); name != "" {
		plain.setFilename(name)
	}
	if index, ok := m.header("Launch-Index"); ok {
		plain.add("Launch-Index", index)
	}
	return plain
}

// attach makes a message a part, and gives it a name if it has none.
func (c *collector) attach(m *message, text string, from source) {
	if len(c.parts) == maxParts {
		c.overflow()
		return
	}
	if m.filename() == "" {
		m.setFilename(c.nextName())
	}
	p := &part{message: m, name: m.filename(), kind: m.contentType(), text: text, from: from}
	c.parts = append(c.parts, p)
	c.markIndex(p)
}

// markIndex writes the launch-index that a part is for into its header; that of a header counts more than that of a key.
func (c *collector) markIndex(p *part) {
	given, ok := p.message.header("Launch-Index")
	if !ok && p.kind == typeConfig && strings.Contains(p.text, "launch-index") {
		config, _, _ := conf.Parse(p.name, []byte(p.text)) // what is wrong with it is said where it is merged
		if index := config.Get("launch-index"); !index.IsNull() {
			given, ok = index.Text, true
		}
	}
	if !ok {
		return
	}
	index, err := strconv.Atoi(strings.TrimSpace(given))
	if err != nil {
		c.problem(conf.Problem{Origin: c.origin(p.name), Path: "launch-index", Level: conf.Warning,
			Message: "the launch-index is not a whole number"})
		return
	}
	p.message.add("Launch-Index", strconv.Itoa(index))
}

// unpack unpacks gzip data, within the bounds.
func (c *collector) unpack(text string) (string, error) {
	plain, err := conf.Gunzip(text, min(maxUnpacked, max(0, maxGathered-c.gathered)))
	c.gathered += int64(len(plain))
	return plain, err
}

// lose gives the verdict on something that does not become a part.
func (c *collector) lose(name, kind string, from source, format string, args ...any) {
	c.record(name, kind, conf.Problem{Origin: c.origin(name), Message: fmt.Sprintf(format, args...), Hint: from.behind("")})
}

// record is lose for what knows its place.
func (c *collector) record(name, kind string, why conf.Problem) {
	if len(c.lost) == maxParts {
		c.overflow()
		return
	}
	why.Level = conf.Rejected
	c.lost = append(c.lost, Part{Name: name, Type: kind, Outcome: Rejected, Reason: why.Message})
	c.problem(why)
}

// overflow says, once, that there is too much.
func (c *collector) overflow() {
	if !c.full {
		c.full = true
		c.problem(conf.Problem{Origin: conf.Origin{Part: c.name}, Level: conf.Rejected,
			Message: fmt.Sprintf("there are more than %d parts; the rest is left out", maxParts)})
	}
}

func (c *collector) problem(p conf.Problem) { c.problems = append(c.problems, p) }

// nextName is the name of the next part, if it has none.
func (c *collector) nextName() string { return fmt.Sprintf("part-%03d", len(c.parts)+1) }

// origin names a part among those of all documents.
func (c *collector) origin(part string) conf.Origin { return conf.Origin{Part: c.name + " " + part} }
