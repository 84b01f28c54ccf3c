package metadata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxDocument is the largest YAML document that is imported, in bytes.
const maxDocument = 1 << 20

// seedFiles are the files of an instance's folder that are taken as they are.
var seedFiles = []string{"user-data", "vendor-data", "vendor-data2", "network-config"}

// ReadImport reads a folder: project.yaml, and a folder for each instance with instance.yaml or a NoCloud seed's meta-data, and
// user-data, vendor-data, vendor-data2 and network-config. A folder that holds these itself is one instance, called name.
func ReadImport(dir fs.FS, name string) (Import, error) {
	in := Import{Instances: map[string]json.RawMessage{}}
	project, err := readYAML(dir, "project.yaml")
	if err != nil {
		return in, err
	}
	if project != nil {
		if in.Project, err = document("project.yaml", project, &Project{}); err != nil {
			return in, err
		}
	}
	if isInstance(dir) {
		return in, in.add(dir, name)
	}
	folders, err := fs.ReadDir(dir, ".")
	if err != nil {
		return in, fmt.Errorf("the folder to import cannot be read: %w", err)
	}
	for _, f := range folders {
		sub, err := fs.Sub(dir, f.Name())
		if err == nil && f.IsDir() && isInstance(sub) {
			err = in.add(sub, f.Name())
		}
		if err != nil {
			return in, fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	if project == nil && len(in.Instances) == 0 {
		return in, errors.New("there is nothing to import: neither project.yaml nor a folder with instance.yaml or meta-data")
	}
	return in, nil
}

func isInstance(dir fs.FS) bool {
	for _, name := range []string{"instance.yaml", "meta-data"} {
		if _, err := fs.Stat(dir, name); err == nil {
			return true
		}
	}
	return false
}

// add reads one instance's folder.
func (in Import) add(dir fs.FS, name string) error {
	all, err := readYAML(dir, "instance.yaml")
	if err != nil {
		return err
	}
	if all == nil {
		all = map[string]any{}
	}
	if err := addSeed(dir, all); err != nil {
		return err
	}
	for _, file := range seedFiles {
		data, err := readLimited(dir, file, maxUserData)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		all[file] = Blob(data)
	}
	if all["name"] == nil {
		all["name"] = name
	}
	named, _ := all["name"].(string) // what is no text is refused below
	value, err := document("instance.yaml", all, &Instance{})
	if err != nil {
		return err
	}
	if _, twice := in.Instances[named]; twice {
		return fmt.Errorf("another folder calls itself %s as well; two instances cannot have one name", named)
	}
	in.Instances[named] = value
	return nil
}

// addSeed takes what a NoCloud seed's meta-data says, where instance.yaml does not say it.
func addSeed(dir fs.FS, all map[string]any) error {
	seed, err := readYAML(dir, "meta-data")
	if err != nil {
		return err
	}
	for from, to := range map[string]string{"instance-id": "id", "local-hostname": "hostname", "public-keys": "ssh-keys"} {
		if value, there := seed[from]; there && all[to] == nil {
			all[to] = seedValue(to, value)
		}
	}
	return nil
}

// seedValue turns what a seed may write in several ways into one: a number as an id, keys in a map or as one text.
func seedValue(to string, value any) any {
	if to != "ssh-keys" {
		return fmt.Sprint(value)
	}
	switch keys := value.(type) {
	case string:
		return strings.Split(strings.TrimSpace(keys), "\n")
	case map[string]any:
		list := []any{}
		for _, k := range keys {
			list = append(list, k)
		}
		return list
	}
	return value
}

// document is the JSON of what was read, and its check.
func document(name string, all map[string]any, into any) (json.RawMessage, error) {
	value, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("%s has something that JSON cannot hold: %w", name, err)
	}
	if err := decodeStrict(value, into); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	called, _ := all["name"].(string) // a project has none
	if err := checkObject(called, into); err != nil {
		return nil, err
	}
	return value, nil
}

// readYAML reads a mapping; nil where the file is not there, an empty one where it is empty.
func readYAML(dir fs.FS, name string) (map[string]any, error) {
	data, err := readLimited(dir, name, maxDocument)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := map[string]any{}
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&all); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s is wrong YAML: %w", name, err)
	}
	if all == nil {
		all = map[string]any{}
	}
	return all, nil
}

func readLimited(dir fs.FS, name string, limit int) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was read only
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return data, err
}
