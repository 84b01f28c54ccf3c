package source

// openNebula is the source of machines on OpenNebula.
func openNebula() *Source {
	return &Source{
		Name:  "OpenNebula",
		Doc:   "The file context.sh on OpenNebula's context disc, or in the seed folder opennebula.",
		Match: anyOf(seeded("opennebula", "meta-data"), label("CONTEXT", "CDROM")),
	}
}
