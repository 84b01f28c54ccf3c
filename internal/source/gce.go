package source

// gce is the source of machines on GCE.
func gce() *Source {
	return &Source{
		Name:  "GCE",
		Doc:   "The metadata service of Google Compute Engine.",
		Match: anyOf(dmi("product_name", "Google Compute Engine"), dmi("product_serial", "GoogleCloud-*")),
	}
}
