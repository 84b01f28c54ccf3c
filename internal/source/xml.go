package source

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// xmlText is what stands in an element, or an attribute of it, and where: "Environment/ProvisioningSection/Version". Names are
// without their name spaces; that of an attribute has an @ before it.
type xmlText struct{ path, text string }

// xmlDepth is how deep elements may be in each other: no cloud comes near it.
const xmlDepth = 32

// xmlTexts are all texts of a document, element by element as these end, its attributes before each.
func xmlTexts(where string, body []byte) (all []xmlText, err error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	var open []string
	var texts [][]byte
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(all) > 0 {
			return all, nil
		}
		if err == nil && len(open) > xmlDepth {
			err = errors.New("its elements are too deep in each other")
		}
		if err != nil {
			return nil, fmt.Errorf("%w: read %s: this is no XML: %w", ErrSilent, where, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			open, texts = append(open, token.Name.Local), append(texts, nil)
			for _, a := range token.Attr {
				all = append(all, xmlText{strings.Join(open, "/") + "/@" + a.Name.Local, a.Value})
			}
		case xml.CharData:
			if len(texts) > 0 {
				texts[len(texts)-1] = append(texts[len(texts)-1], token...)
			}
		case xml.EndElement:
			all = append(all, xmlText{strings.Join(open, "/"), string(texts[len(texts)-1])})
			open, texts = open[:len(open)-1], texts[:len(texts)-1]
		}
	}
}

// textsAt are the texts of all elements of a path.
func textsAt(all []xmlText, path string) (texts []string) {
	for _, t := range all {
		if t.path == path {
			texts = append(texts, t.text)
		}
	}
	return texts
}

// elementAt is the text of the first element of a path, without white space around it; empty where there is none.
func elementAt(all []xmlText, path string) string {
	for _, text := range textsAt(all, path) {
		return strings.TrimSpace(text)
	}
	return ""
}

// escapeXML writes a text so that it can stand in an element.
func escapeXML(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
