package machine

import (
	"io/fs"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// Facts are what is true of a system and can be read from its files. No command runs for a fact. A file is read when
// it is first asked about and then remembered, but for network interfaces and block devices, which come and go.
type Facts struct {
	files  Files
	kernel Kernel

	mutex sync.Mutex
	texts map[string]remembered
}

type remembered struct {
	text  string
	there bool
}

// NewFacts returns the facts of a system. Nothing is read before it is asked for.
func NewFacts(files Files, kernel Kernel) *Facts {
	if w, ok := files.(walked); ok {
		files = w.quiet()
	}
	return &Facts{files: files, kernel: kernel, texts: map[string]remembered{}}
}

// text is the content of a file, and whether it could be read.
func (f *Facts) text(name string) (string, bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	known, ok := f.texts[name]
	if !ok {
		text, err := f.files.Read(name)
		known = remembered{text, err == nil}
		f.texts[name] = known
	}
	return known.text, known.there
}

// line is the content of a file without the white space around it; empty where there is none.
func (f *Facts) line(name string) string {
	text, _ := f.text(name)
	return strings.TrimSpace(text)
}

func (f *Facts) isFolder(name string) bool {
	n, err := lookThrough(f.files, name)
	return err == nil && n.Mode.IsDir()
}

// isRunning says that the facts are those of the system that we run in.
func (f *Facts) isRunning() bool {
	_, offline := f.kernel.(offlineKernel)
	return f.kernel != nil && !offline
}

// DMI is what the firmware says under a name of /sys/class/dmi/id, such as "product_name". It is empty where there is
// nothing, where it was never set (all bytes are 0xff), and in a container, where it speaks of the host.
func (f *Facts) DMI(name string) string {
	if f.IsContainer() {
		return ""
	}
	return f.hostDMI(name)
}

func (f *Facts) hostDMI(name string) string {
	value := f.line("/sys/class/dmi/id/" + name)
	if strings.Count(value, "\xff") == len(value) {
		return ""
	}
	return strings.ToValidUTF8(value, ".")
}

// KernelRelease is the version of the running kernel, as uname -r says it.
func (f *Facts) KernelRelease() string { return f.line("/proc/sys/kernel/osrelease") }

// Init is the program that starts services: "systemd", "openrc" or "sysvinit". Where the system is not running, it is
// the one that is installed.
func (f *Facts) Init() string {
	switch {
	case f.isFolder("/run/systemd/system"):
		return "systemd"
	case !f.isRunning() && f.hasAny("/usr/lib/systemd/systemd", "/lib/systemd/systemd"):
		return "systemd"
	case f.hasAny("/run/openrc", "/sbin/openrc", "/usr/sbin/openrc"):
		return "openrc"
	}
	return "sysvinit"
}

func (f *Facts) hasAny(names ...string) bool {
	for _, name := range names {
		if Exists(f.files, name) {
			return true
		}
	}
	return false
}

// Architecture is the machine's, as uname -m names it: "x86_64". Where the system is not running, its shell tells.
func (f *Facts) Architecture() string {
	if arch := f.line("/proc/sys/kernel/arch"); arch != "" { // since Linux 6.1
		return arch
	}
	if f.isRunning() {
		return unameOf(runtime.GOARCH)
	}
	for _, name := range []string{"/bin/sh", "/usr/bin/sh", "/bin/busybox", "/sbin/init"} {
		if text, ok := f.text(name); ok {
			if arch := elfMachine(text); arch != "" {
				return arch
			}
		}
	}
	return ""
}

// unameOf translates Go's name of an architecture.
func unameOf(goarch string) string {
	names := map[string]string{"amd64": "x86_64", "386": "i686", "arm64": "aarch64", "arm": "armv7l", "loong64": "loongarch64",
		"mipsle": "mips", "mips64le": "mips64"}
	if name, ok := names[goarch]; ok {
		return name
	}
	return goarch
}

// elfMachine is the architecture in the header of a program; see elf(5): byte 5 is the byte order, 18 and 19 are the
// machine.
func elfMachine(program string) string {
	if len(program) < 20 || program[:4] != "\x7fELF" {
		return ""
	}
	machine, big := int(program[18])|int(program[19])<<8, program[5] == 2
	if big {
		machine = int(program[18])<<8 | int(program[19])
	}
	if machine == 21 && !big {
		return "ppc64le"
	}
	return map[int]string{3: "i686", 62: "x86_64", 183: "aarch64", 40: "armv7l", 20: "ppc", 21: "ppc64", 22: "s390x", 243: "riscv64",
		258: "loongarch64", 8: "mips"}[machine]
}

// A NIC is a network interface, as /sys/class/net shows it.
type NIC struct {
	Name           string
	MAC            string // lower case; empty where the kernel shows none
	Driver         string // of its device, such as "virtio_net"
	DeviceID       string // of its device, such as "0x0001"
	Operstate      string // "up", "down", "unknown", …
	Master         string // the bridge, bond or failover interface that it belongs to
	AddrAssignType int    // 0: the address is the device's own; 1: random; 2: stolen from another; 3: set
	Carrier        bool   // a cable is in, as far as the driver knows
	Virtual        bool   // there is no device behind it
	Bridge         bool
	Bond           bool
	VLAN           bool
	Loopback       bool
	Renamed        bool // user space gave it its name
	Dormant        bool // it is up, and waits for something such as a login to the network
	Standby        bool // virtio's: another interface may take its place (VIRTIO_NET_F_STANDBY)
}

// NICs are the network interfaces of now, by name. They are looked up anew each time.
func (f *Facts) NICs() (all []NIC) {
	names, _ := f.files.List("/sys/class/net")
	for _, name := range names {
		if f.isFolder("/sys/class/net/" + name) { // bonding_masters is a file
			all = append(all, readNIC(device(f.files, "/sys/class/net", name), name))
		}
	}
	return all
}

// device are the attributes of a device of a class, in the folder that its link leads to: each attribute costs the way to it.
func device(files Files, class, name string) attributes { return attributes{files, class}.in(name) }

func readNIC(a attributes, name string) NIC {
	assigned := a.text("name_assign_type")
	n := NIC{
		Name:           name,
		MAC:            strings.ToLower(a.text("address")),
		Operstate:      a.text("operstate"),
		Master:         a.target("master"),
		AddrAssignType: int(a.number("addr_assign_type")),
		Carrier:        a.text("carrier") == "1",
		Virtual:        !a.has("device"),
		Bridge:         a.has("bridge"),
		Bond:           a.has("bonding"),
		VLAN:           strings.Contains("\n"+a.text("uevent")+"\n", "\nDEVTYPE=vlan\n"),
		Loopback:       name == "lo" || a.text("type") == "772", // ARPHRD_LOOPBACK
		Renamed:        assigned == "3" || assigned == "4",
		Dormant:        a.text("dormant") == "1",
	}
	if !n.Virtual {
		device := a.in("device")
		n.Driver, n.DeviceID, n.Standby = device.target("driver"), device.text("device"), hasFeature(device.text("features"), 62)
	}
	return n
}

// hasFeature reads virtio's list of features, a digit for each.
func hasFeature(features string, bit int) bool { return len(features) > bit && features[bit] == '1' }

// A BlockDevice is a disk or a partition, as /sys/class/block shows it.
type BlockDevice struct {
	Name      string
	Size      int64  // in bytes
	Partition int    // its number; 0 for a whole disk
	Start     int64  // where a partition begins on its disk, in bytes
	Parent    string // the disk that a partition is on
	Number    string // the kernel's numbers, "254:1"
	ReadOnly  bool
	Removable bool
	Mapped    string // device mapper's name for it: "vg-root"
	MappedID  string // device mapper's word on what it is: "LVM-…", "CRYPT-LUKS2-…"
}

// Path is where the device is found.
func (b BlockDevice) Path() string { return "/dev/" + strings.ReplaceAll(b.Name, "!", "/") }

// BlockDevices are the disks and partitions of now, by name. They are looked up anew each time.
func (f *Facts) BlockDevices() []BlockDevice { return blockDevices(f.files) }

func blockDevices(files Files) (all []BlockDevice) {
	names, _ := files.List("/sys/class/block")
	for _, name := range names {
		all = append(all, blockDevice(files, name))
	}
	return all
}

// blockDevice reads what /sys says of one device.
func blockDevice(files Files, name string) BlockDevice {
	a := device(files, "/sys/class/block", name)
	b := BlockDevice{
		Name:      name,
		Size:      a.number("size") * 512, // the kernel's sector, whatever the device's is
		Partition: int(a.number("partition")),
		Number:    a.text("dev"),
		ReadOnly:  a.text("ro") == "1",
		Removable: a.text("removable") == "1",
	}
	if b.Partition > 0 {
		b.Start, b.Parent = a.number("start")*512, path.Base(path.Dir(a.folder))
	}
	if a.has("dm") {
		b.Mapped, b.MappedID = a.text("dm/name"), a.text("dm/uuid")
	}
	return b
}

// attributes are the files of a device's folder below /sys.
type attributes struct {
	files  Files
	folder string
}

// in are the attributes in a folder below, or in the one that a link there leads to.
func (a attributes) in(name string) attributes {
	inner := attributes{a.files, a.folder + "/" + name}
	if link, err := a.files.Look(inner.folder); err == nil && link.Mode.Type() == fs.ModeSymlink {
		inner.folder = path.Join(a.folder, link.Data)
	}
	return inner
}

func (a attributes) has(name string) bool { return Exists(a.files, a.folder+"/"+name) }

func (a attributes) text(name string) string {
	text, _ := a.files.Read(a.folder + "/" + name)
	return strings.TrimSpace(text)
}

func (a attributes) number(name string) int64 {
	n, _ := strconv.ParseInt(a.text(name), 10, 64)
	return n
}

// target is the last part of where a link leads.
func (a attributes) target(name string) string {
	n, err := a.files.Look(a.folder + "/" + name)
	if err != nil || n.Mode.Type() != fs.ModeSymlink {
		return ""
	}
	return path.Base(n.Data)
}
