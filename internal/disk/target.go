package disk

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"openguest/internal/machine"
)

// A Target is what a person names to be grown.
type Target struct {
	Name   string
	Device machine.BlockDevice // no name: a partition of an image
	Mount  machine.Mount       // no point: its file system is not mounted
	Image  string              // the image's file
	Number int                 // of the partition in the image
}

// Target finds what a name means: a mount point, a device below /dev, or IMAGE:NUMBER for a partition of an image.
func (g Grower) Target(name string) (t Target, err error) {
	t.Name = name
	image, number, _ := strings.Cut(name, ":")
	if n, err := strconv.Atoi(number); err == nil && !strings.HasPrefix(name, "/dev/") {
		t.Image, t.Number = image, n
		return t, nil
	}
	if strings.HasPrefix(name, "/dev/") {
		if t.Device = g.Facts.BlockDevice(name); t.Device.Name == "" {
			return t, fmt.Errorf("there is no device %s", name)
		}
		t.Mount = g.mountOn(t.Device)
		return t, nil
	}
	t.Mount = g.Facts.MountOf(name)
	if t.Mount.Point == "" || name != t.Mount.Point {
		return t, fmt.Errorf("nothing is mounted at %s; name a mount point, a device below /dev, or IMAGE:NUMBER", name)
	}
	if t.Device = g.Facts.MountedOn(t.Mount); t.Device.Name == "" && t.Mount.Type != "zfs" {
		return t, fmt.Errorf("%s is mounted from %s, which is no disk of this machine", name, t.Mount.Source)
	}
	return t, nil
}

// mountOn is a mount that stands on a device, directly or through device mapper.
func (g Grower) mountOn(device machine.BlockDevice) machine.Mount {
	for _, m := range g.Facts.Mounts() {
		on := g.Facts.MountedOn(m)
		for range 5 {
			if on.Name == device.Name {
				return m
			}
			below := g.Facts.Below(on)
			if on.Mapped == "" || len(below) == 0 {
				break
			}
			on = below[0]
		}
	}
	return machine.Mount{}
}

// Disk is the path of the disk or the image that a target is on, and the number of its partition. The path is empty where it
// is on none.
func (g Grower) Disk(t Target) (path string, number int) {
	if t.Image != "" {
		return t.Image, t.Number
	}
	on := t.Device
	for range 5 {
		if on.Partition > 0 {
			return machine.BlockDevice{Name: on.Parent}.Path(), on.Partition
		}
		below := g.Facts.Below(on)
		if len(below) == 0 {
			break
		}
		on = below[0]
	}
	return "", 0
}

// Grow grows a target: what it stands on, then its file system.
func (g Grower) Grow(ctx context.Context, t Target) (results []Result) {
	if t.Image != "" {
		return []Result{g.Image(t.Image, t.Number)}
	}
	if t.Device.Name != "" { // a pool of zfs is on disks that only zfs knows
		results = g.Device(ctx, t.Device)
	}
	for _, r := range results {
		switch {
		case r.Outcome == Failed:
			return results
		case r.Outcome == Changed && strings.HasPrefix(t.Device.MappedID, "CRYPT-"):
			return append(results, skipped(t.Device.Path(), "what is below it has grown; its key is needed now: cryptsetup resize %s", t.Device.Mapped))
		}
	}
	if t.Mount.Point == "" {
		return append(results, skipped(t.Device.Path(), "its file system is not mounted, and does not grow before it is"))
	}
	return append(results, g.FileSystem(ctx, t.Mount))
}
