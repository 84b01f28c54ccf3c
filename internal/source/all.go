package source

// All are the sources that cloud-init knows, in the order in which it looks for them where no list says otherwise. A
// name alone is one that is not built yet: it keeps its place in lists, and says so.
func All() []*Source {
	return []*Source{
		{Name: "MAAS"},
		{Name: "ConfigDrive"},
		noCloud(),
		{Name: "AltCloud"},
		{Name: "Azure"},
		{Name: "Bigstep"},
		{Name: "CloudSigma"},
		{Name: "CloudStack"},
		{Name: "DigitalOcean"},
		{Name: "Vultr"},
		{Name: "AliYun"},
		{Name: "Ec2"},
		{Name: "GCE"},
		{Name: "OpenNebula"},
		{Name: "OpenStack"},
		{Name: "VMware"},
		{Name: "OVF"},
		{Name: "SmartOS"},
		{Name: "Scaleway"},
		{Name: "Hetzner"},
		{Name: "IBMCloud"},
		{Name: "Oracle"},
		{Name: "Exoscale"},
		{Name: "RbxCloud"},
		{Name: "UpCloud"},
		{Name: "LXD"},
		{Name: "NWCS"},
		{Name: "Akamai"},
		{Name: "WSL"},
		{Name: "CloudCIX"},
		none(),
	}
}
