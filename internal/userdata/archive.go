package userdata

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"openguest/internal/conf"
)

// archive takes apart a list of parts that is written in YAML.
func (c *collector) archive(text string, from source) {
	const name = "archive"
	list, problems, err := conf.Parse(c.name+" "+name, []byte(text))
	c.problems = append(c.problems, problems...)
	if err != nil || !list.IsNull() && list.Kind != conf.List {
		c.badArchive(name, list, err)
		return
	}
	if list.IsNull() {
		return
	}
	for i, item := range list.Items {
		m, text, err := archived(item)
		if err != nil {
			index := fmt.Sprintf("[%d]", i)
			c.record(name+index, typeArchive, conf.Problem{Origin: item.Origin, Path: index, Message: err.Error()})
			continue
		}
		c.attach(m, text, from)
	}
}

// badArchive says that an archive is none.
func (c *collector) badArchive(name string, list *conf.Value, err error) {
	p := conf.Problem{Origin: c.origin(name)}
	if err != nil {
		errors.As(err, &p)
		p.Message = "the archive cannot be read: " + problemText(err)
	} else {
		p.Message = "the archive should be a list of parts, but is " + list.Kind.String()
	}
	c.record(name, typeArchive, p)
}

// archived is an item of an archive as a message, and its text. An item is a text, or a mapping with the text as content.
func archived(item *conf.Value) (m *message, text string, err error) {
	content, kind := item, ""
	if item.Kind == conf.Map {
		content = item.Get("content")
		kind = item.Get("type").Str("")
	}
	switch {
	case content == nil:
	case content.Kind == conf.String || content.Kind == conf.Bytes:
		text = content.Text
	default:
		return nil, "", fmt.Errorf("the content of a part should be a string, but is %s", content.Kind)
	}
	if kind == "" {
		kind = archivedKind(content, text)
	}
	main, _, found := strings.Cut(oneLine(kind), "/")
	if !found || strings.EqualFold(main, "multipart") {
		return nil, "", errors.New("the type of a part in an archive should be one such as text/cloud-config")
	}
	m = newMessage(oneLine(kind), text)
	m.raw = content != nil && content.Kind == conf.Bytes
	if main == "text" {
		m.asText()
	}
	if item.Kind == conf.Map {
		m.label(item)
	}
	return m, text, nil
}

// archivedKind is the type of a part that does not declare one.
func archivedKind(content *conf.Value, text string) string {
	if found := kindOf(text); found != "" {
		return found
	}
	if content != nil && content.Kind == conf.Bytes {
		return "application/octet-stream"
	}
	return typeConfig
}

// asText declares the character set of a text, and encodes one that is not ASCII, as Python's MIMEText does.
func (m *message) asText() {
	charset, encoding := "us-ascii", "7bit"
	if strings.ContainsFunc(m.body, func(r rune) bool { return r >= utf8.RuneSelf }) {
		charset, encoding = "utf-8", "base64"
		m.body = encodeBase64(m.body)
	}
	m.raw = false
	m.headers[0].value += `; charset="` + charset + `"`
	m.add("Content-Transfer-Encoding", encoding)
}

// encodeBase64 writes base64 in lines of 76 letters.
func encodeBase64(text string) string {
	var out strings.Builder
	for line := range slices.Chunk([]byte(text), 57) {
		out.WriteString(base64.StdEncoding.EncodeToString(line) + "\n")
	}
	return out.String()
}

// label gives a message the headers that an archive has for it.
func (m *message) label(item *conf.Value) {
	if name := item.Get("filename"); name != nil {
		m.setFilename(name.Text)
	}
	if index := item.Get("launch-index"); index != nil {
		m.add("Launch-Index", oneLine(index.Text))
	}
	for _, pair := range item.Pairs {
		switch name := pair.Key.Text; strings.ToLower(name) {
		case "content", "filename", "type", "launch-index", "content-disposition", "number-attachments", "content-type":
		default:
			m.add(oneLine(name), oneLine(pair.Value.Text))
		}
	}
}
