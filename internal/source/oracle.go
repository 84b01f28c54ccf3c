package source

// oracle is the source of machines on Oracle.
func oracle() *Source {
	return &Source{
		Name:  "Oracle",
		Doc:   "The metadata service of Oracle Cloud Infrastructure at 169.254.169.254.",
		Match: anyOf(dmi("chassis_asset_tag", "OracleCloud.com")),
	}
}
