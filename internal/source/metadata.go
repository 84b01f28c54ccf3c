package source

import (
	"math"
	"strconv"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/instance"
)

// The modes that a source's data may ask for.
const (
	modeLocal    = "local"
	modeNet      = "net"
	modePass     = "pass" // only files and the network are used, and the source is not
	modeDisabled = "disabled"
)

// standard is the instance that meta-data describes where it uses cloud-init's own names: local-hostname, region,
// availability-zone, cloud-name, launch-index, public-keys.
func standard(e *Env, meta *conf.Value) *instance.Instance {
	data, _ := plain(meta.Data()).(map[string]any)
	if data == nil {
		data = map[string]any{}
	}
	return &instance.Instance{
		Cloud:       strings.ToLower(meta.Get("cloud-name").Str("")),
		Hostname:    scalar(meta.Get("local-hostname")),
		Region:      scalar(meta.Get("region")),
		Zone:        zoneOf(meta),
		LaunchIndex: indexOf(meta.Get("launch-index")),
		Keys:        keysOf(e, meta.Get("public-keys")),
		Metadata:    data,
	}
}

// zoneOf is the availability zone, in one of the three places where clouds put it.
func zoneOf(meta *conf.Value) string {
	for _, at := range [][]string{{"availability-zone"}, {"availability_zone"}, {"placement", "availability-zone"}} {
		if zone := scalar(meta.At(at...)); zone != "" {
			return zone
		}
	}
	return ""
}

// scalar is the text of a value that is no list and no mapping; null is nothing.
func scalar(v *conf.Value) string {
	if v.IsNull() || v.Kind == conf.List || v.Kind == conf.Map {
		return ""
	}
	return v.Text
}

// indexOf reads a launch index, which may be written as a text.
func indexOf(v *conf.Value) *int {
	n, err := strconv.Atoi(strings.TrimSpace(scalar(v)))
	if err != nil {
		return nil
	}
	return &n
}

// keysOf reads public keys in each form that clouds give them: a text with a line for each, a list, or a mapping from
// names to either.
func keysOf(e *Env, v *conf.Value) (keys []instance.Key) {
	switch {
	case v.IsNull():
	case v.Kind == conf.String:
		for line := range strings.Lines(v.Text) {
			keys = append(keys, instance.Key{Line: strings.TrimRight(line, "\r\n")})
		}
	case v.Kind == conf.List:
		return keyList(e, v)
	case v.Kind == conf.Map:
		for _, p := range v.Pairs {
			for _, key := range keyList(e, p.Value) {
				if key.Line != "" {
					keys = append(keys, key)
				}
			}
		}
	}
	return keys
}

// keyList reads a key or a list of keys.
func keyList(e *Env, v *conf.Value) (keys []instance.Key) {
	items := v.Items
	if v.Kind != conf.List {
		items = []*conf.Value{v}
	}
	for _, item := range items {
		switch item.Kind {
		case conf.Null:
		case conf.List, conf.Map:
			e.warn("%s: a public key should be a text, but is %v; it is left out", item.Origin, item.Kind)
		default:
			keys = append(keys, instance.Key{Line: item.Text})
		}
	}
	return keys
}

// textOf is a text in the configuration, as the raw data that it stands for.
func textOf(e *Env, v *conf.Value, name string) string {
	if !v.IsNull() && (v.Kind == conf.List || v.Kind == conf.Map) {
		e.warn("%s: %s should be a text, but is %v; put a | behind the key and indent what follows", v.Origin, name, v.Kind)
		return ""
	}
	return scalar(v)
}

// plain is data that JSON can hold: it has no infinity and no "not a number".
func plain(data any) any {
	switch data := data.(type) {
	case map[string]any:
		for key, value := range data {
			data[key] = plain(value)
		}
	case []any:
		for i, item := range data {
			data[i] = plain(item)
		}
	case float64:
		if math.IsNaN(data) || math.IsInf(data, 0) {
			return strconv.FormatFloat(data, 'g', -1, 64)
		}
	}
	return data
}
