package engine

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"unicode"

	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// adopt is the instance that cloud-init left on a machine which it set up: its id, where it was found, and what it was
// given. It is nil where we know of an instance ourselves, or cloud-init did not finish one. What cloud-init remembers
// in its own format only, names and keys of the cloud, is not in it, so a cloud that answers is asked all the same.
func (e *Engine) adopt() *instance.Instance {
	if machine.Exists(e.state.Files, path.Join(OwnState, "instance.json")) {
		return nil
	}
	id := e.leftLine(e.paths.Data("instance-id"))
	in := &instance.Instance{ID: id, Mode: "net", Cloud: "unknown"}
	folder := path.Join(e.paths.Cloud, "instances", in.Folder())
	if !isInstanceID(id) || !machine.Exists(e.state.Files, folder) {
		return nil
	}
	in.Source, in.Detail = sourceLeft(e.leftLine(path.Join(folder, "datasource")))
	in.Platform = strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(in.Source, "Net"), "Local"))
	in.UserData = e.leftData(path.Join(folder, "user-data.txt"))
	in.VendorData = e.leftData(path.Join(folder, "vendor-data.txt"))
	in.VendorData2 = e.leftData(path.Join(folder, "vendor-data2.txt"))
	e.log.Log(module.Info, "cloud-init set this machine up as the instance %s of %s", id, in.Detail)
	return in
}

// adoptRunning is the instance that cloud-init settled on in this very boot, before we took over.
func (e *Engine) adoptRunning() *instance.Instance {
	in := e.adopt()
	if in == nil || e.leftLine(path.Join(e.paths.Run, ".instance-id")) != in.ID {
		return nil
	}
	return in
}

// isInstanceID says whether a text can be the id of an instance: a torn file must not make one.
func isInstanceID(text string) bool {
	return text != "" && len(text) <= 255 && !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}

// sourceLeft reads "DataSourceX: DataSourceX [seed=...]": the source, and how it described itself. One that was asked in the
// local stage has another class there.
func sourceLeft(text string) (class, detail string) {
	class, detail, _ = strings.Cut(text, ": ")
	class = strings.TrimPrefix(class, "DataSource")
	switch {
	case class == "":
		return "None", "DataSourceNone"
	case detail == "":
		detail = "DataSource" + class
	}
	return strings.TrimSuffix(class, "Local"), detail
}

func (e *Engine) leftLine(name string) string { return strings.TrimSpace(string(e.leftData(name))) }

// leftData is a file that cloud-init left, nothing where there is none.
func (e *Engine) leftData(name string) []byte {
	text, err := e.state.Files.Read(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		e.log.Log(module.Warning, "read what cloud-init left: %v", err)
	}
	return []byte(text)
}
