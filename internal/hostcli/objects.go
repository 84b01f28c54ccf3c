package hostcli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"openguest/internal/command"
	"openguest/internal/metadata"
)

// setTries is how often a change is made anew where others change the same object.
const setTries = 20

// setFlags are the arguments of set.
type setFlags struct{ create, remove bool }

func (p *program) setCommand() *command.Command {
	var f setFlags
	return &command.Command{
		Use: "set INSTANCE KEY=VALUE...", Short: "Change an instance, or the project; guests that wait are told", Args: command.Args{Least: 1, Most: command.Any, What: "an instance and KEY=VALUE"},
		Long: "KEY is a field, or FIELD.NAME for one below: attributes.startup-script, nics.0.mtu. VALUE is a text; @FILE is a file's content;\n" +
			"where the field is no text, YAML: tags='[a, b]'. KEY- removes a field. INSTANCE is \"project\" for what all have in common.",
		Example: "openguest-host set web1 attributes.enable-guest-attributes=true user-data=@cloud-config.yaml",
		Flags: []command.Flag{
			command.Bool(&f.create, "create", "", "make the instance where it is not there"),
			command.Bool(&f.remove, "remove", "", "remove the instance"),
		},
		Run: func(ctx context.Context, args []string) error {
			if f.remove {
				return p.client().Delete(ctx, args[0])
			}
			return p.set(ctx, args[0], args[1:], f.create)
		},
	}
}

// set reads the object, changes it and writes it back, anew where somebody else wrote it meanwhile.
func (p *program) set(ctx context.Context, name string, edits []string, create bool) error {
	for try := 1; ; try++ {
		object, revision, err := p.object(ctx, name, create)
		if err != nil {
			return err
		}
		for _, e := range edits {
			if err := edit(object, e); err != nil {
				return err
			}
		}
		value, err := json.Marshal(object)
		if err != nil {
			return err
		}
		err = p.client().Put(ctx, name, value, revision)
		if !errors.Is(err, metadata.ErrChanged) || try == setTries {
			return err
		}
	}
}

func (p *program) object(ctx context.Context, name string, create bool) (map[string]any, int64, error) {
	value, revision, err := p.client().Get(ctx, name)
	if err != nil && create {
		return map[string]any{}, 0, nil // where the server does not answer, the write says so
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%w (--create makes an instance)", err)
	}
	object := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	return object, revision, d.Decode(&object)
}

func (p *program) getCommand() *command.Command {
	written := false
	return &command.Command{
		Use: "get [INSTANCE [KEY]]", Short: "Show an instance, one of its fields, or the names of all", Args: command.Args{Most: 2, What: "at most an instance and a field"},
		Flags: []command.Flag{command.Bool(&written, "written", "", "what the guest said of itself: guest attributes, password")},
		Run:   func(ctx context.Context, args []string) error { return p.get(ctx, args, written) },
	}
}

func (p *program) get(ctx context.Context, args []string, written bool) error {
	if len(args) == 0 {
		names, err := p.client().Instances(ctx)
		for _, n := range names {
			fmt.Fprintln(p.stdout, n)
		}
		return err
	}
	value, _, err := p.client().Get(ctx, args[0])
	if written {
		value, err = p.client().Written(ctx, args[0])
	}
	if err != nil {
		return err
	}
	var object any
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		return err
	}
	if len(args) == 2 {
		if object, err = pick(object, args[1]); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
	}
	return p.show(object)
}

// show prints a text as it is, and anything else as JSON.
func (p *program) show(v any) error {
	if s, ok := v.(string); ok {
		_, err := fmt.Fprintln(p.stdout, strings.TrimSuffix(s, "\n"))
		return err
	}
	e := json.NewEncoder(p.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (p *program) importCommand() *command.Command {
	return &command.Command{
		Use: "import DIR", Short: "Take instances from a folder, all or none", Args: command.Args{Least: 1, Most: 1, What: "a folder"},
		Long: "DIR holds project.yaml and a folder for each instance, with instance.yaml or a NoCloud seed's meta-data, and user-data, vendor-data\n" +
			"and network-config; or it is such a folder itself. docs/metadata-server.md lists the fields.",
		Run: func(ctx context.Context, args []string) error {
			in, err := readFolder(args[0])
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if err := p.client().Import(ctx, in); err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "imported %d instances\n", len(in.Instances))
			return nil
		},
	}
}

// readFolder reads what is to be imported.
func readFolder(name string) (in metadata.Import, err error) {
	full, err := filepath.Abs(name)
	if err != nil {
		return in, err
	}
	info, err := os.Stat(full)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return in, errors.New("there is no such folder")
	case err != nil:
		return in, err
	case !info.IsDir():
		return in, errors.New("it is no folder; import takes the folder that instance.yaml is in, or one above such folders")
	}
	return metadata.ReadImport(os.DirFS(full), filepath.Base(full))
}

// value reads what stands after the equals sign: a file's content, a text, or YAML where the field is none.
func value(key, text string) (any, error) {
	if name, ok := strings.CutPrefix(text, "@"); ok {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("the value of %s cannot be read: %w", key, err)
		}
		return metadata.Blob(data), nil
	}
	if isText(key) {
		return text, nil
	}
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return nil, fmt.Errorf("the value of %s is wrong YAML: %w", key, err)
	}
	return v, nil
}
