package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"openguest/internal/spelling"
)

// A line is a command line that is being read, from the left. The flags that may follow are those of the command that was named last;
// they may stand before and after its arguments.
type line struct {
	command *Command
	flags   []Flag
	left    []string // the words that are still to be read
	args    []string
	ask     string    // "help" or "version", where that was asked for: then nothing else counts
	notes   io.Writer // what is deprecated is said there
}

// Execute does what the words of a command line say. Help, versions and completions go to out, and remarks to notes.
func (c *Command) Execute(ctx context.Context, out, notes io.Writer, words []string) error {
	if len(c.Commands) > 0 {
		c.Commands = slices.Concat(c.Commands, c.completions(out))
	}
	l := &line{left: words, notes: notes}
	l.enter(c)
	err := l.read()
	if err == nil {
		err = l.run(ctx, out)
	}
	if m := asMistake(err); m != nil && m.Command == nil {
		m.Command = l.command
	}
	return err
}

// enter goes on with a command.
func (l *line) enter(c *Command) {
	l.command, l.flags = c, slices.Concat(c.Flags, c.Shared, c.fromAbove())
	l.flags = append(l.flags, Flag{Name: "help", Short: "h", set: l.asks("help")})
	if c.Version != "" {
		l.flags = append(l.flags, Flag{Name: "version", Short: "v", set: l.asks("version")})
	}
	if c.Deprecated != "" {
		fmt.Fprintf(l.notes, "The command %s is deprecated: %s.\n", c.Name(), c.Deprecated)
	}
}

func (l *line) asks(what string) func(string) error {
	return func(string) error {
		l.ask, l.left = what, nil
		return nil
	}
}

// read reads all words.
func (l *line) read() (err error) {
	for len(l.left) > 0 && err == nil {
		word := l.next()
		switch {
		case word == "--":
			l.args, l.left = append(l.args, l.left...), nil
		case strings.HasPrefix(word, "--"):
			err = l.long(word[2:])
		case len(word) > 1 && word[0] == '-':
			err = l.letters(word[1:])
		default:
			err = l.argument(word)
		}
	}
	return err
}

func (l *line) next() (word string) {
	word, l.left = l.left[0], l.left[1:]
	return word
}

// argument takes a word that is no flag: a command, or else an argument.
func (l *line) argument(word string) error {
	if len(l.args) > 0 {
		l.args = append(l.args, word)
		return nil
	}
	if sub := l.command.below(word); sub != nil {
		l.enter(sub)
		if sub.isRaw {
			l.args, l.left = l.left, nil
		}
		return nil
	}
	if len(l.command.Commands) > 0 && l.command.Args.Most == 0 {
		return l.noCommand(word)
	}
	l.args = append(l.args, word)
	return nil
}

// noCommand refuses a word that is no command.
func (l *line) noCommand(word string) error {
	var names []string
	for _, sub := range l.command.Visible() {
		names = append(names, sub.Name())
	}
	if near := meant(word, names); near != "" {
		return Mistakef("there is no command %q; did you mean %s?", word, near)
	}
	return Mistakef("there is no command %q; --help lists them", word)
}

// meant is the name that somebody probably meant, or else one that begins so.
func meant(word string, names []string) string {
	if near := spelling.Nearest(word, names); near != "" {
		return near
	}
	for _, name := range names {
		if strings.HasPrefix(name, word) {
			return name
		}
	}
	return ""
}

// long takes a flag by its name: "name", "name=value".
func (l *line) long(word string) error {
	name, value, hasValue := strings.Cut(word, "=")
	for _, f := range l.flags {
		if f.Name == name {
			return l.give(f, value, hasValue)
		}
	}
	var names []string
	for _, f := range shown(l.flags) {
		names = append(names, f.Name)
	}
	if near := meant(name, names); near != "" {
		return Mistakef("unrecognized arguments: --%s; did you mean --%s?", name, near)
	}
	return Mistakef("unrecognized arguments: --%s; --help lists the flags", name)
}

// letters takes flags by their letters: "x", "xy", "x=value", "xvalue".
func (l *line) letters(word string) error {
	for word != "" {
		f, ok := letter(l.flags, word[:1])
		if !ok {
			return Mistakef("unrecognized arguments: -%s; --help lists the flags", word)
		}
		word = word[1:]
		value, hasValue := strings.CutPrefix(word, "=")
		if f.Kind != "" || hasValue {
			return l.give(f, value, word != "")
		}
		if err := l.give(f, "", false); err != nil {
			return err
		}
	}
	return nil
}

func letter(flags []Flag, short string) (Flag, bool) {
	i := slices.IndexFunc(flags, func(f Flag) bool { return f.Short == short })
	if i < 0 {
		return Flag{}, false
	}
	return flags[i], true
}

// give gives a flag its value: what stood with it, or else the next word.
func (l *line) give(f Flag, value string, hasValue bool) error {
	if f.Deprecated != "" {
		fmt.Fprintf(l.notes, "The --%s flag is deprecated and %s.\n", f.Name, f.Deprecated)
	}
	switch {
	case hasValue:
	case f.Kind == "":
		value = "true"
	case len(l.left) == 0:
		return Mistakef("argument %s: expected one argument", f.dashed())
	default:
		value = l.next()
	}
	return f.give(value)
}

// run does what the line says.
func (l *line) run(ctx context.Context, out io.Writer) error {
	c := l.command
	switch {
	case l.ask == "help":
		c.WriteHelp(out)
		return nil
	case l.ask == "version":
		fmt.Fprintln(out, c.Version)
		return nil
	case c.Run == nil:
		return Mistakef("a command is needed; --help lists them")
	}
	if err := c.Args.check(c.Name(), l.args); err != nil {
		return err
	}
	return c.Run(ctx, l.args)
}
