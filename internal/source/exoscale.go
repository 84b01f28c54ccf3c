package source

// exoscale is the source of machines on Exoscale.
func exoscale() *Source {
	return &Source{
		Name:  "Exoscale",
		Doc:   "The metadata service of Exoscale at 169.254.169.254, and its password server.",
		Match: anyOf(dmi("product_name", "Exoscale*")),
	}
}
