package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"openguest/internal/conf"
	"openguest/internal/engine"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// schemaFlags are the arguments of schema.
type schemaFlags struct {
	file, kind                    string
	system, annotate, print, docs bool
}

func (p *program) schemaCommand() *cobra.Command {
	var f schemaFlags
	c := &cobra.Command{Use: "schema", Short: "Check user-data, or print the JSON schema of cloud-config", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case f.print:
				return p.printSchema()
			case f.kind != "cloud-config" && f.kind != "network-config":
				return usageError{c, fmt.Errorf("argument -t/--schema-type: invalid choice: '%s' (choose from 'cloud-config', 'network-config')", f.kind)}
			case f.system == (f.file != ""):
				return usageError{c, errors.New("Expected one of --config-file, --system or --docs arguments")}
			case f.kind == "network-config":
				return errors.New("checking a network-config is not built yet")
			}
			return p.schema(c, f)
		}}
	c.Flags().StringVarP(&f.file, "config-file", "c", "", "the file to check; - is the standard input")
	c.Flags().StringVarP(&f.kind, "schema-type", "t", "cloud-config", "cloud-config or network-config")
	c.Flags().BoolVar(&f.system, "system", false, "check what this machine was given")
	c.Flags().BoolVar(&f.annotate, "annotate", false, "show the problems in the text")
	c.Flags().BoolVar(&f.print, "print", false, "print the JSON schema")
	return c
}

func (p *program) schema(c *cobra.Command, f schemaFlags) error {
	m, err := machine.Live()
	if err != nil {
		return err
	}
	if f.system {
		if err := needRoot("schema --system reads what only root may see and"); err != nil {
			return err
		}
		f.file = path.Join(engine.Paths(m).Cloud, "instance/user-data.txt")
	}
	text, err := readInput(f.file)
	if err != nil {
		return fmt.Errorf("read the file to check: %w", err)
	}
	name := f.file
	if f.system {
		name = "user-data"
	}
	problems, none := engine.Check(c.Context(), m, "user-data", text)
	if f.annotate {
		p.annotate(string(text), problems)
	}
	return p.showCheck(name, problems, none, f.annotate)
}

func readInput(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}

// showCheck prints what tools look for: one line on the standard output, the errors on the other.
func (p *program) showCheck(name string, problems []conf.Problem, none, annotated bool) error {
	var errs, deprecated []string
	for _, problem := range problems {
		line := checkLine(problem)
		if problem.Level == conf.Deprecated {
			deprecated = append(deprecated, line)
		} else {
			errs = append(errs, line)
		}
	}
	if deprecated != nil && !annotated {
		fmt.Fprintf(p.stdout, "Cloud config schema deprecations: %s\n", strings.Join(deprecated, ", "))
	}
	switch {
	case errs != nil:
		fmt.Fprintf(p.stdout, "Invalid user-data %s\n", name)
		p.status = 1
		if !annotated {
			fmt.Fprintf(p.stderr, "Error: Cloud config schema errors: %s\n\n", strings.Join(errs, ", "))
		}
		fmt.Fprintln(p.stderr, "Error: Invalid schema: user-data")
	case none:
		fmt.Fprintf(p.stdout, "Skipping user-data validation. There is no cloud-config in %s.\n", name)
	default:
		fmt.Fprintf(p.stdout, "Valid schema %s\n", name)
	}
	return nil
}

func checkLine(problem conf.Problem) string {
	text := problem.Message
	if problem.Hint != "" {
		text += " (" + problem.Hint + ")"
	}
	if problem.Path != "" {
		text = problem.Path + ": " + text
	}
	if problem.Origin.Line > 0 {
		text = fmt.Sprintf("line %d column %d: %s", problem.Origin.Line, problem.Origin.Col, text)
	}
	return text
}

// annotate prints the text with a mark at each line that has a problem, and the problems below it.
func (p *program) annotate(text string, problems []conf.Problem) {
	marks, footer := map[int][]string{}, map[string][]string{}
	count := map[string]int{}
	for _, problem := range problems {
		kind, title := "E", "Errors"
		if problem.Level == conf.Deprecated {
			kind, title = "D", "Deprecations"
		}
		count[kind]++
		mark := fmt.Sprintf("%s%d", kind, count[kind])
		marks[problem.Origin.Line] = append(marks[problem.Origin.Line], mark)
		footer[title] = append(footer[title], fmt.Sprintf("# %s: %s", mark, checkLine(problem)))
	}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if marks[i+1] != nil {
			line += "\t\t# " + strings.Join(marks[i+1], ",")
		}
		fmt.Fprintln(p.stdout, line)
	}
	for _, title := range []string{"Errors", "Deprecations"} {
		if footer[title] != nil {
			fmt.Fprintf(p.stdout, "\n# %s: -------------\n%s\n", title, strings.Join(footer[title], "\n"))
		}
	}
	fmt.Fprintln(p.stdout)
}

// printSchema prints the JSON schema that the declarations of the modules make.
func (p *program) printSchema() error {
	properties := conf.Schema{}
	for _, m := range module.All() {
		for name, s := range conf.SchemaOf(m.Struct()) {
			properties[name] = s
		}
	}
	e := json.NewEncoder(p.stdout)
	e.SetIndent("", "  ")
	return e.Encode(conf.Schema{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": properties})
}
