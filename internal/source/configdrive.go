package source

import (
	"path"

	"openguest/internal/machine"
)

// configDrive is the source of machines that OpenStack gives a disk with what its metadata service would say.
func configDrive() *Source {
	return &Source{
		Name: "ConfigDrive",
		Doc: "OpenStack's metadata on a vfat or iso9660 file system labelled config-2, which may be the last partition of a disk, in " +
			"/config-drive, or in the seed folder config_drive.",
		Match: matchConfigDrive,
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
