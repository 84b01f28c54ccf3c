package source

import (
	"strings"

	"openguest/internal/machine"
)

// openStack is the source of machines that ask OpenStack's metadata service.
func openStack() *Source {
	return &Source{
		Name:  "OpenStack",
		Doc:   "The metadata service of OpenStack at 169.254.169.254 and fe80::a9fe:a9fe: the tree /openstack, and the one that EC2 has.",
		Match: matchOpenStack,
	}
}

// matchOpenStack looks for Nova's names and those of the clouds that are built on it. A config drive says the same without a
// network, if it is listed too.
func matchOpenStack(f *machine.Facts, e *Env) Match {
	if e.looksFor("ConfigDrive") {
		if m := matchConfigDrive(f, e); m.Found {
			return Match{Why: "there is a config drive: " + m.Why}
		}
	}
	m := anyOf(
		dmi("product_name", "OpenStack Nova", "OpenStack Compute"), // the second is RDO's
		novaContainer(),
		dmi("chassis_asset_tag", "OpenTelekomCloud", "SAP CCloud VM", "HUAWEICLOUD", "Samsung Cloud Platform",
			"OpenStack Nova", "OpenStack Compute"), // the last two where VMware's firmware has no other place
	)(f, e)
	if arch := f.Architecture(); !m.Found && arch != "" && !isIntel(arch) {
		return Match{Maybe: true, Why: "Nova names itself on Intel's processors alone, and this is " + arch}
	}
	return m
}

// novaContainer is what Nova tells the first process of a container.
func novaContainer() sign {
	return sign{"product_name in the first process' environment", func(f *machine.Facts, _ *Env) string {
		if f.InitEnvironment("product_name") != "OpenStack Nova" {
			return ""
		}
		return "the first process was told that the product is OpenStack Nova"
	}}
}

// isIntel says whether an architecture is x86_64 or one of i386 to i686.
func isIntel(arch string) bool {
	return arch == "x86_64" || len(arch) == 4 && strings.HasPrefix(arch, "i") && strings.HasSuffix(arch, "86")
}
