package module

import (
	"io/fs"
	"path"
	"regexp"
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

// kernelName fits the kernel's own names of disks, which may be given without /dev.
var kernelName = regexp.MustCompile(`^(x?[shv]d[a-z][0-9]*|sr[0-9]+)$`)

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
	case kernelName.MatchString(disk):
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

// partition is the node of a disk's partition; empty where the kernel knows none.
func (d deviceNames) partition(disk, number string) string {
	for _, infix := range []string{"", "p", "-part"} {
		if node := disk + infix + number; d.exists(node) && d.isBlock(disk, node) {
			return node
		}
	}
	return ""
}

// isBlock asks the kernel whether it has a disk, or a partition on a disk.
func (d deviceNames) isBlock(nodes ...string) bool {
	name := "/sys/class/block"
	for _, node := range nodes {
		name += "/" + path.Base(d.realName(node))
	}
	return machine.Exists(d.Machine.Files, name)
}

// exists says whether a node is there, or a link to one.
func (d deviceNames) exists(node string) bool {
	return strings.HasPrefix(node, "/") && machine.Exists(d.Machine.Files, d.realName(node))
}

// realName follows the links that udev makes for a device.
func (d deviceNames) realName(node string) string {
	for range 10 {
		n, err := d.Machine.Files.Look(node)
		if err != nil || n.Mode.Type() != fs.ModeSymlink {
			break
		}
		if !path.IsAbs(n.Data) {
			n.Data = path.Join(path.Dir(node), n.Data)
		}
		node = n.Data
	}
	return node
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
	if d.exists(device) {
		return device
	}
	letters, isSCSI := strings.CutPrefix(path.Base(device), "sd")
	for _, prefix := range []string{"vd", "xvd", "vtb"} {
		if node := "/dev/" + prefix + letters; isSCSI && d.exists(node) {
			return node
		}
	}
	return ""
}
