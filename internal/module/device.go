package module

import (
	"path"
	"strconv"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// deviceNames finds the device nodes behind the names that people and clouds give disks.
type deviceNames struct {
	*Env
	aliases map[string]string // the key device_aliases
}

// deviceNames are the names that count here.
func (e *Env) deviceNames(aliases conf.Named[string]) deviceNames {
	d := deviceNames{e, map[string]string{}}
	for _, alias := range aliases {
		d.aliases[alias.Name] = alias.Value
	}
	return d
}

// isKernelName says whether a name is one of the kernel's own for disks, which may be given without /dev: sda1, xvdb, sr0.
func isKernelName(name string) bool {
	isNumber := func(text string) bool { return strings.Trim(text, "0123456789") == "" }
	if number, ok := strings.CutPrefix(name, "sr"); ok {
		return number != "" && isNumber(number)
	}
	name = strings.TrimPrefix(name, "x")
	return len(name) >= 3 && strings.IndexByte("shv", name[0]) >= 0 && name[1] == 'd' && 'a' <= name[2] && name[2] <= 'z' && isNumber(name[3:])
}

// mountable is the node that a name in `mounts` means: a path, a kernel's name such as sdb, an alias, or the cloud's own
// name, each perhaps with a dot and a partition's number behind. A disk that has partitions stands for its first one. It is
// empty where there is no such device; what a network file system is called stays as it is.
func (d deviceNames) mountable(name string) string {
	if strings.Index(name, ":") > 0 {
		return name
	}
	if name == "ephemeral" {
		name = "ephemeral0"
	}
	disk, number, dotted := dottedDevice(name)
	if alias, ok := d.aliases[disk]; ok {
		disk = alias
	}
	switch {
	case isCloudName(disk):
		if disk = d.cloudDevice(disk); disk == "" {
			return ""
		}
	case isKernelName(disk):
		disk = "/dev/" + disk
	}
	if !dotted {
		number = "1"
	}
	if partition := d.partition(disk, number); partition != "" {
		return partition
	}
	if !dotted && d.isBlock(disk) {
		return disk
	}
	return ""
}

// disk is the node that a name in `disk_setup` or `fs_setup` means: what an alias or the cloud says, or else the name itself.
func (d deviceNames) disk(name string) string {
	alias, ok := d.aliases[name]
	if ok {
		name = alias
	}
	if device := d.cloudDevice(name); device != "" {
		return device
	}
	return name
}

// dottedDevice cuts a name such as ephemeral0.1 at its last dot.
func dottedDevice(name string) (disk, number string, dotted bool) {
	at := strings.LastIndexByte(name, '.')
	if at < 0 {
		return name, "", false
	}
	return name[:at], name[at+1:], true
}

// isCloudName says that only the cloud knows which disk is meant.
func isCloudName(name string) bool {
	for _, prefix := range []string{"ephemeral", "ebs"} {
		if strings.HasPrefix(name, prefix) && !strings.Contains(name, ":") {
			return true
		}
	}
	return name == "ami" || name == "root" || name == "swap"
}

// partition is the node of a disk's partition; empty where there is none. One that was made just now may have no link yet.
func (d deviceNames) partition(disk, number string) string {
	whole := d.Machine.Facts.BlockDevice(disk)
	for _, infix := range []string{"", "p", "-part"} {
		node := disk + infix + number
		if b := d.Machine.Facts.BlockDevice(node); b.Name != "" && b.Parent == whole.Name {
			return node
		}
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || whole.Name == "" || !d.opens(machine.PartitionName(whole.Path(), n)) {
		return ""
	}
	if strings.HasPrefix(disk, "/dev/disk/") {
		return disk + "-part" + number
	}
	return machine.PartitionName(whole.Path(), n)
}

// isBlock says whether a name leads to a disk or a partition.
func (d deviceNames) isBlock(name string) bool { return d.Machine.Facts.BlockDevice(name).Name != "" }

// opens says whether a disk or a partition is there to be read.
func (d deviceNames) opens(node string) bool {
	b, err := d.Machine.Blocks.Open(node)
	if err != nil {
		return false
	}
	b.Close()
	return true
}

// cloudDevice is the disk that the cloud means by a name such as ephemeral0; empty where it does not say, or where the disk
// is not there.
func (d deviceNames) cloudDevice(name string) string {
	switch d.Instance.Source {
	case "Azure", "SmartOS":
		return d.configuredDisk(name)
	case "OpenStack", "ConfigDrive":
		if device := d.mappedDevice(d.Instance.Tree["ec2_metadata"], name); device != "" {
			return device
		}
		return d.labelledDisk(name)
	}
	return d.mappedDevice(d.Instance.Metadata, name)
}

// builtinDisks are the names that Azure's and SmartOS' sources have for disks where the configuration gives none.
var builtinDisks = map[string]string{"Azure": "/dev/disk/cloud/azure_resource", "SmartOS": "/dev/vdb"}

// configuredDisk looks into the source's own configuration, as image builders write it.
func (d deviceNames) configuredDisk(name string) string {
	if given := d.Config.At("datasource", d.Instance.Source, "disk_aliases"); given != nil {
		return given.Get(name).Str("")
	}
	if name == "ephemeral0" {
		return builtinDisks[d.Instance.Source]
	}
	return ""
}

// labelledDisk is how OpenStack marks the disks that it adds.
func (d deviceNames) labelledDisk(name string) string {
	if !isCloudName(name) {
		return ""
	}
	found, err := d.Machine.Disks.Labelled(name)
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[len(found)-1].Path
}

// mappedDevice looks into metadata as EC2 gives it: names of disks, and what the hypervisor calls them. The kernel may use
// other letters, and one that is there under none of them is no disk of ours.
func (d deviceNames) mappedDevice(metadata any, name string) string {
	tree, _ := metadata.(map[string]any)
	mapping, _ := tree["block-device-mapping"].(map[string]any)
	device, _ := mapping[name].(string)
	if device == "" && name == "ephemeral0" {
		device, _ = mapping["ephemeral"].(string) // Eucalyptus
	}
	if device == "" {
		return ""
	}
	if !path.IsAbs(device) {
		device = "/dev/" + device
	}
	if d.isBlock(device) {
		return device
	}
	letters, isSCSI := strings.CutPrefix(path.Base(device), "sd")
	for _, prefix := range []string{"vd", "xvd", "vtb"} {
		if node := "/dev/" + prefix + letters; isSCSI && d.isBlock(node) {
			return node
		}
	}
	return ""
}
