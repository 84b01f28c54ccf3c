package pack

import (
	"strings"
	"time"

	"openguest/internal/command"
)

// ManPage is the manual page, for section 1, of a command and all commands below it, in the language of man(7).
func ManPage(c *command.Command, version string, built time.Time) []byte {
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
	m.flags(c.Options())
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
func (m *manual) commands(c *command.Command) {
	for _, sub := range c.Visible() {
		if sub.Run != nil {
			_, line, _ := strings.Cut(sub.UsageLine(), " ") // without the program
			m.macro("SS", line)
			m.text(sub.Short + ".")
			m.flags(sub.Options())
		}
		m.commands(sub)
	}
}

func (m *manual) flags(flags []command.Flag) {
	for _, f := range flags {
		name, usage := "--"+f.Name, f.Usage
		if f.Short != "" {
			name = "-" + f.Short + ", " + name
		}
		if f.Kind != "" {
			name += " " + strings.ToUpper(f.Kind)
		}
		if f.Default != "" {
			usage += " (default " + f.Default + ")"
		}
		m.macro("TP")
		m.bold(name)
		m.text(usage)
	}
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
