package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"openguest/internal/command"
	"openguest/internal/conf"
	"openguest/internal/engine"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// schemaFlags are the arguments of schema.
type schemaFlags struct {
	file, kind, instance    string
	system, annotate, print bool
}

func (p *program) schemaCommand() *command.Command {
	var f schemaFlags
	return &command.Command{Use: "schema", Short: "Check user-data, or print the JSON schema of cloud-config",
		Flags: []command.Flag{
			p.rootFlag(),
			command.Text(&f.file, "config-file", "c", "the file to check; - is the standard input"),
			command.Text(&f.kind, "schema-type", "t", "what the file is: cloud-config or network-config (default cloud-config)").Of("cloud-config", "network-config"),
			command.Text(&f.instance, "instance-data", "i", "the file with the values for a template, in place of instance-data.json"),
			command.Bool(&f.system, "system", "", "check what this machine was given"),
			command.Bool(&f.annotate, "annotate", "", "show the problems in the text"),
			command.Bool(&f.print, "print", "", "print the JSON schema"),
		},
		Run: func(ctx context.Context, _ []string) error {
			switch {
			case f.print:
				return p.printSchema()
			case f.system == (f.file != ""):
				return errors.New("Expected one of --config-file or --system arguments")
			case f.system && f.kind != "":
				fmt.Fprintln(p.stdout, "WARNING: The --schema-type parameter is inapplicable when --system is present")
			}
			return p.schema(ctx, f)
		}}
}

// schema checks one file, or all that the machine was given.
func (p *program) schema(ctx context.Context, f schemaFlags) error {
	m, err := p.machine()
	if err != nil {
		return err
	}
	k := &checker{program: p, ctx: ctx, machine: m, annotate: f.annotate, instance: f.instance}
	documents := []document{{kind: "user-data", shown: f.file, input: given(m, f.file, "")}}
	if f.kind == "network-config" {
		documents[0].kind = f.kind
	}
	if f.system {
		if p.isLive() && os.Geteuid() != 0 {
			return errors.New("Unable to read system userdata or vendordata as non-root user. Try using sudo.")
		}
		documents = systemDocuments(m)
	}
	if len(documents) > 1 {
		k.indent = "  "
		fmt.Fprintf(p.stdout, "Found cloud-config data types: %s\n", strings.Join(kindsOf(documents), ", "))
	}
	var wrong []document
	for i, d := range documents {
		if len(documents) > 1 {
			fmt.Fprintf(p.stdout, "\n%d. %s at %s:\n", i+1, d.kind, d.input.name)
		}
		ok, err := k.check(d)
		if err != nil {
			return err
		}
		if !ok {
			wrong = append(wrong, d)
		}
	}
	if wrong != nil {
		p.status = 1
		fmt.Fprintf(p.stderr, "Error: Invalid schema: %s\n\n", strings.Join(kindsOf(wrong), ", "))
	}
	return nil
}

// A document is one of those that a machine is given.
type document struct {
	kind  string // "user-data", "vendor-data", "vendor2-data" or "network-config"
	shown string // what it is called where it is valid
	input input
}

func kindsOf(all []document) (kinds []string) {
	for _, d := range all {
		kinds = append(kinds, d.kind)
	}
	return kinds
}

// systemDocuments are the files that the last boot left of what the machine was given: of each what came of it, or else
// what it was.
func systemDocuments(m machine.Machine) (all []document) {
	folder := path.Join(engine.Paths(m).Cloud, "instance")
	if link, err := m.Files.Look(folder); err == nil && path.IsAbs(link.Data) {
		folder = link.Data
	}
	for _, d := range []struct{ kind, merged, raw string }{
		{"user-data", "cloud-config.txt", "user-data.txt"},
		{"vendor-data", "vendor-cloud-config.txt", "vendor-data.txt"},
		{"vendor2-data", "vendor2-cloud-config.txt", "vendor-data2.txt"},
		{"network-config", "network-config.json", ""},
	} {
		in := given(m, "", path.Join(folder, d.merged))
		text, err := in.read()
		if raw := given(m, "", path.Join(folder, d.raw)); err == nil && text == "" && d.raw != "" {
			if text, err := raw.read(); err == nil && text != "" {
				in = raw
			}
		}
		if err == nil || d.kind == "user-data" {
			all = append(all, document{d.kind, d.kind, in})
		}
	}
	return all
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
