package engine

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// templateVars are the variables of templates: what is known of the instance, secrets too.
func (e *Engine) templateVars() map[string]any {
	text, err := e.state.Files.Read(e.runFile("instance-data-sensitive.json"))
	if err != nil {
		return map[string]any{}
	}
	data, _ := ReadJSON(text)
	known, _ := data.(map[string]any)
	return TemplateVars(known)
}

// TemplateVars are instance-data as templates see it: the keys of v1 at the top too, and names that Jinja would read as
// operations spelled with underscores as well.
func TemplateVars(data map[string]any) map[string]any { return withTop(data, true) }

// QueryData are instance-data as `query` prints it: the keys of v1 at the top too.
func QueryData(data map[string]any) map[string]any { return withTop(data, false) }

// withTop copies what is below v1, v2, … up beside it, at every depth. Where two names clash, the one that sorts last
// wins, as in cloud-init. What is in lists stays as it is.
func withTop(data map[string]any, aliases bool) map[string]any {
	out := make(map[string]any, len(data))
	for _, key := range slices.Sorted(maps.Keys(data)) {
		value := data[key]
		if inner, ok := value.(map[string]any); ok {
			inner = withTop(inner, aliases)
			value = inner
			if isVersion(key) {
				maps.Copy(out, inner)
			}
		}
		out[key] = value
		if alias := Alias(key); aliases && alias != key {
			out[alias] = value
		}
	}
	return out
}

// isVersion says whether a key is "v" and a number.
func isVersion(key string) bool {
	digits, ok := strings.CutPrefix(key, "v")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// Alias is a name as templates can spell it: each operator of Jinja becomes an underscore.
func Alias(name string) string {
	return strings.NewReplacer("//", "_", "**", "_", "==", "_", "!=", "_", ">=", "_", "<=", "_", "+", "_", "-", "_", "/", "_", "*", "_",
		"%", "_", "~", "_", "[", "_", "]", "_", "(", "_", ")", "_", "{", "_", "}", "_", ">", "_", "<", "_", "=", "_", ".", "_", ":", "_",
		"|", "_", ",", "_", ";", "_").Replace(name)
}

// ReadJSON reads plain data as Python's json does: whole numbers stay whole, whatever their size.
func ReadJSON(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var data any
	if err := d.Decode(&data); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the end of the data")
	}
	return numbered(data), nil
}

// numbered is data with each number as what it is.
func numbered(data any) any {
	switch data := data.(type) {
	case json.Number:
		return readNumber(data)
	case map[string]any:
		for key, value := range data {
			data[key] = numbered(value)
		}
	case []any:
		for i, value := range data {
			data[i] = numbered(value)
		}
	}
	return data
}

func readNumber(n json.Number) any {
	if whole, err := n.Int64(); err == nil {
		return whole
	}
	if whole, ok := new(big.Int).SetString(string(n), 10); ok {
		return whole
	}
	f, _ := n.Float64()
	return f
}
