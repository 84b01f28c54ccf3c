package source

// hetzner is the source of machines on Hetzner.
func hetzner() *Source {
	return &Source{
		Name:  "Hetzner",
		Doc:   "The metadata service of Hetzner Cloud at 169.254.169.254.",
		Match: anyOf(dmi("sys_vendor", "Hetzner")),
	}
}
