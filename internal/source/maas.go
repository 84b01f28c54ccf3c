package source

// maas is the source of machines that MAAS deploys. They have no sign of their own: MAAS writes a list of one source into
// the system that it installs, or names itself on the kernel command line.
func maas() *Source {
	return &Source{
		Name: "MAAS",
		Doc:  "The metadata service of MAAS, at the address and with the keys that datasource.MAAS in the configuration has.",
	}
}
