package module

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/disk"
	"openguest/internal/machine"
)

type growpartKeys struct {
	Growpart struct {
		Mode    conf.Placed[string]                 `key:"mode" doc:"auto and growpart grow the partitions, 'off' leaves them alone. gpart and growfs are for other systems than Linux."`
		Devices conf.OneOrMany[conf.Placed[string]] `key:"devices" doc:"What to grow: mount points, or devices below /dev; / where nothing is given."`
		Ignore  bool                                `key:"ignore_growroot_disabled" doc:"Grow even where there is a file /etc/growroot-disabled."`
		LVM     conf.Truth                          `key:"lvm" doc:"Whether logical volumes grow. Where it is not said, groups that hold nothing but the root and swap get the room that is new on their disk; with true the root of any group gets all free room."`
	} `key:"growpart" doc:"How partitions are made as large as their disk."`
}

const growrootDisabled = "/etc/growroot-disabled"

var growpart = define(Module{
	Name: "growpart", Stage: Init, Every: Always,
	Doc: "Makes partitions as large as their disk, at each boot: up to the next partition, or to the end of the disk. Without growpart or sfdisk: tables are " +
		"GPT or MBR, and the disk may be in use. Below LUKS the partition grows, and the mapping if its key lies in " + keydata + ".",
	Examples: []string{"growpart:\n  mode: auto\n  devices: [/]\n  ignore_growroot_disabled: false\n", "growpart: {mode: 'off'}\n",
		"growpart: {devices: [/, /dev/vdb1], lvm: true}\n"},
}, func(ctx context.Context, e *Env, k *growpartKeys) error {
	if err := e.wantsGrowpart(k); err != nil {
		return err
	}
	if !e.isRunning() {
		return fmt.Errorf("grow partitions: %w", machine.ErrDeferred)
	}
	g := grower{e, disk.Grower{Machine: e.Machine, Volumes: volumes(k.Growpart.LVM)}}
	if len(k.Growpart.Devices) == 0 {
		return g.grow(ctx, "/")
	}
	var all error
	for _, device := range k.Growpart.Devices {
		all = errors.Join(all, e.Item(device.Origin, device.Path, func() error { return g.grow(ctx, device.Value) }))
	}
	return all
})

// wantsGrowpart says why nothing is to be grown.
func (e *Env) wantsGrowpart(k *growpartKeys) error {
	mode := k.Growpart.Mode
	switch word := mode.Value; strings.ToLower(word) {
	case "", "auto", "growpart":
	case "false", "no", "0":
		e.Problem(conf.Problem{Origin: mode.Origin, Path: mode.Path, Level: conf.Deprecated, Hint: "Use 'off' instead.",
			Message: fmt.Sprintf("Growpart's 'mode' key with value '%s' is deprecated in 22.2.", word)})
		return Skip("growpart disabled: mode=" + word)
	case "off":
		return Skip("growpart disabled: mode=off")
	case "gpart", "growfs":
		return fmt.Errorf("growpart: mode %s not available: it is for other systems than Linux; leave growpart.mode out", word)
	default:
		return fmt.Errorf("growpart: unknown resize mode %s; it may be auto, growpart or 'off'", word)
	}
	if !k.Growpart.Ignore && machine.Exists(e.Machine.Files, growrootDisabled) {
		return Skip("growpart disabled: " + growrootDisabled + " exists")
	}
	return nil
}

func volumes(lvm conf.Truth) disk.Volumes {
	switch {
	case !lvm.IsSet():
		return disk.OwnVolumes
	case lvm.Or(false):
		return disk.AllVolumes
	}
	return disk.NoVolumes
}

// grower grows partitions for a module, and tells about it.
type grower struct {
	*Env
	disk.Grower
}

// grow grows what a mount point or a device stands on.
func (g grower) grow(ctx context.Context, entry string) error {
	device, err := g.device(entry)
	if err != nil {
		g.Debug("'%s' SKIPPED: %v", entry, err)
		return Skip(err.Error())
	}
	if why := g.hidden(device); why != "" {
		g.Debug("'%s' SKIPPED: %s", entry, why)
		return Skip(why)
	}
	results := g.Device(ctx, device)
	if strings.HasPrefix(device.MappedID, "CRYPT-") && !hasFailed(results) {
		results = append(results, g.growEncrypted(ctx, device))
	}
	var all error
	for _, r := range results {
		name := r.Name
		if name == device.Path() {
			name = entry
		}
		all = errors.Join(all, g.tell(name, r))
	}
	return cmp.Or(all, whySkipped(results))
}

// hidden says why a disk of the kernel's is not ours: in a container it is the host's, whether its node is there or not.
func (e *Env) hidden(device machine.BlockDevice) string {
	switch {
	case e.Machine.Facts.IsContainer():
		return "this is a container, and the disk is its host's"
	case !machine.Exists(e.Machine.Files, device.Path()):
		return fmt.Sprintf("stat of '%s' failed: there is no such device", device.Path())
	}
	return ""
}

func hasFailed(results []disk.Result) bool {
	return slices.ContainsFunc(results, func(r disk.Result) bool { return r.Outcome == disk.Failed })
}

// whySkipped says why nothing at all was grown, where that is more than that there is nothing to gain.
func whySkipped(results []disk.Result) (why error) {
	for _, r := range results {
		switch r.Outcome {
		case disk.Changed:
			return nil
		case disk.Skipped:
			why = Skip(r.Reason)
		}
	}
	return why
}

// device finds the block device that an entry of `devices` means.
func (g grower) device(entry string) (machine.BlockDevice, error) {
	facts := g.Env.Machine.Facts
	if strings.HasPrefix(entry, "/dev/") {
		if device := facts.BlockDevice(entry); device.Name != "" {
			return device, nil
		}
		return machine.BlockDevice{}, fmt.Errorf("stat of '%s' failed: there is no such device", entry)
	}
	mount := facts.MountOf(entry)
	if mount.Point == "" {
		return machine.BlockDevice{}, fmt.Errorf("unable to convert to device: Could not determine device of '%s'", entry)
	}
	device := facts.MountedOn(mount)
	if device.Name == "" {
		return device, fmt.Errorf("unable to convert to device: %s is mounted from %s, which is no disk", mount.Point, mount.Source)
	}
	return device, nil
}

// tell writes the log's line about a result, in growpart's words, and returns what failed.
func (g grower) tell(entry string, r disk.Result) error {
	switch r.Outcome {
	case disk.Changed:
		g.Info("'%s' resized: %s", entry, changedText(r))
	case disk.Failed:
		return fmt.Errorf("grow %s: %w", entry, r.Err)
	default:
		g.Debug("'%s' %s: %s", entry, r.Outcome, r.Reason)
	}
	return nil
}

func changedText(r disk.Result) string {
	switch {
	case r.Reason != "":
		return r.Reason
	case r.To == 0:
		return fmt.Sprintf("changed (%s) size, new size is unknown", r.Name)
	}
	return fmt.Sprintf("changed (%s) from %d to %d", r.Name, r.From, r.To)
}
