package command

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// WriteHelp writes what a command does, with its flags and the commands below it.
func (c *Command) WriteHelp(w io.Writer) {
	fmt.Fprintf(w, "%s\n\nUsage:\n  %s\n", cmp.Or(c.Long, c.Short), c.UsageLine())
	commands := c.Visible()
	if c.Run != nil && len(commands) > 0 {
		fmt.Fprintf(w, "  %s [command]\n", c.path())
	}
	if len(c.Aliases) > 0 {
		fmt.Fprintf(w, "\nAliases:\n  %s\n", strings.Join(append([]string{c.Name()}, c.Aliases...), ", "))
	}
	if c.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", c.Example)
	}
	writeTable(w, "Available Commands", 11, rowsOf(commands))
	writeTable(w, "Flags", 0, flagRows(append(c.Options(), Flag{Name: "help", Short: "h", Usage: "help for " + c.Name()})))
	writeTable(w, "Global Flags", 0, flagRows(c.inherited()))
	if len(commands) > 0 {
		fmt.Fprintf(w, "\nUse \"%s [command] --help\" for more information about a command.\n", c.path())
	}
}

// A row is a name and what it means.
type row struct{ name, text string }

func rowsOf(commands []*Command) (rows []row) {
	for _, c := range commands {
		rows = append(rows, row{c.Name(), c.Short})
	}
	return rows
}

func flagRows(flags []Flag) (rows []row) {
	for _, f := range shown(flags) {
		name, text := "    --"+f.Name, f.Usage
		if f.Short != "" {
			name = "-" + f.Short + ", --" + f.Name
		}
		if f.Kind != "" {
			name += " " + f.Kind
		}
		if f.Default != "" {
			text += " (default " + f.Default + ")"
		}
		rows = append(rows, row{name + "  ", text})
	}
	return rows
}

// writeTable writes rows below a title, and nothing where there are none.
func writeTable(w io.Writer, title string, width int, rows []row) {
	if rows == nil {
		return
	}
	for _, r := range rows {
		width = max(width, len(r.name))
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	for _, r := range rows {
		fmt.Fprintf(w, "  %-*s %s\n", width, r.name, r.text)
	}
}
