package source

import "openguest/internal/machine"

// smartOS is the source of machines and zones of SmartOS.
func smartOS() *Source {
	return &Source{
		Name:  "SmartOS",
		Doc:   "What SmartOS says on the second serial line of a machine, or on the metadata socket of a zone.",
		Match: anyOf(dmi("product_name", "SmartDC*"), zone()),
	}
}

// zoneSocket is where SmartOS answers in a zone.
const zoneSocket = "/native/.zonecontrol/metadata.sock"

// zone is a zone of SmartOS that runs Linux's programs. The socket tells it from a container inside of one.
func zone() sign {
	return sign{"zone of SmartOS", func(f *machine.Facts, e *Env) string {
		if f.KernelVersion() != "BrandZ virtual linux" || !machine.Exists(e.Machine.Files, zoneSocket) {
			return ""
		}
		return "the kernel is BrandZ virtual linux, and there is " + zoneSocket
	}}
}
