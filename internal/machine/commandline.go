package machine

import "strings"

// CommandLine is the kernel's command line; in a container it is that of the first process, which is what its host can
// give words to. WSL has a kernel of its own, whose command line its owner writes.
func (f *Facts) CommandLine() string {
	if kind := f.container(); kind == "" || kind == "wsl" {
		return f.line("/proc/cmdline")
	}
	text, _ := f.text("/proc/1/cmdline")
	return strings.ReplaceAll(strings.TrimSuffix(text, "\x00"), "\x00", " ")
}

// KernelArgument is the value of a word NAME=VALUE of the command line, of the last where there are several. A word
// NAME alone has an empty one.
func (f *Facts) KernelArgument(name string) (value string, ok bool) {
	for _, word := range ParseCommandLine(f.CommandLine()) {
		if key, v, _ := strings.Cut(word, "="); key == name {
			value, ok = v, true
		}
	}
	return value, ok
}

// ParseCommandLine cuts a kernel's command line into words, as the kernel does: white space inside double quotes is
// kept, and quotes around a word or around its value are taken away.
func ParseCommandLine(text string) (words []string) {
	quoted, start := false, -1
	for i := 0; i <= len(text); i++ {
		switch {
		case i == len(text) || isSpace(text[i]) && !quoted:
			if start >= 0 {
				words = append(words, unquoteArgument(text[start:i]))
			}
			start = -1
			continue
		case text[i] == '"':
			quoted = !quoted
		}
		if start < 0 {
			start = i
		}
	}
	return words
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func unquoteArgument(word string) string {
	if inside, ok := strings.CutPrefix(word, `"`); ok {
		return strings.TrimSuffix(inside, `"`)
	}
	name, value, ok := strings.Cut(word, "=")
	if inside, quoted := strings.CutPrefix(value, `"`); ok && quoted {
		return name + "=" + strings.TrimSuffix(inside, `"`)
	}
	return word
}
