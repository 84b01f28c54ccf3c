package network

import (
	"openguest/internal/conf"
	"openguest/internal/machine"
)

// Fallback is the network of a machine about which nobody says anything: DHCP on the interface that most likely is
// connected. The document is one of version 2; nil where there is no such interface. why says which it is.
func Fallback(nics []machine.NIC) (document *conf.Value, why string) {
	likely := machine.FallbackNICs(nics)
	if len(likely) == 0 {
		return nil, "no interface could have a network"
	}
	nic := likely[0]
	match := mapping{"macaddress": nic.MAC}
	if nic.Master == "" && nic.Driver == "virtio_net" && nic.Standby { // its parts have the same MAC
		match = mapping{"name": nic.Name}
	}
	why = nic.Name + " may get a network"
	if nic.Carrier {
		why = nic.Name + " is connected"
	}
	device := mapping{"dhcp4": true, "dhcp6": true, "set-name": nic.Name, "match": match}
	return conf.Of(mapping{"ethernets": mapping{nic.Name: device}, "version": 2}, conf.Origin{Part: "fallback"}), why
}
