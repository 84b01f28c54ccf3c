package source

import (
	"strings"

	"openguest/internal/machine"
)

// altCloud is the source of machines on RHEV and vSphere that are given user-data on a floppy or a disc.
func altCloud() *Source {
	return &Source{
		Name:  "AltCloud",
		Doc:   "The file user-data.txt or deltacloud-user-data.txt on a floppy (RHEV), or on a disc labelled CDROM (vSphere).",
		Match: matchAltCloud,
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
