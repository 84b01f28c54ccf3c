package userdata

import (
	"mime"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// A message is one node of a MIME message, in the model of Python's email package, which cloud-init's files come from.
type message struct {
	headers []field
	body    string     // as it was written, thus perhaps encoded
	raw     bool       // the body came as bytes and not in a MIME message
	parts   []*message // of a multipart/* or message/*
	cut     bool       // what is in it was left out: nested too deep
}

type field struct{ name, value string }

// newMessage is a message of a type, with a body that needs no decoding.
func newMessage(kind, body string) *message {
	return &message{headers: []field{{"Content-Type", kind}, {"MIME-Version", "1.0"}}, body: body}
}

// header is the first value of a header.
func (m *message) header(name string) (string, bool) {
	for _, f := range m.headers {
		if strings.EqualFold(f.name, name) {
			return f.value, true
		}
	}
	return "", false
}

func (m *message) add(name, value string) { m.headers = append(m.headers, field{name, value}) }

// replace puts a header at the end, in place of all that have its name.
func (m *message) replace(name, value string) {
	kept := m.headers[:0]
	for _, f := range m.headers {
		if !strings.EqualFold(f.name, name) {
			kept = append(kept, f)
		}
	}
	m.headers = append(kept, field{name, value})
}

// contentType is the type without parameters, in lower case. One that is missing or malformed is text/plain (RFC 2045, 5.2).
func (m *message) contentType() string {
	value, _ := m.header("Content-Type")
	kind, _, _ := strings.Cut(value, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	if strings.Count(kind, "/") != 1 {
		return typePlain
	}
	return kind
}

func (m *message) mainType() string {
	main, _, _ := strings.Cut(m.contentType(), "/")
	return main
}

// filename is the name that a part came with, or nothing.
func (m *message) filename() string {
	name, ok := m.param("Content-Disposition", "filename")
	if !ok {
		name, _ = m.param("Content-Type", "name")
	}
	return strings.TrimSpace(name)
}

func (m *message) setFilename(name string) {
	value := `filename="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(oneLine(name)) + `"`
	if strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		value = "filename*=utf-8''" + strings.ReplaceAll(url.QueryEscape(oneLine(name)), "+", "%20")
	}
	m.replace("Content-Disposition", "attachment; "+value)
}

// param is a parameter of a header. It takes what people write, "filename=my script.sh" too, and RFC 2231's spellings where
// they are in order.
func (m *message) param(header, key string) (string, bool) {
	value, _ := m.header(header)
	if strings.Contains(value, "*") {
		if _, params, err := mime.ParseMediaType(oneLine(value)); err == nil && params[key] != "" {
			return params[key], true
		}
	}
	for _, p := range splitParams(value)[1:] {
		name, text, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), key) {
			return unquote(strings.TrimSpace(text)), true
		}
	}
	return "", false
}

// splitParams cuts a header's value at the semicolons that are not quoted.
func splitParams(value string) (params []string) {
	quoted, start := false, 0
	for i := range len(value) {
		switch {
		case value[i] == '"' && (i == 0 || value[i-1] != '\\'):
			quoted = !quoted
		case value[i] == ';' && !quoted:
			params = append(params, value[start:i])
			start = i + 1
		}
	}
	return append(params, value[start:])
}

func unquote(text string) string {
	last := len(text) - 1
	switch {
	case last < 1:
	case text[0] == '"' && text[last] == '"':
		return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(text[1:last])
	case text[0] == '<' && text[last] == '>':
		return text[1:last]
	}
	return text
}

// oneLine puts a blank in place of what would end a header's line.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text)
}

// encoding is how the body is encoded, in lower case.
func (m *message) encoding() string {
	encoding, _ := m.header("Content-Transfer-Encoding")
	return strings.ToLower(strings.TrimSpace(encoding))
}

// isOpaque says that the body is encoded in a way that content does not know.
func (m *message) isOpaque() bool {
	return !slices.Contains([]string{"", "7bit", "8bit", "binary", "base64", "quoted-printable"}, m.encoding())
}

// content is the body, decoded. What is wrong with its encoding is left as it is.
func (m *message) content() string {
	text := m.body
	switch m.encoding() {
	case "base64":
		text = decodeBase64(text)
	case "quoted-printable":
		text = decodeQuoted(text)
	}
	if charset, _ := m.param("Content-Type", "charset"); strings.EqualFold(charset, "iso-8859-1") && !utf8.ValidString(text) {
		text = fromLatin(text)
	}
	return text
}
