package cli

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

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

func (p *program) queryCommand() *cobra.Command {
	var q queryFlags
	c := &cobra.Command{Use: "query [NAME]", Short: "Print what is known of this instance", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := strings.Join(args, "")
			if name == "" && !q.all && !q.keys && q.format == "" {
				fmt.Fprintln(p.stderr, "ERROR: Expected one of the options: --all, --format, --list-keys or varname")
				c.Help()
				p.status = 1
				return nil
			}
			m, err := machine.Live()
			if err != nil {
				return err
			}
			data, err := q.read(m)
			if err != nil {
				return err
			}
			return p.query(data, name, q)
		}}
	c.Flags().BoolVarP(&q.all, "all", "a", false, "everything")
	c.Flags().BoolVarP(&q.keys, "list-keys", "l", false, "the names only")
	c.Flags().StringVarP(&q.format, "format", "f", "", "a Jinja template")
	c.Flags().StringVarP(&q.instance, "instance-data", "i", "", "read this in place of instance-data.json")
	c.Flags().StringVarP(&q.userData, "user-data", "u", "", "read this in place of user-data.txt")
	c.Flags().StringVarP(&q.vendorData, "vendor-data", "v", "", "read this in place of vendor-data.txt")
	return c
}

// read collects what may be asked for. Others than root see what is not sensitive.
func (q *queryFlags) read(m machine.Machine) (map[string]any, error) {
	paths, root := engine.Paths(m), os.Geteuid() == 0
	name := first(q.instance, path.Join(paths.Run, "instance-data.json"))
	if root && q.instance == "" {
		name = path.Join(paths.Run, "instance-data-sensitive.json")
	}
	text, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("No read permission on '%s'. Try sudo", name)
	case err != nil:
		return nil, fmt.Errorf("Missing instance-data file: %s", name)
	}
	var data map[string]any
	if err := json.Unmarshal(text, &data); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	q.add(data, paths, root)
	return data, nil
}

// add puts what the person gave beside it.
func (q *queryFlags) add(data map[string]any, paths module.Paths, root bool) {
	files := map[string]string{
		"userdata":              first(q.userData, path.Join(paths.Cloud, "instance/user-data.txt")),
		"vendordata":            first(q.vendorData, path.Join(paths.Cloud, "instance/vendor-data.txt")),
		"combined_cloud_config": path.Join(paths.Run, "combined-cloud-config.json"),
	}
	for key, file := range files {
		text, err := os.ReadFile(file)
		switch {
		case !root:
			data[key] = fmt.Sprintf("<%s> file:%s", engine.Redacted, file)
		case key == "combined_cloud_config":
			var combined any
			json.Unmarshal(text, &combined)
			data[key] = combined
		case err != nil:
			data[key] = ""
		default:
			data[key] = readable(text)
		}
	}
}

// readable is a text as it is, gzip's unpacked, and what is no text as base64.
func readable(data []byte) string {
	if conf.IsGzip(data) {
		if text, err := conf.Gunzip(string(data), 64<<20); err == nil {
			return text
		}
	}
	if !utf8.Valid(data) {
		return base64.StdEncoding.EncodeToString(data)
	}
	return string(data)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// query prints the answer.
func (p *program) query(data map[string]any, name string, q queryFlags) error {
	if q.format != "" {
		return p.queryTemplate(data, q.format)
	}
	withTop := maps.Clone(data)
	if v1, ok := data["v1"].(map[string]any); ok {
		for key, value := range v1 {
			if _, taken := withTop[key]; !taken {
				withTop[key] = value
			}
		}
	}
	answer, err := leaf(withTop, name)
	if err != nil {
		return err
	}
	if !q.keys {
		fmt.Fprintln(p.stdout, printed(answer))
		return nil
	}
	m, ok := answer.(map[string]any)
	if !ok {
		return fmt.Errorf("--list-keys provided but '%s' is not a dict", name)
	}
	fmt.Fprintln(p.stdout, strings.Join(slices.Sorted(maps.Keys(m)), "\n"))
	return nil
}

// printed is a string as it is, and anything else as JSON.
func printed(data any) string {
	if text, ok := data.(string); ok {
		return text
	}
	return conf.JSON(engine.Whole(data))
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

func keyOf(m map[string]any, part string) (string, bool) {
	if _, ok := m[part]; ok {
		return part, true
	}
	for key := range m {
		if engine.Alias(key) == part {
			return key, true
		}
	}
	return "", false
}

func (p *program) queryTemplate(data map[string]any, format string) error {
	result, err := jinja.Render("query command line", format, engine.TemplateVars(data), jinja.Limits{})
	if err != nil {
		return fmt.Errorf("Failed to render templated data. %w", err)
	}
	for _, missing := range result.Missing {
		fmt.Fprintf(p.stderr, "WARNING: Could not render jinja template variables in file 'query command line': '%s'\n", missing)
	}
	if result.Text == "" {
		p.status = 1
		return nil
	}
	fmt.Fprintln(p.stdout, result.Text)
	return nil
}
