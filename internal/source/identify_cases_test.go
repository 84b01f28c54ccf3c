package source

import (
	"strings"

	"openguest/internal/machine"
)

// An identifyCase is a machine, and the list that ds-identify comes to on it.
type identifyCase struct {
	name   string
	files  string            // as machine.Fake reads them
	config string            // the image's configuration
	disks  []fakeDevice      // what is plugged in
	says   map[string]string // what a program of the platform says, by its command line
	want   string            // the list, without None at its end; empty: none is found, and nothing runs
	alone  bool              // it is a person's list of one, which is used as it is
	ours   bool              // ds-identify comes to another list; docs/differences.md says why
}

// What machines are, in files.
const (
	kvm       = "-- /sys/devices/system/clocksource/clocksource0/available_clocksource --\nkvm-clock tsc\n"
	qemu      = "-- /sys/class/dmi/id/bios_vendor --\nQEMU\n"
	xen       = "-- /sys/hypervisor/type --\nxen\n"
	onVMware  = "-- /sys/class/dmi/id/sys_vendor --\nVMware, Inc.\n"
	emulated  = "-- /proc/cpuinfo --\nflags : fpu hypervisor\n"
	container = "-- /run/systemd/container --\nlx-brand\n"
	intel     = "-- /proc/sys/kernel/arch --\nx86_64\n"
	windows   = "-- /proc/sys/kernel/osrelease --\n5.15.133.1-microsoft-standard-WSL2\n"
)

// firmware is a value of DMI.
func firmware(name, value string) string {
	return "-- /sys/class/dmi/id/" + name + " --\n" + value + "\n"
}

// there are files with something in them.
func there(names ...string) string {
	var text strings.Builder
	for _, name := range names {
		text.WriteString("-- " + name + " --\nx\n")
	}
	return text.String()
}

// disk is a device with a file system; its root disk has one too.
func disk(device, kind, label string) []fakeDevice {
	return []fakeDevice{
		{Device: machine.Device{Path: "/dev/vda1", Type: "ext4", Label: "cloudimg-rootfs"}},
		{Device: machine.Device{Path: "/dev/vda15", Type: "vfat", Label: "UEFI", UUID: "5F55-129B"}},
		{Device: machine.Device{Path: device, Type: kind, Label: label}},
	}
}

// numbered is a vfat with its number.
func numbered(device, label, number string) []fakeDevice {
	return []fakeDevice{{Device: machine.Device{Path: device, Type: "vfat", Label: label, UUID: number}}}
}

// Clouds by firmware: one row for each word that a cloud writes into DMI, and for some that only look like it.
var firmwareCases = []identifyCase{
	{name: "Akamai, as Linode", files: firmware("sys_vendor", "Linode"), want: "Akamai"},
	{name: "Akamai", files: firmware("sys_vendor", "Akamai"), want: "Akamai"},
	{name: "not Akamai", files: firmware("sys_vendor", "Other")},
	{name: "AliYun", files: firmware("product_name", "Alibaba Cloud ECS"), want: "AliYun"},
	{name: "Azure by its tag", files: firmware("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"), want: "Azure"},
	{name: "Azure by its tag, with a list that nobody reads", files: firmware("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"),
		config: "datasource_list:\n   - Azure", want: "Azure"},
	{name: "CloudCIX", files: firmware("product_name", "CloudCIX"), want: "CloudCIX"},
	{name: "CloudSigma", files: firmware("product_name", "CloudSigma"), want: "CloudSigma"},
	{name: "CloudStack", files: firmware("product_name", "CloudStack KVM Hypervisor"), want: "CloudStack"},
	{name: "DigitalOcean", files: firmware("sys_vendor", "DigitalOcean"), want: "DigitalOcean"},
	{name: "Exoscale", files: firmware("product_name", "Exoscale Compute Platform"), want: "Exoscale"},
	{name: "GCE", files: kvm + firmware("product_name", "Google Compute Engine"), want: "GCE"},
	{name: "GCE, the kernel says nothing", files: firmware("product_name", "Google Compute Engine"), want: "GCE"},
	{name: "GCE by the serial number", files: kvm + firmware("product_serial", "GoogleCloud-8f2e88f"), want: "GCE"},
	{name: "Hetzner", files: firmware("sys_vendor", "Hetzner"), want: "Hetzner"},
	{name: "Hetzner, ended as dmidecode ends it", files: firmware("sys_vendor", "Hetzner\n"), want: "Hetzner"},
	{name: "Hetzner with spaces", files: firmware("sys_vendor", " Hetzner "), want: "Hetzner"},
	{name: "Hetzner, emulated", files: emulated + firmware("sys_vendor", "Hetzner"), want: "Hetzner"},
	{name: "NWCS", files: firmware("sys_vendor", "NWCS"), want: "NWCS"},
	{name: "NWCS with spaces", files: firmware("sys_vendor", " NWCS "), want: "NWCS"},
	{name: "NWCS, emulated", files: emulated + firmware("sys_vendor", "NWCS"), want: "NWCS"},
	{name: "Oracle", files: firmware("chassis_asset_tag", "OracleCloud.com"), want: "Oracle"},
	{name: "not Oracle", files: firmware("chassis_asset_tag", "Not Oracle")},
	{name: "Scaleway", files: firmware("sys_vendor", "Scaleway"), want: "Scaleway"},
	{name: "Scaleway on the command line", files: "-- /proc/cmdline --\nro scaleway quiet\n", want: "Scaleway"},
	{name: "Scaleway by a file", files: there("/var/run/scaleway"), want: "Scaleway"},
	{name: "SmartOS", files: emulated + firmware("product_name", "SmartDC HVM"), disks: disk("/dev/vdb", "swap", "cloudimg-swap"), want: "SmartOS"},
	{name: "UpCloud", files: firmware("sys_vendor", "UpCloud"), want: "UpCloud"},
	{name: "Vultr", files: firmware("sys_vendor", "Vultr"), want: "Vultr"},
	{name: "Vultr on the command line", files: "-- /proc/cmdline --\nvultr\n", want: "Vultr"},
	{name: "Vultr by a file", files: there("/etc/vultr"), want: "Vultr"},
}

// Row D12. EC2, and the clouds that speak as it does.
var ec2Cases = []identifyCase{
	{name: "AWS by the uuid", files: kvm + firmware("product_serial", "ec23aef5-54be-4843-8d24-8c819f88453e") +
		firmware("product_uuid", "EC23AEF5-54BE-4843-8D24-8C819F88453E"), want: "Ec2"},
	{name: "AWS by the uuid, the kernel says nothing", files: firmware("product_uuid", "EC23AEF5-54BE-4843-8D24-8C819F88453E"), want: "Ec2"},
	{name: "AWS by the uuid, turned round", files: kvm + firmware("product_uuid", "AB232AEC-54BE-4843-8D24-8C819F88453E"), want: "Ec2"},
	{name: "AWS on Xen", files: xen + "-- /sys/hypervisor/uuid --\nec2c6e2f-5fac-4fc7-9c82-74127ec14bbb\n", want: "Ec2"},
	{name: "Brightbox", files: firmware("product_serial", "srv-otuxg.gb1.brightbox.com"), want: "Ec2"},
	{name: "not Brightbox", files: firmware("product_serial", "tricky-host.bobrightbox.com")},
	{name: "Tilaa", files: firmware("sys_vendor", "Tilaa"), want: "Ec2"},
	{name: "ZStack", files: firmware("chassis_asset_tag", "123456.zstack.io"), want: "Ec2"},
	{name: "E24cloud", files: firmware("sys_vendor", "e24cloud"), want: "Ec2"},
	{name: "not E24cloud", files: firmware("sys_vendor", "e24cloudyday")},
	{name: "Outscale", files: firmware("product_name", "3DS Outscale VM") + firmware("sys_vendor", "3DS Outscale"), want: "Ec2"},
	{name: "Outscale's product of another vendor", files: firmware("product_name", "3DS Outscale VM") + firmware("sys_vendor", "Not 3DS Outscale")},
	{name: "another product of Outscale", files: firmware("product_name", "Not 3DS Outscale VM") + firmware("sys_vendor", "3DS Outscale")},
	{name: "a seed of EC2", files: there("/var/lib/cloud/seed/ec2/meta-data", "/var/lib/cloud/seed/ec2/user-data"), want: "Ec2"},
	{name: "a container on AWS", files: container + firmware("product_uuid", "EC23AEF5-54BE-4843-8D24-8C819F88453E")},
	{name: "a uuid that ends as EC2's does not", files: firmware("product_uuid", "AB23XAEC-54BE-4843-8D24-8C819F88453E")},
	{name: "AliYun before EC2", files: xen + "-- /sys/hypervisor/uuid --\nec2c6e2f-5fac-4fc7-9c82-74127ec14bbb\n" +
		firmware("product_name", "Alibaba Cloud ECS") + "-- /proc/cmdline --\nci.di.policy=search,found=first,maybe=none,notfound=disabled\n", want: "AliYun"},
}

// Row D02. OpenStack under the names of all who sell it.
var openStackCases = []identifyCase{
	{name: "Nova", files: intel + kvm + firmware("product_name", "OpenStack Nova"), want: "OpenStack"},
	{name: "RDO's Nova", files: intel + kvm + firmware("product_name", "OpenStack Compute"), want: "OpenStack"},
	{name: "OpenTelekomCloud", files: intel + xen + firmware("chassis_asset_tag", "OpenTelekomCloud"), want: "OpenStack"},
	{name: "SAP's cloud on VMware", files: intel + onVMware + firmware("chassis_asset_tag", "SAP CCloud VM"), want: "OpenStack"},
	{name: "SAP's cloud, the kernel says nothing", files: intel + firmware("chassis_asset_tag", "SAP CCloud VM"), want: "OpenStack"},
	{name: "Huawei", files: intel + kvm + firmware("chassis_asset_tag", "HUAWEICLOUD"), want: "OpenStack"},
	{name: "Samsung", files: intel + kvm + firmware("chassis_asset_tag", "Samsung Cloud Platform"), want: "OpenStack"},
	{name: "Nova by its tag", files: intel + xen + firmware("chassis_asset_tag", "OpenStack Nova"), want: "OpenStack"},
	{name: "RDO's Nova by its tag", files: intel + xen + firmware("chassis_asset_tag", "OpenStack Compute"), want: "OpenStack"},
	{name: "a container of Nova", files: intel + container + "-- /proc/1/environ --\nPATH=/bin\x00product_name=OpenStack Nova\x00", want: "OpenStack"},
	{name: "a container on a host of Nova", files: intel + container + firmware("product_name", "OpenStack Nova")},
	{name: "Intel without a name", files: intel + kvm},
	{name: "an old Intel without a name", files: "-- /proc/sys/kernel/arch --\ni686\n" + kvm + "-- /proc/cmdline --\nci.di.policy=maybe=all\n"},
	{name: "no Intel, perhaps", files: "-- /proc/sys/kernel/arch --\nppc64le\n" + kvm},
	{name: "no Intel, perhaps is enough", files: "-- /proc/sys/kernel/arch --\nppc64le\n" + kvm + "-- /proc/cmdline --\nci.di.policy=maybe=all\n", want: "OpenStack"},
	{name: "Nova with a config drive that is not listed", files: intel + kvm + firmware("product_name", "OpenStack Nova"),
		disks: disk("/dev/vdb", "vfat", "config-2"), config: "datasource_list: [ OpenStack, Ec2, None ]", want: "OpenStack", ours: true},
	{name: "Nova with a config drive", files: intel + kvm + firmware("product_name", "OpenStack Nova"), disks: disk("/dev/vdb", "vfat", "config-2"), want: "ConfigDrive"},
}

// Clouds by what is on a disk or in a seed folder.
var diskCases = []identifyCase{
	{name: "config drive", disks: disk("/dev/vdb", "vfat", "config-2"), want: "ConfigDrive"},
	{name: "config drive in upper case", disks: disk("/dev/vdb", "vfat", "CONFIG-2"), want: "ConfigDrive"},
	{name: "config drive, the latest version alone", files: there("/var/lib/cloud/seed/config_drive/openstack/latest/meta_data.json"), want: "ConfigDrive"},
	{name: "config drive, a version", files: there("/config-drive/openstack/2018-08-27/meta_data.json"), want: "ConfigDrive"},
	{name: "config drive in a folder, the latest version alone", files: there("/config-drive/openstack/latest/meta_data.json")},
	{name: "config drive of the next century", files: there("/config-drive/openstack/3018-08-27/meta_data.json")},
	{name: "a container does not see the disks", files: container, disks: disk("/dev/vdb", "vfat", "config-2")},
	{name: "Rbx", disks: disk("/dev/vdb", "vfat", "CLOUDMD"), want: "RbxCloud"},
	{name: "Rbx in lower case", disks: disk("/dev/vdb", "vfat", "cloudmd"), want: "RbxCloud"},
	{name: "OpenNebula", disks: disk("/dev/sr0", "iso9660", "CONTEXT"), want: "OpenNebula"},
	{name: "OpenNebula by its other label", disks: disk("/dev/sr0", "iso9660", "CDROM"), want: "OpenNebula"},
	{name: "OpenNebula's seed", files: there("/var/lib/cloud/seed/opennebula/meta-data"), want: "OpenNebula"},
	{name: "a seed disc", files: kvm, disks: disk("/dev/vdb", "iso9660", "cidata"), want: "NoCloud"},
	{name: "a seed disc in upper case", files: kvm, disks: disk("/dev/vdb", "iso9660", "CIDATA"), want: "NoCloud"},
	{name: "a seed disc elsewhere", files: emulated, disks: disk("/dev/sdz", "iso9660", "cidata"), want: "NoCloud"},
	{name: "a seed disk with its label in the first sector", files: xen, disks: numbered("/dev/xvdb", "cidata", "355a-4FC2"), want: "NoCloud"},
	{name: "a seed folder", files: there("/var/lib/cloud/seed/nocloud/user-data", "/var/lib/cloud/seed/nocloud/meta-data"), want: "NoCloud"},
	{name: "a seed folder of Ubuntu Core", files: there("/writable/system-data/var/lib/cloud/seed/nocloud-net/user-data",
		"/writable/system-data/var/lib/cloud/seed/nocloud-net/meta-data"), want: "NoCloud"},
	{name: "a seed in the configuration", config: many + "datasource: {NoCloud: {user-data: '#cloud-config', meta-data: 'instance_id: x'}}", want: "NoCloud"},
	{name: "an empty seed in the configuration", config: many + "datasource:\n  NoCloud:\n    meta-data: \"\"\n    user-data: x\n", want: "NoCloud"},
	{name: "a seed at an address", config: many + "datasource: {NoCloud: {seedfrom: 'http://0.0.0.0/test'}}", want: "NoCloud"},
	{name: "Azure's seed", files: firmware("chassis_asset_tag", "No-match") + there("/var/lib/cloud/seed/azure/ovf-env.xml"), want: "Azure"},
	{name: "AliYun's seed", files: there("/var/lib/cloud/seed/AliYun/meta-data", "/var/lib/cloud/seed/AliYun/user-data"), want: "AliYun"},
	{name: "Bigstep's seed", files: there("/var/lib/cloud/data/seed/bigstep/url"), want: "Bigstep"},
}

// IBM's machines have a config drive that is not OpenStack's.
var ibmCases = []identifyCase{
	{name: "IBM, of a template", files: xen, disks: disk("/dev/xvdb", "vfat", "METADATA"), want: "IBMCloud"},
	{name: "IBM, with a config drive", files: xen, disks: numbered("/dev/xvdb", "config-2", "9796-932E"), want: "IBMCloud"},
	{name: "IBM without a disk", files: xen, disks: disk("/dev/xvdb", "vfat", "")},
	{name: "IBM without a disk, its scripts at work", files: xen + there("/root/provisioningConfiguration.cfg"), disks: disk("/dev/xvdb", "vfat", "")},
	{name: "IBM, of a template, its scripts at work", files: xen + there("/root/provisioningConfiguration.cfg"), disks: disk("/dev/xvdb", "vfat", "METADATA")},
	{name: "a config drive with another number", files: xen, disks: numbered("/dev/xvdb", "config-2", "DEAD-BEEF"), want: "ConfigDrive"},
	{name: "IBM's disk on KVM", files: kvm, disks: numbered("/dev/vdb", "config-2", "9796-932E"), want: "ConfigDrive"},
	{name: "IBM's disk, both listed", files: xen, disks: numbered("/dev/xvdb", "config-2", "9796-932E"),
		config: "datasource_list: [ ConfigDrive, IBMCloud ]", want: "IBMCloud"},
	{name: "IBM's disk, IBM not listed", files: xen, disks: numbered("/dev/xvdb", "config-2", "9796-932E"),
		config: "datasource_list: [ ConfigDrive, NoCloud ]", want: "ConfigDrive"},
	{name: "IBM with a seed folder", files: xen + there("/var/lib/cloud/seed/nocloud/user-data", "/var/lib/cloud/seed/nocloud/meta-data"),
		disks: numbered("/dev/xvdb", "config-2", "9796-932E"), want: "NoCloud, IBMCloud"},
	{name: "IBM with a folder of a config drive", files: xen + there("/var/lib/cloud/seed/config_drive/openstack/latest/meta_data.json"),
		disks: numbered("/dev/xvdb", "config-2", "9796-932E"), want: "ConfigDrive, IBMCloud"},
}

// ovfDisk is a disc without a known label that holds an environment, beside another disc; its size is in sectors of 512.
func ovfDisk(label, text string) []fakeDevice {
	return []fakeDevice{
		{Device: machine.Device{Path: "/dev/sr0", Type: "iso9660", Label: label}, files: "-- ovf-env.xml --\n" + text + "\n"},
		{Device: machine.Device{Path: "/dev/sr1", Type: "iso9660", Label: "ignoreme"}},
		{Device: machine.Device{Path: "/dev/vda1", Type: "vfat"}},
	}
}

const (
	ovfText  = `<Environment xmlns="http://schemas.dmtf.org/ovf/Environment/1">`
	ovfSized = "-- /sys/class/block/sr0/size --\n2048\n"
	rpctool  = "-- /usr/bin/vmware-rpctool --\nx\n"
	vmtoolsd = "-- /usr/bin/vmtoolsd --\nx\n"
	plugin   = "plugins/vmsvc/libdeployPkgPlugin.so"
	wanted   = "disable_vmware_customization: false\n"
)

var ovfCases = []identifyCase{
	{name: "OVF's seed", files: there("/var/lib/cloud/seed/ovf/ovf-env.xml"), want: "OVF"},
	{name: "OVF on a disc", files: onVMware + ovfSized, disks: ovfDisk("", ovfText), want: "OVF"},
	{name: "OVF on a disc of Xen", files: xen + ovfSized, disks: ovfDisk("", ovfText), want: "OVF"},
	{name: "OVF on a disc of bare metal", files: ovfSized, disks: ovfDisk("", ovfText)},
	{name: "a disc with another file", files: onVMware + ovfSized, disks: ovfDisk("", "no content that matches")},
	{name: "OVF by label", files: onVMware, disks: ovfDisk("OVF-TRANSPORT", ""), want: "OVF"},
	{name: "OVF by label, lower case", files: onVMware, disks: ovfDisk("ovf-transport", ""), want: "OVF"},
	{name: "OVF by another label", files: onVMware, disks: ovfDisk("OVFENV", ""), want: "OVF"},
	{name: "OVF by another label, lower case", files: onVMware, disks: ovfDisk("ovfenv", ""), want: "OVF"},
	{name: "OVF by a label with a space", files: onVMware, disks: ovfDisk("OVF ENV", ""), want: "OVF"},
	{name: "OVF by a label with a space, lower case", files: onVMware, disks: ovfDisk("ovf env", ""), want: "OVF"},
	{name: "OVF by label, but not in a drive", files: onVMware, disks: disk("/dev/vdb", "iso9660", "OVF-TRANSPORT")},
	{name: "Azure's disc elsewhere", files: onVMware + ovfSized, disks: ovfDisk("rd_rdfe_stable.1234", ovfText)},
	{name: "OVF on a disc of 10 MiB", files: onVMware + "-- /sys/class/block/sr0/size --\n20480\n", disks: ovfDisk("", ovfText)},
	{name: "OVF on a disc of 100 MiB", files: onVMware + "-- /sys/class/block/sr0/size --\n204800\n", disks: ovfDisk("", ovfText)},
	{name: "OVF on a disc of 9 MiB", files: onVMware + "-- /sys/class/block/sr0/size --\n18432\n", disks: ovfDisk("", ovfText), want: "OVF"},
	{name: "OVF's disc on Azure", files: onVMware + ovfSized + firmware("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"),
		disks: ovfDisk("", ovfText), want: "Azure"},
	{name: "OVF in guestinfo", files: onVMware + rpctool, want: "OVF",
		says: map[string]string{"/usr/bin/vmware-rpctool info-get guestinfo.ovfEnv": `<?xml version="1.0" encoding="UTF-8"?>` + "\n<Environment"}},
	{name: "something else in guestinfo", files: onVMware + rpctool,
		says: map[string]string{"/usr/bin/vmware-rpctool info-get guestinfo.ovfEnv": "No value found"}},
	{name: "OVF beside customization", files: onVMware + rpctool + ovfSized + there("/usr/lib/vmware-tools/"+plugin), config: wanted,
		disks: ovfDisk("", ovfText), want: "VMware, OVF"},
	{name: "OVF beside customization, no VMware", files: kvm + rpctool + ovfSized + there("/usr/lib/vmware-tools/"+plugin), config: wanted,
		disks: ovfDisk("", ovfText), want: "OVF"},
	{name: "OVF beside guestinfo", files: onVMware + vmtoolsd + ovfSized, disks: ovfDisk("", ovfText), want: "VMware, OVF",
		says: map[string]string{"/usr/bin/vmtoolsd --cmd info-get guestinfo.metadata": "instance-id: x"}},
	{name: "OVF beside guestinfo, no VMware", files: kvm + vmtoolsd + ovfSized, disks: ovfDisk("", ovfText), want: "OVF",
		says: map[string]string{"/usr/bin/vmtoolsd --cmd info-get guestinfo.metadata": "instance-id: x"}},
}

var vmwareCases = []identifyCase{
	{name: "VMware that was given nothing", files: onVMware},
	{name: "VMware, customization", files: onVMware + rpctool + there("/usr/lib/vmware-tools/"+plugin), config: wanted, want: "VMware"},
	{name: "VMware, customization, open tools", files: onVMware + rpctool + there("/usr/lib64/open-vm-tools/"+plugin), config: wanted, want: "VMware"},
	{name: "VMware, customization, Debian's folder", files: onVMware + rpctool + there("/usr/lib/x86_64-linux-gnu/open-vm-tools/"+plugin), config: wanted, want: "VMware"},
	{name: "VMware, customization, Debian's folder on ARM", files: onVMware + rpctool + there("/usr/lib/aarch64-linux-gnu/open-vm-tools/"+plugin), config: wanted, want: "VMware"},
	{name: "VMware, customization, Debian's folder of 32 bits", files: onVMware + rpctool + there("/usr/lib/i386-linux-gnu/open-vm-tools/"+plugin), config: wanted, want: "VMware"},
	{name: "VMware, customization that nobody wants", files: onVMware + rpctool + there("/usr/lib/vmware-tools/"+plugin)},
	{name: "VMware, customization without tools", files: onVMware + there("/usr/lib/vmware-tools/"+plugin), config: wanted},
	{name: "VMware, environment without data", files: onVMware + "-- /proc/self/environ --\nVMX_GUESTINFO=1\x00"},
	{name: "environment, no VMware", files: "-- /proc/self/environ --\nVMX_GUESTINFO=1\x00VMX_GUESTINFO_METADATA=x\x00", want: "VMware"},
	{name: "VMware, metadata in the environment", files: onVMware + "-- /proc/self/environ --\nVMX_GUESTINFO=1\x00VMX_GUESTINFO_METADATA=x\x00", want: "VMware"},
	{name: "VMware, userdata in the environment", files: onVMware + "-- /proc/self/environ --\nVMX_GUESTINFO=1\x00VMX_GUESTINFO_USERDATA=x\x00", want: "VMware"},
	{name: "VMware, vendordata in the environment", files: onVMware + "-- /proc/self/environ --\nVMX_GUESTINFO=1\x00VMX_GUESTINFO_VENDORDATA=x\x00", want: "VMware"},
	{name: "VMware, nothing in guestinfo by one tool", files: onVMware + rpctool},
	{name: "VMware, nothing in guestinfo by the other tool", files: onVMware + vmtoolsd},
	{name: "guestinfo, no VMware", files: kvm + rpctool, says: map[string]string{"/usr/bin/vmware-rpctool info-get guestinfo.metadata": "instance-id: x"}},
	{name: "VMware, metadata in guestinfo", files: onVMware + vmtoolsd, want: "VMware",
		says: map[string]string{"/usr/bin/vmtoolsd --cmd info-get guestinfo.metadata": "instance-id: x"}},
	{name: "VMware, userdata in guestinfo", files: onVMware + rpctool, want: "VMware",
		says: map[string]string{"/usr/bin/vmware-rpctool info-get guestinfo.userdata": "#cloud-config"}},
	{name: "VMware, vendordata in guestinfo", files: onVMware + vmtoolsd, want: "VMware",
		says: map[string]string{"/usr/bin/vmtoolsd --cmd info-get guestinfo.vendordata": "#cloud-config"}},
	{name: "VMware, the second tool knows", files: onVMware + rpctool + vmtoolsd, want: "VMware",
		says: map[string]string{"/usr/bin/vmtoolsd --cmd info-get guestinfo.metadata": "instance-id: x"}},
	{name: "VMware, guestinfo that was taken back", files: onVMware + rpctool,
		says: map[string]string{"/usr/bin/vmware-rpctool info-get guestinfo.metadata": "---"}},
}

var lxdCases = []identifyCase{
	{name: "LXD's container", files: "-- /run/systemd/container --\nlxc\n" + there("/dev/lxd/sock"), want: "LXD"},
	{name: "LXD's machine", files: kvm + "-- /sys/class/virtio-ports/vport0p1/name --\ncom.canonical.lxd\n", want: "LXD"},
	{name: "LXD's machine by the port's old name", files: qemu + "-- /sys/class/virtio-ports/vport0p1/name --\norg.linuxcontainers.lxd\n", want: "LXD"},
	{name: "LXD's machine that says QEMU", files: qemu + "-- /sys/class/virtio-ports/vport0p1/name --\ncom.canonical.lxd\n", want: "LXD"},
	{name: "LXD's machine, emulated", files: qemu + emulated + "-- /sys/class/virtio-ports/vport0p1/name --\ncom.canonical.lxd\n", want: "LXD"},
	{name: "LXD's port among others", files: kvm + "-- /sys/class/virtio-ports/vport0p1/name --\nother\n-- /sys/class/virtio-ports/vport0p2/name --\ncom.canonical.lxd\n" +
		"-- /sys/class/virtio-ports/vport0p3/name --\nanother\n", want: "LXD"},
	{name: "another's port", files: kvm + "-- /sys/class/virtio-ports/vport0p1/name --\nsome.other.serial\n"},
	{name: "no port", files: kvm + "-- /sys/class/virtio-ports/.keep --\n"},
	{name: "LXD's port on Xen", files: xen + "-- /sys/class/virtio-ports/vport0p1/name --\ncom.canonical.lxd\n"},
	{name: "LXD with a configuration of MAAS", files: kvm + there("/dev/lxd/sock"), config: "datasource:\n MAAS:\n metadata_urls: [ 'blah.com' ]", want: "LXD"},
	{name: "LXD with a remark about MAAS", files: kvm + there("/dev/lxd/sock"), config: "#MAAS: None", want: "LXD"},
	{name: "LXD's machine with a key MAAS", files: kvm + "-- /sys/class/virtio-ports/vport0p1/name --\ncom.canonical.lxd\n", config: "MAAS: None", want: "LXD"},
	{name: "LXD with a list that nobody reads", files: kvm + there("/dev/lxd/sock"), config: "datasource_list:\n - Azure", want: "LXD"},
	{name: "MAAS on the command line of LXD's machine", files: kvm + there("/dev/lxd/sock") + "-- /proc/cmdline --\nds=MAAS\n", want: "MAAS"},
	{name: "SmartOS' zone", files: container + "-- /proc/sys/kernel/version --\nBrandZ virtual linux\n" + there("/native/.zonecontrol/metadata.sock"), want: "SmartOS"},
	{name: "SmartOS' zone, not known as a container", files: "-- /proc/sys/kernel/version --\nBrandZ virtual linux\n" + there("/native/.zonecontrol/metadata.sock"), want: "SmartOS"},
	{name: "a container in SmartOS' zone", files: container + "-- /proc/sys/kernel/version --\nBrandZ virtual linux\n"},
	{name: "a zone without its socket", files: "-- /proc/sys/kernel/version --\nBrandZ virtual linux\n"},
}

// Windows and its drive, as WSL shows it.
const (
	drive = "-- /proc/mounts --\n/dev/sdd / ext4 rw 0 0\n" + `C:\134 /mnt/c 9p rw,dirsync,aname=drvfs;path=C:\;uid=0;gid=0;symlinkroot=/mnt/... 0 0` + "\n" +
		"-- /mnt/c/Windows/System32/cmd.exe --\nx\n"
	ubuntu = "-- /etc/os-release --\nNAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\nID=ubuntu\n"
	debian = "-- /etc/os-release --\nNAME=\"Debian GNU/Linux\"\nVERSION_CODENAME=\"trixie\"\nID=debian\n"
	home   = "/mnt/c/Users/me/"
)

// windowsSays is what Windows says of its user and of the system's name.
func windowsSays(profile, root string) map[string]string {
	var wide strings.Builder
	for _, c := range profile + "\r\n" {
		wide.WriteString(string(c) + "\x00")
	}
	return map[string]string{
		"/init /mnt/c/Windows/System32/cmd.exe /u /c echo.%USERPROFILE%": wide.String(),
		"wslpath -au " + profile: "/mnt/c/Users/me",
		"wslpath -am /":          root,
	}
}

// wslCase is a system in WSL with a file below Windows' folder of its user.
func wslCase(name, system, userData, want string) identifyCase {
	return identifyCase{name: "WSL, " + name, files: windows + drive + system + there(home+userData), want: want,
		says: windowsSays(`C:\Users\me`, "//wsl.localhost/Noble-MLKit/")}
}

var wslCases = []identifyCase{
	{name: "no WSL", files: kvm + drive},
	{name: "WSL without a drive", files: windows + "-- /proc/mounts --\n/dev/sdd / ext4 rw 0 0\nsnapfuse /snap/core22/1033 fuse.snapfuse ro 0 0\n"},
	{name: "WSL, Windows names no folder", files: windows + drive + ubuntu, says: windowsSays("", "//wsl.localhost/Noble-MLKit/")},
	wslCase("nothing in the folder", ubuntu, "x", ""),
	wslCase("nothing in .cloud-init", ubuntu, ".cloud-init/x", ""),
	wslCase("Ubuntu Pro for this system", ubuntu, ".ubuntupro/.cloud-init/Noble-MLKit.user-data", "WSL"),
	wslCase("Ubuntu Pro's agent", ubuntu, ".ubuntupro/.cloud-init/agent.yaml", "WSL"),
	wslCase("Ubuntu Pro's agent on Debian", debian, ".ubuntupro/.cloud-init/agent.yaml", ""),
	wslCase("for this system", ubuntu, ".cloud-init/Noble-MLKit.user-data", "WSL"),
	wslCase("for the release", ubuntu, ".cloud-init/ubuntu-24.04.user-data", "WSL"),
	wslCase("for the distribution", ubuntu, ".cloud-init/ubuntu-all.user-data", "WSL"),
	wslCase("for all", ubuntu, ".cloud-init/default.user-data", "WSL"),
	wslCase("for a release without a number", debian, ".cloud-init/debian-trixie.user-data", "WSL"),
	wslCase("for another system", debian, ".cloud-init/other.user-data", ""),
	{name: "WSL, a name that is none", files: windows + drive + debian + there(home+".cloud-init/cant-findme.user-data"),
		says: windowsSays(`C:\Users\me`, "/wsl.localhost/cant-findme")},
}

const (
	aws   = kvm + "-- /sys/class/dmi/id/product_uuid --\nEC23AEF5-54BE-4843-8D24-8C819F88453E\n"
	lists = kvm + "-- /sys/class/virtio-ports/.keep --\n"
)

// Row B07. What a person wrote has the word over what is found.
var personCases = []identifyCase{
	{name: "the policy on the command line is disabled", files: aws + "-- /proc/cmdline --\nci.di.policy=disabled\n"},
	{name: "the policy in the file is disabled", files: aws + "-- /etc/cloud/ds-identify.cfg --\npolicy: disabled\n"},
	{name: "a list of one", files: aws, config: `datasource_list: ["NoCloud"]`, want: "NoCloud", alone: true},
	{name: "a list of one and None", files: firmware("product_name", "Google Compute Engine"), config: `datasource_list: ["Ec2", "None"]`, want: "Ec2, None"},
	{name: "a list under another key", files: lists, config: `"datasource-list":  [ None    ]   `},
	{name: "a list with spaces", files: lists, config: "datasource_list :  [ None    ]   \n", want: "None"},
	{name: "a list under a key in double quotes", files: lists, config: `"datasource_list": [None]`, want: "None"},
	{name: "a list under a key in quotes", files: lists, config: `'datasource_list': [None]`, want: "None"},
	{name: "a list without the end of its line", files: lists, config: "datasource_list:  [ None     ]", want: "None"},
	{name: "a list with a name in quotes", files: lists, config: `"datasource_list": [    'None' ]  `, want: "None"},
	{name: "a list, quotes and spaces", files: lists, config: `'datasource_list' : [    None  ]  `, want: "None"},
	{name: "a list, double quotes and spaces", files: lists, config: `"datasource_list"     : [    None  ]  `, want: "None"},
	{name: "a list with tabs", files: lists + "-- /etc/cloud/cloud.cfg --\n\"datasource_list\"   \t\t  : \t\t[\t   \tNone \t \t ] \t\t \n", want: "None"},
	{name: "a list without spaces", files: lists, config: "datasource_list: [None]", want: "None"},
}

// identifyCases are all of them.
func identifyCases() (all []identifyCase) {
	for _, group := range [][]identifyCase{firmwareCases, ec2Cases, openStackCases, diskCases, ibmCases, ovfCases, vmwareCases, lxdCases, wslCases, personCases} {
		all = append(all, group...)
	}
	return all
}
