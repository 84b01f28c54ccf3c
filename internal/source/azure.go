package source

// azure is the source of machines on Azure.
func azure() *Source {
	return &Source{
		Name:  "Azure",
		Doc:   "Azure: its metadata service, the file ovf-env.xml on a disc, and the report to the platform that the machine is ready.",
		Match: anyOf(azureChassis(), seeded("azure", "ovf-env.xml")),
	}
}

// azureChassis is the asset tag that Azure gives every machine; OVF must not take an Azure disc for its own.
func azureChassis() sign { return dmi("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77") }
