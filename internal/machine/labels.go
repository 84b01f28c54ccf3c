package machine

import "slices"

// WithLabel are those of the devices that have one of the labels, each by the first of these that it has; without labels all
// of them. The entries of a device stand together, as Disks lists them.
func WithLabel(devices []Device, labels ...string) (found []Device) {
	if len(labels) == 0 {
		return slices.Clone(devices)
	}
	for rest := devices; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(other Device) bool { return other.Path != rest[0].Path })
		if n < 0 {
			n = len(rest)
		}
		if i := firstLabel(rest[:n], labels); i >= 0 {
			found = append(found, rest[i])
		}
		rest = rest[n:]
	}
	return found
}

// firstLabel is the entry of a device with the first of the labels that it has; -1 where it has none of them.
func firstLabel(device []Device, labels []string) int {
	for _, label := range labels {
		if i := slices.IndexFunc(device, func(d Device) bool { return d.Label == label }); i >= 0 {
			return i
		}
	}
	return -1
}
