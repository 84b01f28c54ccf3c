package module

import (
	"context"
	"fmt"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/disk"
	"openguest/internal/machine"
)

type resizefsKeys struct {
	Resize conf.Placed[conf.Either[conf.Truth, string]] `key:"resize_rootfs" doc:"true: make the root file system as large as its device; noblock: the same, when everything else in the stage has been done; false: leave it alone."`
}

var resizefs = define(Module{
	Name: "resizefs", Stage: Init, Every: Always,
	Doc: "Makes the root file system as large as its device, at each boot: ext2, ext3, ext4, xfs and btrfs by a call of the kernel, zfs, bcachefs and others by " +
		"their own tool.",
	Examples: []string{"resize_rootfs: false\n", "resize_rootfs: noblock\n"},
}, func(ctx context.Context, e *Env, k *resizefsKeys) error {
	wanted, later := true, false
	switch {
	case len(e.Args) > 0:
		wanted, later = e.resizeWord(k, e.Args[0])
	case k.Resize.Value.A != nil:
		wanted = k.Resize.Value.A.Or(true)
	case k.Resize.Value.B != nil:
		wanted, later = e.resizeWord(k, *k.Resize.Value.B)
	}
	switch {
	case !wanted:
		return Skip("resizing disabled")
	case !e.isRunning():
		return fmt.Errorf("grow the root file system: %w", machine.ErrDeferred)
	case later:
		e.Last(e.resizeRoot)
		return nil
	}
	return e.resizeRoot(ctx)
})

// resizeWord reads a word; one that means nothing means no, as in cloud-init, and that is said.
func (e *Env) resizeWord(k *resizefsKeys, word string) (wanted, later bool) {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "noblock":
		return true, true
	case "true", "yes", "on", "1":
		return true, false
	case "false", "no", "off", "0":
		return false, false
	}
	e.Problem(conf.Problem{Origin: k.Resize.Origin, Path: "resize_rootfs", Level: conf.Rejected, Message: "want true, false or noblock"})
	return false, false
}

// resizeRoot grows what is mounted at /.
func (e *Env) resizeRoot(ctx context.Context) error {
	facts := e.Machine.Facts
	mount := facts.MountOf("/")
	device := facts.MountedOn(mount)
	info := fmt.Sprintf("dev=%s mnt_point=%s path=/", mount.Source, mount.Point)
	switch {
	case mount.Point == "":
		if !facts.IsContainer() {
			e.Warn("Could not determine filesystem type of /")
		}
		return nil
	case mount.Source == "overlayroot":
		return Skip("Not attempting to resize devpath 'overlayroot': " + info)
	case mount.Type != "zfs" && device.Name == "":
		return Skip(fmt.Sprintf("Device '%s' did not exist. cannot resize: %s", mount.Source, info))
	case mount.Type != "zfs" && e.hidden(device) != "":
		return Skip(e.hidden(device))
	}
	e.Debug("resize_info: %s", info)
	result := disk.Grower{Machine: e.Machine}.FileSystem(ctx, mount)
	switch result.Outcome {
	case disk.Failed:
		return fmt.Errorf("Failed to resize filesystem: %w", result.Err)
	case disk.Changed:
		e.Debug("Resized root filesystem (type=%s): %s", mount.Type, result)
	case disk.Skipped:
		e.Warn("Not resizing unknown filesystem type %s for /: %s", mount.Type, result.Reason)
		return Skip(result.Reason)
	}
	return nil
}
