package source

// rbxCloud is the source of machines on RbxCloud.
func rbxCloud() *Source {
	return &Source{
		Name:  "RbxCloud",
		Doc:   "A disk of Rbx Cloud labelled CLOUDMD with a file of JSON.",
		Match: anyOf(label("CLOUDMD", "cloudmd")),
	}
}
