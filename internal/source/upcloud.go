package source

// upCloud is the source of machines on UpCloud.
func upCloud() *Source {
	return &Source{
		Name:  "UpCloud",
		Doc:   "The metadata service of UpCloud at 169.254.169.254.",
		Match: anyOf(dmi("sys_vendor", "UpCloud")),
	}
}
