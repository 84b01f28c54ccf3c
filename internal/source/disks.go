package source

import "openguest/internal/machine"

// oneLook are disks that are read once for all sources that look for labels: a disk that answers slowly costs its time once.
type oneLook struct {
	machine.Disks
	read bool
	all  []machine.Device
	err  error
}

// Labelled chooses from what was read the first time.
func (d *oneLook) Labelled(labels ...string) ([]machine.Device, error) {
	if !d.read {
		d.all, d.err = d.Disks.Labelled()
		d.read = true
	}
	return machine.WithLabel(d.all, labels...), d.err
}
