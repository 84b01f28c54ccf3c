package source

import (
	"context"
	"errors"
	"fmt"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

// ibmCloud is the source of IBM's classic virtual servers.
func ibmCloud() *Source {
	return &Source{
		Name:  "IBMCloud",
		Doc:   "The disk of an IBM Cloud Classic server: labelled METADATA where it was made of a template, or config-2 with the number 9796-932E.",
		Match: matchIBMCloud,
		Fetch: fetchIBMCloud,
	}
}

// matchIBMCloud finds nothing while IBM's own scripts make the machine of a template: they start it again when they are done.
func matchIBMCloud(f *machine.Facts, e *Env) Match {
	if isProvisioning(f, e) {
		return Match{Why: "IBM's scripts are still at work: there is " + provisioning}
	}
	return isIBM(f, e)
}

// provisioning is what IBM's scripts are to do, swinstall what they did.
const (
	provisioning = "/root/provisioningConfiguration.cfg"
	swinstall    = "/root/swinstall.log"
)

// isIBM says whether the machine is IBM's, whether or not it is done.
func isIBM(f *machine.Facts, e *Env) Match {
	switch {
	case f.Virtualization() != "xen":
		return Match{Why: "no Xen"}
	case isProvisioning(f, e):
		return Match{Found: true, Why: "there is " + provisioning}
	}
	return anyOf(label("METADATA", "metadata"), ibmDisk())(f, e)
}

// isProvisioning says that IBM's scripts run in this boot: their log is not there yet, or was written since it began.
func isProvisioning(f *machine.Facts, e *Env) bool {
	return machine.Exists(e.Machine.Files, provisioning) &&
		(!machine.Exists(e.Machine.Files, swinstall) || f.IsFromThisBoot(swinstall))
}

// ibmNumber is that of the file system of all of IBM's config drives.
const ibmNumber = "9796-932E"

// ibmDisk is a config drive with IBM's number.
func ibmDisk() sign {
	return sign{"file system config-2 with the number " + ibmNumber, func(f *machine.Facts, e *Env) string {
		for _, d := range labelled(f, e, "CONFIG-2", "config-2") {
			if d.UUID == ibmNumber {
				return d.Path + " is labelled " + d.Label + " and has the number " + ibmNumber
			}
		}
		return ""
	}}
}

// fetchIBMCloud reads the disk. The one of a machine that was made of a template says nothing of the network, which IBM's
// scripts set up.
func fetchIBMCloud(_ context.Context, e *Env) (*instance.Instance, error) {
	if isProvisioning(e.Machine.Facts, e) {
		return nil, fmt.Errorf("%w: IBM's scripts are still at work", ErrAbsent)
	}
	platform := "OS-Code/Live"
	disk, err := ibmDevice(e, "CONFIG-2", "config-2")
	if errors.Is(err, ErrAbsent) {
		platform = "Template/Live/Metadata"
		disk, err = ibmDevice(e, "METADATA", "metadata")
	}
	if err != nil {
		return nil, err
	}
	files, unmount, err := e.Machine.Disks.Mount(disk)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	defer unmount()
	in, err := openStackTree{e, disk.Path, configTree{e, files, "", disk.Path}.read}.instance(nil)
	if err != nil {
		return nil, err
	}
	in.Source, in.Platform, in.Subplatform, in.Mode = "IBMCloud", "ibmcloud", platform+" ("+disk.Path+")", modeNet
	in.Detail = "DataSourceIBMCloud [" + platform + " " + disk.Path + "]"
	if in.Cloud == "" {
		in.Cloud = "ibmcloud"
	}
	in.VendorData2, in.Zone, in.Metadata = nil, "", ibmNames(in.Metadata)
	if platform != "OS-Code/Live" {
		in.Network = &instance.Network{Kind: "v1", Document: []byte("{version: 1, config: disabled}")}
	}
	return in, nil
}

// ibmDevice is the first disk with one of the labels; a config drive must have IBM's number too.
func ibmDevice(e *Env, labels ...string) (machine.Device, error) {
	all, err := e.Machine.Disks.Labelled(labels...)
	if err != nil {
		return machine.Device{}, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	for _, d := range all {
		if labels[0] != "CONFIG-2" || d.UUID == ibmNumber {
			return d, nil
		}
	}
	return machine.Device{}, ErrAbsent
}

// ibmNames are the metadata under the only names that cloud-init keeps here.
func ibmNames(meta map[string]any) map[string]any {
	kept := map[string]any{}
	for from, to := range map[string]string{"public_keys": "public-keys", "hostname": "local-hostname", "uuid": "instance-id", "random_seed": "random_seed"} {
		if value, ok := meta[from]; ok {
			kept[to] = value
		}
	}
	return kept
}
