package source

// vultr is the source of machines on Vultr.
func vultr() *Source {
	return &Source{
		Name:  "Vultr",
		Doc:   "The metadata service of Vultr at 169.254.169.254.",
		Match: anyOf(dmi("sys_vendor", "Vultr"), word("vultr"), file("/etc/vultr")),
	}
}
