package source

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// configDrive is the source of machines that OpenStack gives a disk with what its metadata service would say.
func configDrive() *Source {
	return &Source{
		Name: "ConfigDrive",
		Doc: "OpenStack's metadata on a vfat or iso9660 file system labelled config-2, which may be the last partition of a disk, in " +
			"/config-drive, or in the seed folder config_drive. Files that it holds for the machine are written once, with mode 0660.",
		Match: matchConfigDrive,
		Fetch: fetchConfigDrive,
		Check: checkUUID,
	}
}

// matchConfigDrive looks for a folder or a disk. The disk may be one of IBM's, which has a source of its own.
func matchConfigDrive(f *machine.Facts, e *Env) Match {
	if at := configFolder(e); at != "" {
		return Match{Found: true, Why: "the folder " + at}
	}
	if e.looksFor("IBMCloud") {
		if m := isIBM(f, e); m.Found {
			return Match{Why: "the machine is IBMCloud's: " + m.Why}
		}
	}
	return anyOf(label("CONFIG-2", "config-2"))(f, e)
}

// configFolder is the folder of a version with metadata in it; empty where there is none.
func configFolder(e *Env) string {
	seeded := path.Join(e.Seed, "config_drive")
	for _, root := range []string{"/config-drive", seeded} {
		dir := path.Join(root, "openstack")
		versions, _ := e.Machine.Files.List(dir)
		for _, version := range versions {
			known := isVersion(version) || root == seeded && version == "latest" // SoftLayer has no other
			if known && machine.Exists(e.Machine.Files, path.Join(dir, version, "meta_data.json")) {
				return path.Join(dir, version)
			}
		}
	}
	return ""
}

// isVersion says whether a name is a date of OpenStack's metadata, such as 2018-08-27.
func isVersion(name string) bool {
	matched, _ := path.Match("2???-??-??", name)
	return matched
}

// fetchConfigDrive takes the first folder or disk that can be read.
func fetchConfigDrive(_ context.Context, e *Env) (*instance.Instance, error) {
	var broken []error
	for _, dir := range []string{path.Join(e.Seed, "config_drive"), "/config-drive"} {
		in, err := configTree{e, e.Machine.Files, dir, dir}.instance()
		if err == nil {
			return claimed(in, "seed-dir", dir)
		}
		broken = append(broken, noteBroken(e, dir, err)...)
	}
	for _, d := range configDisks(e) {
		in, err := readConfigDisk(e, d)
		if err == nil {
			return claimed(in, "config-disk", d.Path)
		}
		broken = append(broken, noteBroken(e, d.Path, err)...)
	}
	if len(broken) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrSilent, broken[0])
	}
	return nil, ErrAbsent
}

// noteBroken says what is wrong with a drive, if it is one.
func noteBroken(e *Env, place string, err error) []error {
	if errors.Is(err, ErrAbsent) {
		e.debug("%s is no config drive", place)
		return nil
	}
	e.warn("the config drive %s cannot be used: %v", place, err)
	return []error{err}
}

// configDisks are the disks that may be config drives: those with the label, and whole disks that have no other use for
// vfat or iso9660, as the first version of config drives had no label.
func configDisks(e *Env) (disks []machine.Device) {
	all, err := e.Machine.Disks.Labelled()
	if err != nil {
		e.warn("look for config drives: %v", err)
	}
	disks = machine.WithLabel(all, "config-2", "CONFIG-2")
	for _, d := range all {
		isWhole := !machine.Exists(e.Machine.Files, "/sys/class/block/"+path.Base(d.Path)+"/partition")
		isListed := slices.ContainsFunc(disks, func(other machine.Device) bool { return other.Path == d.Path })
		if (d.Type == "vfat" || d.Type == "iso9660") && isWhole && !isListed {
			disks = append(disks, d)
		}
	}
	return disks
}

func readConfigDisk(e *Env, d machine.Device) (*instance.Instance, error) {
	files, unmount, err := e.Machine.Disks.Mount(d)
	if err != nil {
		return nil, fmt.Errorf("its file system cannot be opened: %w", err)
	}
	in, err := configTree{e, files, "", d.Path}.instance()
	if failure := unmount(); failure != nil {
		e.debug("close the file system of %s: %v", d.Path, failure)
	}
	return in, err
}

// A configTree is a config drive that can be read.
type configTree struct {
	e     *Env
	files machine.Files
	dir   string
	place string // for texts
}

// read is what stands in files.
func (d configTree) read(names ...string) (bodies [][]byte, errs []error) {
	for _, name := range names {
		text, err := d.files.Read(path.Join("/", d.dir, name))
		if err != nil {
			err = fmt.Errorf("read %s: %w", join(d.place, name), err)
		}
		bodies, errs = append(bodies, []byte(text)), append(errs, err)
	}
	return bodies, errs
}

// has says whether there is a file.
func (d configTree) has(name string) bool {
	return machine.Exists(d.files, path.Join("/", d.dir, name))
}

// instance is what the drive says, in either version.
func (d configTree) instance() (*instance.Instance, error) {
	versions, _ := d.files.List(path.Join("/", d.dir, "openstack"))
	if !d.has("openstack/" + newestVersion(versions) + "/meta_data.json") {
		return d.firstVersion()
	}
	t := openStackTree{d.e, d.place, d.read}
	in, err := t.instance(versions)
	if err != nil {
		return nil, err
	}
	if in.Files, err = d.injected(in.Metadata["files"]); err != nil {
		return nil, err
	}
	d.interfaces(in)
	in.Tree["ec2_metadata"] = map[string]any{}
	if name := "ec2/latest/meta-data.json"; d.has(name) {
		bodies, errs := d.read(name)
		if m, ok := t.optional(name, bodies[0], errs[0]).(map[string]any); ok {
			in.Tree["ec2_metadata"] = m
		}
	}
	return d.described(in, "2", metaMode(in)), nil
}

// content is what stands in the file that an entry of meta_data.json points to.
func (d configTree) content(entry any) ([]byte, error) {
	m, _ := entry.(map[string]any)
	at, _ := m["content_path"].(string)
	if at = path.Clean("/" + at); at == "/" {
		return nil, fmt.Errorf("%s: an entry of meta_data.json has no content_path", d.place)
	}
	bodies, errs := d.read("openstack" + at)
	return bodies[0], errs[0]
}

// injected are the files that the drive holds for the machine.
func (d configTree) injected(list any) (all []instance.File, err error) {
	items, _ := list.([]any)
	for _, item := range items {
		m, _ := item.(map[string]any)
		name, _ := m["path"].(string)
		if name == "" {
			continue
		}
		content, err := d.content(m)
		switch {
		case isMissing(err):
			d.e.warn("the file %s is not on the config drive; it is left out: %v", name, err)
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrSilent, err)
		default:
			all = append(all, instance.File{Path: path.Clean("/" + name), Content: content})
		}
	}
	return all, nil
}

// interfaces takes the network's description of old drives, a text of /etc/network/interfaces, where there is no other.
func (d configTree) interfaces(in *instance.Instance) {
	entry := in.Metadata["network_config"]
	if entry == nil || in.Network != nil {
		return
	}
	text, err := d.content(entry)
	if err != nil {
		d.e.warn("the network's description is left out: %v", err)
		return
	}
	d.e.deprecated("Eni network configuration in ConfigDrive", "24.3", "29.3", "You can use openstack's network configuration format instead")
	in.Network = &instance.Network{Kind: "eni", Document: text}
}

// described completes an instance that a drive of a version describes.
func (d configTree) described(in *instance.Instance, version string, modes ...*conf.Value) *instance.Instance {
	in.Mode = dsmode(d.e, slices.Insert(modes, 1, d.e.config("ConfigDrive").Get("dsmode"))...)
	in.Source, in.Platform = "ConfigDrive", "configdrive"
	in.Detail = fmt.Sprintf("DataSourceConfigDrive [%s,ver=%s][source=%s]", in.Mode, version, d.place)
	if in.Cloud == "" {
		in.Cloud = "configdrive"
	}
	return in
}

// claimed is an instance that was found in a kind of place, where its owner wants it used.
func claimed(in *instance.Instance, kind, place string) (*instance.Instance, error) {
	if in.Mode == modeDisabled || in.Mode == modePass {
		return nil, fmt.Errorf("%w: the dsmode of %s is %s", ErrAbsent, place, in.Mode)
	}
	in.Subplatform = kind + " (" + place + ")"
	return in, nil
}
