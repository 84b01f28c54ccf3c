package pack

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ManPage is the manual page, for section 1, of a command and all commands below it, in the language of man(7).
func ManPage(c *cobra.Command, version string, built time.Time) []byte {
	var m manual
	m.macro("TH", strings.ToUpper(c.Name()), "1", built.UTC().Format(time.DateOnly), c.Name()+" "+version, "User commands")
	m.macro("SH", "NAME")
	m.text(c.Name() + " - " + lowerFirst(c.Short))
	m.macro("SH", "SYNOPSIS")
	m.bold(c.Name() + " [option...] command [argument...]")
	if c.Long != "" {
		m.macro("SH", "DESCRIPTION")
		m.text(c.Long)
	}
	m.macro("SH", "OPTIONS")
	m.flags(c.NonInheritedFlags())
	m.macro("SH", "COMMANDS")
	m.commands(c)
	m.macro("SH", "SEE ALSO")
	m.text("/usr/share/doc/openguest")
	return []byte(m.String())
}

// A manual is a page as it is written.
type manual struct{ strings.Builder }

func (m *manual) macro(name string, args ...string) {
	m.WriteString("." + name)
	for _, arg := range args {
		m.WriteString(` "` + strings.ReplaceAll(escaped(arg), `"`, `\(dq`) + `"`)
	}
	m.WriteString("\n")
}

func (m *manual) text(text string) {
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		if strings.TrimSpace(line) == "" {
			m.macro("PP")
			continue
		}
		line = escaped(line)
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		m.WriteString(line)
	}
}

func (m *manual) bold(text string) { m.WriteString(`\fB` + escaped(text) + "\\fR\n") }

// commands writes what is below a command, each with its flags.
func (m *manual) commands(c *cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" && sub.Run == nil && sub.RunE == nil {
			continue
		}
		if sub.Runnable() {
			m.macro("SS", strings.TrimPrefix(sub.UseLine(), c.Root().Name()+" "))
			m.text(sub.Short + ".")
			m.flags(sub.NonInheritedFlags())
		}
		m.commands(sub)
	}
}

func (m *manual) flags(set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		value, usage := pflag.UnquoteUsage(f)
		if strings.HasPrefix(value, "string") {
			value = "text"
		}
		if value != "" {
			name += " " + strings.ToUpper(value)
		}
		m.macro("TP")
		m.bold(name)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" {
			usage = fmt.Sprintf("%s (default %s)", usage, f.DefValue)
		}
		m.text(usage)
	})
}

// escaped is a text in which roff sees no sign of its own.
func escaped(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
}

func lowerFirst(text string) string {
	if text == "" {
		return text
	}
	return strings.ToLower(text[:1]) + text[1:]
}
