package disk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"openguest/internal/machine"
)

// An Outcome is what became of something that was to grow, in growpart's words.
type Outcome string

// The outcomes.
const (
	Changed   Outcome = "CHANGED"
	Unchanged Outcome = "NOCHANGE"
	Skipped   Outcome = "SKIPPED"
	Failed    Outcome = "FAILED"
)

// A Result is what became of one thing that was to grow.
type Result struct {
	Name     string // a device, a mount point, a volume
	Outcome  Outcome
	From, To int64  // bytes, where it changed; a To of 0 is not known before it is done
	Reason   string // why it did not grow
	Err      error  // why it failed
}

// String is the result in a line, for people.
func (r Result) String() string {
	switch r.Outcome {
	case Changed:
		switch {
		case r.Reason != "":
			return r.Name + ": " + r.Reason
		case r.To == 0:
			return r.Name + ": grown"
		}
		return fmt.Sprintf("%s: grown from %s to %s", r.Name, machine.Size(r.From), machine.Size(r.To))
	case Unchanged:
		return r.Name + ": unchanged, " + r.Reason
	}
	return r.Name + ": " + strings.ToLower(string(r.Outcome)) + ", " + r.Reason
}

func skipped(name, format string, args ...any) Result {
	return Result{Name: name, Outcome: Skipped, Reason: fmt.Sprintf(format, args...)}
}

func failed(name string, err error) Result {
	return Result{Name: name, Outcome: Failed, Reason: err.Error(), Err: err}
}

// A Grower makes partitions, volumes and file systems as large as they can be.
type Grower struct {
	machine.Machine
	// Volumes says what happens to LVM: with OwnVolumes a group that holds root and swap only takes new room of the disk.
	Volumes Volumes
}

// Volumes is what a Grower does with logical volumes.
type Volumes int

// The ways to treat logical volumes.
const (
	OwnVolumes Volumes = iota // those of groups that hold root and swap only get the room that is new
	AllVolumes                // those of any group get all free room
	NoVolumes
)

// Device grows what a device stands on: itself where it is a partition, or the partitions that device mapper made it of. The
// mapping of an encrypted device is not grown: that wants a key.
func (g Grower) Device(ctx context.Context, b machine.BlockDevice) []Result {
	switch {
	case b.Partition > 0:
		return []Result{g.partition(b)}
	case strings.HasPrefix(b.MappedID, "LVM-"):
		return g.volume(ctx, b)
	case strings.HasPrefix(b.MappedID, "CRYPT-"):
		return g.below(ctx, b)
	case b.Mapped != "":
		return []Result{skipped(b.Path(), "it is made by device mapper in a way that is not known")}
	}
	return []Result{skipped(b.Path(), "it is a whole disk, without a partition to grow")}
}

// below grows what a device of device mapper is made of.
func (g Grower) below(ctx context.Context, b machine.BlockDevice) (all []Result) {
	for _, under := range g.Facts.Below(b) {
		all = append(all, g.Device(ctx, under)...)
	}
	if all == nil {
		all = []Result{skipped(b.Path(), "the kernel does not say what it is made of")}
	}
	return all
}

// partition grows a partition.
func (g Grower) partition(b machine.BlockDevice) Result {
	path := machine.BlockDevice{Name: b.Parent}.Path()
	t, err := g.Table(path)
	if err != nil {
		return failed(b.Path(), err)
	}
	if p, ok := t.Find(b.Partition); !ok || p.Start != b.Start {
		return failed(b.Path(), fmt.Errorf("the partition table of %s has it elsewhere than the kernel; reboot the machine", path))
	}
	return g.grow(t, path, b.Path(), b.Partition, b.Size)
}

// Image grows a partition of an image of a disk in a file.
func (g Grower) Image(path string, number int) Result {
	name := fmt.Sprintf("%s:%d", path, number)
	t, err := g.Table(path)
	if err != nil {
		return failed(name, err)
	}
	p, ok := t.Find(number)
	if !ok {
		return failed(name, fmt.Errorf("%s has no partition %d", path, number))
	}
	return g.grow(t, path, name, number, p.Size)
}

// grow grows a partition in a table, of which the kernel knows a size.
func (g Grower) grow(t *Table, path, name string, number int, known int64) Result {
	before, after, err := t.Grow(number)
	if err != nil {
		return skipped(name, "%v", err)
	}
	changed, err := g.Blocks.Rewrite(t.Rewrite(path, partitionDetail(known, before, after)))
	switch {
	case err != nil:
		return failed(name, err)
	case changed && known != after.Size:
		return Result{Name: name, Outcome: Changed, From: known, To: after.Size}
	}
	return Result{Name: name, Outcome: Unchanged, Reason: t.why(after)}
}

// Table reads the partition table of a disk or an image.
func (g Grower) Table(path string) (*Table, error) {
	block, err := g.Blocks.Open(path)
	if err != nil {
		return nil, err
	}
	defer block.Close()
	t, err := Read(block)
	if err != nil {
		return nil, fmt.Errorf("read the partition table of %s: %w", path, err)
	}
	return t, nil
}

// partitionDetail is what a plan and the log say.
func partitionDetail(known int64, before, after Partition) string {
	switch {
	case before != after:
		return fmt.Sprintf("partition %d grows from %s to %s", after.Number, machine.Size(before.Size), machine.Size(after.Size))
	case known != after.Size:
		return fmt.Sprintf("the kernel is told that partition %d has %s", after.Number, machine.Size(after.Size))
	}
	return "the damaged copy of the partition table is written anew"
}

// why says what keeps a partition from growing.
func (t *Table) why(p Partition) string {
	for _, other := range t.taken() {
		if other.Start > p.Start && other.Logical == p.Logical && other.Number != p.Number {
			return fmt.Sprintf("partition %d begins behind it", other.Number)
		}
	}
	return "it fills the disk"
}

// A growTool is the command that grows a kind of file system.
type growTool struct {
	prefix  string // of the type's name
	argv    func(m machine.Mount, device string) []string
	isGuest bool // Linux is not where it comes from: that its tool is not there is no fault
}

var growTools = []growTool{
	{"ext", func(_ machine.Mount, device string) []string { return []string{"resize2fs", device} }, false},
	{"xfs", func(m machine.Mount, _ string) []string { return []string{"xfs_growfs", m.Point} }, false},
	{"btrfs", func(m machine.Mount, _ string) []string {
		return []string{"btrfs", "filesystem", "resize", "max", m.Point}
	}, false},
	{"bcachefs", func(_ machine.Mount, device string) []string { return []string{"bcachefs", "device", "resize", device} }, true},
	{"ufs", func(m machine.Mount, _ string) []string { return []string{"growfs", "-y", m.Point} }, true},
	{"hammer2", func(m machine.Mount, _ string) []string { return []string{"hammer2", "growfs", m.Point} }, true},
}

// FileSystem grows what is mounted: ext, xfs and btrfs by the kernel where it can, others by their own tool.
func (g Grower) FileSystem(ctx context.Context, m machine.Mount) Result {
	if m.Type == "zfs" {
		return g.pool(ctx, m)
	}
	tool := toolFor(m.Type)
	if tool == nil {
		return skipped(m.Point, "nobody knows how to grow a file system of the type %s", m.Type)
	}
	taken, room, err := g.Blocks.Room(m)
	changed := false
	if err == nil {
		changed, err = g.Blocks.Grow(m)
	}
	switch {
	case errors.Is(err, machine.ErrKernel):
		argv := tool.argv(m, g.Facts.MountedOn(m).Path())
		if err := g.Commands.Can(machine.Change{Argv: argv}); err != nil && tool.isGuest {
			return skipped(m.Point, "a file system of the type %s is grown by %s: %v", m.Type, argv[0], err)
		}
		return g.run(ctx, m.Point, argv)
	case err != nil:
		return failed(m.Point, err)
	case !changed:
		return Result{Name: m.Point, Outcome: Unchanged, Reason: "the " + m.Type + " fills its device"}
	}
	return Result{Name: m.Point, Outcome: Changed, From: taken, To: room}
}

func toolFor(kind string) *growTool {
	for i := range growTools {
		if strings.HasPrefix(strings.ToLower(kind), growTools[i].prefix) {
			return &growTools[i]
		}
	}
	return nil
}

// run has a tool do it. Nobody can say before what it will do, nor whether it did anything.
func (g Grower) run(ctx context.Context, name string, argv []string) Result {
	if err := g.Commands.Do(ctx, machine.Change{Argv: argv, Limit: machine.NoLimit}); err != nil {
		return failed(name, err)
	}
	return Result{Name: name, Outcome: Changed}
}

// pool grows a pool of zfs onto the disk that it is on.
func (g Grower) pool(ctx context.Context, m machine.Mount) Result {
	pool, _, _ := strings.Cut(m.Source, "/")
	if !machine.Exists(g.Files, "/dev/zfs") {
		return skipped(m.Point, "it is a zfs, and there is no /dev/zfs")
	}
	status, err := g.Commands.Ask(ctx, machine.Question{Argv: []string{"zpool", "status", pool}})
	if err != nil {
		return failed(m.Point, err)
	}
	for line := range strings.Lines(status) {
		if strings.Contains(line, "ONLINE") && !strings.Contains(line, pool) && !strings.Contains(line, "state") {
			return g.run(ctx, m.Point, []string{"zpool", "online", "-e", pool, strings.Fields(line)[0]})
		}
	}
	return skipped(m.Point, "zpool status names no disk of the pool %s that is online", pool)
}
