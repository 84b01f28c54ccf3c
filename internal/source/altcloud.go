package source

import (
	"context"
	"fmt"
	"strings"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

// altCloud is the source of machines on RHEV and vSphere that are given user-data on a floppy or a disc.
func altCloud() *Source {
	return &Source{
		Name:  "AltCloud",
		Doc:   "The file user-data.txt or deltacloud-user-data.txt on a floppy (RHEV), or on a disc labelled CDROM (vSphere).",
		Match: matchAltCloud,
		Fetch: fetchAltCloud,
	}
}

// altCloudImage is the file in which an image says what it was made for, whatever the firmware says.
const altCloudImage = "/etc/sysconfig/cloud-info"

// altCloudKind is what the image or the firmware calls the platform, in upper case: RHEV or VSPHERE, or something else.
func altCloudKind(f *machine.Facts, e *Env) string {
	text, err := e.Machine.Files.Read(altCloudImage)
	if err != nil {
		return strings.ToUpper(f.DMI("product_name"))
	}
	first, _, _ := strings.Cut(text, "\n")
	return strings.ToUpper(strings.TrimSpace(first))
}

// matchAltCloud looks for the platform and its medium. Neither is proof: many a machine of these has a disc.
func matchAltCloud(f *machine.Facts, e *Env) Match {
	medium := label("CDROM")
	switch altCloudKind(f, e) {
	case "RHEV":
		medium = file("/dev/floppy")
	case "VSPHERE":
	default:
		return Match{Why: "neither DMI product_name nor " + altCloudImage + " says RHEV or VSPHERE"}
	}
	m := anyOf(medium)(f, e)
	return Match{Maybe: m.Found, Why: m.Why}
}

// altCloudID is the name that cloud-init has for every machine of these platforms. It proves nothing, but there is no other.
const altCloudID = 455

// fetchAltCloud reads the medium of the platform.
func fetchAltCloud(_ context.Context, e *Env) (*instance.Instance, error) {
	kind := altCloudKind(e.Machine.Facts, e)
	var media []machine.Device
	switch {
	case strings.Contains(kind, "RHEV"):
		kind, media = "rhev", []machine.Device{{Path: "/dev/fd0", Type: "vfat"}}
	case strings.Contains(kind, "VSPHERE"), strings.HasPrefix(kind, "VMWARE"):
		kind, media = "vsphere", labelled(e.Machine.Facts, e, "CDROM")
	default:
		return nil, fmt.Errorf("%w: the machine is no RHEV and no vSphere", ErrAbsent)
	}
	for _, d := range media {
		if text := altCloudText(e, d); text != "" {
			return &instance.Instance{
				Source: "AltCloud", Detail: e.detail("AltCloud") + " [seed=None]", Cloud: "altcloud", Platform: "altcloud", Mode: modeNet,
				Subplatform: kind + " (" + d.Path + ")", ID: fmt.Sprint(altCloudID), Hostname: "localhost", UserData: []byte(text),
				Metadata: map[string]any{"block-device-mapping": map[string]any{}, "instance-id": altCloudID, "local-hostname": "localhost", "placement": map[string]any{}},
			}, nil
		}
	}
	return nil, fmt.Errorf("%w: no floppy and no disc labelled CDROM holds deltacloud-user-data.txt or user-data.txt", ErrAbsent)
}

// altCloudText is the user-data on a medium; empty where there is none.
func altCloudText(e *Env, d machine.Device) string {
	files, closeMedium, err := e.Machine.Disks.Mount(d)
	if err != nil {
		e.warn("Failed to mount %s when looking for user data: %v", d.Path, err)
		return ""
	}
	defer closeMedium()
	for _, name := range []string{"/deltacloud-user-data.txt", "/user-data.txt"} {
		text, err := files.Read(name)
		if err == nil {
			return strings.TrimSpace(text)
		}
		e.debug("look for user-data on %s: %v", d.Path, err)
	}
	return ""
}
