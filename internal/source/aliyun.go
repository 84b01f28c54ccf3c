package source

// aliYun is the source of machines on AliYun.
func aliYun() *Source {
	return &Source{
		Name:  "AliYun",
		Doc:   "The metadata service of Alibaba Cloud at 100.100.100.200.",
		Match: anyOf(seeded("AliYun", "meta-data", "user-data"), dmi("product_name", "Alibaba Cloud ECS")),
	}
}
