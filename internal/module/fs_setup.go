package module

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/disk"
	"openguest/internal/machine"
)

type fileSystemKeys struct {
	Label      string                        `key:"label" doc:"The file system's label."`
	FileSystem string                        `key:"filesystem" doc:"Its kind: ext4, xfs, btrfs, vfat, swap, or another that there is a program for."`
	Device     string                        `key:"device" doc:"The disk or the partition: a path, an alias, or the cloud's own name; .N behind it means its partition N."`
	Partition  numberOrText                  `key:"partition" doc:"Which partition: a number; none for the device itself; auto for the first that is empty, unless one has this kind and this label; any, unless one has this kind. any where it is not given."`
	Overwrite  bool                          `key:"overwrite" doc:"Make it even where there is a file system. What is there is lost."`
	Replace    string                        `key:"replace_fs" doc:"A kind of file system that may be written over, such as ntfs."`
	Options    conf.Either[[]string, string] `key:"extra_opts" doc:"More options for the program that makes it."`
	Command    conf.Either[[]string, string] `key:"cmd" doc:"A command that makes it, in place of our own. %(device)s, %(label)s and %(filesystem)s stand for what it is to make."`
}

// replaces says whether a kind may be written over.
func (k fileSystemKeys) replaces(kind string) bool {
	return kind != "" && (k.Overwrite || kind == k.Replace)
}

// A formatter makes file systems, and remembers those that it made.
type formatter struct {
	*Env
	names deviceNames
	made  map[string]machine.Superblock // by path
}

// A place is where a file system can be.
type place struct {
	node    string
	isWhole bool // a whole disk
	machine.Superblock
	isMade bool // what is there is what is wanted
}

// make makes one file system where it is not there.
func (f formatter) make(ctx context.Context, k fileSystemKeys) error {
	if k.FileSystem == "" && textsOf(k.Command) == nil {
		return fmt.Errorf("No way to create filesystem '%s'. fs_type or fs_cmd must be set.", k.Label)
	}
	device, which, err := f.device(ctx, k)
	if err != nil {
		return err
	}
	at, err := f.choose(k, device, which)
	if err != nil {
		return err
	}
	if at.isMade {
		f.Debug("Device %s has required file system", at.node)
		return nil
	}
	if b := f.Machine.Facts.BlockDevice(at.node); b.Name != "" {
		if err := f.checkIdle(b); err != nil {
			return err
		}
	}
	if err := f.format(ctx, k, at); err != nil {
		return err
	}
	f.made[at.node] = machine.Superblock{Kind: k.FileSystem, Label: k.Label}
	return nil
}

// device is the disk or partition that is meant, and which partition of it. A dot and a number behind a name count more than
// the key partition; a device whose own name has a dot is found by it.
func (f formatter) device(ctx context.Context, k fileSystemKeys) (machine.BlockDevice, string, error) {
	name, which := k.Device, strings.ToLower(cmp.Or(textOf(k.Partition), "any"))
	if name == "" {
		return machine.BlockDevice{}, "", errors.New("it names no device")
	}
	whole, number, dotted := dottedDevice(name)
	if dotted && f.names.aliases[name] == "" && !f.names.isBlock(name) {
		if textOf(k.Partition) != "" {
			f.Warn("Partition '%s' from dotted device name '%s' overrides 'partition' key", number, name)
		}
		name, which = whole, number
	}
	b, err := f.blockDevice(ctx, f.names.disk(name))
	return b, which, err
}

// choose is the place for a file system. An error that is a Skip says why there is none, or what would be lost.
func (f formatter) choose(k fileSystemKeys, device machine.BlockDevice, which string) (place, error) {
	switch which {
	case "auto", "any":
		return f.search(k, device, which == "auto")
	case "none", "0":
		return f.given(k, f.place(device.Path(), device.Partition == 0), device)
	}
	n, err := strconv.Atoi(which)
	if err != nil || n < 0 {
		return place{}, fmt.Errorf("the partition %q is none of auto, any, none and a number", which)
	}
	node := machine.PartitionName(device.Path(), n)
	if !f.names.isBlock(node) && !f.names.opens(node) {
		return place{}, fmt.Errorf("%s has no partition %d", device.Path(), n)
	}
	return f.given(k, f.place(node, false), device)
}

// given is a place that somebody chose. What is there stays, unless it is said that it may go.
func (f formatter) given(k fileSystemKeys, at place, device machine.BlockDevice) (place, error) {
	content := ""
	switch parts := f.partitions(device); {
	case at.isWhole && len(parts) > 0 && !k.Overwrite:
		content = fmt.Sprintf("has %d partitions", len(parts))
	case at.Kind == "" || k.replaces(at.Kind):
	case at.Kind == k.FileSystem && at.Label == k.Label:
		at.isMade = true
	default:
		content = fmt.Sprintf("holds %s labelled %q", at.Kind, at.Label)
	}
	if content == "" {
		return at, nil
	}
	f.Warn("fs_setup: %s %s, and is left alone; overwrite: true would write over it", at.node, content)
	return at, Skip("it " + content + ", and is left alone")
}

// search looks through a disk and its partitions for one that has the file system already, or may get it. The label counts
// with auto only, and what may be replaced with any only.
func (f formatter) search(k fileSystemKeys, device machine.BlockDevice, auto bool) (place, error) {
	all := append([]place{f.place(device.Path(), device.Partition == 0)}, f.partitions(device)...)
	for _, at := range all {
		switch {
		case at.Kind != "" && at.Kind == k.Replace && !auto:
			return at, nil
		case at.Kind != "" && at.Kind == k.FileSystem && (!auto || at.Label == k.Label):
			at.isMade = true
			return at, nil
		case !at.isWhole && at.Kind == "":
			return at, nil
		}
	}
	if len(all) == 1 && all[0].Kind == "" {
		return all[0], nil
	}
	f.Warn("Failed to find device during available device search.")
	return place{}, Skip("no partition of " + device.Path() + " is empty")
}

// partitions are those of a disk, as its table has them: a plan's are not in the kernel.
func (f formatter) partitions(device machine.BlockDevice) (all []place) {
	block, err := f.Machine.Blocks.Open(device.Path())
	if err != nil || device.Partition > 0 {
		return nil
	}
	defer block.Close()
	table, err := disk.Read(block)
	if err != nil {
		return nil
	}
	for _, p := range byNumber(table.Partitions) {
		if node := machine.PartitionName(device.Path(), p.Number); !p.Extended {
			all = append(all, f.place(node, false))
		}
	}
	return all
}

// place looks at what is on a device.
func (f formatter) place(node string, isWhole bool) place {
	at := place{node: node, isWhole: isWhole, Superblock: f.made[node]}
	if at.Kind != "" {
		return at
	}
	if block, err := f.Machine.Blocks.Open(node); err == nil {
		at.Superblock = machine.Probe(block)
		block.Close()
	}
	return at
}

// formatLimit is how long making a file system may take: a large disk is told first that it may forget what it holds.
const formatLimit = 10 * time.Minute

// format runs the program that makes the file system: a person's own, or the usual one.
func (f formatter) format(ctx context.Context, k fileSystemKeys, at place) error {
	if command := textsOf(k.Command); command != nil {
		return f.runCommand(ctx, k, at)
	}
	argv := []string{"mkfs." + k.FileSystem}
	if f.Machine.Commands.Can(machine.Change{Argv: argv}) != nil {
		argv[0] = "mk" + k.FileSystem // mkswap
	}
	if err := f.Machine.Commands.Can(machine.Change{Argv: argv}); err != nil {
		return fmt.Errorf("Cannot create fstype '%s'. No mkfs.%s command; install the package that has it", k.FileSystem, k.FileSystem)
	}
	flags := makerFlags(k.FileSystem)
	if k.Label != "" {
		argv = append(argv, flags.label, k.Label)
	}
	if at.isWhole || at.Kind != "" || k.Overwrite {
		if flags.force == "" {
			f.Warn("Force flag for %s is unknown.", k.FileSystem)
		} else {
			argv = append(argv, flags.force)
		}
	}
	argv = append(argv, textsOf(k.Options)...)
	return f.Machine.Commands.Do(ctx, machine.Change{Argv: append(argv, at.node), Limit: formatLimit})
}

// runCommand runs a person's own command.
func (f formatter) runCommand(ctx context.Context, k fileSystemKeys, at place) error {
	if len(textsOf(k.Options)) > 0 {
		f.Warn("fs_setup:extra_opts ignored because cmd was specified")
	}
	fill := strings.NewReplacer("%(label)s", cmp.Or(k.Label, "None"), "%(filesystem)s", cmp.Or(k.FileSystem, "None"), "%(device)s", at.node, "%%", "%")
	if k.Command.B != nil {
		return f.Script(ctx, machine.Program{Argv: []string{"/bin/sh", "-c", fill.Replace(*k.Command.B)}, Shell: true})
	}
	argv := textsOf(k.Command)
	for i, word := range argv {
		argv[i] = fill.Replace(word)
	}
	return f.Script(ctx, machine.Program{Argv: argv})
}

// maker is how the program that makes a kind of file system wants to be told its label, and that it should go ahead whatever
// it finds.
type maker struct{ label, force string }

// makers are those that differ from the others.
var makers = map[string]maker{
	"ext2": {"-L", "-F"}, "ext3": {"-L", "-F"}, "ext4": {"-L", "-F"}, "ntfs": {"-L", "-F"},
	"btrfs": {"-L", "-f"}, "xfs": {"-L", "-f"}, "swap": {"-L", "-f"}, "bcachefs": {"-L", "-f"},
	"f2fs": {"-l", "-f"}, "reiserfs": {"-l", "-f"}, "vfat": {"-n", "-I"}, "fat": {"-n", "-I"}, "msdos": {"-n", "-I"}, "udf": {"-l", ""},
}

func makerFlags(kind string) maker {
	if m, ok := makers[kind]; ok {
		return m
	}
	return maker{label: "-L"}
}

// textsOf are the words of a list, or of a text.
func textsOf(given conf.Either[[]string, string]) []string {
	switch {
	case given.A != nil:
		return slices.Clone(*given.A)
	case given.B != nil:
		return strings.Fields(*given.B)
	}
	return nil
}
