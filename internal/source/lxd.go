package source

import (
	"slices"

	"openguest/internal/machine"
)

// lxd is the source of containers and machines of LXD.
func lxd() *Source {
	return &Source{
		Name:  "LXD",
		Doc:   "What LXD says of an instance on the socket /dev/lxd/sock inside of it.",
		Match: anyOf(file(lxdSocket), lxdPort()),
	}
}

// lxdSocket is where LXD answers.
const lxdSocket = "/dev/lxd/sock"

// lxdPort is the serial port that LXD gives its virtual machines: in these the socket appears with its agent, later in the
// boot.
func lxdPort() sign {
	const ports = "/sys/class/virtio-ports"
	return sign{"port of LXD in " + ports, func(f *machine.Facts, e *Env) string {
		if !slices.Contains([]string{"kvm", "qemu"}, f.Virtualization()) {
			return ""
		}
		names, _ := e.Machine.Files.List(ports)
		for _, name := range names {
			if port := firstLine(e, ports+"/"+name+"/name"); port == "com.canonical.lxd" || port == "org.linuxcontainers.lxd" {
				return ports + "/" + name + " is " + port
			}
		}
		return ""
	}}
}
