package source

// digitalOcean is the source of machines on DigitalOcean.
func digitalOcean() *Source {
	return &Source{
		Name:  "DigitalOcean",
		Doc:   "The metadata service of DigitalOcean at 169.254.169.254: one page of JSON.",
		Match: anyOf(dmi("sys_vendor", "DigitalOcean")),
	}
}
