package hostcli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// notTexts are the fields whose values are numbers, lists or more; all others are texts.
var notTexts = []string{"number", "ids", "clouds", "tags", "labels", "launch-index", "attributes", "ssh-keys", "network-data", "nics", "disks", "files",
	"service-account", "addresses", "mtu", "ips", "dns", "aliases", "forwarded-ips", "dhcp", "scopes"}

// isText says whether a field's value is a text. What stands below attributes, labels and ids is.
func isText(key string) bool {
	top, name, below := strings.Cut(key, ".")
	if below && (top == "attributes" || top == "labels" || top == "ids") {
		return true
	}
	if below {
		name = name[strings.LastIndexByte(name, '.')+1:]
		_, err := strconv.Atoi(name)
		return err != nil && !slices.Contains(notTexts, name) || err == nil && slices.Contains([]string{"tags", "ssh-keys", "addresses", "clouds"}, top)
	}
	return !slices.Contains(notTexts, key)
}

// edit makes one change: KEY=VALUE, or KEY- to remove.
func edit(object map[string]any, text string) error {
	key, word, ok := strings.Cut(text, "=")
	if !ok {
		name, removes := strings.CutSuffix(text, "-")
		if !removes {
			return fmt.Errorf("%q is neither KEY=VALUE nor KEY-", text)
		}
		return place(object, split(name), nil, true)
	}
	v, err := value(key, word)
	if err != nil {
		return err
	}
	return place(object, split(key), v, false)
}

// split takes a key apart. Names below attributes and labels may have dots of their own.
func split(key string) []string {
	top, name, below := strings.Cut(key, ".")
	if below && (top == "attributes" || top == "labels" || top == "ids") {
		return []string{top, name}
	}
	return strings.Split(key, ".")
}

// place puts a value into a tree of maps and lists, or removes what is there.
func place(at any, path []string, v any, remove bool) error {
	name, last := path[0], len(path) == 1
	switch in := at.(type) {
	case map[string]any:
		switch {
		case last && remove:
			delete(in, name)
			return nil
		case last:
			in[name] = v
			return nil
		case in[name] == nil:
			in[name] = map[string]any{}
		}
		return place(in[name], path[1:], v, remove)
	case []any:
		n, err := strconv.Atoi(name)
		if err != nil || n < 0 || n >= len(in) {
			return fmt.Errorf("%s is no place in a list of %d", name, len(in))
		}
		if last && remove {
			return fmt.Errorf("one place of a list cannot be removed; set the list anew")
		}
		if last {
			in[n] = v
			return nil
		}
		return place(in[n], path[1:], v, remove)
	}
	return fmt.Errorf("there is nothing below %s: it is a value", name)
}

// pick follows a key.
func pick(at any, key string) (any, error) {
	for _, name := range split(key) {
		var found any
		switch in := at.(type) {
		case map[string]any:
			found = in[name]
		case []any:
			if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < len(in) {
				found = in[n]
			}
		}
		if found == nil {
			return nil, fmt.Errorf("%s is not set", key)
		}
		at = found
	}
	return at, nil
}
