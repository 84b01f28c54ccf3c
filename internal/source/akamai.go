package source

// akamai is the source of machines on Akamai.
func akamai() *Source {
	return &Source{
		Name:  "Akamai",
		Doc:   "The metadata service of Akamai's cloud, which was Linode's, at 169.254.169.254 and its IPv6 address.",
		Match: anyOf(dmi("sys_vendor", "Linode", "Akamai")),
	}
}
