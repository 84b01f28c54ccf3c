// Package command is command lines: commands below commands, their flags and arguments, help, and completion in a shell.
//
// A program is a tree of literals. Flags point to the variables that they set; what a variable holds before is the default.
package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// A Command is one command with all below it. One that has no Run is there for those below it only.
type Command struct {
	Use     string // the name, and how its arguments are written: "query [NAME]"
	Short   string // what it does, in a line without a full stop
	Long    string // what help says in place of Short; may be empty
	Example string // complete lines
	Version string // what --version prints; without it there is no such flag

	Aliases    []string // other names
	Hidden     bool     // help, manual pages and completion do not show it
	Deprecated string   // what to do instead: it is said where the command is used

	Flags    []Flag // of this command alone
	Shared   []Flag // of this command and of all below it
	Args     Args
	Commands []*Command

	// Run does the work, with what is left of the command line when flags are taken out. It may return a Mistake.
	Run func(ctx context.Context, args []string) error

	parent *Command // nil for the root, and until somebody came down from there
	isRaw  bool     // all words that follow are arguments, flags as well
}

// Args says how many arguments a command takes; by itself, none.
type Args struct {
	Least, Most int
	What        string   // what they are, as it follows "takes": "an instance and KEY=VALUE"
	Words       []string // all that they can be; empty: anything
}

// Any is the Most of a command that takes any number of arguments.
const Any = -1

// Name is what the command is called by.
func (c *Command) Name() string {
	name, _, _ := strings.Cut(c.Use, " ")
	return name
}

// path is the command with all above it: "openguest disk".
func (c *Command) path() string {
	if c.parent == nil {
		return c.Name()
	}
	return c.parent.path() + " " + c.Name()
}

// UsageLine is how the command is written, from the name of the program on.
func (c *Command) UsageLine() string {
	line := c.path() + strings.TrimPrefix(c.Use, c.Name())
	if len(c.Options())+len(c.inherited()) > 0 {
		line += " [flags]"
	}
	if c.Run == nil {
		line += " [command]"
	}
	return line
}

// Visible are the commands below this one that are not hidden, by name.
func (c *Command) Visible() (all []*Command) {
	for _, sub := range c.Commands {
		if !sub.Hidden {
			sub.parent = c
			all = append(all, sub)
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Name() < all[j].Name() })
	return all
}

// Find is the command that the words lead to; words that follow it are left alone. It is nil where the first word leads nowhere.
func (c *Command) Find(words ...string) (found *Command) {
	for _, word := range words {
		if c = c.below(word); c == nil {
			break
		}
		found = c
	}
	return found
}

// below is the command of that name, or nil.
func (c *Command) below(name string) *Command {
	for _, sub := range c.Commands {
		if sub.Name() == name || slices.Contains(sub.Aliases, name) {
			sub.parent = c
			return sub
		}
	}
	return nil
}

// Options are the flags of this command that are not hidden, by name, without --help and what it has from above.
func (c *Command) Options() []Flag {
	all := slices.Concat(c.Flags, c.Shared)
	if c.Version != "" {
		all = append(all, Flag{Name: "version", Short: "v", Usage: "print the version"})
	}
	return shown(all)
}

// inherited are the flags that it has from above and that are not hidden, by name.
func (c *Command) inherited() []Flag { return shown(c.fromAbove()) }

func (c *Command) fromAbove() (all []Flag) {
	for up := c.parent; up != nil; up = up.parent {
		all = append(all, up.Shared...)
	}
	return all
}

// A Mistake is an error of who wrote the command line. The exit status for it is 2.
type Mistake struct {
	Command *Command // whose usage to show; Execute fills it in
	Err     error
}

// Error is what is wrong, and what to write instead.
func (m *Mistake) Error() string { return m.Err.Error() }

// Unwrap is the error itself.
func (m *Mistake) Unwrap() error { return m.Err }

// Mistakef is a Mistake with a message.
func Mistakef(format string, args ...any) error { return &Mistake{Err: fmt.Errorf(format, args...)} }

// Choice refuses a word that is none of those that there are; what is the flag or the argument that it is for.
func Choice(what, word string, words ...string) error {
	if slices.Contains(words, word) {
		return nil
	}
	return Mistakef("argument %s: invalid choice: '%s' (choose from '%s')", what, word, strings.Join(words, "', '"))
}

// check refuses too many arguments, too few, and wrong ones.
func (a Args) check(name string, args []string) error {
	what := a.What
	if a.Most == 0 {
		what = "no arguments"
	}
	switch {
	case a.Most != Any && len(args) > a.Most:
		return Mistakef("unrecognized arguments: %s; %s takes %s", strings.Join(args[a.Most:], " "), name, what)
	case len(args) < a.Least:
		return Mistakef("%s takes %s", name, what)
	}
	for _, arg := range args {
		if a.Words == nil {
			break
		}
		if err := Choice(name, arg, a.Words...); err != nil {
			return err
		}
	}
	return nil
}

// asMistake is the Mistake that an error is, or nil.
func asMistake(err error) *Mistake {
	var m *Mistake
	errors.As(err, &m)
	return m
}
