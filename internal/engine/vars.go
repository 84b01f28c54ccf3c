package engine

import (
	"maps"
	"slices"
	"strings"

	"openguest/internal/conf"
)

// templateVars are the variables of templates: what is known of the instance, secrets too.
func (e *Engine) templateVars() map[string]any {
	text, err := e.state.Files.Read(e.runFile("instance-data-sensitive.json"))
	if err != nil {
		return map[string]any{}
	}
	data, _ := conf.ReadJSON([]byte(text))
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
