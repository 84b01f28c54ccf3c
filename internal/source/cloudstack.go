package source

// cloudStack is the source of machines on CloudStack.
func cloudStack() *Source {
	return &Source{
		Name:  "CloudStack",
		Doc:   "The virtual router of an Apache CloudStack network: its metadata and password servers.",
		Match: anyOf(dmi("product_name", "CloudStack*")),
	}
}
