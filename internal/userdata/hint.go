package userdata

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"openguest/internal/conf"
	"openguest/internal/spelling"
)

// What a text looks at most at to find out what its author meant.
const hintWindow = 4096

// hintFor says what somebody probably meant by a part that nobody handles. It never quotes what is in the part.
func hintFor(p *part) string {
	if p.from.damage != "" {
		return p.from.damage
	}
	switch p.kind {
	case typeInclude, typeIncludeOnce, typeArchive:
		return "in an archive this is not followed; put it into a MIME message, or make it the document itself"
	case typePlain, typeNone, "application/octet-stream":
		return textHint(p.text)
	case "text/upstart-job":
		return upstartHint
	}
	known := append([]string{typeArchive, typeInclude, typeIncludeOnce, typePlain}, handledTypes...)
	if near := spelling.Nearest(p.kind, known); near != "" {
		return "did you mean the type " + near + "?"
	}
	for _, kind := range known {
		if _, sub, _ := strings.Cut(kind, "/"); strings.HasSuffix(p.kind, strings.TrimPrefix(sub, "x-")) {
			return "did you mean the type " + kind + "?"
		}
	}
	return "no type of part has this name"
}

const (
	upstartHint = "Upstart is not supported any more: write a systemd unit with write_files"
	firstLineIs = "the first line must say what the text is: #cloud-config, #!/bin/sh, …"
)

// textHint says what a text without a known header probably is.
func textHint(text string) string {
	text = head(text, hintWindow)
	for _, guess := range []func(string) string{encodingHint, foreignHint, headerHint, lateHeaderHint, configHint} {
		if hint := guess(text); hint != "" {
			return hint
		}
	}
	return firstLineIs
}

// encodingHint knows texts that are readable only after another step.
func encodingHint(text string) string {
	switch {
	case strings.HasPrefix(text, "\xef\xbb\xbf"):
		return "the text begins with a byte order mark (BOM): save it as UTF-8 without one"
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"), strings.HasPrefix(text, "#\x00"):
		return "the text is in UTF-16: save it as UTF-8"
	case strings.ContainsRune(text, 0):
		return "this is binary data; scripts, configuration, MIME messages and gzip of these are understood"
	case isBase64Of(text):
		return "this is base64 of user-data, which this cloud does not decode: give the text itself"
	}
	return ""
}

// isBase64Of says whether a text is base64 of something that would be understood.
func isBase64Of(text string) bool {
	letters := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
	letters = strings.TrimRight(head(letters, 1024), "=")
	plain, err := base64.RawStdEncoding.DecodeString(letters[:len(letters)&^3])
	return err == nil && (kindOf(string(plain)) != "" || conf.IsGzip(plain) || isMIME(string(plain)))
}

// foreign are beginnings of texts, in lower case, that are for something else.
var foreign = []struct{ start, hint string }{
	{"#upstart-job", upstartHint},
	{"<powershell>", windowsHint}, {"<script>", windowsHint}, {"<persist>", windowsHint}, {"#ps1", windowsHint}, {"rem cmd", windowsHint},
	{"<!doctype html", pageHint}, {"<html", pageHint},
	{"<?xml", "this is XML, and nothing here reads that"},
	{"-----begin", "this is a key or a certificate; put it into the configuration, as ssh_keys or write_files"},
	{"ssh-", "this is a public key; put it into ssh_authorized_keys of a #cloud-config"},
}

const (
	windowsHint = "this is for Windows (EC2Launch or cloudbase-init), and this system is not Windows"
	pageHint    = "this is an HTML page: did a captive portal or the error page of a server answer in its place?"
)

// foreignHint knows texts that are for other programs.
func foreignHint(text string) string {
	start := strings.ToLower(strings.TrimLeftFunc(text, unicode.IsSpace))
	for _, f := range foreign {
		if strings.HasPrefix(start, f.start) {
			return f.hint
		}
	}
	switch {
	case strings.HasPrefix(start, "{") && strings.Contains(start, `"ignition"`), strings.HasPrefix(start, "variant:"):
		return "this is for Ignition, which Fedora CoreOS and Flatcar read"
	case strings.HasPrefix(start, "content-type:"):
		return "a MIME message needs the header MIME-Version: 1.0"
	}
	return ""
}

// headerHint knows headers that are misspelled.
func headerHint(text string) string {
	line, _, _ := strings.Cut(strings.TrimLeftFunc(text, unicode.IsSpace), "\n")
	if near := nearHeader(strings.TrimSpace(line)); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// nearHeader is the header that a line nearly is.
func nearHeader(line string) string {
	if rest, ok := strings.CutPrefix(line, "#"); ok && strings.HasPrefix(strings.TrimLeft(rest, "# \t"), "!") {
		return "#!"
	}
	bare := bareWords(line)
	for _, b := range beginnings {
		if want := bareWords(b.text); want != "" && (bare == want || b.kind == typeTemplate && strings.HasPrefix(bare, want)) {
			return b.text
		}
	}
	if !strings.HasPrefix(line, "#") {
		return ""
	}
	word := strings.ToLower(strings.TrimRight(strings.Fields(line)[0], ":"))
	var headers []string
	for _, b := range beginnings {
		headers = append(headers, b.text)
	}
	return spelling.Nearest(word, headers)
}

// bareWords is a line without what people get wrong: case, blanks and punctuation.
func bareWords(line string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || r >= utf8.RuneSelf {
			return unicode.ToLower(r)
		}
		return -1
	}, head(line, 64))
}

// lateHeaderHint knows texts whose header is not in the first line.
func lateHeaderHint(text string) string {
	for line := range strings.Lines(text) {
		for _, b := range beginnings {
			if strings.HasPrefix(strings.ToLower(line), b.text) {
				return "the line " + b.text + " must be the first; nothing may stand before it, not even a comment or ---"
			}
		}
	}
	return ""
}

// Keys by which a configuration without a header is told, and by which other documents are.
var (
	configKeys = []string{
		"apt", "autoinstall", "bootcmd", "chpasswd", "disable_root", "disk_setup", "final_message", "fqdn", "groups", "growpart", "hostname",
		"keyboard", "locale", "manage_etc_hosts", "mounts", "ntp", "output", "package_reboot_if_required", "package_update", "package_upgrade",
		"packages", "password", "power_state", "preserve_hostname", "runcmd", "ssh_authorized_keys", "ssh_keys", "ssh_pwauth", "swap",
		"timezone", "user", "users", "write_files", "yum_repos",
	}
	networkKeys  = []string{"ethernets", "bonds", "bridges", "vlans", "wifis", "renderer", "network"}
	metadataKeys = []string{"instance-id", "local-hostname", "public-keys"}
)

// configHint knows YAML and JSON without a header.
func configHint(text string) string {
	switch has := topKeys(text); {
	case has(configKeys):
		return "put #cloud-config in the first line"
	case has(networkKeys):
		return "this looks like a network configuration, which is not user-data"
	case has(metadataKeys):
		return "this looks like meta-data, which is not user-data"
	case strings.HasPrefix(strings.TrimSpace(text), "{"):
		return "if this JSON is a configuration, put #cloud-config in a line before it"
	}
	return ""
}

// topKeys finds the keys at the beginning of lines, quoted or not.
func topKeys(text string) func(wanted []string) bool {
	var keys []string
	for line := range strings.Lines(text) {
		key, _, found := strings.Cut(strings.TrimLeft(line, "{ "), ":")
		if found && (line[0] != ' ' || strings.HasPrefix(text, "{")) {
			keys = append(keys, strings.Trim(key, `"' `))
		}
	}
	return func(wanted []string) bool {
		return slices.ContainsFunc(wanted, func(key string) bool { return slices.Contains(keys, key) })
	}
}
