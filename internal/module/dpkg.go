package module

import "strings"

// failMissing says why packages could not be installed of those that dpkg does not have, and how many they are: one package
// that does not get ready fails the command for all.
func (e *Env) failMissing(some []*wantedPackage, err error) (missing int) {
	installed := e.dpkgInstalled()
	for _, w := range some {
		if version := installed[w.name]; version == "" || w.version != "" && version != w.version {
			w.err = err
			missing++
		}
	}
	return missing
}

// dpkgInstalled are the packages that are installed, with their versions, as dpkg's own file has them. Where it cannot be
// read, there are none.
func (e *Env) dpkgInstalled() map[string]string {
	text, err := e.Machine.Files.Read("/var/lib/dpkg/status")
	if err != nil {
		return nil
	}
	found := map[string]string{}
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		if name, version, ok := parseDpkg(paragraph); ok {
			found[name] = version
		}
	}
	return found
}

// parseDpkg reads a paragraph of dpkg's file; ok says that the package is wholly installed.
func parseDpkg(paragraph string) (name, version string, ok bool) {
	for line := range strings.SplitSeq(paragraph, "\n") {
		switch key, value, _ := strings.Cut(line, ": "); key {
		case "Package":
			name = value
		case "Version":
			version = value
		case "Status":
			ok = strings.HasSuffix(value, " ok installed")
		}
	}
	return name, version, ok && name != ""
}
