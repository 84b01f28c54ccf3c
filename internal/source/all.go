package source

// All are the sources that cloud-init knows, in the order in which it looks for them where no list says otherwise.
func All() []*Source {
	return []*Source{
		maas(),
		configDrive(),
		noCloud(),
		altCloud(),
		azure(),
		bigstep(),
		cloudSigma(),
		cloudStack(),
		digitalOcean(),
		vultr(),
		aliYun(),
		ec2(),
		gce(),
		openNebula(),
		openStack(),
		vmware(),
		ovf(),
		smartOS(),
		scaleway(),
		hetzner(),
		ibmCloud(),
		oracle(),
		exoscale(),
		rbxCloud(),
		upCloud(),
		lxd(),
		nwcs(),
		akamai(),
		wsl(),
		cloudCIX(),
		none(),
	}
}
