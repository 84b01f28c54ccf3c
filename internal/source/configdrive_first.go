package source

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/instance"
)

// What a config drive of the first version holds.
const (
	firstMeta    = "meta.js"
	firstKeys    = "root/.ssh/authorized_keys"
	firstNetwork = "etc/network/interfaces"
)

// firstVersion is what a drive of the first version says: who uses one put the user-data, the id and the mode into meta.js.
// Without a mode, it is for other programs.
func (d configTree) firstVersion() (*instance.Instance, error) {
	if !d.has(firstMeta) && !d.has(firstKeys) && !d.has(firstNetwork) {
		return nil, ErrAbsent
	}
	bodies, errs := d.read(firstMeta, firstKeys, firstNetwork)
	for _, err := range errs {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %w", ErrSilent, err)
		}
	}
	said := map[string]any{}
	if errs[0] == nil {
		var err error
		if said, err = object(join(d.place, firstMeta), bodies[0]); err != nil {
			return nil, err
		}
	}
	given := conf.Of(said, conf.Origin{Part: join(d.place, firstMeta)})
	id, err := d.firstID(given)
	if err != nil {
		return nil, err
	}
	keys := string(bodies[1])
	if v := given.Get("public-keys"); v != nil {
		keys = scalar(v)
	}
	in := &instance.Instance{ID: id, UserData: []byte(scalar(given.Get("user-data"))), Tree: map[string]any{}}
	in.Metadata = map[string]any{"meta_js": said, "authorized_keys": string(bodies[1]), "network_config": string(bodies[2]),
		"public-keys": keysOfFile(in, keys), "instance-id": id}
	return d.described(in, "1", given.Get("dsmode"), conf.Of(modePass, conf.Origin{})), nil
}

// firstID is the id in meta.js. cloud-init has one for drives without; a machine that was somebody stays that.
func (d configTree) firstID(given *conf.Value) (string, error) {
	const unnamed = "iid-dsconfigdrive"
	id, last := scalar(given.Get("instance-id")), d.e.Last
	switch {
	case id != "":
		return id, nil
	case last != nil && last.Source == "ConfigDrive" && last.ID != unnamed:
		return "", fmt.Errorf("%w: %s has no instance-id, and this machine was %s", ErrSilent, join(d.place, firstMeta), last.ID)
	}
	return unnamed, nil
}

// keysOfFile gives an instance the keys in a file's text, and returns their lines as plain data.
func keysOfFile(in *instance.Instance, text string) (lines []any) {
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && line[0] != '#' {
			lines, in.Keys = append(lines, line), append(in.Keys, instance.Key{Line: line})
		}
	}
	return lines
}
