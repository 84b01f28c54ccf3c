package source

import (
	"path"
	"slices"
	"strings"

	"openguest/internal/machine"
)

// ovf is the source of machines that were made of an OVF package.
func ovf() *Source {
	return &Source{
		Name: "OVF",
		Doc: "The OVF environment: in the seed folder ovf, on a small disc, or on VMware in guestinfo.ovfEnv. Its properties are " +
			"instance-id, hostname, public-keys, user-data and network-config (both base64), password and seedfrom.",
		Match: matchOVF,
		Fetch: fetchOVF,
	}
}

// matchOVF looks for the environment in each of its places.
func matchOVF(f *machine.Facts, e *Env) Match {
	if m := anyOf(seeded("ovf", ovfEnvironment))(f, e); m.Found {
		return m
	}
	if f.Virtualization() == "none" {
		return Match{Why: "no seed folder ovf, and no virtual machine"}
	}
	if m := anyOf(azureChassis())(f, e); m.Found {
		return Match{Why: "its disc would be Azure's: " + m.Why}
	}
	return anyOf(ovfGuestInfo(), ovfDisc())(f, e)
}

// ovfEnvironment is the file with the environment.
const ovfEnvironment = "ovf-env.xml"

// ovfGuestInfo is VMware's variable with the environment.
func ovfGuestInfo() sign {
	return sign{"guestinfo.ovfEnv of VMware", func(f *machine.Facts, e *Env) string {
		if f.Virtualization() != "vmware" || !strings.HasPrefix(strings.ToLower(guestInfo(e, "ovfEnv")), "<?xml") {
			return ""
		}
		return "VMware's guestinfo.ovfEnv holds an environment"
	}}
}

// ovfDisc is a disc with the environment on it.
func ovfDisc() sign {
	return sign{"disc with an OVF environment", func(f *machine.Facts, e *Env) string {
		if f.IsContainer() {
			return ""
		}
		devices, err := e.Machine.Disks.Labelled()
		if err != nil {
			e.warn("look for discs: %v", err)
		}
		for _, d := range devices {
			if why := ovfOn(f, e, d); d.Type == "iso9660" && why != "" {
				return d.Path + " " + why
			}
		}
		return ""
	}}
}

// Labels that a disc with an environment has, and those that belong to another source; rd_rdfe_stable is Azure's.
var (
	ovfLabels     = []string{"OVF-TRANSPORT", "ovf-transport", "OVFENV", "ovfenv", "OVF ENV", "ovf env"}
	foreignLabels = []string{"config-2", "CONFIG-2", "cidata", "CIDATA"}
)

// maxOVFDisc is how large a disc without a known label may be to be looked at: it is made for one machine.
const maxOVFDisc = 10 << 20

// ovfOn is why a device holds the environment; empty where it does not.
func ovfOn(f *machine.Facts, e *Env, d machine.Device) string {
	switch {
	case !isDrive(d.Path):
		return ""
	case slices.Contains(ovfLabels, d.Label):
		return "is labelled " + d.Label
	case slices.Contains(foreignLabels, d.Label), strings.HasPrefix(d.Label, "rd_rdfe_stable"):
		return ""
	}
	all := f.BlockDevices()
	i := slices.IndexFunc(all, func(b machine.BlockDevice) bool { return b.Path() == d.Path })
	if i < 0 || all[i].Size >= maxOVFDisc {
		return ""
	}
	return ovfFileOn(e, d)
}

// isDrive says whether a device is named as drives of discs are.
func isDrive(device string) bool {
	optical, _ := path.Match("/dev/sr[0-9]", device)
	old, _ := path.Match("/dev/hd[a-z]", device)
	return optical || old
}

// ovfFileOn says that a disc has the file on it, and that it is an environment.
func ovfFileOn(e *Env, d machine.Device) string {
	const schema = "http://schemas.dmtf.org/ovf/environment/1"
	if text := ovfTextOn(e, d); strings.Contains(strings.ToLower(text), schema) {
		return "holds " + ovfEnvironment
	}
	return ""
}

// ovfTextOn opens a disc and reads the file, however its name is written.
func ovfTextOn(e *Env, d machine.Device) string {
	files, closeDisc, err := e.Machine.Disks.Mount(d)
	if err != nil {
		e.debug("look for an OVF environment: %v", err)
		return ""
	}
	defer closeDisc()
	names, _ := files.List("/")
	for _, name := range names {
		if strings.EqualFold(strings.ReplaceAll(name, "_", "-"), ovfEnvironment) {
			if text, err := files.Read("/" + name); err == nil {
				return text
			}
		}
	}
	return ""
}
