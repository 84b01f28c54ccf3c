// Package pack writes packages, and says what a package of the guest holds. The same content makes the same bytes, on
// any machine, at any time.
package pack

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// A Package is what a package manager installs.
type Package struct {
	Name        string
	Version     string    // without a revision: "0.1.0"
	Arch        string    // as Go spells it: "amd64", "arm64"
	Summary     string    // one line
	Description string    // paragraphs of plain text, an empty line between two
	Licence     string    // as SPDX spells it
	Maintainer  string    // "Name <address>"
	Built       time.Time // the time of the package and of all its files, to the second

	Depends   []string // a package without which it does not work
	Conflicts []string // packages that it takes the place of
	Provides  []Provision
	Files     []File
	Scripts   map[string]string // maintainer scripts by the names that the kind of package has for them
}

// A Provision is a package that another can stand for.
type Provision struct{ Name, Version string }

// A File is one file of a package. Folders on the way are made by the writers.
type File struct {
	Name   string // absolute
	Mode   uint32 // permissions, as chmod has them; 0 means 0644
	Link   string // where it leads, if it is a symbolic link
	Data   []byte
	Config bool // a person may change it: it is kept when the package is upgraded
	Doc    bool // documentation
}

// sorted are the files in the order of their names. A name twice, or one that is not absolute, is an error.
func (p *Package) sorted() ([]File, error) {
	files := slices.SortedFunc(slices.Values(p.Files), func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	for i, f := range files {
		if !strings.HasPrefix(f.Name, "/") || path.Clean(f.Name) != f.Name {
			return nil, fmt.Errorf("put %q into the package %s: the name is not absolute and clean", f.Name, p.Name)
		}
		if i > 0 && files[i-1].Name == f.Name {
			return nil, fmt.Errorf("put %s into the package %s: it is there already", f.Name, p.Name)
		}
	}
	return files, nil
}

// mode is a file's permissions.
func (f File) mode() uint32 {
	switch {
	case f.Link != "":
		return 0o777
	case f.Mode == 0:
		return 0o644
	}
	return f.Mode
}

// folders are the folders that the files are in, parents first.
func folders(files []File) []string {
	seen := map[string]bool{}
	for _, f := range files {
		for dir := path.Dir(f.Name); dir != "/" && !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
		}
	}
	var all []string
	for dir := range seen {
		all = append(all, dir)
	}
	slices.Sort(all)
	return all
}

// size is how many KiB the files take.
func size(files []File) (kib int) {
	for _, f := range files {
		kib += (len(f.Data) + 1023) / 1024
	}
	return kib
}
