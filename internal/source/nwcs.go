package source

// nwcs is the source of machines on NWCS.
func nwcs() *Source {
	return &Source{
		Name:  "NWCS",
		Doc:   "The metadata service of NWCS at 169.254.169.254.",
		Match: anyOf(dmi("sys_vendor", "NWCS")),
	}
}
