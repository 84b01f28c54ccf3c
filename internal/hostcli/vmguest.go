package hostcli

import (
	"fmt"
	"os"
	"path"
	"time"

	"openguest/dist"
	"openguest/internal/cli"
	"openguest/internal/pack"
	"openguest/internal/vm"
)

// InstalledGuest are the files of the guest as its Debian package installs them on a machine, with its stages enabled but without
// documentation. The program is that in the named file.
func InstalledGuest(name string) ([]vm.File, error) {
	program, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the guest's program: %w", err)
	}
	if err := checkProgram(name, program, "amd64"); err != nil {
		return nil, err
	}
	g := &pack.Guest{Program: program, Arch: "amd64", Version: cli.Version, Stands: cli.Compatible, Built: time.Unix(0, 0), Files: dist.Package}
	content, err := g.Deb()
	if err != nil {
		return nil, err
	}
	var files []vm.File
	for _, f := range content.Files {
		if !f.Doc {
			files = append(files, vm.File{Name: f.Name, Mode: f.Mode, Link: f.Link, Data: f.Data})
		}
	}
	for _, unit := range pack.Stages() {
		files = append(files, vm.File{Name: path.Join("/etc/systemd/system/openguest.target.wants", unit), Link: "/usr/lib/systemd/system/" + unit})
	}
	return files, nil
}
