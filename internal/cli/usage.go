package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"openguest/internal/spelling"
)

// A usageError is a mistake on the command line: the status is 2, and the usage is shown, as argparse does.
type usageError struct {
	command *cobra.Command
	err     error
}

func (e usageError) Error() string { return e.err.Error() }

func usageLine(c *cobra.Command) string { return "usage: " + c.UseLine() + "\n" }

// flagError is a mistake in a flag, with what was probably meant.
func flagError(c *cobra.Command, err error) error {
	unknown := (*pflag.NotExistError)(nil)
	if !errors.As(err, &unknown) {
		return usageError{c, err}
	}
	name, hint := "--"+unknown.GetSpecifiedName(), ""
	if unknown.GetSpecifiedShortnames() != "" {
		name = "-" + unknown.GetSpecifiedShortnames()
	} else if near := spelling.Nearest(unknown.GetSpecifiedName(), flagNames(c)); near != "" {
		hint = "; did you mean --" + near + "?"
	}
	return usageError{c, fmt.Errorf("unrecognized arguments: %s%s", name, hint)}
}

func flagNames(c *cobra.Command) (names []string) {
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}

// noCommand refuses a word that is no command, with those that were probably meant.
func noCommand(c *cobra.Command, word string) error {
	hint := ""
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(word); len(near) > 0 {
		hint = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError{c, fmt.Errorf("there is no command %q%s", word, hint)}
}

// noArgs refuses arguments.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{c, fmt.Errorf("unrecognized arguments: %s", strings.Join(args, " "))}
	}
	return nil
}

// atMostOne refuses a second argument.
func atMostOne(c *cobra.Command, args []string) error {
	if len(args) > 1 {
		return noArgs(c, args[1:])
	}
	return nil
}

// oneOf refuses a word that is none of those that a flag takes.
func oneOf(c *cobra.Command, flag, word string, words ...string) error {
	if slices.Contains(words, word) {
		return nil
	}
	return usageError{c, fmt.Errorf("argument %s: invalid choice: '%s' (choose from '%s')", flag, word, strings.Join(words, "', '"))}
}
