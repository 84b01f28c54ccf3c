package dist

import "embed"

// Package holds what a package of the guest brings besides the program: units, init scripts, maintainer scripts. Only the
// host's rooms use it, so the guest does not carry it.
//
//go:embed hotplug per systemd openrc sysvinit deb rpm logrotate
var Package embed.FS
