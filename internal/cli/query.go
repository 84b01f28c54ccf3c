package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"openguest/internal/command"
	"openguest/internal/conf"
	"openguest/internal/engine"
	"openguest/internal/jinja"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// queryFlags are the arguments of query.
type queryFlags struct {
	all, keys                      bool
	format                         string
	instance, userData, vendorData string
}

func (p *program) queryCommand() *command.Command {
	var q queryFlags
	c := &command.Command{Use: "query [NAME]", Short: "Print what is known of this instance", Args: command.Args{Most: 1, What: "at most one name"},
		Flags: []command.Flag{
			p.rootFlag(),
			command.Bool(&q.all, "all", "a", "everything"),
			command.Bool(&q.keys, "list-keys", "l", "the names only"),
			command.Text(&q.format, "format", "f", "a Jinja template to fill in, such as '{{ v1.region }}'"),
			command.Text(&q.instance, "instance-data", "i", "the file to read in place of instance-data.json"),
			command.Text(&q.userData, "user-data", "u", "the file to read in place of user-data.txt"),
			command.Text(&q.vendorData, "vendor-data", "v", "the file to read in place of vendor-data.txt"),
			{Name: "debug", Short: "d", Usage: "accepted"},
		},
	}
	c.Run = func(_ context.Context, args []string) error {
		name := strings.Join(args, "")
		if name == "" && !q.all && !q.keys && q.format == "" {
			fmt.Fprintf(p.stderr, "usage: %s\n", c.UsageLine())
			return errors.New("Expected one of the options: --all, --format, --list-keys or varname")
		}
		m, err := p.machine()
		if err != nil {
			return err
		}
		data, err := p.known(m, q)
		if err != nil {
			return err
		}
		if q.format != "" {
			return p.queryTemplate(data, q.format)
		}
		return p.query(data, name, q.keys)
	}
	return c
}

// known collects what may be asked for. Others than root see what is not sensitive.
func (p *program) known(m machine.Machine, q queryFlags) (map[string]any, error) {
	paths := engine.Paths(m)
	secret, shown := path.Join(paths.Run, "instance-data-sensitive.json"), path.Join(paths.Run, "instance-data.json")
	secrets := p.seesSecrets(m, secret)
	in := given(m, q.instance, shown)
	switch {
	case q.instance != "" || !secrets:
	case machine.Exists(m.Files, secret):
		in = given(m, "", secret)
	default:
		fmt.Fprintf(p.stderr, "WARNING: Missing root-readable %s. Using redacted %s instead.\n", secret, shown)
	}
	known, err := readInstance(in)
	if err != nil {
		return nil, err
	}
	addDocuments(known, m, paths, q, secrets)
	return known, nil
}

// seesSecrets says whether whoever runs the program may see what only root may: on the running system only root, in a
// folder whoever may read the file with the secrets.
func (p *program) seesSecrets(m machine.Machine, file string) bool {
	if p.isLive() {
		return os.Geteuid() == 0
	}
	_, err := m.Files.Read(file)
	return !errors.Is(err, fs.ErrPermission)
}

func readInstance(in input) (map[string]any, error) {
	text, err := in.read()
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("No read permission on '%s'. Try sudo", in.name)
	case err != nil:
		return nil, fmt.Errorf("Missing instance-data file: %s", in.name)
	}
	data, err := conf.ReadJSON([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", in.name, err)
	}
	known, ok := data.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("read %s: it should be a mapping", in.name)
	}
	return known, nil
}

// addDocuments puts what the person and the vendor gave beside the instance, and what came of it.
func addDocuments(known map[string]any, m machine.Machine, paths module.Paths, q queryFlags, secrets bool) {
	user := given(m, q.userData, path.Join(paths.Cloud, "instance/user-data.txt"))
	vendor := given(m, q.vendorData, path.Join(paths.Cloud, "instance/vendor-data.txt"))
	combined := given(m, "", path.Join(paths.Run, "combined-cloud-config.json"))
	if !secrets {
		for key, in := range map[string]input{"userdata": user, "vendordata": vendor, "combined_cloud_config": combined} {
			known[key] = fmt.Sprintf("<%s> file:%s", engine.Redacted, in.name)
		}
		return
	}
	known["userdata"], known["vendordata"] = readable(user), readable(vendor)
	text, _ := combined.read()
	known["combined_cloud_config"], _ = conf.ReadJSON([]byte(text))
}

// readable is a text as it is, gzip's unpacked, and what is no text as base64; nothing where there is no file.
func readable(in input) string {
	data, _ := in.read()
	if utf8.ValidString(data) {
		return data
	}
	if conf.IsGzip([]byte(data)) {
		if text, err := conf.Gunzip(data, 64<<20); err == nil {
			return text
		}
	}
	return base64.StdEncoding.EncodeToString([]byte(data))
}

// query prints the answer, or the names in it.
func (p *program) query(data map[string]any, name string, keys bool) error {
	answer, err := leaf(engine.QueryData(data), name)
	if err != nil {
		return err
	}
	m, isMap := answer.(map[string]any)
	switch {
	case !keys:
		fmt.Fprintln(p.stdout, printed(answer))
	case !isMap:
		return fmt.Errorf("--list-keys provided but '%s' is not a dict", name)
	default:
		fmt.Fprintln(p.stdout, strings.Join(slices.Sorted(maps.Keys(m)), "\n"))
	}
	return nil
}

// printed is a string as it is, and anything else as JSON.
func printed(data any) string {
	if text, ok := data.(string); ok {
		return text
	}
	return conf.JSON(data)
}

// leaf follows a dotted name. A part may be spelled with underscores where the key has other signs.
func leaf(data any, name string) (any, error) {
	if name == "" {
		return data, nil
	}
	walked := ""
	for part := range strings.SplitSeq(name, ".") {
		m, _ := data.(map[string]any)
		key, ok := keyOf(m, part)
		switch {
		case !ok && walked == "":
			return nil, fmt.Errorf("Undefined instance-data key '%s'", name)
		case !ok:
			return nil, fmt.Errorf("instance-data '%s' has no '%s'", walked, part)
		}
		data = m[key]
		walked = strings.TrimPrefix(walked+"."+part, ".")
	}
	return data, nil
}

// keyOf is the key that a part of a name means, of several the first.
func keyOf(m map[string]any, part string) (string, bool) {
	if _, ok := m[part]; ok {
		return part, true
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if engine.Alias(key) == part {
			return key, true
		}
	}
	return "", false
}

func (p *program) queryTemplate(data map[string]any, format string) error {
	result, err := jinja.Render("query command line", format, engine.TemplateVars(data), jinja.Limits{})
	if failed := (*jinja.Error)(nil); errors.As(err, &failed) && failed.Syntax() {
		return fmt.Errorf("Failed to render templated data. Unable to parse Jinja template due to syntax error: %w", err)
	} else if err != nil {
		return fmt.Errorf("Ignoring jinja template for %w", err)
	}
	p.warnMissing("query command line", result.Missing)
	if result.Text == "" {
		p.status = 1
		return nil
	}
	fmt.Fprintln(p.stdout, result.Text)
	return nil
}

// warnMissing says which names of a template nobody knows.
func (p *program) warnMissing(name string, missing []string) {
	if len(missing) > 0 {
		fmt.Fprintf(p.stderr, "WARNING: Could not render jinja template variables in file '%s': '%s'\n", name, strings.Join(missing, "', '"))
	}
}
