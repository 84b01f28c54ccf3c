package source

import (
	"openguest/internal/machine"
)

// ibmCloud is the source of IBM's classic virtual servers.
func ibmCloud() *Source {
	return &Source{
		Name:  "IBMCloud",
		Doc:   "The disk of an IBM Cloud Classic server: labelled METADATA where it was made of a template, or config-2 with the number 9796-932E.",
		Match: matchIBMCloud,
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

// ibmDisk is a config drive with the number that all of IBM's have.
func ibmDisk() sign {
	const number = "9796-932E"
	return sign{"file system config-2 with the number " + number, func(f *machine.Facts, e *Env) string {
		for _, d := range labelled(f, e, "CONFIG-2", "config-2") {
			if d.UUID == number {
				return d.Path + " is labelled " + d.Label + " and has the number " + number
			}
		}
		return ""
	}}
}
