package userdata

import (
	"slices"
	"strings"
	"unicode"
)

// The types of parts that mean something.
const (
	typeConfig      = "text/cloud-config"
	typeArchive     = "text/cloud-config-archive"
	typePatch       = "text/cloud-config-jsonp"
	typeScript      = "text/x-shellscript"
	typePerBoot     = "text/x-shellscript-per-boot"
	typePerInstance = "text/x-shellscript-per-instance"
	typePerOnce     = "text/x-shellscript-per-once"
	typeBoothook    = "text/cloud-boothook"
	typeTemplate    = "text/jinja2"
	typeInclude     = "text/x-include-url"
	typeIncludeOnce = "text/x-include-once-url"
	typeHandler     = "text/part-handler"

	typeNone  = "text/x-not-multipart" // a whole document that does not say what it is
	typePlain = "text/plain"           // a part that does not
)

// beginnings are how texts say what they are, the longest first (cloudinit/handlers/__init__.py, INCLUSION_TYPES_MAP).
var beginnings = []struct{ text, kind string }{
	{"#cloud-config-archive", typeArchive},
	{"#cloud-config-jsonp", typePatch},
	{"## template: jinja", typeTemplate},
	{"#cloud-boothook", typeBoothook},
	{"#include-once", typeIncludeOnce},
	{"#cloud-config", typeConfig},
	{"#part-handler", typeHandler},
	{"#include", typeInclude},
	{"#!", typeScript},
}

// packedTypes are the types of gzip data (cloudinit/user_data.py, DECOMP_TYPES).
var packedTypes = []string{
	"application/gzip", "application/gzip-compressed", "application/gzipped", "application/x-compress",
	"application/x-compressed", "application/x-gunzip", "application/x-gzip", "application/x-gzip-compressed",
}

// handledTypes are those that need no word of ours where the part is empty, since who handles them has one.
var handledTypes = []string{
	typeConfig, typePatch, typeScript, typePerBoot, typePerInstance, typePerOnce, typeBoothook, typeTemplate, typeHandler,
}

func isHandled(kind string) bool { return slices.Contains(handledTypes, kind) }

// kindOf is the type of a text by how it begins, in any case and after any blanks, or nothing.
func kindOf(text string) string {
	start := strings.ToLower(head(strings.TrimLeftFunc(text, unicode.IsSpace), 64))
	for _, b := range beginnings {
		if strings.HasPrefix(start, b.text) {
			return b.kind
		}
	}
	return ""
}

// Kind is the type that a text says it is of by how it begins, such as "text/cloud-config"; empty where it says nothing.
func Kind(text string) string { return kindOf(text) }

// settle is the type of a part: what was declared, or what the text says where the declaration means nothing. Things that
// are no scripts are often declared as such.
func settle(declared, text string) string {
	switch declared {
	case typePlain, typeNone, typeScript:
		if found := kindOf(text); found != "" {
			return found
		}
	}
	return declared
}

// head is the beginning of a text, of no more than n bytes.
func head(text string, n int) string { return text[:min(n, len(text))] }
