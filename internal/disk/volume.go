package disk

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"openguest/internal/machine"
)

// A volume is a logical volume that is to grow.
type volume struct {
	Grower
	device machine.BlockDevice   // its own
	below  []machine.BlockDevice // the physical volumes that it is on, the last one of a disk first
	group  volumeGroup
	name   string
	gained int64 // extents
}

// volume grows a logical volume, when its group has taken the room behind its physical volumes.
func (g Grower) volume(ctx context.Context, b machine.BlockDevice) (results []Result) {
	v, why := g.findVolume(b)
	if why != "" {
		return []Result{skipped(b.Path(), "%s", why)}
	}
	for _, below := range v.below {
		more, err := v.take(ctx, below)
		results = append(results, more...)
		switch {
		case err != nil:
			return append(results, failed(b.Path(), err))
		case hasFailed(more):
			return results
		}
	}
	return append(results, v.extend(ctx))
}

// take has the group take the room behind a physical volume: its partition grows, and where another one stands in the way, the room
// behind that becomes a new partition.
func (v *volume) take(ctx context.Context, below machine.BlockDevice) ([]Result, error) {
	results, size := v.room(below)
	if hasFailed(results) {
		return results, nil
	}
	if err := v.resize(ctx, below, size); err != nil {
		return results, err
	}
	more, err := v.another(ctx, below, below.Start+size)
	return append(results, more...), err
}

func hasFailed(results []Result) bool {
	return slices.ContainsFunc(results, func(r Result) bool { return r.Outcome == Failed })
}

// findVolume reads what there is to know about a volume, and says why it is left alone.
func (g Grower) findVolume(b machine.BlockDevice) (v *volume, why string) {
	if g.Volumes == NoVolumes {
		return nil, "it is a logical volume, and growpart.lvm is false"
	}
	v = &volume{Grower: g, device: b, below: g.Facts.Below(b)}
	if len(v.below) == 0 {
		return nil, "the kernel does not say what it is made of"
	}
	sort.SliceStable(v.below, func(i, j int) bool { return v.below[i].Start > v.below[j].Start })
	for _, below := range v.below {
		if below.Mapped != "" {
			return nil, "its physical volume is made by device mapper; grow that first"
		}
	}
	path := v.below[0].Path()
	block, err := g.Blocks.Open(path)
	if err != nil {
		return nil, err.Error()
	}
	defer block.Close()
	if v.group, _, err = readGroup(block); err != nil {
		return nil, fmt.Sprintf("%s: %v", path, err)
	}
	if v.name = v.find(b.Mapped); v.name == "" {
		return nil, fmt.Sprintf("the group %s has no volume %s", v.group.name, b.Mapped)
	}
	if err := g.Commands.Can(machine.Change{Argv: []string{"lvextend"}}); err != nil {
		return nil, err.Error()
	}
	return v, v.whyNot()
}

// mapped is device mapper's name of a volume: a dash in a name is doubled.
func (v *volume) mapped(name string) string {
	return strings.ReplaceAll(v.group.name, "-", "--") + "-" + strings.ReplaceAll(name, "-", "--")
}

// find is the volume that device mapper knows by a name.
func (v *volume) find(mapped string) string {
	for _, l := range v.group.logical {
		if v.mapped(l.name) == mapped {
			return l.name
		}
	}
	return ""
}

// whyNot says why the volume is left alone: other volumes may want the room, unless they are swap.
func (v *volume) whyNot() string {
	for _, l := range v.group.logical {
		switch {
		case !l.plain:
			return fmt.Sprintf("the group %s has the volume %s, which is a mirror, a snapshot or the like; grow it by hand", v.group.name, l.name)
		case l.name != v.name && v.Volumes == OwnVolumes && !v.isSwap(l.name):
			return fmt.Sprintf("the group %s has the volume %s beside it; `growpart: {lvm: true}` grows it all the same", v.group.name, l.name)
		}
	}
	return ""
}

func (v *volume) isSwap(name string) bool {
	for _, b := range v.Facts.BlockDevices() {
		if b.Mapped != v.mapped(name) {
			continue
		}
		block, err := v.Blocks.Open(b.Path())
		if err != nil {
			return false
		}
		defer block.Close()
		return machine.Probe(block).Kind == "swap"
	}
	return false
}

// room grows the partition of a physical volume; a whole disk has grown already.
func (v *volume) room(below machine.BlockDevice) (results []Result, size int64) {
	if below.Partition == 0 {
		return nil, below.Size
	}
	r := v.partition(below)
	if r.Outcome == Changed {
		return []Result{r}, r.To
	}
	return []Result{r}, below.Size
}

// resize has the group take the room of a physical volume.
func (v *volume) resize(ctx context.Context, below machine.BlockDevice, size int64) error {
	block, err := v.Blocks.Open(below.Path())
	if err != nil {
		return err
	}
	defer block.Close()
	id := machine.Probe(block).UUID
	at := slices.IndexFunc(v.group.physical, func(p physicalVolume) bool { return p.id == id })
	if at < 0 {
		return fmt.Errorf("the group %s does not know the physical volume %s", v.group.name, below.Path())
	}
	p := v.group.physical[at]
	if more := (size-p.start)/v.group.extent - p.extents; more > 0 {
		v.gained += more
		return v.do(ctx, "pvresize", below.Path())
	}
	return nil
}

// leastVolume is how much room a new physical volume must have to be worth a partition.
const leastVolume = 64 << 20

// another makes a new physical volume in the free room of a disk, behind a place.
func (v *volume) another(ctx context.Context, below machine.BlockDevice, behind int64) ([]Result, error) {
	if below.Partition == 0 {
		return nil, nil
	}
	path := machine.BlockDevice{Name: below.Parent}.Path()
	t, err := v.Table(path)
	if err != nil {
		return nil, err
	}
	p, isNew := v.unfinished(t, path)
	if p.Number == 0 {
		if p, isNew = t.addVolume(behind); !isNew {
			return nil, nil
		}
	}
	name := machine.PartitionName(path, p.Number)
	detail := fmt.Sprintf("partition %d of %s is made for the volume group %s", p.Number, machine.Size(p.Size), v.group.name)
	if isNew {
		if _, err := v.Blocks.Rewrite(t.Rewrite(path, detail)); err != nil {
			return nil, err
		}
	}
	if err := v.do(ctx, "pvcreate", "--yes", name); err != nil {
		return nil, err
	}
	v.gained += (p.Size - 1<<20) / v.group.extent
	return []Result{{Name: name, Outcome: Changed, Reason: "it is new, for the volume group " + v.group.name}}, v.do(ctx, "vgextend", v.group.name, name)
}

// unfinished is a partition that an earlier run made, before the power went: it is for LVM, and nothing is on it.
func (v *volume) unfinished(t *Table, path string) (Partition, bool) {
	for _, p := range t.Partitions {
		if p.Type != Type(t.Label, "lvm") || p.Size < leastVolume {
			continue
		}
		if block, err := v.Blocks.Open(machine.PartitionName(path, p.Number)); err == nil {
			kind := machine.Probe(block).Kind
			block.Close()
			if kind == "" {
				return p, false
			}
		}
	}
	return Partition{}, false
}

// addVolume adds a partition for LVM where there is room behind a place: a logical one where an MBR has no other number, in the
// extended partition, which grows for it.
func (t *Table) addVolume(behind int64) (Partition, bool) {
	p := Partition{Type: Type(t.Label, "lvm")}
	if p.Start = t.largest(behind, false); p.Start > 0 {
		if p, err := t.Add(p); err == nil {
			return p, true
		}
	}
	extended, ok := t.extended()
	if !ok {
		return p, false
	}
	if _, _, err := t.Grow(extended.Number); err != nil {
		return p, false
	}
	p.Start, p.Logical = t.largest(behind, true), true
	if p.Start == 0 {
		return p, false
	}
	p, err := t.Add(p)
	return p, err == nil
}

// largest is where the largest free room behind a place begins that is worth a partition; 0 where there is none.
func (t *Table) largest(behind int64, logical bool) (start int64) {
	size := int64(leastVolume - 1)
	for _, r := range t.Free(logical) {
		if r.Start >= behind && r.Size > size {
			start, size = r.Start, r.Size
		}
	}
	return start
}

// extend gives the volume its new room: what was gained, or all that is free.
func (v *volume) extend(ctx context.Context) Result {
	more := v.gained
	if free, ok := v.group.free(); ok && v.Volumes == AllVolumes {
		more += free
	}
	name := v.group.name + "/" + v.name
	if more <= 0 {
		return Result{Name: v.device.Path(), Outcome: Unchanged, Reason: "the volume group " + v.group.name + " has no new room"}
	}
	argv := []string{"lvextend", "--extents", fmt.Sprintf("+%d", more), name}
	size := "/sys/class/block/" + v.device.Name + "/size"
	if err := v.Commands.Do(ctx, machine.Change{Argv: argv, Touches: []string{size}}); err != nil {
		return failed(v.device.Path(), err)
	}
	return Result{Name: v.device.Path(), Outcome: Changed, From: v.device.Size, To: v.device.Size + more*v.group.extent}
}

func (v *volume) do(ctx context.Context, argv ...string) error {
	return v.Commands.Do(ctx, machine.Change{Argv: argv})
}
