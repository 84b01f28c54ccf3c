package source

// cloudCIX is the source of machines on CloudCIX.
func cloudCIX() *Source {
	return &Source{
		Name:  "CloudCIX",
		Doc:   "The metadata service of CloudCIX at 169.254.169.254.",
		Match: anyOf(dmi("product_name", "CloudCIX")),
	}
}
