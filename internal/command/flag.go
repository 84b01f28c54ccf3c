package command

import (
	"sort"
	"strconv"
	"strings"
	"time"
)

// A Flag is one flag of a command. Bool, Text, List, Int and Duration make them; one that is only written down is accepted, and does
// nothing.
type Flag struct {
	Name       string   // without its dashes
	Short      string   // one letter, or nothing
	Usage      string   // what it does
	Kind       string   // what its value is: "text", "int", "duration"; empty: it takes none
	Default    string   // as help shows it; empty where there is nothing to show
	Hidden     bool     // help, manual pages and completion do not show it
	Deprecated string   // what follows "is deprecated": it is said where the flag is given
	Words      []string // all that the value can be; empty: anything

	set func(text string) error // an error where the text is no such value; may be nil
}

// Bool is a flag that sets a variable to true.
func Bool(to *bool, name, short, usage string) Flag {
	return Flag{Name: name, Short: short, Usage: usage, set: func(text string) (err error) {
		*to, err = strconv.ParseBool(text)
		return err
	}}
}

// Text is a flag with a text; the last one that is given counts.
func Text(to *string, name, short, usage string) Flag {
	return Flag{Name: name, Short: short, Usage: usage, Kind: "text", Default: *to, set: func(text string) error {
		*to = text
		return nil
	}}
}

// List is a flag that may be given several times. The first one replaces what is there before.
func List(to *[]string, name, short, usage string) Flag {
	isFirst := true
	return Flag{Name: name, Short: short, Usage: usage, Kind: "text", Default: strings.Join(*to, ", "), set: func(text string) error {
		if isFirst {
			*to, isFirst = nil, false
		}
		*to = append(*to, text)
		return nil
	}}
}

// Int is a flag with a whole number.
func Int(to *int, name, short, usage string) Flag {
	f := Flag{Name: name, Short: short, Usage: usage, Kind: "int", set: func(text string) error {
		v, err := strconv.ParseInt(text, 0, strconv.IntSize)
		*to = int(v)
		return err
	}}
	if *to != 0 {
		f.Default = strconv.Itoa(*to)
	}
	return f
}

// Duration is a flag with a time, such as 1500ms or 2s.
func Duration(to *time.Duration, name, short, usage string) Flag {
	f := Flag{Name: name, Short: short, Usage: usage, Kind: "duration", set: func(text string) (err error) {
		*to, err = time.ParseDuration(text)
		return err
	}}
	if *to != 0 {
		f.Default = to.String()
	}
	return f
}

// Of is the flag with all that its value can be.
func (f Flag) Of(words ...string) Flag {
	f.Words = words
	return f
}

// dashed is the flag as it is written: "-f/--file".
func (f Flag) dashed() string {
	if f.Short == "" {
		return "--" + f.Name
	}
	return "-" + f.Short + "/--" + f.Name
}

// give sets the variable.
func (f Flag) give(text string) error {
	if f.Words != nil {
		if err := Choice(f.dashed(), text, f.Words...); err != nil {
			return err
		}
	}
	if f.set == nil || f.set(text) == nil {
		return nil
	}
	switch f.Kind {
	case "":
		return Mistakef("argument %s: invalid choice: '%s' (choose from 'true', 'false')", f.dashed(), text)
	case "duration":
		return Mistakef("argument %s: invalid duration value: '%s'; write it as 1500ms or 2s", f.dashed(), text)
	}
	return Mistakef("argument %s: invalid %s value: '%s'", f.dashed(), f.Kind, text)
}

// shown are the flags that are not hidden, by name.
func shown(flags []Flag) (all []Flag) {
	for _, f := range flags {
		if !f.Hidden {
			all = append(all, f)
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}
