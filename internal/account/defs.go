package account

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"openguest/internal/machine"
)

// number is a setting of login.defs, or what shadow-utils takes where it is not set. As there, 0 in front means octal.
func (t *tables) number(key string, otherwise int) int {
	n, err := strconv.ParseInt(setting(t.textOf("/etc/login.defs", "/usr/etc/login.defs"), key), 0, 64)
	if err != nil {
		return otherwise
	}
	return int(n)
}

// says says whether a setting of login.defs is yes.
func (t *tables) says(key string) bool {
	return strings.EqualFold(setting(t.textOf("/etc/login.defs", "/usr/etc/login.defs"), key), "yes")
}

// setting finds a word in login.defs; the last line that sets it counts.
func setting(text, key string) (value string) {
	for line := range strings.Lines(text) {
		if !strings.Contains(line, key) { // most lines, which need not be cut
			continue
		}
		if words := strings.Fields(line); len(words) > 1 && words[0] == key {
			value = strings.Trim(words[1], `"`)
		}
	}
	return value
}

// preset is a value of /etc/default/useradd, or what useradd takes where it is not set.
func (t *tables) preset(key, otherwise string) string {
	for line := range strings.Lines(t.textOf("/etc/default/useradd", "/usr/etc/default/useradd")) {
		if value, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), key+"="); ok {
			otherwise = value
		}
	}
	return otherwise
}

// textOf is the content of the first of the files that is there.
func (t *tables) textOf(names ...string) string {
	for _, name := range names {
		text, err := t.files.Read(name)
		if err == nil {
			return text
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.fail(err)
		}
	}
	return ""
}

// exists says whether a file is there.
func (t *tables) exists(name string) bool { return machine.Exists(t.files, name) }
