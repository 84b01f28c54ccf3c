package conf

import "strings"

// maxINI is how many lines of options are read: nobody has more.
const maxINI = 2000

// ParseINI reads a file of sections in brackets with options NAME = VALUE, as Google's instance_configs.cfg is one: a mapping
// of sections, each a mapping of options to texts. Names are in lower case, as they mean the same in any. A later value of an
// option counts. What is no option costs its line.
func ParseINI(part, text string) (*Value, []Problem) {
	root := &Value{Kind: Map, Origin: Origin{part, 1, 1}}
	var section *Value
	var problems []Problem
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		number++
		at := Origin{part, number, 1 + len(line) - len(strings.TrimLeft(line, " \t"))}
		line = strings.TrimSpace(line)
		name, value, isOption := cutOption(line)
		switch {
		case number > maxINI:
			return root, append(problems, Problem{Origin: at, Message: "this and what follows is left out: there are too many lines", Level: Rejected})
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			section = root.open(strings.TrimSpace(line[1:len(line)-1]), at)
		case section == nil:
			problems = append(problems, Problem{Origin: at, Message: "this stands before the first [section]", Level: Rejected})
		case !isOption:
			problems = append(problems, Problem{Origin: at, Message: "this is no option", Hint: "write name = value", Level: Rejected})
		default:
			section.put(name, value, at)
		}
	}
	return root, problems
}

// cutOption takes "name = value" or "name: value" apart. A value may be in quotes.
func cutOption(line string) (name, value string, ok bool) {
	at := strings.IndexAny(line, "=:")
	if at <= 0 {
		return "", "", false
	}
	name, value = strings.TrimSpace(line[:at]), strings.TrimSpace(line[at+1:])
	if n := len(value); n > 1 && strings.ContainsRune(`"'`, rune(value[0])) && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	return name, value, name != ""
}

// open is the section of a name, which is made where there is none.
func (v *Value) open(name string, at Origin) *Value {
	name = strings.ToLower(name)
	if section := v.Get(name); section != nil {
		return section
	}
	section := &Value{Kind: Map, Origin: at}
	v.Pairs = append(v.Pairs, Pair{Key: &Value{Kind: String, Text: name, Origin: at}, Value: section})
	return section
}

// put sets an option.
func (v *Value) put(name, value string, at Origin) {
	name = strings.ToLower(name)
	text := &Value{Kind: String, Text: value, Origin: at}
	for i, pair := range v.Pairs {
		if pair.Key.Text == name {
			v.Pairs[i].Value = text
			return
		}
	}
	v.Pairs = append(v.Pairs, Pair{Key: &Value{Kind: String, Text: name, Origin: at}, Value: text})
}
