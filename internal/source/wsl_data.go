package source

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/instance"
)

// wslID is the name that cloud-init has for a system whose Windows gives it none.
const wslID = "iid-datasource-wsl"

// fetchWSL reads what the Windows user, or Ubuntu Pro for WSL, left for this system.
func fetchWSL(_ context.Context, e *Env) (*instance.Instance, error) {
	if e.Machine.Facts.Virtualization() != "wsl" {
		return nil, fmt.Errorf("%w: this is no WSL", ErrAbsent)
	}
	profile, name := windowsProfile(e, windowsDrives(e)), windowsName(e)
	if profile == "" || name == "" {
		return nil, fmt.Errorf("%w: Windows says neither where its user's folder is nor what this system is called, or only one of them", ErrSilent)
	}
	meta, err := wslMeta(e, profile, name)
	if err != nil {
		return nil, err
	}
	in := standard(e, meta)
	in.ID = scalar(meta.Get("instance-id"))
	agent, user := wslPro(e, profile, name, in.ID)
	if user == nil {
		user = wslUser(e, profile)
	}
	if agent == nil && user == nil {
		return nil, fmt.Errorf("%w: there is no user-data for this system below %s", ErrAbsent, profile)
	}
	in.Source, in.Detail, in.Mode = "WSL", "DataSourceWSL", modeNet
	in.Cloud, in.Platform, in.Subplatform = cmp.Or(in.Cloud, "wsl"), "wsl", "unknown"
	in.UserData = wslMerged(agent, user)
	return in, nil
}

// isSameWSL says whether Windows calls the system by the recorded id.
func isSameWSL(_ context.Context, e *Env, last *instance.Instance) bool {
	profile := windowsProfile(e, windowsDrives(e))
	if profile == "" {
		return false
	}
	meta, err := wslMeta(e, profile, windowsName(e))
	return err == nil && last.ID != "" && scalar(meta.Get("instance-id")) == last.ID
}

// Where Ubuntu Pro and the user have their files, below the user's folder.
func wslPlaces(profile string) (pro, own string) {
	return path.Join(profile, ".ubuntupro/.cloud-init"), path.Join(profile, ".cloud-init")
}

// wslMeta is the metadata of the system. What is there must have an id.
func wslMeta(e *Env, profile, name string) (*conf.Value, error) {
	pro, own := wslPlaces(profile)
	for _, folder := range []string{pro, own} {
		file := path.Join(folder, name+".meta-data")
		text, err := e.Machine.Files.Read(file)
		if isMissing(err) {
			continue
		}
		var meta *conf.Value
		if err == nil {
			meta, err = parseMeta(e, file, []byte(text))
		}
		if err == nil && scalar(meta.Get("instance-id")) == "" {
			err = fmt.Errorf("%s has no instance-id", file)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSilent, err)
		}
		return meta, nil
	}
	return conf.Of(map[string]any{"instance-id": wslID}, conf.Origin{}), nil
}

// A wslFile is user-data, and its keys where it is a cloud-config.
type wslFile struct {
	path, text string
	keys       map[string]any
}

// readWSL reads a file; nil where it is not there.
func readWSL(e *Env, name string) *wslFile {
	text, err := e.Machine.Files.Read(name)
	if err != nil {
		if !isMissing(err) {
			e.warn("%v", err)
		}
		return nil
	}
	f := &wslFile{path: name, text: text}
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(text)), "#cloud-config") {
		if config, _, err := conf.Parse(name, []byte(text)); err == nil && config != nil {
			f.keys, _ = plain(config.Data()).(map[string]any)
		}
	}
	return f
}

// landscape is the client's part of a configuration; nil where there is none.
func (f *wslFile) landscape() map[string]any {
	all, _ := f.keys["landscape"].(map[string]any)
	client, _ := all["client"].(map[string]any)
	return client
}

// wslPro are the files of Ubuntu Pro: its agent's, and Landscape's, which stands for the user's own.
func wslPro(e *Env, profile, name, id string) (agent, user *wslFile) {
	if e.Machine.Facts.OSRelease()["ID"] != "ubuntu" {
		return nil, nil
	}
	pro, _ := wslPlaces(profile)
	agent, user = readWSL(e, path.Join(pro, "agent.yaml")), readWSL(e, path.Join(pro, name+".user-data"))
	for _, f := range []*wslFile{agent, user} {
		if f == nil || f.landscape() == nil || id == wslID || !landscapeKnowsRequests(e) {
			continue
		}
		if client := f.landscape(); client["installation_request_id"] == nil {
			client["installation_request_id"] = id
			f.text = "#cloud-config\n" + conf.JSON(f.keys)
		}
	}
	return agent, user
}

// landscapeKnowsRequests says whether Landscape's client can be told by which id it was asked for.
func landscapeKnowsRequests(e *Env) bool {
	text, err := ask(e, "landscape-config", "--help")
	return err == nil && strings.Contains(text, "--installation-request-id")
}

// wslUser is the first of the user's files for this system. Windows does not tell capitals from small letters.
func wslUser(e *Env, profile string) *wslFile {
	_, own := wslPlaces(profile)
	there, _ := e.Machine.Files.List(own)
	for _, wanted := range windowsFiles(e.Machine.Facts, e, profile) {
		for _, name := range there {
			if path.Dir(wanted) == own && strings.EqualFold(path.Base(wanted), name) {
				return readWSL(e, path.Join(own, name))
			}
		}
	}
	return nil
}

// wslMerged is what both files say. The agent's keys take the place of the user's, but for the tags of Landscape's client. Where one
// is no cloud-config, both are included.
func wslMerged(agent, user *wslFile) []byte {
	switch {
	case agent == nil || agent.text == "":
		if user == nil {
			return nil
		}
		return []byte(user.text)
	case user == nil || user.text == "":
		return []byte(agent.text)
	case agent.keys == nil || user.keys == nil:
		return []byte("#include\n" + agent.path + "\n" + user.path + "\n")
	}
	tags := user.landscape()["tags"]
	merged := &wslFile{keys: user.keys}
	for key, value := range agent.keys {
		merged.keys[key] = value
	}
	if client := merged.landscape(); client != nil && tags != nil && tags != "" {
		client["tags"] = tags
	}
	return []byte("#cloud-config\n" + conf.JSON(merged.keys))
}
