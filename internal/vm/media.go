package vm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// A Medium is a small read-only disk with files: the seeds of NoCloud and of OpenStack's ConfigDrive.
type Medium struct {
	Label string
	Files []File // names are below the medium's root: /user-data
}

// write writes the medium as an ISO 9660 image with Rock Ridge and Joliet names.
func (d *Medium) write(ctx context.Context, name string) error {
	if err := Need("genisoimage"); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(name), "medium-")
	if err != nil {
		return fmt.Errorf("make the medium %s: %w", d.Label, err)
	}
	defer os.RemoveAll(dir)
	for _, f := range d.Files {
		if err := f.place(dir); err != nil {
			return fmt.Errorf("put %s on the medium %s: %w", f.Name, d.Label, err)
		}
	}
	_, err = run(ctx, "genisoimage", "-quiet", "-output", name, "-volid", d.Label, "-joliet", "-rock", dir)
	return err
}
