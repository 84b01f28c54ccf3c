package source

// scaleway is the source of machines on Scaleway.
func scaleway() *Source {
	return &Source{
		Name:  "Scaleway",
		Doc:   "The metadata service of Scaleway at 169.254.42.42 and fd00:42::42.",
		Match: anyOf(dmi("sys_vendor", "Scaleway"), word("scaleway"), file("/var/run/scaleway")),
	}
}
