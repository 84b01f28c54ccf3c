package machine

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

func fakeFacts(t *testing.T, text string) *Facts {
	t.Helper()
	return Fake(text, time.Unix(0, 0)).Facts
}

// A wrong distribution picks the wrong templates and package manager. The expectations are what cloud-init's
// get_linux_distro and _get_variant answer for the same files.
func TestDistro(t *testing.T) {
	tests := []struct{ name, files, want, variant string }{
		{"debian", "-- /etc/os-release --\nID=debian\nVERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\n",
			"debian 12 bookworm", "debian"},
		{"code name in the version", "-- /etc/os-release --\nID=debian\nVERSION_ID=\"7\"\nVERSION=\"7 (wheezy)\"\n", "debian 7 wheezy", "debian"},
		{"no code name", "-- /etc/os-release --\nID=fedora\nVERSION_ID=40\nVERSION=\"40\"\n", "fedora 40 ", "fedora"},
		{"rhel", "-- /etc/os-release --\nID=\"rhel\"\nVERSION_ID=\"9.4\"\nVERSION=\"9.4 (Plow)\"\n", "redhat 9.4 Plow", "rhel"},
		{"alpine", "-- /etc/os-release --\nID=alpine\nVERSION_ID=3.20.1\nPRETTY_NAME=\"Alpine Linux v3.20\"\n",
			"alpine 3.20.1 Alpine Linux v3.20", "alpine"},
		{"suse", "-- /proc/sys/kernel/arch --\nx86_64\n-- /etc/os-release --\nID=\"opensuse-leap\"\nVERSION_ID=\"15.6\"\n",
			"opensuse-leap 15.6 x86_64", "suse"},
		{"mint", "-- /etc/os-release --\nID=linuxmint\nVERSION_ID=22\nVERSION_CODENAME=wilma\n", "linuxmint 22 wilma", "ubuntu"},
		{"raspberry pi", "-- /etc/rpi-issue --\n-- /etc/os-release --\nID=debian\nVERSION_ID=12\nVERSION_CODENAME=bookworm\n",
			"raspberry-pi-os 12 bookworm", "raspberry-pi-os"},
		{"only below usr", "-- /usr/lib/os-release --\nID=arch\n", "arch  ", "arch"},
		{"centos 6", "-- /etc/redhat-release --\nCentOS release 6.10 (Final)\n", "centos 6.10 Final", "centos"},
		{"rhel 6", "-- /etc/redhat-release --\nRed Hat Enterprise Linux Server release 6.9 (Santiago)\n", "redhat 6.9 Santiago", "rhel"},
		{"virtuozzo 7", "-- /etc/redhat-release --\nVirtuozzo Linux release 7.9\n", "virtuozzo 7.9 Virtuozzo Linux", "virtuozzo"},
		{"something else", "-- /etc/os-release --\nID=nixos\nVERSION_ID=24.05\n", "nixos 24.05 ", "linux"},
		{"nothing", "", "  ", "linux"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := fakeFacts(t, test.files)
			id, version, codename := f.Distro()
			if got := id + " " + version + " " + codename; got != test.want {
				t.Errorf("the distribution is %q, want %q", got, test.want)
			}
			if f.Variant() != test.variant {
				t.Errorf("the variant is %q, want %q", f.Variant(), test.variant)
			}
		})
	}
}

func TestParseOSRelease(t *testing.T) {
	tests := []struct{ line, want string }{
		{`A=b`, "b"}, {`A="b c"`, "b c"}, {`A='b "c"'`, `b "c"`}, {`A="b \"c\" \$d \e"`, `b "c" $d \e`}, {`A=b\ c`, "b c"},
		{`A=b # c`, "b"}, {`A="b"'c'd`, "bcd"}, {`  A=b  `, "b"}, {`A="open`, "open"}, {`A=`, ""}, {`#A=b`, ""}, {`A-B=c`, ""}, {`=b`, ""},
		{`A=b#c`, "b#c"}, {`A='b\c'`, `b\c`}, {`A=b\`, `b\`},
	}
	for _, test := range tests {
		if got := ParseOSRelease(test.line + "\n")["A"]; got != test.want {
			t.Errorf("%s gives %q, want %q", test.line, got, test.want)
		}
	}
	if got := ParseOSRelease("A=1\nA=2")["A"]; got != "2" {
		t.Errorf("of two lines the last counts, but A is %q", got)
	}
}

// The shell is what os-release(5) says reads the file, so it is asked for the same words.
func TestOSReleaseAsShell(t *testing.T) {
	for _, value := range []string{`b`, `"b c"`, `'b "c"'`, `"b \"c\" \$d \e \\ "`, `b\ c`, `"b"'c'd`, `b#c`, `'b\c'`, `"a	b"`} {
		out, err := exec.Command("sh", "-c", "A="+value+"\nprintf %s \"$A\"").Output()
		if err != nil {
			t.Skip("needs a shell")
		}
		if got := ParseOSRelease("A=" + value)["A"]; got != string(out) {
			t.Errorf("%s gives %q, the shell says %q", value, got, out)
		}
	}
}

func FuzzOSRelease(f *testing.F) {
	f.Add("ID=debian\nNAME=\"Debian GNU/Linux\"\n# x\nA='b")
	f.Fuzz(func(t *testing.T, text string) {
		size := 0
		for name, value := range ParseOSRelease(text) {
			size += len(name) + len(value)
		}
		if size > len(text) {
			t.Errorf("more comes out than went in: %d bytes of %d", size, len(text))
		}
	})
}

func TestParseCommandLine(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""}, {"  quiet  ro ", "quiet|ro"}, {`a="b c" d`, "a=b c|d"}, {`"a=b c" d`, "a=b c|d"}, {`a=b"c d"e f`, `a=b"c d"e|f`},
		{"ds=nocloud;s=http://h/?a=b root=UUID=1", "ds=nocloud;s=http://h/?a=b|root=UUID=1"}, {`open="a b`, "open=a b"}, {"a\tb\nc", "a|b|c"},
		{`a=""`, "a="}, {`x "" y`, "x||y"},
	}
	for _, test := range tests {
		if got := strings.Join(ParseCommandLine(test.text), "|"); got != test.want {
			t.Errorf("%s is cut into %s, want %s", test.text, got, test.want)
		}
	}
}

func FuzzCommandLine(f *testing.F) {
	f.Add(`ro quiet ds="nocloud;s=/a b" "x=y z"`)
	f.Fuzz(func(t *testing.T, text string) {
		words := ParseCommandLine(text)
		if len(strings.Join(words, " ")) > len(text) {
			t.Errorf("more comes out than went in: %q", words)
		}
		if !strings.Contains(text, `"`) && strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 }) < 0 &&
			strings.Join(words, " ") != strings.Join(strings.Fields(text), " ") {
			t.Errorf("without quotes, words are what white space is between: %q", words)
		}
	})
}

// A container is told what to do through the words of its first process; the host's kernel is none of its business.
func TestCommandLine(t *testing.T) {
	host := fakeFacts(t, "-- /proc/cmdline --\nro ds=nocloud ds=none quiet\n")
	if value, ok := host.KernelArgument("ds"); value != "none" || !ok {
		t.Errorf("ds is %q, %v; the last one counts", value, ok)
	}
	if value, ok := host.KernelArgument("quiet"); value != "" || !ok {
		t.Errorf("quiet is %q, %v", value, ok)
	}
	if _, ok := host.KernelArgument("d"); ok {
		t.Error("an argument that is not there was found")
	}
	if windows := fakeFacts(t, "-- /proc/sys/kernel/osrelease --\n5.15-microsoft-standard-WSL2\n-- /proc/cmdline --\nds=nocloud\n-- /proc/1/cmdline --\n/sbin/init\x00"); windows.CommandLine() != "ds=nocloud" {
		t.Errorf("in WSL the command line is %q", windows.CommandLine())
	}
	inside := fakeFacts(t, "-- /proc/cmdline --\nds=gce\n-- /run/systemd/container --\nlxc\n-- /proc/1/cmdline --\n/sbin/init\x00ds=nocloud\x00\n")
	if got := strings.TrimSpace(inside.CommandLine()); got != "/sbin/init ds=nocloud" {
		t.Errorf("in a container the command line is %q", got)
	}
}

// The product's name of the host must not make its containers ask a cloud that is not theirs.
func TestDMI(t *testing.T) {
	const dmi = "-- /sys/class/dmi/id/product_name --\n Google Compute Engine \n-- /sys/class/dmi/id/product_serial --\n\xff\xff\xff\xff\n" +
		"-- /sys/class/dmi/id/board_name --\na\xff\xffb\n"
	host := fakeFacts(t, dmi)
	for name, want := range map[string]string{"product_name": "Google Compute Engine", "product_serial": "", "product_uuid": "", "board_name": "a.b"} {
		if got := host.DMI(name); got != want {
			t.Errorf("DMI %s is %q, want %q", name, got, want)
		}
	}
	if got := fakeFacts(t, dmi+"-- /.dockerenv --\n").DMI("product_name"); got != "" {
		t.Errorf("in a container DMI says %q", got)
	}
}

func TestVirtualization(t *testing.T) {
	dmi := func(name, value string) string { return "-- /sys/class/dmi/id/" + name + " --\n" + value + "\n" }
	const clocks, cpu = "-- /sys/devices/system/clocksource/clocksource0/available_clocksource --\n", "-- /proc/cpuinfo --\n"
	tests := []struct{ name, files, want string }{
		{"nothing", "", "none"},
		{"bare metal", cpu + "flags\t\t: fpu vme\n" + dmi("sys_vendor", "Dell Inc."), "none"},
		{"lxc", "-- /run/systemd/container --\nlxc\n" + dmi("sys_vendor", "QEMU"), "lxc"},
		{"nspawn", "-- /proc/1/environ --\ncontainer=systemd-nspawn\x00A=b\x00\n", "systemd-nspawn"},
		{"an unknown container", "-- /run/systemd/container --\nkata\n", "container-other"},
		{"docker", "-- /.dockerenv --\n", "docker"},
		{"podman", "-- /run/.containerenv --\n", "podman"},
		{"openvz", "-- /proc/vz/ --\n", "openvz"},
		{"openvz's host", "-- /proc/vz/ --\n-- /proc/bc/ --\n", "none"},
		{"wsl", "-- /proc/sys/kernel/osrelease --\n5.15.90.1-microsoft-standard-WSL2\n", "wsl"},
		{"google", dmi("product_name", "Google Compute Engine"), "google"},
		{"qemu without kvm", dmi("sys_vendor", "QEMU"), "qemu"},
		{"kvm below qemu", dmi("sys_vendor", "QEMU") + clocks + "kvm-clock tsc acpi_pm\n", "kvm"},
		{"openstack", dmi("product_name", "OpenStack Nova"), "kvm"},
		{"ec2", dmi("sys_vendor", "Amazon EC2") + dmi("product_name", "m5.large"), "amazon"},
		{"ec2 on metal", dmi("sys_vendor", "Amazon EC2") + dmi("product_name", "m5.metal"), "none"},
		{"ec2 by SMBIOS", dmi("sys_vendor", "Amazon EC2") + "-- /sys/firmware/dmi/entries/0-0/raw --\n" + strings.Repeat("\x00", 0x13) + "\x10\x00\n", "amazon"},
		{"ec2 on metal by SMBIOS", dmi("sys_vendor", "Amazon EC2") + "-- /sys/firmware/dmi/entries/0-0/raw --\n" + strings.Repeat("\x00", 0x16) + "\n", "none"},
		{"vmware", dmi("product_name", "VMware Virtual Platform"), "vmware"},
		{"virtualbox", dmi("product_name", "VirtualBox"), "oracle"},
		{"hyper-v", dmi("sys_vendor", "Microsoft Corporation") + dmi("product_version", "Hyper-V UEFI Release v4.1"), "microsoft"},
		{"hyper-v by its clock", dmi("product_version", "7.0") + clocks + "hyperv_clocksource_tsc_page acpi_pm\n", "microsoft"},
		{"xen", "-- /sys/hypervisor/type --\nxen\n", "xen"},
		{"xen's first domain", "-- /proc/xen/capabilities --\ncontrol_d\n", "none"},
		{"firecracker", clocks + "kvm-clock tsc\n", "kvm"},
		{"some hypervisor", cpu + "flags\t\t: fpu hypervisor\n", "vm-other"},
		{"a device tree", "-- /proc/device-tree/hypervisor/compatible --\nlinux,kvm\x00\n", "kvm"},
		{"z/VM", "-- /proc/sysinfo --\nVM00 Control Program: z/VM    6.3.0\n", "zvm"},
		{"KVM on Z", "-- /proc/sysinfo --\nVM00 Control Program: KVM/Linux\n", "kvm"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := fakeFacts(t, test.files).Virtualization(); got != test.want {
				t.Errorf("it runs in %q, want %q", got, test.want)
			}
		})
	}
}

func TestInit(t *testing.T) {
	for files, want := range map[string]string{
		"-- /run/systemd/system/ --\n":       "systemd",
		"-- /usr/lib/systemd/systemd --\n":   "systemd",
		"-- /sbin/openrc --\n":               "openrc",
		"-- /etc/init.d/rcS --\n":            "sysvinit",
		"-- /lib/systemd/systemd 755 0:0 --": "systemd",
	} {
		if got := fakeFacts(t, files).Init(); got != want {
			t.Errorf("with %q the init is %q, want %q", files, got, want)
		}
	}
}

// An image for another processor is prepared on this one.
func TestArchitectureOfTree(t *testing.T) {
	elf := func(order, low, high string) string {
		return "-- /bin/sh -> busybox --\n-- /bin/busybox --\n\x7fELF\x02" + order + "\x01" + strings.Repeat("\x00", 11) + low + high + strings.Repeat("\x00", 44) + "\n"
	}
	for want, files := range map[string]string{"aarch64": elf("\x01", "\xb7", "\x00"), "x86_64": elf("\x01", "\x3e", "\x00"),
		"ppc64le": elf("\x01", "\x15", "\x00"), "ppc64": elf("\x02", "\x00", "\x15"), "s390x": elf("\x02", "\x00", "\x16"), "riscv64": elf("\x01", "\xf3", "\x00"),
		"": "-- /bin/sh --\n#!/bin/true\n"} {
		if got := fakeFacts(t, files).Architecture(); got != want {
			t.Errorf("the architecture is %q, want %q", got, want)
		}
	}
}

const nicFiles = `
-- /sys/class/net/bonding_masters --
-- /sys/class/net/eth0 -> ../../devices/pci0/virtio0/net/eth0 --
-- /sys/devices/pci0/virtio0/net/eth0/address --
52:54:00:AB:CD:EF
-- /sys/devices/pci0/virtio0/net/eth0/device -> ../../../virtio0 --
-- /sys/devices/pci0/virtio0/driver -> ../../../bus/virtio/drivers/virtio_net --
-- /sys/devices/pci0/virtio0/device --
0x0001
-- /sys/devices/pci0/virtio0/net/eth0/operstate --
up
-- /sys/devices/pci0/virtio0/net/eth0/carrier --
1
-- /sys/devices/pci0/virtio0/net/eth0/name_assign_type --
4
-- /sys/devices/pci0/virtio0/net/eth0/addr_assign_type --
0
-- /sys/devices/pci0/virtio0/net/eth0/master -> ../../../../virtual/net/br0 --
-- /sys/class/net/br0/bridge/ --
-- /sys/class/net/br0/addr_assign_type --
3
-- /sys/class/net/lo/type --
772
-- /sys/class/net/v5/uevent --
DEVTYPE=vlan
INTERFACE=v5
`

func TestNICs(t *testing.T) {
	want := []NIC{
		{Name: "br0", AddrAssignType: 3, Virtual: true, Bridge: true},
		{Name: "eth0", MAC: "52:54:00:ab:cd:ef", Driver: "virtio_net", DeviceID: "0x0001", Operstate: "up", Carrier: true, Master: "br0", Renamed: true},
		{Name: "lo", Virtual: true, Loopback: true},
		{Name: "v5", Virtual: true, VLAN: true},
	}
	got := fakeFacts(t, nicFiles).NICs()
	if len(got) != len(want) {
		t.Fatalf("there are %d interfaces, want %d: %+v", len(got), len(want), got)
	}
	for i, nic := range got {
		if nic != want[i] {
			t.Errorf("interface %d is\n%+v, want\n%+v", i, nic, want[i])
		}
	}
}

func TestBlockDevices(t *testing.T) {
	got := fakeFacts(t, `
-- /sys/class/block/vda -> ../../devices/virtio1/block/vda --
-- /sys/devices/virtio1/block/vda/size --
2048
-- /sys/devices/virtio1/block/vda/removable --
1
-- /sys/class/block/vda1 -> ../../devices/virtio1/block/vda/vda1 --
-- /sys/devices/virtio1/block/vda/vda1/partition --
1
-- /sys/devices/virtio1/block/vda/vda1/size --
8
-- /sys/devices/virtio1/block/vda/vda1/ro --
1
-- /sys/class/block/cciss!c0d0/size --
0
`).BlockDevices()
	want := []BlockDevice{{Name: "cciss!c0d0"}, {Name: "vda", Size: 1 << 20, Removable: true}, {Name: "vda1", Size: 4096, Partition: 1, Parent: "vda", ReadOnly: true}}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("the devices are %+v, want %+v", got, want)
	}
	if name := got[0].Path(); name != "/dev/cciss/c0d0" {
		t.Errorf("the device is at %s", name)
	}
}

// A fact is asked for at every stage and module; it must not be read from the disk each time, and it must not change
// between two questions.
func TestFactsAreRemembered(t *testing.T) {
	m := Fake("-- /etc/os-release --\nID=debian\n", time.Unix(0, 0))
	before, _, _ := m.Facts.Distro()
	if _, err := m.Files.Put("/etc/os-release", File(0o644, "ID=arch\n")); err != nil {
		t.Fatal(err)
	}
	if after, _, _ := m.Facts.Distro(); after != before {
		t.Errorf("the distribution was %s and is now %s", before, after)
	}
}
