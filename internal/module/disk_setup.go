package module

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/disk"
	"openguest/internal/machine"
)

type diskSetupKeys struct {
	Aliases     conf.Named[string]            `key:"device_aliases" doc:"Other names for disks."`
	Disks       conf.Named[diskKeys]          `key:"disk_setup" doc:"Disks to partition: by a path, an alias, or the cloud's own name such as ephemeral0."`
	FileSystems []conf.Placed[fileSystemKeys] `key:"fs_setup" doc:"File systems to make."`
}

type diskKeys struct {
	TableType string     `key:"table_type" enum:"mbr,gpt" default:"mbr" doc:"The kind of partition table."`
	Layout    layoutKeys `key:"layout" doc:"true for one partition that fills the disk, a list of their sizes in percent of the disk, or of pairs of a size and a type (two digits of an MBR, four of sgdisk, or a GUID); the last one takes the rest. false for none; remove to take partitions and table away."`
	Overwrite bool       `key:"overwrite" doc:"Write the table even where there is a file system or another table. What is there is lost."`
}

var diskSetup = define(Module{
	Name: "disk_setup", Stage: Init, Every: PerInstance, Gate: []string{"disk_setup", "fs_setup"}, Needs: []string{"mkfs.ext4"},
	Marked: true, // what may be overwritten would be again at the next boot, with all that was written since
	Doc: "Partitions disks, and makes file systems. A disk that is partitioned as it should be is left alone, and so is one that holds something else, unless overwrite " +
		"says otherwise. A disk that is in use is never partitioned. It runs once for an instance, even where it failed.",
	Examples: []string{`device_aliases: {data: /dev/disk/by-id/virtio-data}
disk_setup:
  data:
    table_type: gpt
    layout: [[25, 8200], 75]
fs_setup:
  - {device: data.1, filesystem: swap}
  - {device: data.2, filesystem: ext4, label: data}
mounts:
  - [data.1, none, swap, sw]
  - [data.2, /srv/data]
`, `disk_setup:
  ephemeral0: {table_type: mbr, layout: true}
fs_setup:
  - {device: ephemeral0, partition: auto, filesystem: xfs, label: scratch, replace_fs: ntfs}
`},
}, func(ctx context.Context, e *Env, k *diskSetupKeys) (all error) {
	names := e.deviceNames(k.Aliases)
	before := e.Machine.Ledger.Len()
	for _, d := range k.Disks {
		all = errors.Join(all, e.diskItem(d.Origin, "disk_setup."+d.Name, func() error { return e.partitionDisk(ctx, names, d) }))
	}
	e.settleAfter(ctx, before)
	before = e.Machine.Ledger.Len()
	made := formatter{e, names, map[string]machine.Superblock{}}
	for _, fs := range k.FileSystems {
		all = errors.Join(all, e.diskItem(fs.Origin, fs.Path, func() error { return made.make(ctx, fs.Value) }))
	}
	e.settleAfter(ctx, before)
	return all
})

// diskItem is Item for what is done with disks. Those of a system that does not run are another's.
func (e *Env) diskItem(origin conf.Origin, key string, do func() error) error {
	if !e.isRunning() {
		do = func() error { return fmt.Errorf("the disks of this system are not known: %w", machine.ErrDeferred) }
	}
	return e.Item(origin, key, do)
}

// partitionDisk partitions one disk.
func (e *Env) partitionDisk(ctx context.Context, names deviceNames, d conf.NamedItem[diskKeys]) error {
	wanted, err := e.layout(d)
	if err != nil {
		return err
	}
	if wanted.isNone() {
		return Skip("its layout asks for no partitions")
	}
	device, err := e.blockDevice(ctx, names.disk(d.Name))
	if err != nil {
		return err
	}
	if device.Partition > 0 || device.Mapped != "" {
		return fmt.Errorf("%s is no whole disk, and cannot have partitions", device.Path())
	}
	block, err := e.Machine.Blocks.Open(device.Path())
	if err != nil {
		return err
	}
	defer block.Close()
	if wanted.remove {
		return e.removeTable(device, block)
	}
	return e.writeTable(device, block, wanted, d.Value.Overwrite)
}

// removeTable takes a disk's partitions away.
func (e *Env) removeTable(device machine.BlockDevice, block machine.Block) error {
	if err := e.checkIdle(device); err != nil {
		return err
	}
	return e.erase(device, block)
}

// writeTable writes a table where it is not the one that is wanted, and where nothing is lost, unless that is wanted too.
func (e *Env) writeTable(device machine.BlockDevice, block machine.Block, wanted layout, overwrite bool) error {
	now, err := disk.Read(block)
	if err == nil && wanted.fits(now) {
		e.Debug("Device partitioning layout matches")
		return nil
	}
	content := contentOf(block, now, err)
	if content != "" && !overwrite {
		return Skip(device.Path() + " " + content + ", and is left alone; overwrite: true would write over it")
	}
	table, err := wanted.table(block)
	if err != nil {
		return fmt.Errorf("partition %s: %w", device.Path(), err)
	}
	if err := e.checkIdle(device); err != nil {
		return err
	}
	if content != "" {
		if err := e.erase(device, block); err != nil {
			return err
		}
	}
	_, err = e.Machine.Blocks.Rewrite(table.Rewrite(device.Path(), tableDetail(table)))
	return err
}

// tableDetail is what a plan and the log say of a new table.
func tableDetail(t *disk.Table) string {
	var sizes []string
	for _, p := range t.Partitions {
		sizes = append(sizes, machine.Size(p.Size))
	}
	return "a new " + strings.ToUpper(t.Label) + " with partitions of " + strings.Join(sizes, ", ")
}

// contentOf says what would be lost; empty where there is nothing.
func contentOf(block machine.Block, table *disk.Table, err error) string {
	switch kind := machine.Probe(block).Kind; {
	case kind != "":
		return "holds " + kind
	case err == nil && len(table.Partitions) > 0:
		return fmt.Sprintf("has %d partitions", len(table.Partitions))
	case err != nil && !errors.Is(err, disk.ErrNoTable):
		return "has a partition table that cannot be read (" + err.Error() + ")"
	}
	return ""
}

// eraseSize is how much of the beginning and of the end of a device is erased: what says what is on it stands there.
const eraseSize = 1 << 20

// erase takes the table of a disk away, and what says that there are file systems on it and on its partitions.
func (e *Env) erase(device machine.BlockDevice, block machine.Block) error {
	r := machine.Rewrite{Device: device.Path(), Only: true, Detail: "its partition table and the marks of its file systems are erased"}
	if table, err := disk.Read(block); err == nil {
		for _, p := range table.Partitions {
			r.Writes = append(r.Writes, erasures(p.Start, p.Size)...)
		}
	}
	r.Writes = append(r.Writes, erasures(0, block.Size())...)
	_, err := e.Machine.Blocks.Rewrite(r)
	return err
}

// erasures write zeros over both ends of a part of a disk.
func erasures(start, size int64) []machine.Write {
	zeros := make([]byte, min(eraseSize, size))
	return []machine.Write{{Offset: start, Data: zeros}, {Offset: start + size - int64(len(zeros)), Data: zeros}}
}

// checkIdle refuses to write over a disk that is in use: whatever anybody asked for, the file system that is mounted would
// write into what comes after it.
func (e *Env) checkIdle(device machine.BlockDevice) error {
	for _, b := range e.Machine.Facts.BlockDevices() {
		if b.Name != device.Name && b.Parent != device.Name {
			continue
		}
		if use := e.useOf(b); use != "" {
			return fmt.Errorf("%s is in use: %s %s; it is left alone", device.Path(), b.Path(), use)
		}
	}
	return nil
}

// useOf says what a device is used for; empty where it is not.
func (e *Env) useOf(b machine.BlockDevice) string {
	for _, m := range e.Machine.Facts.Mounts() {
		if m.Number == b.Number && b.Number != "" || m.Source == b.Path() {
			return "is mounted at " + m.Point
		}
	}
	if slices.Contains(e.swaps(), b.Path()) {
		return "is swapped to"
	}
	if holders, _ := e.Machine.Files.List("/sys/class/block/" + b.Name + "/holders"); len(holders) > 0 {
		return "is part of " + holders[0]
	}
	return ""
}

// blockDevice is the disk or partition of a name. One that was attached just now may take udev a moment.
func (e *Env) blockDevice(ctx context.Context, name string) (machine.BlockDevice, error) {
	if !path.IsAbs(name) {
		name = "/dev/" + name
	}
	b := e.Machine.Facts.BlockDevice(name)
	if b.Name == "" {
		e.settle(ctx)
		b = e.Machine.Facts.BlockDevice(name)
	}
	switch {
	case b.Name != "":
		return b, nil
	case deviceNames{Env: e}.opens(name): // a partition that a plan makes
		return machine.BlockDevice{Name: strings.TrimPrefix(name, "/dev/"), Partition: 1}, nil
	}
	return b, fmt.Errorf("there is no disk %s", name)
}

// settleAfter waits for udev if something was changed since the ledger had so many entries.
func (e *Env) settleAfter(ctx context.Context, before int) {
	if e.Machine.Ledger.Len() > before {
		e.settle(ctx)
	}
}

// settle waits until udev has made the links for the disks that are there. Where there is no udev, there are none.
func (e *Env) settle(ctx context.Context) {
	if _, err := e.Machine.Commands.Ask(ctx, machine.Question{Argv: []string{"udevadm", "settle", "--timeout=30"}}); err != nil {
		e.Debug("udevadm settle: %v", err)
	}
}
