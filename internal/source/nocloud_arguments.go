package source

import (
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// seedArguments reads what stands behind ds=nocloud or ds=nocloud-net in a line of words: KEY=VALUE with semicolons
// between. It is meta-data; nil where no word is for NoCloud. Each value's origin is part.
func seedArguments(line, part string) *conf.Value {
	var arguments string
	mode := ""
	for _, word := range machine.ParseCommandLine(line) {
		value, ok := strings.CutPrefix(word, "ds=")
		name, rest, _ := strings.Cut(value, ";")
		switch {
		case ok && strings.EqualFold(name, "nocloud"):
			arguments, mode = rest, modeLocal
		case ok && strings.EqualFold(name, "nocloud-net"):
			arguments, mode = rest, modeNet
		}
	}
	if mode == "" {
		return nil
	}
	origin := conf.Origin{Part: part}
	meta := &conf.Value{Kind: conf.Map, Origin: origin}
	for pair := range strings.SplitSeq(arguments, ";") {
		if pair == "" {
			continue
		}
		key, text, ok := strings.Cut(pair, "=")
		value := &conf.Value{Kind: conf.String, Text: text, Origin: origin}
		if !ok {
			value = &conf.Value{Kind: conf.Null, Text: "None", Origin: origin}
		}
		meta = with(meta, longKey(key), value)
	}
	return withMode(meta, mode)
}

// longKey is the key that a letter stands for.
func longKey(key string) string {
	switch key {
	case "h":
		return "local-hostname"
	case "i":
		return "instance-id"
	case "s":
		return "seedfrom"
	}
	return key
}

// withMode adds the mode that the arguments imply: that of the address where there is one, else the name's.
func withMode(meta *conf.Value, named string) *conf.Value {
	switch from := scalar(meta.Get("seedfrom")); {
	case from == "":
		return withDefault(meta, "dsmode", named)
	case isRemote(from):
		return withDefault(meta, "dsmode", modeNet)
	case isFile(from):
		return withDefault(meta, "dsmode", modeLocal)
	}
	return meta
}
