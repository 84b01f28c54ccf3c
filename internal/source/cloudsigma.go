package source

// cloudSigma is the source of machines on CloudSigma.
func cloudSigma() *Source {
	return &Source{
		Name:  "CloudSigma",
		Doc:   "The server context of CloudSigma, which is read from a serial line.",
		Match: anyOf(dmi("product_name", "CloudSigma")),
	}
}
