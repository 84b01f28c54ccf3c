package machine

import (
	"path"
	"slices"
	"strings"
)

// Virtualization is what the system runs in, in the words of systemd-detect-virt(1): a container's before a machine's,
// and "none". Only files are asked, not the processor: where they do not name the hypervisor it is "vm-other".
func (f *Facts) Virtualization() string { return f.once("virtualization", f.virtualization) }

func (f *Facts) virtualization() string {
	for _, detect := range []func() string{f.container, f.machineByDMI, f.machineByKernel, f.machineByDeviceTree} {
		if kind := detect(); kind != "" {
			return kind
		}
	}
	return "none"
}

// IsContainer says that the kernel is not the system's own.
func (f *Facts) IsContainer() bool { return f.container() != "" }

// container names the container that we are in; empty where we are in none.
func (f *Facts) container() string { return f.once("container", f.findContainer) }

// once finds out something that takes several files, and remembers it.
func (f *Facts) once(fact string, find func() string) string {
	f.mutex.Lock()
	known, ok := f.texts[fact]
	f.mutex.Unlock()
	if !ok {
		known.text = find()
		f.mutex.Lock()
		f.texts[fact] = known
		f.mutex.Unlock()
	}
	return known.text
}

func (f *Facts) findContainer() string {
	release := f.KernelRelease()
	environment := f.environmentOf("1")
	switch {
	case f.isFolder("/proc/vz") && !f.isFolder("/proc/bc"):
		return "openvz"
	case strings.Contains(release, "Microsoft") || strings.Contains(release, "WSL"):
		return "wsl"
	case f.line("/run/systemd/container") != "":
		return containerWord(f.line("/run/systemd/container"))
	case f.line("/run/host/container-manager") != "":
		return containerWord(f.line("/run/host/container-manager"))
	case environment["container"] != "":
		return containerWord(environment["container"])
	case environment["LIBVIRT_LXC_UUID"] != "":
		return "lxc-libvirt"
	case Exists(f.files, "/run/.containerenv"):
		return "podman"
	case Exists(f.files, "/.dockerenv"):
		return "docker"
	case f.isVServer():
		return "container-other"
	}
	return ""
}

func containerWord(name string) string {
	known := []string{"lxc", "lxc-libvirt", "systemd-nspawn", "docker", "podman", "rkt", "wsl", "proot", "pouch", "openvz"}
	if slices.Contains(known, name) {
		return name
	}
	return "container-other"
}

// isVServer looks for a context number of Linux-VServer other than the host's.
func (f *Facts) isVServer() bool {
	text, _ := f.text("/proc/self/status")
	_, number, found := strings.Cut("\n"+text, "\nVxID:")
	number, _, _ = strings.Cut(number, "\n")
	return found && strings.TrimSpace(number) != "0"
}

// dmiVendors are the beginnings of what hypervisors write into DMI, in the order to try them.
var dmiVendors = []struct{ prefix, kind string }{
	{"KVM", "kvm"}, {"OpenStack", "kvm"}, {"KubeVirt", "kvm"}, {"Amazon EC2", "amazon"}, {"QEMU", "qemu"}, {"VMware", "vmware"},
	{"VMW", "vmware"}, {"innotek GmbH", "oracle"}, {"VirtualBox", "oracle"}, {"Xen", "xen"}, {"Bochs", "bochs"},
	{"Parallels", "parallels"}, {"BHYVE", "bhyve"}, {"Hyper-V", "microsoft"}, {"Apple Virtualization", "apple"},
	{"Google Compute Engine", "google"},
}

// machineByDMI asks the firmware. Two answers of it are not the last word: EC2 says the same on bare metal, and QEMU
// may be what the kernel's KVM runs under.
func (f *Facts) machineByDMI() string {
	kind := f.dmiVendor()
	switch {
	case kind == "amazon" && f.isBareMetal():
		return ""
	case kind == "qemu" && f.machineByKernel() == "kvm":
		return "kvm"
	}
	return kind
}

func (f *Facts) dmiVendor() string {
	for _, name := range []string{"product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"} {
		value := f.hostDMI(name)
		for _, vendor := range dmiVendors {
			if strings.HasPrefix(value, vendor.prefix) {
				return vendor.kind
			}
		}
	}
	return ""
}

// isBareMetal reads the bit "this is a virtual machine" of SMBIOS, or the product's name where it may not be read.
func (f *Facts) isBareMetal() bool {
	if table, ok := f.text("/sys/firmware/dmi/entries/0-0/raw"); ok && len(table) > 0x13 {
		return table[0x13]&(1<<4) == 0
	}
	return strings.Contains(f.hostDMI("product_name"), ".metal")
}

// machineByKernel asks what the kernel found when it started. The clocks are what it shows of its hypervisor's name.
func (f *Facts) machineByKernel() string {
	clocks := f.line("/sys/devices/system/clocksource/clocksource0/available_clocksource")
	cpu, _ := f.text("/proc/cpuinfo")
	switch {
	case strings.Contains(cpu, "User Mode Linux"):
		return "uml"
	case f.isFolder("/proc/xen") || f.line("/sys/hypervisor/type") == "xen":
		return f.xenDomain()
	case strings.Contains(clocks, "kvm-clock"):
		return "kvm"
	case strings.Contains(clocks, "hyperv_clocksource"):
		return "microsoft"
	case hasFlag(cpu, "hypervisor"):
		return "vm-other"
	}
	return f.machineByMainframe()
}

// xenDomain tells a guest from the domain that rules the machine.
func (f *Facts) xenDomain() string {
	if strings.Contains(f.line("/proc/xen/capabilities"), "control_d") {
		return ""
	}
	return "xen"
}

// hasFlag looks for a word in the line "flags" of /proc/cpuinfo.
func hasFlag(cpu, flag string) bool {
	for line := range strings.Lines(cpu) {
		if name, words, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "flags" {
			return slices.Contains(strings.Fields(words), flag)
		}
	}
	return false
}

// machineByMainframe reads what a guest on IBM Z is told.
func (f *Facts) machineByMainframe() string {
	text, _ := f.text("/proc/sysinfo")
	_, program, found := strings.Cut(text, "VM00 Control Program:")
	program, _, _ = strings.Cut(program, "\n")
	switch {
	case !found:
		return ""
	case strings.Contains(program, "z/VM"):
		return "zvm"
	}
	return "kvm"
}

// machineByDeviceTree is for machines without DMI.
func (f *Facts) machineByDeviceTree() string {
	const tree = "/proc/device-tree"
	switch compatible := f.line(path.Join(tree, "hypervisor/compatible")); {
	case strings.HasPrefix(compatible, "linux,kvm"):
		return "kvm"
	case strings.Contains(compatible, "xen"):
		return "xen"
	case strings.Contains(compatible, "vmware"):
		return "vmware"
	case compatible != "":
		return "vm-other"
	case strings.HasPrefix(f.line(path.Join(tree, "compatible")), "qemu,"):
		return "qemu"
	case f.hasAny(path.Join(tree, "ibm,partition-name"), path.Join(tree, "hmc-managed?")):
		return "powervm"
	}
	return ""
}
