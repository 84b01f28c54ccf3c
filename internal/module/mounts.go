package module

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

type mountsKeys struct {
	Mounts   []conf.Placed[[]*string] `key:"mounts" doc:"Lines of /etc/fstab: lists of device, mount point, type, options, dump's frequency and fsck's pass. What is missing comes from mount_default_fields; an entry without a mount point takes earlier ones of its device away. A device may be a path, a name of the kernel's such as sdb, LABEL=NAME, UUID=ID, SERVER:PATH, an alias, or the cloud's own name such as ephemeral0, with .N behind for a partition."`
	Defaults conf.Placed[[]*string]   `key:"mount_default_fields" doc:"Six fields that fill in what an entry of mounts leaves out. Where it is not given: none, none, auto, defaults,nofail,x-systemd.after=cloud-init-network.service,_netdev, 0, 2."`
	Swap     conf.Placed[swapKeys]    `key:"swap" doc:"A file to swap to. Without a size there is none."`
	Aliases  conf.Named[string]       `key:"device_aliases" doc:"Other names for disks."`
}

var mounts = define(Module{
	Name: "mounts", Stage: Init, Every: PerInstance, Needs: []string{"mount", "swapon"},
	Doc: "Writes lines of /etc/fstab, makes the mount points and a swap file, and mounts and uses what is not yet. Lines that people wrote stay; those of an earlier " +
		"configuration, marked by the option comment=cloudconfig, are replaced. A disk that the cloud calls ephemeral0 is mounted at /mnt, and one that it calls swap is used, " +
		"unless an entry says otherwise.",
	Examples: []string{`mounts:
  - [sdc, /opt/data]
  - [LABEL=backup, /srv/backup, ext4, "defaults,nofail,noexec"]
  - [files.example.org:/export, /srv/files, nfs, "defaults,nofail,_netdev", "0", "0"]
  - [ephemeral0, null]
`, `swap:
  filename: /swapfile
  size: auto
  maxsize: 2G
`},
}, func(ctx context.Context, e *Env, k *mountsKeys) error {
	if !e.isRunning() {
		return e.mountLater(k)
	}
	table, err := readFstab(e.Machine.Files)
	if err != nil {
		return err
	}
	swapFile, failed := e.swapFile(k.Swap)
	rows := e.mountRows(k, table)
	if len(rows) == 0 && swapFile == "" {
		e.Debug("No modifications to fstab needed")
		return failed
	}
	var ours, more []string
	for _, row := range rows {
		ours = append(ours, row.String())
	}
	if swapFile != "" {
		row := fstabRow{swapFile, "none", "swap", "sw", "0", "0"}
		if rows = append(rows, row); !table.has(swapFile) {
			more = append(more, row.String())
		}
	}
	e.makeMountPoints(rows)
	changed, err := e.Machine.Files.Put(fstabFile, table.with(ours, more))
	return errors.Join(failed, err, e.activate(ctx, rows, changed))
})

// mountLater defers what was asked for on a system that does not run: the devices that it will have are not known.
func (e *Env) mountLater(k *mountsKeys) (all error) {
	for _, m := range k.Mounts {
		all = errors.Join(all, e.diskItem(m.Origin, m.Path, nil))
	}
	if k.Swap.Value.isWanted() {
		all = errors.Join(all, e.diskItem(k.Swap.Origin, k.Swap.Path, nil))
	}
	return all
}

// A mount is one line that is wanted.
type mount struct {
	row     fstabRow
	removes bool // it has no mount point: earlier entries of its device go
	origin  conf.Origin
	key     string // empty for what nobody asked for
}

// mountRows are the lines that are wanted now, as ours. How each entry ended is reported.
func (e *Env) mountRows(k *mountsKeys, table fstab) (rows []fstabRow) {
	names := e.deviceNames(k.Aliases)
	wanted := e.givenMounts(k, names, table)
	wanted = append(wanted, e.defaultMounts(wanted, names, table)...)
	for i, m := range wanted {
		later := func(other mount) bool { return other.removes && other.row[0] == m.row[0] }
		v := Verdict{Origin: m.origin.String(), Key: m.key, Module: e.Module, Verdict: Applied}
		switch {
		case m.removes:
			v.Verdict, v.Reason = Skipped, "it has no mount point: earlier entries of "+m.row[0]+" are left out"
		case slices.ContainsFunc(wanted[i:], later):
			v.Verdict, v.Reason = Skipped, "a later entry of "+m.row[0]+" without a mount point takes it away"
		default:
			rows = append(rows, m.row.marked())
			if slices.Contains(table.ours, m.row.marked().String()) {
				v.Verdict = Unchanged
			}
		}
		if m.key != "" {
			e.Report.Verdict(v)
		}
	}
	return rows
}

// givenMounts are the entries of `mounts`, whole.
func (e *Env) givenMounts(k *mountsKeys, names deviceNames, table fstab) (all []mount) {
	fill := e.mountDefaults(k.Defaults)
	for _, entry := range k.Mounts {
		if !e.isMount(entry) {
			continue
		}
		m := mount{origin: entry.Origin, key: entry.Path}
		for i := range m.row {
			value := fill[i]
			if i < len(entry.Value) && entry.Value[i] != nil {
				value = entry.Value[i]
			}
			if value == nil {
				m.removes = true
				continue
			}
			m.row[i] = *value
		}
		if device := names.mountable(m.row[0]); device != "" && !table.has(device) {
			m.row[0] = device
		}
		all = append(all, m)
	}
	return all
}

// isMount says whether an entry can be a line, and what is wrong with it otherwise.
func (e *Env) isMount(entry conf.Placed[[]*string]) bool {
	problem := conf.Problem{Origin: entry.Origin, Path: entry.Path, Level: conf.Rejected}
	isNested := func(v *conf.Value) bool { return v.Kind == conf.List || v.Kind == conf.Map }
	written := slices.IndexFunc(e.Config.Get("mounts").Items, func(v *conf.Value) bool { return v.Origin == entry.Origin })
	switch {
	case written >= 0 && slices.ContainsFunc(e.Config.Get("mounts").Items[written].Items, isNested):
		problem.Message = "want a list of texts; the entry is left out"
	case len(entry.Value) == 0 || entry.Value[0] == nil || *entry.Value[0] == "":
		problem.Message = "the entry names no device"
	case len(entry.Value) > fstabSize:
		problem.Level, problem.Message = conf.Warning, fmt.Sprintf("an entry has at most %d fields; the others are left out", fstabSize)
	default:
		return true
	}
	e.Problem(problem)
	return problem.Level != conf.Rejected
}

// mountDefaults are what fills in fields. Only a mount point may be missing in the end.
func (e *Env) mountDefaults(given conf.Placed[[]*string]) [fstabSize]*string {
	kind, options, frequency, pass := "auto", e.mountOptions(), "0", "2"
	fill := [fstabSize]*string{nil, nil, &kind, &options, &frequency, &pass}
	if given.Value == nil {
		return fill
	}
	if len(given.Value) != fstabSize {
		e.Problem(conf.Problem{Origin: given.Origin, Path: given.Path, Level: conf.Warning,
			Message: fmt.Sprintf("want %d fields, have %d; what is missing is as if it had not been given", fstabSize, len(given.Value))})
	}
	for i, value := range given.Value[:min(fstabSize, len(given.Value))] {
		if value != nil && (i > 1 || *value != "None") { // what cloud-init's documentation writes for null
			fill[i] = value
		}
	}
	return fill
}

// mountOptions are the options of an entry that names none: a disk that is not there stops no boot.
func (e *Env) mountOptions() string {
	if e.usesSystemd() {
		return "defaults,nofail,x-systemd.after=cloud-init-network.service,_netdev"
	}
	return "defaults,nobootwait"
}

// defaultMounts are the disks that the cloud adds, where no entry and no line of a person's is about them.
func (e *Env) defaultMounts(given []mount, names deviceNames, table fstab) (all []mount) {
	for _, row := range []fstabRow{
		{"ephemeral0", "/mnt", "auto", e.mountOptions(), "0", "2"},
		{"swap", "none", "swap", "sw", "0", "0"},
	} {
		device := names.mountable(row[0])
		isGiven := slices.ContainsFunc(given, func(m mount) bool { return m.row[0] == device })
		if device != "" && !isGiven && !table.has(device) {
			row[0] = device
			all = append(all, mount{row: row})
		}
	}
	return all
}

// makeMountPoints makes the folders to mount at. One that cannot be made stops no other: mount will say what it means.
func (e *Env) makeMountPoints(rows []fstabRow) {
	for _, row := range rows {
		if !path.IsAbs(row[1]) {
			continue
		}
		if err := machine.MakeFolders(e.Machine.Files, row[1], machine.Folder(0o755)); err != nil {
			e.Warn("Failed to make '%s' config-mount: %v", row[1], err)
		}
	}
}

// mountLimit is how long mounting may take. A network file system whose server is silent gives up by itself after two
// minutes (nfs(5), retry), and says so.
const mountLimit = 150 * time.Second

// activate mounts and uses what is not yet. Where all is in use already, nothing is run.
func (e *Env) activate(ctx context.Context, rows []fstabRow, changed bool) (all error) {
	do := func(c machine.Change) { all = errors.Join(all, e.Machine.Commands.Do(ctx, c)) }
	if e.hasIdleSwap(rows, changed) {
		do(machine.Change{Argv: []string{"swapon", "-a"}, Touches: []string{"/proc/swaps"}})
	}
	if points := e.unmounted(rows); len(points) > 0 {
		do(machine.Change{Argv: []string{"mount", "-a"}, Touches: points, Limit: mountLimit})
	}
	if changed && e.usesSystemd() {
		do(machine.Change{Argv: []string{"systemctl", "daemon-reload"}, Touches: []string{"/run/systemd"}})
	}
	return all
}

// hasIdleSwap says whether there is swap that the kernel does not use. What has no path, such as a label, is turned on with
// the line that names it, and by the system at each boot.
func (e *Env) hasIdleSwap(rows []fstabRow, changed bool) bool {
	used := e.swaps()
	return slices.ContainsFunc(rows, func(r fstabRow) bool {
		if r[2] != "swap" || r.has("noauto") {
			return false
		}
		if !path.IsAbs(r[0]) {
			return changed
		}
		return !slices.Contains(used, r[0]) && !slices.Contains(used, e.Machine.Facts.BlockDevice(r[0]).Path())
	})
}

// unmounted are the mount points at which nothing is yet, but for those that wait: for a person, or for a disk that may be
// missing.
func (e *Env) unmounted(rows []fstabRow) (points []string) {
	used := map[string]bool{}
	for _, m := range e.Machine.Facts.Mounts() {
		used[m.Point] = true
	}
	names := deviceNames{Env: e}
	for _, r := range rows {
		isMissing := strings.HasPrefix(r[0], "/dev/") && !names.isBlock(r[0]) && !names.opens(r[0])
		if path.IsAbs(r[1]) && !used[path.Clean(r[1])] && !r.has("noauto") && !(isMissing && r.has("nofail")) {
			points = append(points, path.Clean(r[1]))
		}
	}
	return points
}
